/*
 * The algorithms as a table: names in tokens and JWKs, members of a JWK and what OpenSSL calls
 * them.
 */
#ifndef JOSE_ALG_H
#define JOSE_ALG_H

#include <jose/jose.h>

#define JOSE_THUMBPRINT_TEXT 44 /* base64url of SHA-256, and the NUL */
#define JOSE_PARTS_MAX       8
#define JOSE_PART_MAX        512 /* bytes: an RSA modulus of 4096 bits */
#define JOSE_RSA_MIN         2048
#define JOSE_RSA_MAX         4096
#define JOSE_RSA_DEFAULT     2048

/* A member of a JWK that is key material, base64url in JSON. */
struct jose_part {
    const char *name;  /* in the JWK */
    const char *param; /* OpenSSL's name */
    size_t size;       /* bytes; 0: a number in as few bytes as possible */
    bool is_private;
};

struct jose_alg_info {
    enum jose_alg alg;
    const char *name;   /* RFC 7518 section 3.1, RFC 8037 section 3.1 */
    const char *kty;    /* RFC 7518 section 6.1, RFC 8037 section 2 */
    const char *crv;    /* NULL for RSA */
    const char *digest; /* NULL where the algorithm has its own */
    size_t part_count;
    struct jose_part parts[JOSE_PARTS_MAX];
    const char *thumbprint[5]; /* required members in the order of RFC 7638, ended by NULL */
};

const struct jose_alg_info *jose_alg_info(enum jose_alg alg);
/* NULL when no algorithm here uses such keys. kty and crv may be NULL. */
const struct jose_alg_info *jose_alg_find(const char *kty, const char *crv);

#endif
