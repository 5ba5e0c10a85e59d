/* Refresh tokens: rotation, racing clients, reuse, expiry, forgery; and logout. */
#include "auth_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include <base/clock.h>
#include <base/encode.h>
#include <base/str.h>
#include <jose/jose.h>

#include "kinds.h"
#include "sessions.h"

#define ANN "ann@example.com"

static size_t sessions(struct fixture *fixture)
{
    return (size_t)test_database_number(&fixture->database, "SELECT count(*) FROM sessions");
}

static void test_rotation(void **state)
{
    struct fixture *fixture = *state;
    register_person(&fixture->auth, ANN);
    _cleanup_(reply_deinit) struct reply first = log_in(&fixture->auth, ANN, PASSWORD);
    char token[128], before[128];
    str_copy(token, sizeof(token), reply_text(&first, "refresh_token"));
    for (int i = 0; i < 5; i++) {
        str_copy(before, sizeof(before), token);
        _cleanup_(reply_deinit) struct reply reply = refresh_with(&fixture->auth, token);
        check_reply("refresh", &reply, 200, "");
        assert_string_equal(reply_header(&reply, "Cache-Control"), "no-store");
        assert_int_equal(json_count(reply_find(&reply, "")), 6);
        assert_string_equal(reply_text(&reply, "session_id"), reply_text(&first, "session_id"));
        str_copy(token, sizeof(token), reply_text(&reply, "refresh_token"));
        assert_string_not_equal(token, before);
    }
    assert_int_equal(sessions(fixture), 1);
}

static void test_late_within_the_grace(void **state)
{
    struct fixture *fixture = *state;
    register_person(&fixture->auth, ANN);
    char old[128], present[128];
    take_refresh_token(&fixture->auth, ANN, old);
    str_copy(present, sizeof(present), old);
    rotate(&fixture->auth, present);
    for (int i = 0; i < 3; i++) {
        _cleanup_(reply_deinit) struct reply late = refresh_with(&fixture->auth, old);
        check_reply("late", &late, 200, "");
        assert_string_equal(reply_text(&late, "refresh_token"), present);
    }
    expect_refresh(&fixture->auth, "present", present, true);
}

static void check_times(struct fixture *fixture, const char *row, const struct reply *reply)
{
    struct jose_claims claims;
    const char *token = reply_text(reply, "access_token");
    const struct jose_expect expect = {.iss = "http://test", .aud = "plankton", .clock_skew_s = 30};
    const struct service *service = fixture->auth.runtime.state;
    int64_t now_s = clock_now_ms() / 1000;
    expect_ok(jose_token_verify(service->keys.all, &expect, token, strlen(token), &claims));
    CHECK_INT(row, claims.iat_s,
              test_database_number(&fixture->database, "SELECT rotated_at FROM sessions") / 1000);
    CHECK(row, claims.exp_s >= now_s + DEFAULTS.access_token_ttl_s - 60 &&
                   claims.exp_s <= now_s + DEFAULTS.access_token_ttl_s);
}

/* A token is issued at the rotation, whose transaction a suspension collides with, and not at the time
 * at which it is given out, when there may have been one. */
static void test_when_a_token_is_issued(void **state)
{
    struct fixture *fixture = *state;
    register_person(&fixture->auth, ANN);
    _cleanup_(reply_deinit) struct reply first = log_in(&fixture->auth, ANN, PASSWORD);
    check_times(fixture, "login", &first);
    test_database_run(&fixture->database, "UPDATE sessions SET rotated_at = rotated_at - 60000");
    _cleanup_(reply_deinit) struct reply second =
        refresh_with(&fixture->auth, reply_text(&first, "refresh_token"));
    check_times(fixture, "refresh", &second);
    test_database_run(&fixture->database, "UPDATE sessions SET rotated_at = rotated_at - 5000");
    _cleanup_(reply_deinit) struct reply late =
        refresh_with(&fixture->auth, reply_text(&first, "refresh_token"));
    check_reply("late", &late, 200, "");
    check_times(fixture, "late", &late);
}

