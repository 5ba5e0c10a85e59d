/* Access tokens against a key set that is away, comes, changes and goes. */
#include <check.h>

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <alloc_fail.h>
#include <app/verifier.h>
#include <base/clock.h>
#include <base/str.h>
#include <slog/slog.h>

#define PATIENCE_MS 20000

/* --- who publishes keys --- */

enum mood { FINE, BROKEN, GARBAGE, SLOW };

struct publisher {
    struct http_server *server;
    struct jose_key *keys[2];
    atomic_size_t key_count; /* of keys, how many are published */
    _Atomic enum mood mood;
    atomic_int fetches;
    char url[128];
    char address[64];
};

static struct err *publish_keys(struct http_req *req, struct http_res *res)
{
    struct publisher *publisher = http_state(req);
    atomic_fetch_add(&publisher->fetches, 1);
    switch (atomic_load(&publisher->mood)) {
    case BROKEN:
        return err_new(&ERR_INTERNAL, "broken");
    case GARBAGE:
        return http_reply_bytes(res, 200, "application/json", "{]", 2);
    case SLOW:
        err_free(ctx_sleep(http_ctx(req), PATIENCE_MS));
        break;
    case FINE:
        break;
    }
    _cleanup_(jose_keys_unref) struct jose_keys *keys = NULL;
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(65536);
    TRY(jose_keys_new(publisher->keys, atomic_load(&publisher->key_count), &keys));
    TRY(jose_keys_write(keys, &text));
    return http_reply_bytes(res, 200, "application/json", buf_text(&text), text.len);
}

static const struct route routes[] = {
    {GET, "/jwks", publish_keys, .summary = "Keys", .allow = ANYONE},
};
static const struct route_table tables[] = {ROUTES(routes), {0}};

static struct publisher publisher;
static struct http_client *client;

static void start_publisher(const char *address)
{
    const struct http_server_options options = {
        .name = "keys", .address = address, .tables = tables, .state = &publisher, .threads = 2};
    assert_null(http_server_start(&options, &publisher.server));
    str_copy(publisher.address, sizeof(publisher.address), http_server_address(publisher.server));
    snprintf(publisher.url, sizeof(publisher.url), "http://%s/jwks", publisher.address);
}

static void stop_publisher(void)
{
    http_server_stop(TAKE(publisher.server), 0);
}

static int set_up(void **state)
{
    (void)state;
    slog_init(&(struct slog_options){.service = "test", .level = SLOG_OFF});
    publisher = (struct publisher){.key_count = 1};
    for (size_t i = 0; i < ARRAY_LEN(publisher.keys); i++)
        assert_null(jose_key_generate(JOSE_ES256, &publisher.keys[i]));
    start_publisher("127.0.0.1:0");
    assert_null(http_client_new(&(struct http_client_options){0}, &client));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    http_client_free(client);
    stop_publisher();
    for (size_t i = 0; i < ARRAY_LEN(publisher.keys); i++)
        jose_key_unref(publisher.keys[i]);
    return 0;
}

/* --- who checks tokens --- */

static struct app_verifier *make_verifier(void)
{
    const struct app_verifier_options options = {
        .jwks_url = publisher.url,
        .issuer = "the issuer",
        .audience = "everyone",
        .client = client,
        .unknown_key_ms = 100,
    };
    struct app_verifier *verifier = NULL;
    assert_null(app_verifier_new(&options, &verifier));
    return verifier;
}

static void await_ready(struct app_verifier *verifier)
{
    int64_t until_ms = clock_mono_ms() + PATIENCE_MS;
    struct err *e;
    while ((e = app_verifier_ready(verifier))) {
        err_free(e);
        assert_true(clock_mono_ms() < until_ms);
        err_free(ctx_sleep(NULL, 2));
    }
}

static void await_fetches(int count)
{
    int64_t until_ms = clock_mono_ms() + PATIENCE_MS;
    while (atomic_load(&publisher.fetches) < count) {
        assert_true(clock_mono_ms() < until_ms);
        err_free(ctx_sleep(NULL, 2));
    }
}

