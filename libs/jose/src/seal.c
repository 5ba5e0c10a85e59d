#include <string.h>

#include <base/encode.h>

#include "crypto.h"
#include "refuse.h"
#include "scratch.h"

#define NONCE    12 /* bytes: NIST SP 800-38D section 8.2.2, drawn at random */
#define TAG      16
#define OVERHEAD (NONCE + TAG)

/* A context that knows cipher, key, nonce and aad. */
static bool start(EVP_CIPHER_CTX *ctx, bool seal, const unsigned char *key,
                  const unsigned char *nonce, const char *aad)
{
    _cleanup_(EVP_CIPHER_free) EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    int len;
    return cipher && EVP_CipherInit_ex2(ctx, cipher, key, nonce, seal, NULL) == 1 &&
           EVP_CipherUpdate(ctx, NULL, &len, (const unsigned char *)aad, (int)strlen(aad)) == 1;
}

/* out holds OVERHEAD bytes more than plain. */
static bool encrypt(const unsigned char *key, const char *aad, const void *plain, size_t len,
                    unsigned char *out)
{
    int part = 0, rest = 0;
    unsigned char *cipher = out + NONCE;
    random_bytes(out, NONCE);
    _cleanup_(EVP_CIPHER_CTX_free) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    return ctx && start(ctx, true, key, out, aad) &&
           EVP_CipherUpdate(ctx, cipher, &part, plain, (int)len) == 1 &&
           EVP_CipherFinal_ex(ctx, cipher + part, &rest) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, cipher + len) == 1;
}

/* out holds OVERHEAD bytes less than sealed. */
static bool decrypt(const unsigned char *key, const char *aad, unsigned char *sealed, size_t len,
                    unsigned char *out)
{
    int part = 0, rest = 0;
    size_t plain_len = len - OVERHEAD;
    unsigned char *cipher = sealed + NONCE;
    _cleanup_(EVP_CIPHER_CTX_free) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    return ctx && start(ctx, false, key, sealed, aad) &&
           EVP_CipherUpdate(ctx, out, &part, cipher, (int)plain_len) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, cipher + plain_len) == 1 &&
           EVP_CipherFinal_ex(ctx, out + part, &rest) == 1;
}

struct err *jose_seal(const unsigned char key[static 32], const char *aad, const void *plain,
                      size_t len, struct buf *out)
{
    if (len > JOSE_SEAL_MAX)
        return err_new(&ERR_INTERNAL, "more than %d bytes cannot be sealed", JOSE_SEAL_MAX);
    size_t sealed_len = len + OVERHEAD;
    _cleanup_(free) unsigned char *sealed = malloc(sealed_len);
    if (!sealed)
        return err_oom();
    if (!encrypt(key, aad, plain, len, sealed))
        return jose_crypto_error("seal");
    char *text = buf_reserve(out, BASE64URL_LEN(sealed_len));
    if (!text)
        return jose_buf_error(out);
    buf_commit(out, base64url_encode(text, sealed, sealed_len));
    return NULL;
}

struct err *jose_open(const unsigned char key[static 32], const char *aad, const char *text,
                      size_t len, struct buf *out)
{
    size_t sealed_len = 0;
    _cleanup_(free) unsigned char *sealed = malloc(JOSE_SEAL_MAX + OVERHEAD);
    if (!sealed)
        return err_oom();
    if (!base64url_decode(sealed, JOSE_SEAL_MAX + OVERHEAD, text, len, &sealed_len) ||
        sealed_len < OVERHEAD)
        return err_new(&JOSE_BROKEN_SEAL, "the sealed text is cut off or not base64url");
    size_t plain_len = sealed_len - OVERHEAD;
    _cleanup_(scratch_deinit) struct buf plain;
    if (!scratch_init(&plain, plain_len))
        return err_oom();
    if (!decrypt(key, aad, sealed, sealed_len, (unsigned char *)plain.data)) {
        TRY(jose_crypto_oom());
        return err_new(&JOSE_BROKEN_SEAL, "the sealed text, its place or the key is another one");
    }
    return buf_append(out, plain.data, plain_len) ? NULL : jose_buf_error(out);
}