/* Each row ends the session: its present token is of no use either. */
static void test_reuse_ends_the_session(void **state)
{
    struct fixture *fixture = *state;
    register_person(&fixture->auth, ANN);
    static const struct {
        const char *name;
        int generations_back;
        const char *meanwhile;
    } rows[] = {
        {"two back", 2, NULL},
        {"five back", 5, NULL},
        {"one back, after the grace", 1, "UPDATE sessions SET rotated_at = rotated_at - 10000"},
        {"one back, long after", 1, "UPDATE sessions SET rotated_at = 0"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char old[128], present[128], other[128];
        take_refresh_token(&fixture->auth, ANN, other);
        take_refresh_token(&fixture->auth, ANN, old);
        str_copy(present, sizeof(present), old);
        for (int j = 0; j < rows[i].generations_back; j++)
            rotate(&fixture->auth, present);
        if (rows[i].meanwhile)
            test_database_run(&fixture->database, rows[i].meanwhile);
        expect_refresh(&fixture->auth, rows[i].name, old, false);
        expect_refresh(&fixture->auth, rows[i].name, present, false);
        expect_refresh(&fixture->auth, "another session goes on", other, true);
    }
}

static void test_no_grace(void **state)
{
    struct fixture *fixture = *state;
    register_person(&fixture->auth, ANN);
    struct auth_settings strict = DEFAULTS;
    strict.refresh_grace_s = 0;
    struct replica auth;
    replica_start(&auth, &fixture->database, &strict);
    char old[128], present[128];
    take_refresh_token(&auth, ANN, old);
    str_copy(present, sizeof(present), old);
    rotate(&auth, present);
    expect_refresh(&auth, "old", old, false);
    expect_refresh(&auth, "present", present, false);
    replica_stop(&auth);
}

/* --- many at once --- */

#define ROUNDS 10

static void test_racers_get_the_same_successor(void **state)
{
    struct fixture *fixture = *state;
    register_person(&fixture->auth, ANN);
    struct replica other;
    replica_start(&other, &fixture->database, &DEFAULTS);
    struct refresh_race race = {.replicas = {&fixture->auth, &other}};
    take_refresh_token(&fixture->auth, ANN, race.token);
    for (int round = 0; round < ROUNDS; round++) {
        race_to_refresh(&race);
        for (size_t i = 0; i < REFRESH_RACERS; i++)
            CHECK_STR("successor", race.successors[i], race.successors[0]);
        CHECK("it rotated", !str_equal(race.token, race.successors[0]));
        str_copy(race.token, sizeof(race.token), race.successors[0]);
    }
    replica_stop(&other);
}

/* --- what is no token --- */

static void test_expiry(void **state)
{
    struct fixture *fixture = *state;
    register_person(&fixture->auth, ANN);
    char token[128];
    take_refresh_token(&fixture->auth, ANN, token);
    test_database_run(&fixture->database, "UPDATE sessions SET expires_at = expires_at - 3590000");
    rotate(&fixture->auth, token); /* and with it, it lives longer again */
    test_database_run(&fixture->database, "UPDATE sessions SET expires_at = expires_at - 3590000");
    rotate(&fixture->auth, token);
    test_database_run(&fixture->database, "UPDATE sessions SET expires_at = expires_at - 3600000");
    expect_refresh(&fixture->auth, "expired", token, false);
    bool is_done = false;
    expect_ok(store_prune_sessions(fixture->database.db, NULL, &is_done));
    assert_true(is_done);
    assert_int_equal(sessions(fixture), 0);
}

/* --- many that have expired --- */

/* More than two statements remove; of Bob, who expired at 1, 2, ... */
#define MANY 1100

static void add_expired_sessions(struct fixture *fixture)
{
    register_person(&fixture->auth, "bob@example.com");
    test_database_run(
        &fixture->database,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " TO_TEXT(
            MANY) ")"
                  " INSERT INTO sessions (id, user_id, seed, generation, created_at, rotated_at,"
                  " expires_at) SELECT 'old-' || i, user_id, '', 0, 0, 0, i FROM n"
                  " JOIN accounts ON email_key = 'bob@example.com'");
}

