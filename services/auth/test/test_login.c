/* Login: what is right and wrong, with the directory there and away, and what the tokens say. */
#include "auth_test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/str.h>
#include <jose/jose.h>

#include "kinds.h"
#include "sessions.h"

static struct user *person_of(struct fixture *fixture, const char *email)
{
    register_person(&fixture->auth, email);
    return &directory.users[directory.count - 1].user;
}

static void check_login(struct fixture *fixture, const char *row, const char *email,
                        const char *password, int status, const char *code)
{
    _cleanup_(reply_deinit) struct reply reply = log_in(&fixture->auth, email, password);
    check_reply(row, &reply, status, code);
}

static void verify(struct fixture *fixture, const char *token, struct jose_claims *out_claims)
{
    _cleanup_(reply_deinit) struct reply jwks = CALL(fixture->auth.server, GET, JWKS);
    check_reply("jwks", &jwks, 200, "");
    assert_string_equal(reply_header(&jwks, "Cache-Control"), "public, max-age=300");
    _cleanup_(jose_keys_unref) struct jose_keys *keys = NULL;
    expect_ok(jose_keys_parse(jwks.answer.body, jwks.answer.body_len, &keys));
    assert_int_equal(jose_keys_count(keys), 2);
    const struct jose_expect expect = {.iss = "http://test", .aud = "plankton"};
    expect_ok(jose_token_verify(keys, &expect, token, strlen(token), out_claims));
}

static void test_tokens(void **state)
{
    struct fixture *fixture = *state;
    const struct user *ann = person_of(fixture, "Ann@example.com");
    _cleanup_(reply_deinit) struct reply reply =
        log_in(&fixture->auth, "aNN@EXAMPLE.com", PASSWORD);
    check_reply("login", &reply, 200, "");
    assert_string_equal(reply_header(&reply, "Cache-Control"), "no-store");
    assert_int_equal(json_count(reply_find(&reply, "")), 6);
    assert_string_equal(reply_text(&reply, "token_type"), "Bearer");
    int64_t expires_in = 0, refresh_expires_in = 0;
    json_i64(reply_find(&reply, "expires_in"), &expires_in);
    json_i64(reply_find(&reply, "refresh_expires_in"), &refresh_expires_in);
    assert_int_equal(expires_in, 900);
    assert_int_equal(refresh_expires_in, 3600);
    assert_int_equal(strlen(reply_text(&reply, "refresh_token")), REFRESH_TOKEN_TEXT - 1);

    struct jose_claims claims;
    verify(fixture, reply_text(&reply, "access_token"), &claims);
    assert_string_equal(claims.sub, ann->id);
    assert_string_equal(claims.email, "Ann@example.com");
    assert_string_equal(claims.role, "user");
    assert_string_equal(claims.sid, reply_text(&reply, "session_id"));
    assert_int_equal(claims.exp_s - claims.iat_s, 900);
    assert_in_range(claims.iat_s, clock_now_ms() / 1000 - 60, clock_now_ms() / 1000);
    assert_true(uuid_is_valid(claims.jti));
}

static void test_wrong(void **state)
{
    struct fixture *fixture = *state;
    person_of(fixture, "ann@example.com");
    fake_directory_add(&directory, "invited@example.com", ROLE_USER, STATUS_ACTIVE);
    char longest[1025];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    const struct {
        const char *name, *email, *password;
        int status;
        const char *code;
    } rows[] = {
        {"right", "ann@example.com", PASSWORD, 200, ""},
        {"wrong password", "ann@example.com", "not the password", 401, "invalid_credentials"},
        {"one more character", "ann@example.com", PASSWORD "x", 401, "invalid_credentials"},
        {"other case", "ann@example.com", "Correct horse battery", 401, "invalid_credentials"},
        {"longest", "ann@example.com", longest, 401, "invalid_credentials"},
        {"unknown address", "nobody@example.com", PASSWORD, 401, "invalid_credentials"},
        {"no credentials yet", "invited@example.com", PASSWORD, 401, "invalid_credentials"},
        {"empty password", "ann@example.com", "", 422, "invalid_request"},
        {"no address", "ann", PASSWORD, 422, "invalid_request"},
    };
    _cleanup_(reply_deinit) struct reply first =
        log_in(&fixture->auth, "ann@example.com", "not the password");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(reply_deinit) struct reply reply =
            log_in(&fixture->auth, rows[i].email, rows[i].password);
        check_reply(rows[i].name, &reply, rows[i].status, rows[i].code);
        if (rows[i].status == 401) { /* nothing tells why */
            CHECK_STR(rows[i].name, reply_text(&reply, "detail"), reply_text(&first, "detail"));
            CHECK_INT(rows[i].name, reply.answer.body_len, first.answer.body_len);
        }
    }
    _cleanup_(reply_deinit) struct reply unknown = CALL(
        fixture->auth.server, POST, LOGIN,
        .body = "{\"email\":\"ann@example.com\",\"password\":\"" PASSWORD "\",\"admin\":true}");
    check_reply("unknown field", &unknown, 422, "invalid_request");
}

