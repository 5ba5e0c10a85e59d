#include <app/verifier.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include <base/clock.h>
#include <base/secret.h>
#include <base/str.h>
#include <conc/thread.h>
#include <conc/wait.h>
#include <slog/slog.h>

#define REFRESH_MS     300000
#define UNKNOWN_KEY_MS 10000
#define RETRY_MIN_MS   50
#define RETRY_MAX_MS   1000
#define FETCH_MS       5000
#define CLOCK_SKEW_S   30
#define KEY_SET_MAX    ((size_t)256 * 1024)

struct app_verifier {
    char *jwks_url, *issuer, *audience;
    struct http_client *client;
    int64_t refresh_ms, unknown_key_ms;
    pthread_t fetcher;
    struct ctx ctx; /* of the fetches */
    atomic_uint_fast64_t epoch;

    pthread_mutex_t lock; /* of what follows; held for a few instructions only */
    pthread_cond_t changed;
    struct jose_keys *keys; /* NULL: none yet; whoever uses them takes a reference */
    bool wants_refresh;     /* a token named an unknown key */
    bool is_stopping;
    char reason[256]; /* why the last fetch failed; "": it did not */
};

/* --- fetching, on a thread of its own --- */

static struct err *fetch(struct app_verifier *verifier, struct jose_keys **out_keys)
{
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, &verifier->ctx, FETCH_MS);
    _cleanup_(http_answer_deinit) struct http_answer answer = {0};
    const struct http_request request = {.method = GET, .url = verifier->jwks_url};
    TRY(http_client_call(verifier->client, &ctx, &request, &answer));
    if (answer.status != 200)
        return err_new(&ERR_UPSTREAM_UNAVAILABLE, "%s answered %d", verifier->jwks_url,
                       answer.status);
    return err_wrap(jose_keys_parse(answer.body, answer.body_len, out_keys), "%s",
                    verifier->jwks_url);
}

static struct err *is_same(const struct jose_keys *a, const struct jose_keys *b, bool *out_same)
{
    _cleanup_(buf_deinit) struct buf text_a = BUF_INIT(KEY_SET_MAX);
    _cleanup_(buf_deinit) struct buf text_b = BUF_INIT(KEY_SET_MAX);
    TRY(jose_keys_write(a, &text_a));
    TRY(jose_keys_write(b, &text_b));
    *out_same = str_equal(buf_text(&text_a), buf_text(&text_b));
    return NULL;
}

/* Takes keys. Only this thread changes verifier->keys and the reason, so it may read them without
 * the lock. */
static struct err *adopt(struct app_verifier *verifier, struct jose_keys *keys)
{
    bool same = false;
    struct err *e = verifier->keys ? is_same(verifier->keys, keys, &same) : NULL;
    if (e || same) {
        jose_keys_unref(keys);
        if (same && verifier->reason[0])
            slog_info("signing keys fetched again, they are the same");
        return e;
    }
    pthread_mutex_lock(&verifier->lock);
    struct jose_keys *former = verifier->keys;
    verifier->keys = keys;
    pthread_mutex_unlock(&verifier->lock);
    atomic_fetch_add(&verifier->epoch, 1);
    jose_keys_unref(former);
    slog_info("signing keys fetched", SLOG_I64("count", (int64_t)jose_keys_count(keys)));
    return NULL;
}

static struct err *refresh(struct app_verifier *verifier)
{
    struct jose_keys *keys = NULL;
    TRY(fetch(verifier, &keys));
    return adopt(verifier, keys);
}

/* Waits until due_ms, or until soonest_ms if a refresh is wanted. False: stop. */
static bool wait_for_turn(struct app_verifier *verifier, int64_t due_ms, int64_t soonest_ms)
{
    pthread_mutex_lock(&verifier->lock);
    for (;;) {
        int64_t until_ms = verifier->wants_refresh ? MIN(due_ms, soonest_ms) : due_ms;
        if (verifier->is_stopping || clock_mono_ms() >= until_ms)
            break;
        struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                                 .tv_nsec = until_ms % 1000 * 1000000};
        pthread_cond_timedwait(&verifier->changed, &verifier->lock, &until);
    }
    verifier->wants_refresh = false;
    bool goes_on = !verifier->is_stopping;
    pthread_mutex_unlock(&verifier->lock);
    return goes_on;
}

static void note(struct app_verifier *verifier, const struct err *e, bool is_known)
{
    if (!is_known && !ctx_is_done(&verifier->ctx))
        slog_warn("signing keys not fetched", SLOG_ERR(e));
    pthread_mutex_lock(&verifier->lock);
    err_format(e, verifier->reason, sizeof(verifier->reason));
    pthread_mutex_unlock(&verifier->lock);
}

static void note_success(struct app_verifier *verifier)
{
    pthread_mutex_lock(&verifier->lock);
    verifier->reason[0] = '\0';
    pthread_mutex_unlock(&verifier->lock);
}

static void *keep_fresh(void *data)
{
    struct app_verifier *verifier = data;
    int64_t retry_ms = RETRY_MIN_MS;
    int64_t wait_ms;
    do {
        struct err *e = refresh(verifier);
        if (e) {
            note(verifier, e, retry_ms > RETRY_MIN_MS);
            wait_ms = retry_ms / 2 + random_below((uint32_t)retry_ms / 2 + 1);
            retry_ms = MIN(retry_ms * 2, RETRY_MAX_MS);
        } else {
            note_success(verifier);
            wait_ms = verifier->refresh_ms;
            retry_ms = RETRY_MIN_MS;
        }
        err_free(e);
    } while (wait_for_turn(verifier, clock_mono_ms() + wait_ms,
                           clock_mono_ms() + verifier->unknown_key_ms));
    return NULL;
}

