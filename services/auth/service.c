#include "service.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <app/verifier.h>
#include <base/secret.h>

#include "consume.h"
#include "handlers.h"
#include "kinds.h"
#include "sessions.h"

extern const struct sql_migrations auth_migrations;

static const struct route routes[] = {
    {POST, "/api/v1/auth/register", register_user, .summary = "Register", .in = &registration_model,
     .out = &user_model, .status = 201, .allow = ANYONE, .idempotent = true,
     .fails = KINDS(&DIRECTORY_EMAIL_TAKEN, &WEAK_PASSWORD, &ERR_OVERLOADED)},
    {POST, "/api/v1/auth/login", login, .summary = "Sign in", .in = &login_model,
     .out = &tokens_model, .allow = ANYONE,
     .fails = KINDS(&INVALID_CREDENTIALS, &ACCOUNT_SUSPENDED, &ERR_OVERLOADED)},
    {POST, "/api/v1/auth/refresh", refresh, .summary = "Get new tokens", .in = &refresh_model,
     .out = &tokens_model, .allow = ANYONE, .fails = KINDS(&INVALID_REFRESH_TOKEN)},
    {POST, "/api/v1/auth/logout", logout, .summary = "End the session", .allow = SIGNED_IN},
    {GET, "/.well-known/jwks.json", read_jwks, .summary = "Keys that access tokens are signed with",
     .allow = ANYONE},
};

static const struct app_command commands[] = {
    {"export", "[FILE]",
     "write all credentials, as hashes, as JSON lines, to standard output or a file", APP_DATABASE,
     export_accounts},
    {"import", "[FILE]", "take in what export has written; may be run again", APP_DATABASE,
     import_accounts},
    {"replay", INBOX_REPLAY_ARGUMENTS,
     "handle events again that failed: all, or one; or list them; or discard one",
     APP_DATABASE | APP_BUS, replay_events},
    {"resync", NULL,
     "go by what users has now, whatever was known: after its database was restored",
     APP_DATABASE | APP_BUS, resync},
};

static const struct bus_event_type events[] = {
    {SESSION_REVOKED, &session_revoked_model, "A session ended before its time"},
    {SESSIONS_REVOKED, &sessions_revoked_model,
     "All sessions of a user ended: the user was suspended or deleted"},
};

static const struct bus_stream streams[] = {
    {.name = "AUTH", .subjects = "auth.v1.events.>", .max_age_s = (int64_t)7 * 24 * 3600},
};

static struct err *check(const struct app_settings *settings, const void *own_settings)
{
    (void)settings;
    const struct auth_settings *own = own_settings;
    if (own->bootstrap_admin_email && !own->bootstrap_admin_password)
        return err_new(&CFG_INVALID, "BOOTSTRAP_ADMIN_PASSWORD: must be set, too, when "
                                     "BOOTSTRAP_ADMIN_EMAIL is");
    return NULL;
}

/* For another purpose than encryption. */
static void derive_keys(const struct auth_settings *settings, const char *purpose,
                        struct key_ring *out_ring)
{
    struct key_ring keks;
    auth_decode_keys(settings, &keks);
    for (size_t i = 0; i < keks.count; i++)
        crypto_auth_hmacsha256(out_ring->keys[i], (const unsigned char *)purpose, strlen(purpose),
                               keks.keys[i]);
    out_ring->count = keks.count;
    secret_wipe(&keks, sizeof(keks));
}

static struct err *begin(struct app_runtime *runtime, struct service *service)
{
    TRY(passwords_new(service->settings, runtime->metrics, &service->passwords));
    derive_keys(service->settings, "plankton refresh token", &service->refresh_keys);
    TRY(keys_load(service->db, runtime->ctx, service->settings, &service->keys));
    const struct outbox_options outbox = {
        .db = runtime->db,
        .bus = runtime->bus,
        .source = "auth",
        .metrics = runtime->metrics,
    };
    TRY(outbox_start(&outbox, &service->outbox));
    TRY(consume_users(service, runtime->metrics, &service->inbox));
    TRY(group_new(&service->ctx, 2, &service->background));
    TRY(group_go(service->background, do_chores, service));
    if (!service->settings->bootstrap_admin_email) {
        atomic_store(&service->is_bootstrapped, true);
        return NULL;
    }
    return group_go(service->background, bootstrap_admin, service);
}

