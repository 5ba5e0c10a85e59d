/*
 * Signatures as JWS has them: raw r || s for ES256 (RFC 7518 section 3.4), 64 bytes for Ed25519
 * (RFC 8037 section 3.1), PKCS #1 v1.5 for RS256 (RFC 7518 section 3.3).
 */
#ifndef JOSE_SIGNATURE_H
#define JOSE_SIGNATURE_H

#include "alg.h"
#include "crypto.h"

#define JOSE_SIGNATURE_MAX JOSE_PART_MAX

/* A digest context that is made ready once for each key, and copied for each use: looking up the
 * algorithm costs ten times as much as the copy, and takes locks that all threads share. */
struct err *jose_signature_prepare(const struct jose_alg_info *info, EVP_PKEY *pkey,
                                   bool for_signing, EVP_MD_CTX **out_prepared) MUST_CHECK;

struct err *jose_signature_make(const struct jose_alg_info *info, const EVP_MD_CTX *prepared,
                                const void *bytes, size_t count,
                                unsigned char out[static JOSE_SIGNATURE_MAX], size_t *out_len)
    MUST_CHECK;
/* *out_valid tells; an error is one of memory only. */
struct err *jose_signature_check(const struct jose_alg_info *info, const EVP_MD_CTX *prepared,
                                 const void *bytes, size_t count, const unsigned char *signature,
                                 size_t len, bool *out_valid) MUST_CHECK;

#endif
