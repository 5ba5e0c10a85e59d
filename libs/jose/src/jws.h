/* JWS compact serialisation (RFC 7515). */
#ifndef JOSE_JWS_H
#define JOSE_JWS_H

#include <jose/jose.h>

/* Decoded, a payload is shorter than its token. */
struct jose_payload {
    size_t len;
    char bytes[JOSE_TOKEN_MAX];
};

/* As jose_verify(), into the caller's storage. */
struct err *jose_jws_open(const struct jose_keys *keys, const char *typ, const char *token,
                          size_t len, struct jose_payload *out_payload) MUST_CHECK;

#endif