/* Somebody's login is not what they wait for. */
static void test_expired_sessions_go(void **state)
{
    struct fixture *fixture = *state;
    add_expired_sessions(fixture);
    register_person(&fixture->auth, ANN);
    char token[128];
    take_refresh_token(&fixture->auth, ANN, token);
    assert_int_equal(sessions(fixture), MANY + 1);
    for (size_t left = MANY + 1; left > 1;) {
        bool is_done = false;
        expect_ok(store_prune_sessions(fixture->database.db, NULL, &is_done));
        CHECK_INT("done", is_done, left <= STORE_PRUNE_MAX);
        left -= MIN(left - 1, (size_t)STORE_PRUNE_MAX);
        CHECK_INT("left", sessions(fixture), left);
        if (left > 1)
            CHECK_INT(
                "the oldest went",
                test_database_number(&fixture->database, "SELECT min(expires_at) FROM sessions"),
                MANY + 2 - left);
    }
    expect_refresh(&fixture->auth, "a living one", token, true);
}

static void test_the_background_removes_expired_sessions(void **state)
{
    struct fixture *fixture = *state;
    add_expired_sessions(fixture);
    struct auth_settings hasty = DEFAULTS;
    hasty.pending_ttl_s = 1;
    struct replica auth;
    replica_start(&auth, &fixture->database, &hasty);
    await_number(&fixture->database, "SELECT count(*) FROM sessions", 0);
    replica_stop(&auth);
}

