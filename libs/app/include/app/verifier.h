/*
 * Checks access tokens against the key set at AUTH_JWKS_URL (RFC 7517), which a thread of its own
 * fetches at start, every 5 minutes, and when a token names an unknown key (at most every 10 s).
 * While it cannot be had, the keys that are known stay in use and it is tried again after 50 ms,
 * then after twice that each time, to 1 s.
 *
 * Threads: any; app_verifier_free() by the owner when no one else uses it. Only app_verifier_free()
 * blocks; nothing but the thread makes a request.
 */
#ifndef APP_VERIFIER_H
#define APP_VERIFIER_H

#include <err/err.h>
#include <http/client.h>
#include <http/server.h>
#include <jose/jose.h>

struct app_verifier;

/* The strings are copied. */
struct app_verifier_options {
    const char *jwks_url;
    const char *issuer, *audience;
    struct http_client *client; /* borrowed until app_verifier_free() */
    int64_t refresh_ms;         /* between two fetches; 0: 5 min */
    int64_t unknown_key_ms;     /* the same, when a token names an unknown key; 0: 10 s */
};

/* Begins to fetch, and does not wait for it. */
struct err *app_verifier_new(const struct app_verifier_options *options,
                             struct app_verifier **out_verifier) MUST_CHECK;
void app_verifier_free(struct app_verifier *verifier);
DEFINE_CLEANUP(struct app_verifier *, app_verifier_free);

/* NULL when keys have been fetched, else ERR_UPSTREAM_UNAVAILABLE with the reason (readiness). */
struct err *app_verifier_ready(struct app_verifier *verifier) MUST_CHECK;
/* The errors of jose_token_verify(), with 30 s of clock skew; ERR_UPSTREAM_UNAVAILABLE while there
 * are no keys at all, and for an unknown key if the last fetch failed. */
struct err *app_verifier_check(struct app_verifier *verifier, const char *token, size_t len,
                               struct jose_claims *out_claims) MUST_CHECK;
/* Changes whenever the key set does: results cached under another epoch are void. */
uint64_t app_verifier_epoch(const struct app_verifier *verifier);
/* For http_server_options. Borrows the verifier. */
struct http_authenticator app_verifier_authenticator(struct app_verifier *verifier);

/* Who the token speaks of, as handlers see it. */
void app_identity(const struct jose_claims *claims, struct http_identity *out_identity);

#endif