static void test_states_of_the_user(void **state)
{
    struct fixture *fixture = *state;
    const struct user ann = *person_of(fixture, "ann@example.com");
    fake_directory_change(&directory, ann.id, "ann@example.com", ROLE_USER, STATUS_SUSPENDED);
    check_login(fixture, "suspended", "ann@example.com", PASSWORD, 403, "account_suspended");
    check_login(fixture, "suspended, wrong password", "ann@example.com", "not the password", 401,
                "invalid_credentials");
    fake_directory_change(&directory, ann.id, "ann@example.com", ROLE_ADMIN, STATUS_ACTIVE);
    _cleanup_(reply_deinit) struct reply reply =
        log_in(&fixture->auth, "ann@example.com", PASSWORD);
    check_reply("promoted", &reply, 200, "");
    struct jose_claims claims;
    verify(fixture, reply_text(&reply, "access_token"), &claims);
    assert_string_equal(claims.role, "admin");
    fake_directory_change(&directory, ann.id, "anna@example.com", ROLE_USER, STATUS_ACTIVE);
    check_login(fixture, "old address", "ann@example.com", PASSWORD, 401, "invalid_credentials");
    check_login(fixture, "new address", "anna@example.com", PASSWORD, 200, "");
    fake_directory_remove(&directory, ann.id);
    check_login(fixture, "deleted", "anna@example.com", PASSWORD, 401, "invalid_credentials");
}