/* --- beginning and end --- */

static struct err *copy(const char *text, char **out_copy)
{
    *out_copy = strdup(text);
    return *out_copy ? NULL : err_oom();
}

static struct err *init(struct app_verifier *verifier, const struct app_verifier_options *options)
{
    TRY(copy(options->jwks_url, &verifier->jwks_url));
    TRY(copy(options->issuer, &verifier->issuer));
    TRY(copy(options->audience, &verifier->audience));
    str_copy(verifier->reason, sizeof(verifier->reason), "not fetched yet");
    return thread_start("jwks", 0, keep_fresh, verifier, &verifier->fetcher);
}

static void deinit(struct app_verifier *verifier)
{
    jose_keys_unref(verifier->keys);
    ctx_deinit(&verifier->ctx);
    pthread_cond_destroy(&verifier->changed);
    pthread_mutex_destroy(&verifier->lock);
    free(verifier->jwks_url);
    free(verifier->issuer);
    free(verifier->audience);
    free(verifier);
}

struct err *app_verifier_new(const struct app_verifier_options *options,
                             struct app_verifier **out_verifier)
{
    struct app_verifier *verifier = calloc(1, sizeof(*verifier));
    if (!verifier)
        return err_oom();
    verifier->client = options->client;
    verifier->refresh_ms = options->refresh_ms ? options->refresh_ms : REFRESH_MS;
    verifier->unknown_key_ms = options->unknown_key_ms ? options->unknown_key_ms : UNKNOWN_KEY_MS;
    ctx_init(&verifier->ctx, NULL, CTX_NO_TIMEOUT);
    pthread_mutex_init(&verifier->lock, NULL);
    ctx_cond_init(&verifier->changed);
    struct err *e = init(verifier, options);
    if (e) {
        deinit(verifier);
        return e;
    }
    *out_verifier = verifier;
    return NULL;
}

void app_verifier_free(struct app_verifier *verifier)
{
    if (!verifier)
        return;
    pthread_mutex_lock(&verifier->lock);
    verifier->is_stopping = true;
    pthread_cond_signal(&verifier->changed);
    pthread_mutex_unlock(&verifier->lock);
    ctx_cancel(&verifier->ctx);
    pthread_join(verifier->fetcher, NULL);
    deinit(verifier);
}

/* --- checking --- */

/* A reference, or NULL. */
static struct jose_keys *present_keys(struct app_verifier *verifier)
{
    pthread_mutex_lock(&verifier->lock);
    struct jose_keys *keys = verifier->keys ? jose_keys_ref(verifier->keys) : NULL;
    pthread_mutex_unlock(&verifier->lock);
    return keys;
}

static struct err *no_keys(struct app_verifier *verifier)
{
    pthread_mutex_lock(&verifier->lock);
    struct err *e = err_new(&ERR_UPSTREAM_UNAVAILABLE, "no signing keys: %s", verifier->reason);
    pthread_mutex_unlock(&verifier->lock);
    return e;
}

struct err *app_verifier_ready(struct app_verifier *verifier)
{
    _cleanup_(jose_keys_unref) struct jose_keys *keys = present_keys(verifier);
    return keys ? NULL : no_keys(verifier);
}

/* Takes e. The token may be of a key that could not be fetched: who gets a 401 signs out, who gets a
 * 503 tries again. */
static struct err *unknown_key(struct app_verifier *verifier, struct err *e)
{
    struct err *stale = NULL;
    pthread_mutex_lock(&verifier->lock);
    verifier->wants_refresh = true;
    pthread_cond_signal(&verifier->changed);
    if (verifier->reason[0])
        stale = err_new(&ERR_UPSTREAM_UNAVAILABLE, "unknown key, and the key set may be old: %s",
                        verifier->reason);
    pthread_mutex_unlock(&verifier->lock);
    if (!stale)
        return e;
    err_free(e);
    return stale;
}

struct err *app_verifier_check(struct app_verifier *verifier, const char *token, size_t len,
                               struct jose_claims *out_claims)
{
    _cleanup_(jose_keys_unref) struct jose_keys *keys = present_keys(verifier);
    if (!keys)
        return no_keys(verifier);
    const struct jose_expect expect = {
        .iss = verifier->issuer, .aud = verifier->audience, .clock_skew_s = CLOCK_SKEW_S};
    struct err *e = jose_token_verify(keys, &expect, token, len, out_claims);
    return err_is(e, &JOSE_UNKNOWN_KEY) ? unknown_key(verifier, e) : e;
}

uint64_t app_verifier_epoch(const struct app_verifier *verifier)
{
    return atomic_load(&verifier->epoch);
}

void app_identity(const struct jose_claims *claims, struct http_identity *out_identity)
{
    *out_identity = (struct http_identity){.expires_s = claims->exp_s};
    str_copy(out_identity->subject, sizeof(out_identity->subject), claims->sub);
    str_copy(out_identity->session, sizeof(out_identity->session), claims->sid);
    str_copy(out_identity->role, sizeof(out_identity->role), claims->role);
    str_copy(out_identity->email, sizeof(out_identity->email), claims->email);
}

static struct err *authenticate(void *data, const char *token, size_t len,
                                struct http_identity *out_identity)
{
    struct jose_claims claims;
    TRY(app_verifier_check(data, token, len, &claims));
    app_identity(&claims, out_identity);
    return NULL;
}

struct http_authenticator app_verifier_authenticator(struct app_verifier *verifier)
{
    return (struct http_authenticator){.check = authenticate, .data = verifier};
}
