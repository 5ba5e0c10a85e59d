#include "certs.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "check.h"

#define DAY_S (24L * 3600)

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(cert, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static X509 *new_cert(EVP_PKEY *key, const char *common_name, int from_days, int to_days)
{
    X509 *cert = X509_new();
    assert_non_null(cert);
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), random());
    X509_gmtime_adj(X509_getm_notBefore(cert), from_days * DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(cert), to_days * DAY_S);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)common_name, -1, -1, 0);
    return cert;
}

void certs_init(struct certs *certs)
{
    certs->ca_key = EVP_EC_gen("P-256");
    certs->ca = new_cert(certs->ca_key, "Test authority", -1, 2);
    X509_set_issuer_name(certs->ca, X509_get_subject_name(certs->ca));
    add_extension(certs->ca, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(certs->ca, NID_key_usage, "critical,keyCertSign");
    assert_true(X509_sign(certs->ca, certs->ca_key, EVP_sha256()) > 0);
    snprintf(certs->ca_file, sizeof(certs->ca_file), "/tmp/plankton-ca-XXXXXX");
    int fd = mkstemp(certs->ca_file);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, certs->ca), 1);
    fclose(file);
}

void certs_deinit(struct certs *certs)
{
    unlink(certs->ca_file);
    X509_free(certs->ca);
    EVP_PKEY_free(certs->ca_key);
}

SSL_CTX *certs_server(const struct certs *certs, const struct certs_name *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = new_cert(key, "Test server", name->from_days, name->to_days);
    X509_set_issuer_name(cert, X509_get_subject_name(certs->ca));
    add_extension(cert, NID_subject_alt_name, name->san);
    assert_true(X509_sign(cert, certs->ca_key, EVP_sha256()) > 0);
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    assert_non_null(context);
    assert_int_equal(SSL_CTX_use_certificate(context, cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
    X509_free(cert);
    EVP_PKEY_free(key);
    return context;
}
