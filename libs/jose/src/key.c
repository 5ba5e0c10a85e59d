#include "key.h"

#include "refuse.h"
#include "signature.h"

static EVP_PKEY *generate(enum jose_alg alg)
{
    switch (alg) {
    case JOSE_ES256:
        return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    case JOSE_EDDSA:
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    case JOSE_RS256:
        return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)JOSE_RSA_DEFAULT);
    }
    return NULL;
}

struct err *jose_key_generate(enum jose_alg alg, struct jose_key **out_key)
{
    EVP_PKEY *pkey = generate(alg);
    if (!pkey)
        return jose_crypto_error("generate a key");
    return jose_key_wrap(jose_alg_info(alg), pkey, true, NULL, out_key);
}

/* A private key whose parts do not belong together signs what its public part refuses. */
static struct err *check_pair(const struct jose_key *key)
{
    static const char probe[] = "probe";
    unsigned char signature[JOSE_SIGNATURE_MAX];
    size_t len;
    bool is_valid;
    struct err *e =
        jose_signature_make(key->info, key->signer, probe, sizeof(probe), signature, &len);
    if (e)
        return jose_refuse(e, &JOSE_INVALID_KEY, "the private key cannot sign");
    TRY(jose_signature_check(key->info, key->verifier, probe, sizeof(probe), signature, len,
                             &is_valid));
    if (!is_valid)
        return err_new(&JOSE_INVALID_KEY, "the private part does not belong to the public one");
    return NULL;
}

struct err *jose_key_wrap(const struct jose_alg_info *info, EVP_PKEY *pkey, bool is_private,
                          const char *id, struct jose_key **out_key)
{
    _cleanup_(jose_key_unref) struct jose_key *key = calloc(1, sizeof(*key));
    if (!key) {
        EVP_PKEY_free(pkey);
        return err_oom();
    }
    atomic_init(&key->refs, 1);
    key->info = info;
    key->pkey = pkey;
    TRY(jose_signature_prepare(info, pkey, false, &key->verifier));
    if (is_private) {
        TRY(jose_signature_prepare(info, pkey, true, &key->signer));
        TRY(check_pair(key));
    }
    if (!id)
        TRY(jose_key_thumbprint(info, pkey, key->id));
    else if (!str_copy(key->id, sizeof(key->id), id) || !*id)
        return err_new(&JOSE_INVALID_KEY, "kid has 1 to %d bytes", JOSE_KEY_ID_MAX);
    *out_key = TAKE(key);
    return NULL;
}

const char *jose_key_id(const struct jose_key *key)
{
    return key->id;
}

enum jose_alg jose_key_alg(const struct jose_key *key)
{
    return key->info->alg;
}

bool jose_key_is_private(const struct jose_key *key)
{
    return key->signer != NULL;
}

struct jose_key *jose_key_ref(struct jose_key *key)
{
    atomic_fetch_add_explicit(&key->refs, 1, memory_order_relaxed);
    return key;
}

void jose_key_unref(struct jose_key *key)
{
    if (!key || atomic_fetch_sub_explicit(&key->refs, 1, memory_order_acq_rel) != 1)
        return;
    EVP_MD_CTX_free(key->signer);
    EVP_MD_CTX_free(key->verifier);
    EVP_PKEY_free(key->pkey); /* OpenSSL wipes the private numbers */
    free(key);
}
