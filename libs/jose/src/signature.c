#include "signature.h"

#include <string.h>

#include <openssl/ecdsa.h>

#define SCALAR 32 /* bytes of r and of s on P-256 */
#define RAW    (2 * SCALAR)
/* SEQUENCE of two INTEGERs, each with a sign byte at most. */
#define DER_MAX (2 + 2 * (2 + 1 + SCALAR))

DEFINE_CLEANUP(ECDSA_SIG *, ECDSA_SIG_free);

struct err *jose_signature_prepare(const struct jose_alg_info *info, EVP_PKEY *pkey,
                                   bool for_signing, EVP_MD_CTX **out_prepared)
{
    _cleanup_(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx)
        return jose_crypto_error("prepare a key");
    int done = for_signing
                   ? EVP_DigestSignInit_ex(ctx, NULL, info->digest, NULL, NULL, pkey, NULL)
                   : EVP_DigestVerifyInit_ex(ctx, NULL, info->digest, NULL, NULL, pkey, NULL);
    if (done != 1)
        return jose_crypto_error("prepare a key");
    *out_prepared = TAKE(ctx);
    return NULL;
}

static struct err *copy_prepared(const EVP_MD_CTX *prepared, EVP_MD_CTX **out_ctx)
{
    _cleanup_(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx || EVP_MD_CTX_copy_ex(ctx, prepared) != 1)
        return jose_crypto_error("copy a digest context");
    *out_ctx = TAKE(ctx);
    return NULL;
}

static bool raw_from_der(const unsigned char *der, size_t len, unsigned char out[static RAW])
{
    _cleanup_(ECDSA_SIG_free) ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)len);
    return signature && BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, SCALAR) == SCALAR &&
           BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + SCALAR, SCALAR) == SCALAR;
}

/* An INTEGER of DER: no needless zeros, and a zero in front of a set high bit. */
static unsigned char *put_integer(unsigned char *out, const unsigned char scalar[static SCALAR])
{
    size_t skip = 0;
    while (skip < SCALAR - 1 && scalar[skip] == 0)
        skip++;
    bool has_sign_byte = (scalar[skip] & 0x80) != 0;
    *out++ = 0x02;
    *out++ = (unsigned char)(SCALAR - skip + has_sign_byte);
    if (has_sign_byte)
        *out++ = 0;
    while (skip < SCALAR)
        *out++ = scalar[skip++];
    return out;
}

static size_t der_from_raw(const unsigned char raw[static RAW], unsigned char out[static DER_MAX])
{
    unsigned char *end = put_integer(put_integer(out + 2, raw), raw + SCALAR);
    out[0] = 0x30;
    out[1] = (unsigned char)(end - out - 2);
    return (size_t)(end - out);
}

struct err *jose_signature_make(const struct jose_alg_info *info, const EVP_MD_CTX *prepared,
                                const void *bytes, size_t count,
                                unsigned char out[static JOSE_SIGNATURE_MAX], size_t *out_len)
{
    unsigned char signature[JOSE_SIGNATURE_MAX];
    size_t len = sizeof(signature);
    _cleanup_(EVP_MD_CTX_free) EVP_MD_CTX *ctx = NULL;
    TRY(copy_prepared(prepared, &ctx));
    if (EVP_DigestSign(ctx, signature, &len, bytes, count) != 1)
        return jose_crypto_error("sign");
    if (info->alg == JOSE_ES256) {
        if (!raw_from_der(signature, len, out))
            return jose_crypto_error("encode a signature");
        *out_len = RAW;
        return NULL;
    }
    memcpy(out, signature, len);
    *out_len = len;
    return NULL;
}

struct err *jose_signature_check(const struct jose_alg_info *info, const EVP_MD_CTX *prepared,
                                 const void *bytes, size_t count, const unsigned char *signature,
                                 size_t len, bool *out_valid)
{
    unsigned char der[DER_MAX];
    if (info->alg == JOSE_ES256) {
        if (len != RAW) {
            *out_valid = false;
            return NULL;
        }
        len = der_from_raw(signature, der);
        signature = der;
    }
    _cleanup_(EVP_MD_CTX_free) EVP_MD_CTX *ctx = NULL;
    TRY(copy_prepared(prepared, &ctx));
    bool is_valid = EVP_DigestVerify(ctx, signature, len, bytes, count) == 1;
    if (!is_valid)
        TRY(jose_crypto_oom());
    *out_valid = is_valid;
    return NULL;
}
