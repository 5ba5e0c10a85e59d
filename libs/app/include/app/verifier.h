/*
 * Checks access tokens against the key set at AUTH_JWKS_URL, which a thread of its own fetches at start,
 * every 5 minutes, and when a token names an unknown key (at most every 10 s). Keys that are known stay
 * in use while the URL is away.
 *
 * Threads: any. app_verifier_check() and app_verifier_keys() never block and make no request.
 */
#ifndef APP_VERIFIER_H
#define APP_VERIFIER_H

#include <err/err.h>
#include <http/client.h>
#include <http/server.h>
#include <jose/jose.h>

struct app_verifier;

struct app_verifier_options {
    const char *jwks_url;
    const char *issuer, *audience;
    struct http_client *client; /* borrowed */
};

struct err *app_verifier_new(const struct app_verifier_options *options,
                             struct app_verifier **out_verifier) MUST_CHECK;
void app_verifier_free(struct app_verifier *verifier);
DEFINE_CLEANUP(struct app_verifier *, app_verifier_free);

/* Whether keys have been fetched. */
bool app_verifier_is_ready(const struct app_verifier *verifier);
/* ERR_UPSTREAM_UNAVAILABLE while there are no keys at all. */
struct err *app_verifier_check(struct app_verifier *verifier, const char *token, size_t len,
                               struct jose_claims *out_claims) MUST_CHECK;
/* Changes whenever the key set does: results cached under another epoch are void. */
uint64_t app_verifier_epoch(const struct app_verifier *verifier);
/* What handlers are told of the claims of a token. */
void app_identity(const struct jose_claims *claims, struct http_identity *out_identity);
/* For http_server_options. */
struct http_authenticator app_verifier_authenticator(struct app_verifier *verifier);

#endif
