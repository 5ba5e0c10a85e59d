#include "alg.h"

#include <openssl/core_names.h>

static const struct jose_alg_info algs[] =
    {
        [JOSE_ES256] =
            {
                .alg = JOSE_ES256,
                .name = "ES256",
                .kty = "EC",
                .crv = "P-256",
                .digest = "SHA256",
                .part_count = 3,
                .parts = {{"x", OSSL_PKEY_PARAM_EC_PUB_X, 32, false},
                          {"y", OSSL_PKEY_PARAM_EC_PUB_Y, 32, false},
                          {"d", OSSL_PKEY_PARAM_PRIV_KEY, 32, true}},
                .thumbprint = {"crv", "kty", "x", "y"},
            },
        [JOSE_EDDSA] =
            {
                .alg = JOSE_EDDSA,
                .name = "EdDSA",
                .kty = "OKP",
                .crv = "Ed25519",
                .part_count = 2,
                .parts = {{"x", OSSL_PKEY_PARAM_PUB_KEY, 32, false},
                          {"d", OSSL_PKEY_PARAM_PRIV_KEY, 32, true}},
                .thumbprint = {"crv", "kty", "x"},
            },
        [JOSE_RS256] =
            {
                .alg = JOSE_RS256,
                .name = "RS256",
                .kty = "RSA",
                .digest = "SHA256",
                .part_count = 8,
                .parts = {{"n", OSSL_PKEY_PARAM_RSA_N, 0, false},
                          {"e", OSSL_PKEY_PARAM_RSA_E, 0, false},
                          {"d", OSSL_PKEY_PARAM_RSA_D, 0, true},
                          {"p", OSSL_PKEY_PARAM_RSA_FACTOR1, 0, true},
                          {"q", OSSL_PKEY_PARAM_RSA_FACTOR2, 0, true},
                          {"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1, 0, true},
                          {"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2, 0, true},
                          {"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1, 0, true}},
                .thumbprint = {"e", "kty", "n"},
            },
};

const struct jose_alg_info *jose_alg_info(enum jose_alg alg)
{
    return &algs[alg];
}

const struct jose_alg_info *jose_alg_find(const char *kty, const char *crv)
{
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        const char *wanted = algs[i].crv;
        if (kty && str_equal(algs[i].kty, kty) && (!wanted || (crv && str_equal(wanted, crv))))
            return &algs[i];
    }
    return NULL;
}
