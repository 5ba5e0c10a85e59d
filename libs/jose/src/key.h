/* A key: immutable once made. */
#ifndef JOSE_KEY_H
#define JOSE_KEY_H

#include <stdatomic.h>

#include <model/json.h>

#include "alg.h"
#include "crypto.h"

struct jose_key {
    atomic_size_t refs;
    const struct jose_alg_info *info;
    EVP_PKEY *pkey;
    EVP_MD_CTX *verifier;
    EVP_MD_CTX *signer; /* NULL for a public key */
    char id[JOSE_KEY_ID_MAX + 1];
};

/* From an element of a key set. */
struct err *jose_key_from_json(const struct json_value *jwk, struct jose_key **out_key) MUST_CHECK;
/* The JWK as the next value of the writer. */
struct err *jose_key_to_json(const struct jose_key *key, bool with_private, struct json_writer *w)
    MUST_CHECK;
/* RFC 7638, SHA-256. */
struct err *jose_key_thumbprint(const struct jose_alg_info *info, const EVP_PKEY *pkey,
                                char out[static JOSE_THUMBPRINT_TEXT]) MUST_CHECK;
/* Takes pkey, even when it fails. id NULL: the thumbprint. */
struct err *jose_key_wrap(const struct jose_alg_info *info, EVP_PKEY *pkey, bool is_private,
                          const char *id, struct jose_key **out_key) MUST_CHECK;

#endif
