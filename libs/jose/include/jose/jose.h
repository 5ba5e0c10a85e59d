/*
 * Signed tokens (JWS compact, RFC 7515; JWT, RFC 7519) and key sets (JWK, RFC 7517; RFC 8037),
 * following the best practices of RFC 8725: the algorithm belongs to the key, never to the token;
 * "none" and HMAC do not exist here; `crit` is refused.
 *
 * Threads: a key and a key set are immutable once made and may be shared; both are reference
 * counted. Nothing blocks.
 */
#ifndef JOSE_JOSE_H
#define JOSE_JOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/buf.h>
#include <base/macros.h>
#include <base/str.h>
#include <err/err.h>

#define X ERR_DECLARE_KIND
#include <jose/kinds.def>
#undef X

enum jose_alg { JOSE_ES256, JOSE_EDDSA, JOSE_RS256 };

struct jose_key;
struct jose_keys;

/* A new private key; its kid is its RFC 7638 thumbprint. RS256 keys have 2048 bits and take ~100 ms. */
struct err *jose_key_generate(enum jose_alg alg, struct jose_key **out_key) MUST_CHECK;
/* From a JWK (JSON text), private or public. Wrong curve, short RSA modulus (< 2048), point not on the
 * curve: refused. kid is taken from it, else the thumbprint. */
struct err *jose_key_parse(const char *json, size_t len, struct jose_key **out_key) MUST_CHECK;
/* As a JWK; with_private writes the private part (keep it encrypted). */
struct err *jose_key_write(const struct jose_key *key, bool with_private, struct buf *out) MUST_CHECK;
const char *jose_key_id(const struct jose_key *key);
enum jose_alg jose_key_alg(const struct jose_key *key);
bool jose_key_is_private(const struct jose_key *key);
struct jose_key *jose_key_ref(struct jose_key *key);
void jose_key_unref(struct jose_key *key);
DEFINE_CLEANUP(struct jose_key *, jose_key_unref);

/* A set takes its own references. At most 64 keys. Keys of an unknown type are skipped when parsing. */
struct err *jose_keys_new(struct jose_key *const *keys, size_t count, struct jose_keys **out_keys)
    MUST_CHECK;
struct err *jose_keys_parse(const char *json, size_t len, struct jose_keys **out_keys) MUST_CHECK;
/* {"keys":[...]}, public parts only. */
struct err *jose_keys_write(const struct jose_keys *keys, struct buf *out) MUST_CHECK;
const struct jose_key *jose_keys_find(const struct jose_keys *keys, const char *kid, size_t kid_len);
size_t jose_keys_count(const struct jose_keys *keys);
struct jose_keys *jose_keys_ref(struct jose_keys *keys);
void jose_keys_unref(struct jose_keys *keys);
DEFINE_CLEANUP(struct jose_keys *, jose_keys_unref);

/* JWS compact serialisation of any payload. typ may be NULL. */
struct err *jose_sign(const struct jose_key *key, const char *typ, const void *payload, size_t len,
                      struct buf *out) MUST_CHECK;
/* Checks the signature and gives the payload (appended to out). */
struct err *jose_verify(const struct jose_keys *keys, const char *typ, const char *token, size_t len,
                        struct buf *out_payload) MUST_CHECK;

/* An access token (RFC 9068, typ at+jwt). */
#define JOSE_TOKEN_MAX 4096 /* longer tokens are refused unread */
struct jose_claims {
    char iss[256];
    char sub[64];
    char aud[128];  /* when reading an array: the entry that matched */
    char jti[64];
    char sid[64];   /* session */
    char role[32];
    char email[256];
    char scope[512];
    int64_t iat_s, nbf_s, exp_s; /* nbf 0: absent */
};

struct err *jose_token_sign(const struct jose_key *key, const struct jose_claims *claims,
                            struct buf *out) MUST_CHECK;

struct jose_expect {
    const char *iss;      /* must be equal */
    const char *aud;      /* must be equal, or one of the array */
    int64_t now_s;        /* 0: the clock */
    int64_t clock_skew_s; /* tolerated either way; 0 to 300 */
};
/* JOSE_INVALID_TOKEN (or JOSE_UNKNOWN_KEY) with a detail that is safe to show. */
struct err *jose_token_verify(const struct jose_keys *keys, const struct jose_expect *expect,
                              const char *token, size_t len, struct jose_claims *out_claims)
    MUST_CHECK;

/* AES-256-GCM for private keys at rest: key is 32 bytes, aad binds the ciphertext to its place. The
 * text is base64url of nonce || ciphertext || tag. */
struct err *jose_seal(const unsigned char key[static 32], const char *aad, const void *plain,
                      size_t len, struct buf *out) MUST_CHECK;
struct err *jose_open(const unsigned char key[static 32], const char *aad, const char *text,
                      size_t len, struct buf *out) MUST_CHECK;

#endif