static void sign(size_t key, struct buf *out)
{
    struct jose_claims claims = {.iss = "the issuer",
                                 .sub = "someone",
                                 .aud = "everyone",
                                 .sid = "a session",
                                 .role = "admin",
                                 .email = "a@b.example"};
    claims.iat_s = clock_now_ms() / 1000;
    claims.exp_s = claims.iat_s + 600;
    buf_reset(out);
    assert_null(jose_token_sign(publisher.keys[key], &claims, out));
}

/* The kind of the answer to a token of this key; NULL when it is accepted. */
static const struct err_kind *check_token_of(struct app_verifier *verifier, size_t key)
{
    _cleanup_(buf_deinit) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
    sign(key, &token);
    struct jose_claims claims;
    struct err *e = app_verifier_check(verifier, buf_text(&token), token.len, &claims);
    const struct err_kind *kind = err_kind(e);
    err_free(e);
    return kind;
}

/* --- tests --- */

static void test_accepts_and_refuses(void **state)
{
    (void)state;
    struct app_verifier *verifier = make_verifier();
    await_ready(verifier);
    assert_int_equal(app_verifier_epoch(verifier), 1);
    assert_null(check_token_of(verifier, 0));
    assert_ptr_equal(check_token_of(verifier, 1), &JOSE_UNKNOWN_KEY);
    struct jose_claims claims = {.sub = "untouched"};
    struct err *e = app_verifier_check(verifier, "nonsense", 8, &claims);
    assert_true(err_is(e, &JOSE_INVALID_TOKEN));
    assert_string_equal(claims.sub, "untouched");
    err_free(e);
    app_verifier_free(verifier);
}

static void test_identity(void **state)
{
    (void)state;
    struct app_verifier *verifier = make_verifier();
    await_ready(verifier);
    struct http_authenticator authenticator = app_verifier_authenticator(verifier);
    _cleanup_(buf_deinit) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
    sign(0, &token);
    struct http_identity identity = {0};
    assert_null(authenticator.check(authenticator.data, buf_text(&token), token.len, &identity));
    assert_string_equal(identity.subject, "someone");
    assert_string_equal(identity.session, "a session");
    assert_string_equal(identity.role, "admin");
    assert_string_equal(identity.email, "a@b.example");
    assert_true(identity.expires_s > clock_now_ms() / 1000);
    struct http_identity untouched = {.subject = "untouched"};
    struct err *e = authenticator.check(authenticator.data, "x", 1, &untouched);
    assert_true(err_is(e, &JOSE_INVALID_TOKEN));
    assert_string_equal(untouched.subject, "untouched");
    err_free(e);
    app_verifier_free(verifier);
}

static void test_keys_come_late(void **state)
{
    (void)state;
    static const enum mood moods[] = {BROKEN, GARBAGE};
    for (size_t i = 0; i < ARRAY_LEN(moods); i++) {
        atomic_store(&publisher.mood, moods[i]);
        atomic_store(&publisher.fetches, 0);
        struct app_verifier *verifier = make_verifier();
        await_fetches(3); /* it tries again by itself, and soon */
        struct err *e = app_verifier_ready(verifier);
        assert_true(err_is(e, &ERR_UPSTREAM_UNAVAILABLE));
        assert_non_null(strstr(err_detail(e), "no signing keys: "));
        err_free(e);
        assert_ptr_equal(check_token_of(verifier, 0), &ERR_UPSTREAM_UNAVAILABLE);
        assert_int_equal(app_verifier_epoch(verifier), 0);
        atomic_store(&publisher.mood, FINE);
        await_ready(verifier);
        assert_null(check_token_of(verifier, 0));
        app_verifier_free(verifier);
    }
}

static void test_publisher_comes_late(void **state)
{
    (void)state;
    char address[64];
    str_copy(address, sizeof(address), publisher.address);
    stop_publisher();
    struct app_verifier *verifier = make_verifier();
    assert_ptr_equal(check_token_of(verifier, 0), &ERR_UPSTREAM_UNAVAILABLE);
    start_publisher(address);
    await_ready(verifier);
    assert_null(check_token_of(verifier, 0));
    app_verifier_free(verifier);
}

static void await_outcome(struct app_verifier *verifier, size_t key, const struct err_kind *kind)
{
    int64_t until_ms = clock_mono_ms() + PATIENCE_MS;
    while (check_token_of(verifier, key) != kind) {
        assert_true(clock_mono_ms() < until_ms);
        err_free(ctx_sleep(NULL, 2));
    }
}