static void end(struct service *service)
{
    ctx_cancel(&service->ctx);
    if (service->background)
        err_free(group_wait(service->background));
    inbox_stop(service->inbox);
    outbox_stop(service->outbox, AUTH_FLUSH_MS);
    passwords_free(service->passwords);
    keys_deinit(&service->keys);
    ctx_deinit(&service->ctx);
    secret_wipe(&service->refresh_keys, sizeof(service->refresh_keys));
    free(service);
}
DEFINE_CLEANUP(struct service *, end);

static struct err *start(struct app_runtime *runtime, void **out_state)
{
    _cleanup_(end) struct service *service = calloc(1, sizeof(*service));
    if (!service)
        return err_oom();
    ctx_init(&service->ctx, runtime->ctx, CTX_NO_TIMEOUT);
    service->db = runtime->db;
    service->bus = runtime->bus;
    service->settings = runtime->own_settings;
    service->issuer = runtime->settings->token_issuer;
    service->audience = runtime->settings->token_audience;
    TRY(begin(runtime, service));
    *out_state = TAKE(service);
    return NULL;
}

static void stop(struct app_runtime *runtime)
{
    end(runtime->state);
}

static struct err *ready(struct app_runtime *runtime)
{
    const struct service *service = runtime->state;
    return atomic_load(&service->is_bootstrapped)
               ? NULL
               : err_new(&ERR_UPSTREAM_UNAVAILABLE, "the bootstrap admin is not made yet");
}

/* Tokens are checked against the keys at hand, not against what the own listener serves. */
static struct err *check_token(void *data, const char *token, size_t len,
                               struct http_identity *out_identity)
{
    const struct service *service = data;
    struct jose_expect expect = {
        .iss = service->issuer,
        .aud = service->audience,
        .clock_skew_s = 30,
    };
    struct jose_claims claims;
    TRY(jose_token_verify(service->keys.all, &expect, token, len, &claims));
    app_identity(&claims, out_identity);
    return NULL;
}

static struct http_authenticator authenticator(struct app_runtime *runtime)
{
    return (struct http_authenticator){.check = check_token, .data = runtime->state};
}

/* Of the first key alone: when that changes, what came before is not known again (docs/data.md). */
static void idempotency_secret(struct app_runtime *runtime, unsigned char out_secret[static 32])
{
    struct key_ring ring;
    derive_keys(runtime->own_settings, "plankton idempotency key", &ring);
    memcpy(out_secret, ring.keys[0], AUTH_KEY_BYTES);
    secret_wipe(&ring, sizeof(ring));
}

/* All bodies are a few short texts. Whatever the gateway lets through, as many as HTTP_THREADS of them are
 * in memory at once, as trees of many times their size. */
static const struct http_server_options http_options = {.max_body = (size_t)16 << 10};

const struct app auth_app = {
    .name = "auth",
    .listen_addr = "127.0.0.1:8082",
    .admin_addr = "127.0.0.1:9092",
    .database_url = "sqlite:var/auth.db",
    .needs = APP_DATABASE | APP_BUS,
    .routes = {routes, ARRAY_LEN(routes)},
    .http = &http_options,
    .migrations = &auth_migrations,
    .settings = &auth_settings_table,
    .settings_size = sizeof(struct auth_settings),
    .commands = commands,
    .command_count = ARRAY_LEN(commands),
    .events = events,
    .event_count = ARRAY_LEN(events),
    .streams = streams,
    .stream_count = ARRAY_LEN(streams),
    .check = check,
    .start = start,
    .stop = stop,
    .ready = ready,
    .authenticator = authenticator,
    .idempotency_secret = idempotency_secret,
};
