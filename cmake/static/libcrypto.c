/*
 * Parts of Debian's libcrypto.a that a small static program leaves out. The linker takes these
 * functions, which say that the part is not there, and then has no reason to take those of the
 * archive. Each set is all that one object file of the archive exports: were that to change, the
 * linker would tell of symbols that are defined twice or missing.
 *
 * Their parameters are never looked at.
 */
#include <stddef.h>

#include <openssl/evp.h>

#define NOTHING(name)                                                                              \
    void *name(void);                                                                              \
    void *name(void)                                                                               \
    {                                                                                              \
        return NULL;                                                                               \
    }
#define NO_EFFECT(name)                                                                            \
    void name(void);                                                                               \
    void name(void)                                                                                \
    {                                                                                              \
    }

/* Compression of certificates (RFC 8879), which TLS offers for what is here: NULL is what these
 * answer in an OpenSSL that was built without. 0.8 MB of zlib and zstd. */
NOTHING(COMP_zlib)
NOTHING(COMP_zlib_oneshot)
NOTHING(BIO_f_zlib)
NO_EFFECT(ossl_comp_zlib_cleanup)
NOTHING(COMP_zstd)
NOTHING(COMP_zstd_oneshot)
NOTHING(BIO_f_zstd)
NO_EFFECT(ossl_comp_zstd_cleanup)

/* What may be looked up by name in the old way: passphrases of key files, the channel binding of
 * SCRAM. Debian's lists name 160 ciphers and digests and so bring them all along, 0.2 MB; TLS,
 * certificates and tokens ask the provider, which has its own. */
void openssl_add_all_ciphers_int(void);
void openssl_add_all_ciphers_int(void)
{
    EVP_add_cipher(EVP_aes_128_cbc());
    EVP_add_cipher(EVP_aes_192_cbc());
    EVP_add_cipher(EVP_aes_256_cbc());
    EVP_add_cipher(EVP_des_ede3_cbc());
}
void openssl_add_all_digests_int(void);
void openssl_add_all_digests_int(void)
{
    EVP_add_digest(EVP_md5());
    EVP_add_digest(EVP_sha1());
    EVP_add_digest(EVP_sha224());
    EVP_add_digest(EVP_sha256());
    EVP_add_digest(EVP_sha384());
    EVP_add_digest(EVP_sha512());
}

/* AES-GCM once more, for AVX-512: 0.7 MB. The processor is asked first, and said not to be capable;
 * the code for AES-NI, which is taken then, encrypts gigabytes a second. */
int ossl_vaes_vpclmulqdq_capable(void);
int ossl_vaes_vpclmulqdq_capable(void)
{
    return 0;
}
NO_EFFECT(ossl_aes_gcm_init_avx512)
NO_EFFECT(ossl_aes_gcm_setiv_avx512)
NO_EFFECT(ossl_aes_gcm_update_aad_avx512)
NO_EFFECT(ossl_aes_gcm_encrypt_avx512)
NO_EFFECT(ossl_aes_gcm_decrypt_avx512)
NO_EFFECT(ossl_aes_gcm_finalize_avx512)
NO_EFFECT(ossl_gcm_gmult_avx512)