static void test_directory_away(void **state)
{
    struct fixture *fixture = *state;
    const struct user ann = *person_of(fixture, "ann@example.com");
    const struct user sue = *person_of(fixture, "sue@example.com");
    fake_directory_change(&directory, sue.id, "sue@example.com", ROLE_USER, STATUS_SUSPENDED);
    check_login(fixture, "Sue", "sue@example.com", PASSWORD, 403, "account_suspended");
    fake_directory_change(&directory, ann.id, "anna@example.com", ROLE_USER, STATUS_ACTIVE);
    check_login(fixture, "Ann", "anna@example.com", PASSWORD, 200, "");
    fake_directory_order(&directory, (struct fault){"activate", &ERR_INTERNAL, 1, false});
    _cleanup_(reply_deinit) struct reply lost = CALL(
        fixture->auth.server, POST, REGISTER,
        .body = "{\"email\":\"lost@example.com\",\"password\":\"" PASSWORD "\",\"name\":\"L\"}");
    check_reply("lost", &lost, 500, "internal");

    fake_directory_stop(&directory);
    static const struct {
        const char *name, *email, *password;
        int status;
        const char *code;
    } rows[] = {
        {"as it was", "Anna@example.com", PASSWORD, 200, ""},
        {"wrong password", "anna@example.com", "not the password", 401, "invalid_credentials"},
        {"the address before", "ann@example.com", PASSWORD, 401, "invalid_credentials"},
        {"suspended", "sue@example.com", PASSWORD, 403, "account_suspended"},
        {"not known to be registered", "lost@example.com", PASSWORD, 503, "upstream_unavailable"},
        {"nor with another password", "lost@example.com", "wrong one", 401, "invalid_credentials"},
        {"unknown", "nobody@example.com", PASSWORD, 401, "invalid_credentials"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_login(fixture, rows[i].name, rows[i].email, rows[i].password, rows[i].status,
                    rows[i].code);
    _cleanup_(reply_deinit) struct reply registering = CALL(
        fixture->auth.server, POST, REGISTER,
        .body = "{\"email\":\"new@example.com\",\"password\":\"" PASSWORD "\",\"name\":\"N\"}");
    check_reply("register", &registering, 503, "upstream_unavailable");
    fake_directory_start(&directory, nats_url(), fixture->auth.runtime.bus);
}

/* Of two accounts that had an address one after the other, the later one counts while the directory
 * is away. */
static void test_an_address_that_moved_on(void **state)
{
    struct fixture *fixture = *state;
    const struct user ann = *person_of(fixture, "shared@example.com");
    fake_directory_change(&directory, ann.id, "elsewhere@example.com", ROLE_USER, STATUS_ACTIVE);
    _cleanup_(reply_deinit) struct reply bob = CALL(
        fixture->auth.server, POST, REGISTER,
        .body =
            "{\"email\":\"shared@example.com\",\"password\":\"Bob has it now\",\"name\":\"B\"}");
    check_reply("Bob", &bob, 201, "");
    fake_directory_stop(&directory);
    check_login(fixture, "Bob", "shared@example.com", "Bob has it now", 200, "");
    check_login(fixture, "Ann", "shared@example.com", PASSWORD, 401, "invalid_credentials");
    fake_directory_start(&directory, nats_url(), fixture->auth.runtime.bus);
    check_login(fixture, "Ann", "elsewhere@example.com", PASSWORD, 200, "");
}

static void test_hashes_follow_the_settings(void **state)
{
    struct fixture *fixture = *state;
    person_of(fixture, "ann@example.com");
    static const char with_2_passes[] =
        "SELECT count(*) FROM accounts WHERE password_hash LIKE '%$m=16,t=2,%'";
    struct auth_settings stronger = DEFAULTS;
    stronger.argon2_memory_kib = 16;
    stronger.argon2_passes = 2;
    struct replica later;
    replica_start(&later, &fixture->database, &stronger);
    _cleanup_(reply_deinit) struct reply wrong =
        log_in(&later, "ann@example.com", "not the password");
    check_reply("wrong", &wrong, 401, "invalid_credentials");
    assert_int_equal(test_database_number(&fixture->database, with_2_passes), 0);
    for (int i = 0; i < 2; i++) {
        _cleanup_(reply_deinit) struct reply reply = log_in(&later, "ann@example.com", PASSWORD);
        check_reply("right", &reply, 200, "");
        assert_int_equal(test_database_number(&fixture->database, with_2_passes), 1);
    }
    replica_stop(&later);
}

/* Of all threads: what else the machine does is not in it. */
static int64_t cpu_ns(void)
{
    struct timespec spent;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return spent.tv_sec * 1000000000LL + spent.tv_nsec;
}

/* An unknown address costs one hash, as a known one does: what it is held against is no cheaper. */
static void test_unknown_addresses_take_as_long(void **state)
{
    struct fixture *fixture = *state;
    person_of(fixture, "ann@example.com");
    struct auth_settings slow = DEFAULTS;
    slow.argon2_memory_kib = 16384;
    struct replica auth;
    replica_start(&auth, &fixture->database, &slow);
    _cleanup_(reply_deinit) struct reply renewed = log_in(&auth, "ann@example.com", PASSWORD);
    check_reply("renewed", &renewed, 200, "");
    static const char *const addresses[] = {"ann@example.com", "nobody@example.com"};
    int64_t best_ns[2] = {INT64_MAX, INT64_MAX};
    for (int i = 0; i < 20; i++) {
        int64_t began_ns = cpu_ns();
        _cleanup_(reply_deinit) struct reply reply =
            log_in(&auth, addresses[i % 2], "not the password");
        best_ns[i % 2] = MIN(best_ns[i % 2], cpu_ns() - began_ns);
        check_reply(addresses[i % 2], &reply, 401, "invalid_credentials");
    }
    assert_in_range(best_ns[1], best_ns[0] / 2, best_ns[0] * 2);
    replica_stop(&auth);
}

#define CALLERS 24

struct crowd {
    struct replica *auth;
    atomic_int ok, refused, no_time, wrong;
};

static void knock(size_t index, void *data)
{
    struct crowd *crowd = data;
    (void)index;
    _cleanup_(reply_deinit) struct reply reply =
        log_in(crowd->auth, "ann@example.com", "not the password");
    if (reply.status == 401)
        atomic_fetch_add(&crowd->ok, 1);
    else if (reply.status == 503 && str_equal(reply_text(&reply, "code"), "overloaded"))
        atomic_fetch_add(reply_header(&reply, "Retry-After") ? &crowd->refused : &crowd->no_time,
                         1);
    else
        atomic_fetch_add(&crowd->wrong, 1);
}

static int64_t peak_kib(void)
{
    char line[128];
    long peak = 0;
    FILE *status = fopen("/proc/self/status", "re");
    assert_non_null(status);
    while (fgets(line, sizeof(line), status)) {
        if (str_starts_with(line, "VmHWM:"))
            peak = strtol(line + strlen("VmHWM:"), NULL, 10);
    }
    fclose(status);
    return peak;
}

/* One worker, one in the queue: the rest is refused, and only one hash has its memory at a time. */
static void test_overload(void **state)
{
    struct fixture *fixture = *state;
    person_of(fixture, "ann@example.com");
    struct auth_settings slow = DEFAULTS;
    slow.argon2_memory_kib = 64 * 1024;
    slow.hash_workers = 1;
    slow.hash_queue = 1;
    struct replica auth;
    replica_start(&auth, &fixture->database, &slow);
    _cleanup_(reply_deinit) struct reply renewed = log_in(&auth, "ann@example.com", PASSWORD);
    check_reply("renewed", &renewed, 200, "");
    int64_t before_kib = peak_kib();
    struct crowd crowd = {.auth = &auth};
    run_threads(CALLERS, knock, &crowd);
    assert_int_equal(atomic_load(&crowd.wrong), 0);
    assert_int_equal(atomic_load(&crowd.no_time), 0);
    assert_true(atomic_load(&crowd.ok) >= 1);
    assert_true(atomic_load(&crowd.refused) >= 1);
    assert_int_equal(atomic_load(&crowd.ok) + atomic_load(&crowd.refused), CALLERS);
    CHECK("memory", peak_kib() - before_kib < 64 * 1024);

    _cleanup_(buf_deinit) struct buf text = BUF_INIT((size_t)1 << 20);
    expect_ok(metrics_write(auth.runtime.metrics, &text));
    char line[64];
    snprintf(line, sizeof(line), "auth_hash_refused_total %d\n", atomic_load(&crowd.refused));
    assert_non_null(strstr(buf_text(&text), line));
    assert_non_null(strstr(buf_text(&text), "auth_hash_jobs 0\n"));
    /* It was the crowd, not the service. */
    _cleanup_(reply_deinit) struct reply after = log_in(&auth, "ann@example.com", PASSWORD);
    check_reply("after", &after, 200, "");
    replica_stop(&auth);
}

static void test_openapi(void **state)
{
    struct fixture *fixture = *state;
    _cleanup_(buf_deinit) struct buf document = BUF_INIT((size_t)1 << 20);
    expect_ok(http_server_openapi(fixture->auth.server, &document));
    assert_non_null(strstr(buf_text(&document), REFRESH));
    assert_null(strstr(buf_text(&document), "pending"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_tokens),
        TEST(test_wrong),
        TEST(test_states_of_the_user),
        TEST(test_directory_away),
        TEST(test_an_address_that_moved_on),
        TEST(test_hashes_follow_the_settings),
        TEST(test_unknown_addresses_take_as_long),
        TEST(test_overload),
        TEST(test_openapi),
    };
    return cmocka_run_group_tests_name("auth.login", tests, group_start, group_stop);
}