static void test_known_keys_stay(void **state)
{
    (void)state;
    struct app_verifier *verifier = make_verifier();
    await_ready(verifier);
    static const enum mood moods[] = {BROKEN, GARBAGE};
    for (size_t i = 0; i < ARRAY_LEN(moods); i++) {
        atomic_store(&publisher.mood, moods[i]);
        /* Whether the key exists cannot be told: no reason to sign someone out. */
        await_outcome(verifier, 1, &ERR_UPSTREAM_UNAVAILABLE);
        assert_null(check_token_of(verifier, 0));
        atomic_store(&publisher.mood, FINE);
        await_outcome(verifier, 1, &JOSE_UNKNOWN_KEY);
        assert_null(check_token_of(verifier, 0));
    }
    assert_int_equal(app_verifier_epoch(verifier), 1);
    app_verifier_free(verifier);
}

/* A token of a key that was published since is accepted soon, and the epoch tells caches. */
static void test_new_key_is_found(void **state)
{
    (void)state;
    struct app_verifier *verifier = make_verifier();
    await_ready(verifier);
    atomic_store(&publisher.key_count, 2);
    await_outcome(verifier, 1, NULL);
    assert_null(check_token_of(verifier, 0));
    assert_int_equal(app_verifier_epoch(verifier), 2);
    app_verifier_free(verifier);
}

/* Who sends tokens of unknown keys does not decide how often the publisher is asked. */
static void test_unknown_keys_are_asked_for_seldom(void **state)
{
    (void)state;
    struct app_verifier *verifier = make_verifier();
    await_ready(verifier);
    int64_t began_ms = clock_mono_ms();
    for (int i = 0; i < 300; i++)
        assert_ptr_equal(check_token_of(verifier, 1), &JOSE_UNKNOWN_KEY);
    int64_t passed_ms = clock_mono_ms() - began_ms;
    assert_in_range(atomic_load(&publisher.fetches), 1, 2 + passed_ms / 100);
    assert_int_equal(app_verifier_epoch(verifier), 1);
    app_verifier_free(verifier);
}

static void test_refreshes_by_itself(void **state)
{
    (void)state;
    const struct app_verifier_options options = {.jwks_url = publisher.url,
                                                 .issuer = "the issuer",
                                                 .audience = "everyone",
                                                 .client = client,
                                                 .refresh_ms = 20};
    struct app_verifier *verifier = NULL;
    assert_null(app_verifier_new(&options, &verifier));
    await_fetches(3);
    atomic_store(&publisher.key_count, 2);
    await_fetches(atomic_load(&publisher.fetches) + 2);
    assert_null(check_token_of(verifier, 1));
    app_verifier_free(verifier);
}

static void test_free_does_not_wait_for_the_publisher(void **state)
{
    (void)state;
    atomic_store(&publisher.mood, SLOW);
    struct app_verifier *verifier = make_verifier();
    await_fetches(1);
    int64_t began_ms = clock_mono_ms();
    app_verifier_free(verifier);
    assert_in_range(clock_mono_ms() - began_ms, 0, 2000);
    app_verifier_free(NULL);
}

static void test_without_memory(void **state)
{
    (void)state;
    const struct app_verifier_options options = {
        .jwks_url = publisher.url, .issuer = "i", .audience = "a", .client = client};
    for (size_t successes = 0;; successes++) {
        struct app_verifier *verifier = NULL;
        alloc_fail_after(successes);
        struct err *e = app_verifier_new(&options, &verifier);
        bool has_failed = alloc_fail_stop();
        assert_true(has_failed == (e != NULL));
        assert_true(has_failed == (verifier == NULL));
        err_free(e);
        app_verifier_free(verifier);
        if (!has_failed)
            break;
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_accepts_and_refuses),
        CASE(test_identity),
        CASE(test_keys_come_late),
        CASE(test_publisher_comes_late),
        CASE(test_known_keys_stay),
        CASE(test_new_key_is_found),
        CASE(test_unknown_keys_are_asked_for_seldom),
        CASE(test_refreshes_by_itself),
        CASE(test_free_does_not_wait_for_the_publisher),
        CASE(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
