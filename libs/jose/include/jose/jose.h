/*
 * Signed tokens (JWS compact, RFC 7515; JWT, RFC 7519) and key sets (JWK, RFC 7517; RFC 8037),
 * following the best practices of RFC 8725: the algorithm belongs to the key, never to the token;
 * "none" and HMAC do not exist here; `crit` and `b64` are refused, keys that a token brings along
 * (jwk, jku, x5c) are not looked at.
 *
 *     struct jose_claims claims;
 *     struct jose_expect expect = {.iss = issuer, .aud = "plankton", .clock_skew_s = 30};
 *     TRY(jose_token_verify(keys, &expect, token, strlen(token), &claims));
 *
 * Threads: a key and a key set are immutable once made; any number of threads may use them at once.
 * Both are reference counted; ref and unref may be called by any thread that has a reference.
 * Nothing blocks. A token takes about 35 us to sign and 85 us to verify with ES256, 60 and 145 with
 * EdDSA, 360 and 30 with RS256 (one slow core; OpenSSL's share is all but 5 us of each).
 *
 * Errors besides those named below: err_oom(); ERR_INTERNAL for misuse and when a result does not
 * fit the buffer. A struct buf is appended to, on success only. Private parts are wiped from all
 * memory that this library or OpenSSL took for them; what the caller gave or received is the
 * caller's to wipe.
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

/* First in main(), before any library of the process uses OpenSSL: it is then not torn down at
 * exit, while threads that others have started and never end (nats.c's) may still be in it. */
void jose_keep_openssl(void);

/* The algorithm and, with it, the kind of key: P-256 (RFC 7518 section 3.4), Ed25519 (RFC 8037),
 * RSA of 2048 to 4096 bits with PKCS #1 v1.5 (RFC 7518 section 3.3). The digest is SHA-256 or
 * Ed25519's own. */
enum jose_alg { JOSE_ES256, JOSE_EDDSA, JOSE_RS256 };

#define JOSE_KEY_ID_MAX 128           /* bytes of a kid */
#define JOSE_JWK_MAX    (16 * 1024)   /* bytes of JSON; longer ones are refused unread */
#define JOSE_JWKS_MAX   (1024 * 1024) /* the same for a set */
#define JOSE_KEYS_MAX   64            /* keys of a set */

struct jose_key;
struct jose_keys;

/* A new private key; its kid is its RFC 7638 thumbprint. RS256 keys have 2048 bits and take ~100
 * ms. */
struct err *jose_key_generate(enum jose_alg alg, struct jose_key **out_key) MUST_CHECK;
/* From a JWK (strict JSON), private or public. Other kinds of key, a use but "sig", another alg, a
 * short or huge modulus, an exponent below 65537, a point not on the curve, numbers in other than
 * their shortest form, private parts that do not belong to the public ones, RSA without all of
 * d, p, q, dp, dq, qi: JOSE_INVALID_KEY. kid is taken from it, else the thumbprint. */
struct err *jose_key_parse(const char *json, size_t len, struct jose_key **out_key) MUST_CHECK;
/* As a JWK; with_private writes the private part (keep it encrypted: jose_seal; wipe the buffer,
 * and reserve 4 KiB in it beforehand or it leaves copies behind as it grows later). ERR_INTERNAL
 * when there is no private part. */
struct err *jose_key_write(const struct jose_key *key, bool with_private, struct buf *out)
    MUST_CHECK;
/* Lives as long as the key. */
const char *jose_key_id(const struct jose_key *key);
enum jose_alg jose_key_alg(const struct jose_key *key);
bool jose_key_is_private(const struct jose_key *key);
struct jose_key *jose_key_ref(struct jose_key *key);
void jose_key_unref(struct jose_key *key);
DEFINE_CLEANUP(struct jose_key *, jose_key_unref);

/* A set takes its own references. Two keys with one kid, or more than JOSE_KEYS_MAX:
 * JOSE_INVALID_KEY. An empty set is fine. */
struct err *jose_keys_new(struct jose_key *const *keys, size_t count, struct jose_keys **out_keys)
    MUST_CHECK;
/* Keys that jose_key_parse() would refuse are skipped (RFC 7517 section 5); JOSE_INVALID_KEY when
 * the text is no key set at all. */
struct err *jose_keys_parse(const char *json, size_t len, struct jose_keys **out_keys) MUST_CHECK;
/* {"keys":[...]}, public parts only, even of private keys. */
struct err *jose_keys_write(const struct jose_keys *keys, struct buf *out) MUST_CHECK;
/* NULL when absent. Lives as long as the set. */
const struct jose_key *jose_keys_find(const struct jose_keys *keys, const char *kid,
                                      size_t kid_len);
size_t jose_keys_count(const struct jose_keys *keys);
struct jose_keys *jose_keys_ref(struct jose_keys *keys);
void jose_keys_unref(struct jose_keys *keys);
DEFINE_CLEANUP(struct jose_keys *, jose_keys_unref);

#define JOSE_TOKEN_MAX 4096 /* bytes; longer tokens are refused unread, and never made */

/* JWS compact serialisation of any payload. typ may be NULL: no such header. The key is private. */
struct err *jose_sign(const struct jose_key *key, const char *typ, const void *payload, size_t len,
                      struct buf *out) MUST_CHECK;
/* Checks the signature and gives the payload. typ (without "application/") must be that of the
 * header, which may have it in full and in any case; NULL: any or none. The header names its key by
 * kid, or the set has exactly one. JOSE_INVALID_TOKEN or JOSE_UNKNOWN_KEY, as below. */
struct err *jose_verify(const struct jose_keys *keys, const char *typ, const char *token,
                        size_t len, struct buf *out_payload) MUST_CHECK;

/* The claims of an access token (RFC 9068, typ at+jwt). iss, sub and aud are never empty; the other
 * strings are empty when absent. Times are seconds since 1970. */
struct jose_claims {
    char iss[256];
    char sub[64];
    char aud[128]; /* when reading an array: the entry that matched */
    char jti[64];
    char sid[64]; /* session */
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
/* exp and iat must be there; the token is good from nbf and iat, and before exp. A claim of struct
 * jose_claims with a wrong type, empty or too long for its place is an error, unknown claims are
 * not. JOSE_UNKNOWN_KEY when the header names a key that the set lacks (fetch the set anew, now and
 * then); JOSE_INVALID_TOKEN for all else. Both have a detail that is safe to show: it tells what is
 * wrong, and no part of the token. */
struct err *jose_token_verify(const struct jose_keys *keys, const struct jose_expect *expect,
                              const char *token, size_t len, struct jose_claims *out_claims)
    MUST_CHECK;

#define JOSE_SEAL_MAX (64 * 1024) /* bytes of plain text */

/* AES-256-GCM for private keys at rest: key is 32 bytes, aad (a string; not NULL) binds the
 * ciphertext to its place. The text is base64url of nonce || ciphertext || tag; the nonce is 96
 * random bits, so one key is good for 2^32 seals (NIST SP 800-38D section 8.3). */
struct err *jose_seal(const unsigned char key[static 32], const char *aad, const void *plain,
                      size_t len, struct buf *out) MUST_CHECK;
/* JOSE_BROKEN_SEAL when text, aad or key is not the one that it was. */
struct err *jose_open(const unsigned char key[static 32], const char *aad, const char *text,
                      size_t len, struct buf *out) MUST_CHECK;

#endif