static void test_forged_tokens(void **state)
{
    struct fixture *fixture = *state;
    register_person(&fixture->auth, ANN);
    char token[128];
    take_refresh_token(&fixture->auth, ANN, token);
    size_t len = strlen(token);
    for (size_t i = 0; i < len; i++) {
        char forged[128];
        str_copy(forged, sizeof(forged), token);
        forged[i] = forged[i] == 'A' ? 'B' : 'A';
        expect_refresh(&fixture->auth, forged, forged, false);
    }
    unsigned char bytes[64];
    size_t count = 0;
    assert_true(base64url_decode(bytes, sizeof(bytes), token, len, &count));
    bytes[19]++; /* the generation to come */
    char next[128], shorter[128], longer[160];
    base64url_encode(next, bytes, count);
    str_copy_n(shorter, sizeof(shorter), token, len - 1);
    snprintf(longer, sizeof(longer), "%sAAAA", token);
    const char *const others[] = {next, shorter, longer, "x", "=", "AAAA", "not base64url!"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        expect_refresh(&fixture->auth, others[i], others[i], false);
    expect_refresh(&fixture->auth, "none of that harmed it", token, true);
}

/* The database alone is of no use: another server key, and no token fits. */
static void test_tokens_need_the_key(void **state)
{
    struct fixture *fixture = *state;
    register_person(&fixture->auth, ANN);
    char token[128];
    take_refresh_token(&fixture->auth, ANN, token);
    test_database_run(&fixture->database, "DELETE FROM signing_keys");
    struct auth_settings other = with_keks(KEY_2);
    struct replica thief;
    replica_start(&thief, &fixture->database, &other);
    expect_refresh(&thief, "another key", token, false);
    replica_stop(&thief);
    expect_refresh(&fixture->auth, "the right key", token, true);
}

static void test_bad_requests(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *body;
        int status;
        const char *code;
    } rows[] = {
        {"{}", 422, "invalid_request"},
        {"{\"refresh_token\":\"\"}", 422, "invalid_request"},
        {"{\"refresh_token\":null}", 422, "invalid_request"},
        {"{\"refresh_token\":1}", 422, "invalid_request"},
        {"{\"refresh_token\":\"x\",\"more\":1}", 422, "invalid_request"},
        {"[]", 422, "invalid_request"},
        {"", 400, "malformed_json"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(reply_deinit) struct reply reply =
            CALL(fixture->auth.server, POST, REFRESH, .body = rows[i].body);
        check_reply(rows[i].body, &reply, rows[i].status, rows[i].code);
    }
}

/* --- the user behind a session --- */

static void test_states_of_the_user(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *name;
        int role, status;
        bool is_removed, is_good;
    } rows[] = {
        {"promoted", ROLE_ADMIN, STATUS_ACTIVE, false, true},
        {"suspended", ROLE_USER, STATUS_SUSPENDED, false, false},
        {"deleted", ROLE_USER, STATUS_ACTIVE, true, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char email[64], token[128], other[128];
        snprintf(email, sizeof(email), "%s@example.com", rows[i].name);
        register_person(&fixture->auth, email);
        take_refresh_token(&fixture->auth, email, token);
        take_refresh_token(&fixture->auth, email, other);
        const struct user user = directory.users[directory.count - 1].user;
        if (rows[i].is_removed)
            fake_directory_remove(&directory, user.id);
        else
            fake_directory_change(&directory, user.id, email, rows[i].role, rows[i].status);
        await_known(&fixture->database, user.id);
        _cleanup_(reply_deinit) struct reply reply = refresh_with(&fixture->auth, token);
        CHECK_INT(rows[i].name, reply.status, rows[i].is_good ? 200 : 401);
        expect_refresh(&fixture->auth, rows[i].name, other, rows[i].is_good);
        if (!rows[i].is_good)
            continue;
        struct http_identity identity;
        expect_ok(fixture->auth.authenticator.check(
            fixture->auth.authenticator.data, reply_text(&reply, "access_token"),
            strlen(reply_text(&reply, "access_token")), &identity));
        CHECK_STR(rows[i].name, identity.role, "admin");
    }
}

static void test_directory_away(void **state)
{
    struct fixture *fixture = *state;
    register_person(&fixture->auth, ANN);
    char token[128];
    take_refresh_token(&fixture->auth, ANN, token);
    fake_directory_stop(&directory);
    rotate(&fixture->auth, token);
    rotate(&fixture->auth, token);
    fake_directory_start(&directory, nats_url(), fixture->auth.runtime.bus);
    rotate(&fixture->auth, token);
}

/* The user is not known here, as after an account of the release before: the directory is asked. */
static void test_user_not_known(void **state)
{
    struct fixture *fixture = *state;
    static const char forget[] = "DELETE FROM directory";
    /* Neither the snapshot that auth begins with nor an event tells of her again. */
    await_number(&fixture->database, "SELECT count(*) FROM inbox_places", 1);
    fake_directory_silence(&directory);
    register_person(&fixture->auth, ANN);
    const struct user ann = directory.users[directory.count - 1].user;
    await_known(&fixture->database, ann.id);
    char token[128];
    take_refresh_token(&fixture->auth, ANN, token);
    test_database_run(&fixture->database, forget);
    rotate(&fixture->auth, token);
    test_database_run(&fixture->database, forget);
    fake_directory_stop(&directory);
    _cleanup_(reply_deinit) struct reply away = refresh_with(&fixture->auth, token);
    check_reply("away", &away, 503, "upstream_unavailable");
    assert_int_equal(sessions(fixture), 1); /* not knowing is no reason to end it */
    fake_directory_start(&directory, nats_url(), fixture->auth.runtime.bus);
    rotate(&fixture->auth, token);
    test_database_run(&fixture->database, forget);
    fake_directory_remove(&directory, ann.id);
    expect_refresh(&fixture->auth, "gone", token, false);
    assert_int_equal(sessions(fixture), 0);
}

/* --- logout --- */

static void test_logout(void **state)
{
    struct fixture *fixture = *state;
    register_person(&fixture->auth, ANN);
    char other[128];
    take_refresh_token(&fixture->auth, ANN, other);
    _cleanup_(reply_deinit) struct reply reply = log_in(&fixture->auth, ANN, PASSWORD);
    for (int i = 0; i < 2; i++) {
        _cleanup_(reply_deinit) struct reply out =
            CALL(fixture->auth.server, POST, LOGOUT, .token = reply_text(&reply, "access_token"));
        check_reply("logout", &out, 204, "");
        assert_int_equal(out.answer.body_len, 0);
    }
    expect_refresh(&fixture->auth, "ended", reply_text(&reply, "refresh_token"), false);
    expect_refresh(&fixture->auth, "the other session goes on", other, true);
    static const char *const bad[] = {NULL, "x", "a.b.c"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        _cleanup_(reply_deinit) struct reply refused =
            CALL(fixture->auth.server, POST, LOGOUT, .token = bad[i]);
        check_reply("bad token", &refused, 401, "unauthenticated");
        assert_true(str_starts_with(reply_header(&refused, "WWW-Authenticate"), "Bearer"));
    }
}

static void test_session_cap(void **state)
{
    struct fixture *fixture = *state;
    register_person(&fixture->auth, ANN);
    register_person(&fixture->auth, "bob@example.com");
    char in_use[128], idle[128], bob[128], token[128];
    take_refresh_token(&fixture->auth, "bob@example.com", bob);
    take_refresh_token(&fixture->auth, ANN, in_use);
    take_refresh_token(&fixture->auth, ANN, idle);
    test_database_run(&fixture->database, "UPDATE sessions SET rotated_at = rotated_at - 60000");
    rotate(&fixture->auth, in_use);
    for (int i = 0; i < SESSIONS_PER_USER_MAX - 1; i++)
        take_refresh_token(&fixture->auth, ANN, token);
    assert_int_equal(sessions(fixture), SESSIONS_PER_USER_MAX + 1);
    expect_refresh(&fixture->auth, "longest unused", idle, false);
    expect_refresh(&fixture->auth, "older, but in use", in_use, true);
    expect_refresh(&fixture->auth, "Bob's", bob, true);
}

/* The account goes while its session is being made. */
static void test_account_deleted_meanwhile(void **state)
{
    struct fixture *fixture = *state;
    struct account account = {.user_id = "0190b5a0-0000-7000-8000-000000000000"};
    struct tokens tokens = {.expires_in = 42};
    expect_error(session_begin(fixture->auth.runtime.state, NULL, &account, &tokens),
                 &SQL_FOREIGN_KEY);
    assert_int_equal(tokens.expires_in, 42);
}

/* The login has looked at the user before: it must not leave a session behind. */
static void test_user_suspended_meanwhile(void **state)
{
    struct fixture *fixture = *state;
    register_person(&fixture->auth, ANN);
    struct account ann = {0};
    str_copy(ann.user_id, sizeof(ann.user_id), directory.users[directory.count - 1].user.id);
    struct tokens tokens = {.expires_in = 42};
    test_database_run(&fixture->database, "UPDATE directory SET status = 'suspended'");
    expect_error(session_begin(fixture->auth.runtime.state, NULL, &ann, &tokens),
                 &ACCOUNT_SUSPENDED);
    assert_int_equal(tokens.expires_in, 42);
    assert_int_equal(sessions(fixture), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rotation),
        TEST(test_late_within_the_grace),
        TEST(test_when_a_token_is_issued),
        TEST(test_reuse_ends_the_session),
        TEST(test_no_grace),
        TEST(test_racers_get_the_same_successor),
        TEST(test_expiry),
        TEST(test_expired_sessions_go),
        TEST(test_the_background_removes_expired_sessions),
        TEST(test_forged_tokens),
        TEST(test_tokens_need_the_key),
        TEST(test_bad_requests),
        TEST(test_states_of_the_user),
        TEST(test_directory_away),
        TEST(test_user_not_known),
        TEST(test_logout),
        TEST(test_session_cap),
        TEST(test_account_deleted_meanwhile),
        TEST(test_user_suspended_meanwhile),
    };
    return cmocka_run_group_tests_name("auth.sessions", tests, group_start, group_stop);
}
