/*
 * OpenSSL's objects with our cleanup, and its errors as ours.
 *
 * OpenSSL keeps a queue of errors per thread that the TLS code of other libraries reads too: no
 * failure here leaves anything in it.
 */
#ifndef JOSE_CRYPTO_H
#define JOSE_CRYPTO_H

#include <stdbool.h>

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/params.h>

#include <base/macros.h>
#include <err/err.h>

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free);
DEFINE_CLEANUP(EVP_PKEY_CTX *, EVP_PKEY_CTX_free);
DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free);
DEFINE_CLEANUP(EVP_CIPHER *, EVP_CIPHER_free);
DEFINE_CLEANUP(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_free);
DEFINE_CLEANUP(OSSL_PARAM_BLD *, OSSL_PARAM_BLD_free);
DEFINE_CLEANUP(OSSL_PARAM *, OSSL_PARAM_free);
DEFINE_CLEANUP(BIGNUM *, BN_clear_free);

/* What to call after OpenSSL has failed, for whatever reason; both empty its queue. */

/* err_oom() if it was for want of memory; NULL otherwise: then the input is to blame. */
struct err *jose_crypto_oom(void) MUST_CHECK;
/* err_oom(), or ERR_INTERNAL with OpenSSL's reason. */
struct err *jose_crypto_error(const char *what) MUST_CHECK NEVER_NULL;

#endif
