/* A certificate authority of the test's own, and certificates that it signs: PEM files. */
#ifndef CERTS_H
#define CERTS_H

#include <openssl/ssl.h>

struct certs_name {
    const char *san;        /* "DNS:localhost,IP:127.0.0.1" */
    int from_days, to_days; /* of validity, counted from today */
};

struct certs {
    EVP_PKEY *ca_key;
    X509 *ca;
    char ca_file[64]; /* PEM, removed by certs_deinit() */
};

void certs_init(struct certs *certs);
void certs_deinit(struct certs *certs);
/* A server that presents such a certificate. */
SSL_CTX *certs_server(const struct certs *certs, const struct certs_name *name);

#endif
