/* The directory's events and what follows from them; and the events that auth tells of itself. */
#include "auth_test.h"

#include <pthread.h>
#include <stdio.h>

#include <base/clock.h>
#include <base/str.h>

#include "accounts.h"
#include "consume.h"
#include "kinds.h"
#include "projection.h"
#include "sessions.h"

#define ANN         "ann@example.com"
#define PATIENCE_MS 60000

static const struct service *service_of(struct fixture *fixture)
{
    return fixture->auth.runtime.state;
}

static struct user register_ann(struct fixture *fixture)
{
    register_person(&fixture->auth, ANN);
    struct user ann = directory.users[directory.count - 1].user;
    await_known(&fixture->database, ann.id);
    return ann;
}

static void check_login(struct fixture *fixture, const char *row, const char *email, int status)
{
    _cleanup_(reply_deinit) struct reply reply = log_in(&fixture->auth, email, PASSWORD);
    CHECK_INT(row, reply.status, status);
}

static int64_t number_of(struct fixture *fixture, const char *table)
{
    char statement[96];
    snprintf(statement, sizeof(statement), "SELECT count(*) FROM %s", table);
    return test_database_number(&fixture->database, statement);
}

/* --- what events bring --- */

/* Everything is known from the events alone: the directory is away when people come. */
static void test_login_by_events(void **state)
{
    struct fixture *fixture = *state;
    struct user ann = register_ann(fixture);
    fake_directory_change(&directory, ann.id, "Anna@example.com", ROLE_ADMIN, STATUS_ACTIVE);
    await_known(&fixture->database, ann.id);
    fake_directory_stop(&directory);
    check_login(fixture, "the address before", ANN, 401);
    check_login(fixture, "the new address", "anna@EXAMPLE.com", 200);
    fake_directory_start(&directory, nats_url(), fixture->auth.runtime.bus);
    fake_directory_change(&directory, ann.id, "anna@example.com", ROLE_USER, STATUS_SUSPENDED);
    await_known(&fixture->database, ann.id);
    fake_directory_stop(&directory);
    check_login(fixture, "suspended", "anna@example.com", 403);
    fake_directory_start(&directory, nats_url(), fixture->auth.runtime.bus);
    fake_directory_remove(&directory, ann.id);
    await_known(&fixture->database, ann.id);
    fake_directory_stop(&directory);
    check_login(fixture, "deleted", "anna@example.com", 401);
    fake_directory_start(&directory, nats_url(), fixture->auth.runtime.bus);
    assert_int_equal(number_of(fixture, "accounts"), 0);
    assert_int_equal(number_of(fixture, "directory WHERE email_key <> ''"), 0);
}

/* The process ended between activate and its own last step: the event makes up for it. */
static void test_an_event_finishes_a_registration(void **state)
{
    struct fixture *fixture = *state;
    fake_directory_order(&directory, (struct fault){"activate", &ERR_UPSTREAM_TIMEOUT, 9, true});
    _cleanup_(reply_deinit) struct reply reply =
        CALL(fixture->auth.server, POST, REGISTER,
             .body = "{\"email\":\"" ANN "\",\"password\":\"" PASSWORD "\",\"name\":\"A\"}");
    assert_int_equal(reply.status, 504);
    await_number(&fixture->database, "SELECT count(*) FROM accounts WHERE status = 'active'", 1);
    fake_directory_stop(&directory);
    check_login(fixture, "Ann", ANN, 200);
    fake_directory_start(&directory, nats_url(), fixture->auth.runtime.bus);
}

static struct err *learn_in(struct sql_conn *conn, struct ctx *ctx, void *data)
{
    void **both = data;
    return projection_learn(both[0], conn, ctx, both[1], NULL);
}

static void learn(struct fixture *fixture, struct user user, int64_t version, const char *email)
{
    user.version = version;
    str_copy(user.email, sizeof(user.email), email);
    void *both[] = {fixture->auth.runtime.state, &user};
    expect_ok(sql_transact(fixture->database.db, NULL, learn_in, both));
}

static struct err *learn_deleted_in(struct sql_conn *conn, struct ctx *ctx, void *data)
{
    void **both = data;
    const struct user *user = both[1];
    return projection_learn_deleted(both[0], conn, ctx, user->id, user->version);
}

static void test_old_news(void **state)
{
    struct fixture *fixture = *state;
    struct user ann = register_ann(fixture);
    static const struct {
        int64_t version;
        const char *email, *known;
    } rows[] = {
        {5, "five@example.com", "five@example.com"},  {4, "four@example.com", "five@example.com"},
        {5, "again@example.com", "five@example.com"}, {6, "six@example.com", "six@example.com"},
        {1, "one@example.com", "six@example.com"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        learn(fixture, ann, rows[i].version, rows[i].email);
        char known[128];
        snprintf(known, sizeof(known), "directory WHERE email_key = '%s'", rows[i].known);
        CHECK_INT(rows[i].email, number_of(fixture, known), 1);
    }
    ann.version = 7;
    void *both[] = {fixture->auth.runtime.state, &ann};
    expect_ok(sql_transact(fixture->database.db, NULL, learn_deleted_in, both));
    expect_ok(sql_transact(fixture->database.db, NULL, learn_deleted_in, both));
    learn(fixture, ann, 6, "six@example.com");
    learn(fixture, ann, 99, "late@example.com"); /* an id never comes back */
    assert_int_equal(number_of(fixture, "directory WHERE status = 'deleted'"), 1);
    assert_int_equal(number_of(fixture, "directory"), 1);
    assert_int_equal(number_of(fixture, "accounts"), 0);
    /* Credentials that come late do not stay. */
    expect_ok(account_put(service_of(fixture), NULL, &ann, "hash"));
    assert_int_equal(number_of(fixture, "accounts"), 0);

    bool is_done = false;
    expect_ok(projection_prune(fixture->database.db, NULL, &is_done));
    assert_true(is_done);
    assert_int_equal(number_of(fixture, "directory"), 1);
    test_database_run(&fixture->database,
                      "UPDATE directory SET learned_at = learned_at - 2592000001");
    expect_ok(projection_prune(fixture->database.db, NULL, &is_done));
    assert_int_equal(number_of(fixture, "directory"), 0);
}

/* A bounded number at a time, those first who were deleted first. */
static void test_many_were_deleted(void **state)
{
    struct fixture *fixture = *state;
    struct user ann = register_ann(fixture);
    test_database_run(
        &fixture->database,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600)"
        " INSERT INTO directory (user_id, email, email_key, role, status, version,"
        " updated_at, learned_at) SELECT 'gone-' || i, '', '', 'user', 'deleted', 1,"
        " 0, i FROM n");
    bool is_done = true;
    expect_ok(projection_prune(fixture->database.db, NULL, &is_done));
    assert_false(is_done);
    assert_int_equal(number_of(fixture, "directory"), 601 - STORE_PRUNE_MAX);
    assert_int_equal(number_of(fixture, "directory WHERE learned_at <= 500"), 0);
    expect_ok(projection_prune(fixture->database.db, NULL, &is_done));
    assert_true(is_done);
    assert_int_equal(number_of(fixture, "directory"), 1);
    check_login(fixture, "Ann", ann.email, 200);
}

/* A directory of the release before tells no versions. */
static void test_news_without_versions(void **state)
{
    struct fixture *fixture = *state;
    struct user ann = register_ann(fixture);
    ann.updated_at_ms += 10;
    learn(fixture, ann, 0, "later@example.com");
    assert_int_equal(number_of(fixture, "directory WHERE email = 'later@example.com'"), 1);
    ann.updated_at_ms -= 1;
    learn(fixture, ann, 0, "earlier@example.com");
    assert_int_equal(number_of(fixture, "directory WHERE email = 'later@example.com'"), 1);
    assert_int_equal(number_of(fixture, "directory WHERE version = 2"), 1);
}

/* --- snapshots --- */

static void forget_place(struct fixture *fixture)
{
    replica_stop(&fixture->auth);
    test_database_run(&fixture->database, "DELETE FROM inbox_places");
}

static void test_snapshot(void **state)
{
    struct fixture *fixture = *state;
    struct user ann = register_ann(fixture);
    struct user gone = fake_directory_add(&directory, "gone@example.com", ROLE_USER, STATUS_ACTIVE);
    await_known(&fixture->database, gone.id);
    register_person(&fixture->auth, "lost@example.com");
    struct user lost = directory.users[directory.count - 1].user;
    char token[128];
    take_refresh_token(&fixture->auth, "lost@example.com", token);
    await_known(&fixture->database, lost.id);
    forget_place(fixture);

    /* Nothing of this is told. */
    fake_directory_silence(&directory);
    for (int i = 0; i < 7; i++) { /* more than two pages */
        char email[64];
        snprintf(email, sizeof(email), "person-%d@example.com", i);
        fake_directory_add(&directory, email, ROLE_USER, i % 2 ? STATUS_SUSPENDED : STATUS_ACTIVE);
    }
    fake_directory_change(&directory, ann.id, "anna@example.com", ROLE_USER, STATUS_ACTIVE);
    fake_directory_remove(&directory, gone.id);
    fake_directory_remove(&directory, lost.id);

    replica_start(&fixture->auth, &fixture->database, &DEFAULTS);
    await_number(&fixture->database, "SELECT count(*) FROM inbox_places", 1);
    assert_int_equal(number_of(fixture, "directory"), 8);
    assert_int_equal(number_of(fixture, "directory WHERE email = 'anna@example.com'"), 1);
    assert_int_equal(number_of(fixture, "directory WHERE status = 'suspended'"), 3);
    assert_int_equal(number_of(fixture, "sessions"), 0);
    /* Credentials wait for a day, in case that the directory gets its data back. */
    assert_int_equal(number_of(fixture, "accounts WHERE status = 'pending'"), 1);
    _cleanup_(reply_deinit) struct reply reply = refresh_with(&fixture->auth, token);
    check_reply("refresh", &reply, 401, "invalid_refresh_token");
    check_login(fixture, "lost", "lost@example.com", 401);
    check_login(fixture, "Ann", "anna@example.com", 200);
}

/* Somebody who was heard of is not asked about again and again. */
static void test_the_clock_is_set_back_in_a_snapshot(void **state)
{
    struct fixture *fixture = *state;
    struct user ann = register_ann(fixture);
    int64_t began_ms = clock_now_ms() + 3600000;
    char user_id[UUID_TEXT] = "", again[UUID_TEXT] = "";
    bool found = false;
    expect_ok(projection_find_older(fixture->database.db, NULL, began_ms, user_id, &found));
    assert_true(found);
    assert_string_equal(user_id, ann.id);
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    expect_ok(sql_acquire(fixture->database.db, NULL, &conn));
    expect_ok(projection_touch(conn, NULL, ann.id, began_ms));
    sql_release(TAKE(conn));
    expect_ok(projection_find_older(fixture->database.db, NULL, began_ms, again, &found));
    assert_false(found);
}

static void test_snapshot_is_tried_again(void **state)
{
    struct fixture *fixture = *state;
    struct user ann = register_ann(fixture);
    forget_place(fixture);
    fake_directory_silence(&directory);
    fake_directory_change(&directory, ann.id, "anna@example.com", ROLE_USER, STATUS_ACTIVE);
    fake_directory_order(&directory, (struct fault){"list", &ERR_UPSTREAM_TIMEOUT, 2, false});
    replica_start(&fixture->auth, &fixture->database, &DEFAULTS);
    await_known(&fixture->database, ann.id);
    await_number(&fixture->database, "SELECT count(*) FROM inbox_places", 1);
}

/* Who is heard of while the directory is asked about them stays. */
static void test_nobody_is_forgotten_too_early(void **state)
{
    struct fixture *fixture = *state;
    struct user ann = register_ann(fixture);
    bool is_forgotten = true;
    expect_ok(projection_forget(service_of(fixture), NULL, ann.id, 1, &is_forgotten));
    assert_false(is_forgotten);
    assert_int_equal(number_of(fixture, "directory"), 1);
    expect_ok(
        projection_forget(service_of(fixture), NULL, ann.id, clock_now_ms() + 1, &is_forgotten));
    assert_true(is_forgotten);
    assert_int_equal(number_of(fixture, "directory"), 0);
    check_login(fixture, "the directory knows better", ANN, 200);
}

/* --- what auth tells --- */

struct ear {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t count;
    char subjects[16][64];
    struct json_doc *events[16];
};

static struct err *hear(const struct bus_event *event)
{
    struct ear *ear = event->state;
    pthread_mutex_lock(&ear->lock);
    size_t index = ear->count++;
    assert_true(index < ARRAY_LEN(ear->events));
    str_copy(ear->subjects[index], sizeof(ear->subjects[index]), event->subject);
    expect_ok(json_parse(event->bytes, event->len, &ear->events[index]));
    pthread_cond_broadcast(&ear->changed);
    pthread_mutex_unlock(&ear->lock);
    return NULL;
}

/* The events of this test's subs only: the stream has those of the tests before, too. */
static size_t find_event(struct ear *ear, size_t from, const char *user_id)
{
    for (size_t i = from; i < ear->count; i++) {
        const struct json_value *data = json_get(json_root(ear->events[i]), "data");
        if (str_equal(json_string(json_get(data, "sub")), user_id))
            return i;
    }
    return SIZE_MAX;
}

static const struct json_value *await_event(struct ear *ear, size_t *from, const char *user_id,
                                            const char *subject)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_MS / 1000;
    pthread_mutex_lock(&ear->lock);
    size_t index;
    while ((index = find_event(ear, *from, user_id)) == SIZE_MAX)
        assert_int_equal(pthread_cond_timedwait(&ear->changed, &ear->lock, &until), 0);
    pthread_mutex_unlock(&ear->lock);
    *from = index + 1;
    assert_string_equal(ear->subjects[index], subject);
    return json_get(json_root(ear->events[index]), "data");
}

/* revoked_at */
static int64_t check_revocation(const struct json_value *data, const char *sid, const char *reason)
{
    int64_t revoked_ms = 0, expires_ms = 0;
    const char *revoked = json_string(json_get(data, "revoked_at"));
    const char *expires = json_string(json_get(data, "expires_at"));
    CHECK_STR(reason, json_string(json_get(data, "reason")), reason);
    if (sid)
        CHECK_STR(reason, json_string(json_get(data, "sid")), sid);
    assert_true(clock_parse(revoked, strlen(revoked), &revoked_ms));
    assert_true(clock_parse(expires, strlen(expires), &expires_ms));
    CHECK_INT(reason, expires_ms - revoked_ms, DEFAULTS.access_token_ttl_s * 1000 + 60000);
    return revoked_ms;
}

static void test_revocations(void **state)
{
    struct fixture *fixture = *state;
    struct user ann = register_ann(fixture);
    struct ear ear = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct bus_consumer *consumer = NULL;
    static const struct bus_consumer_options options = {.stream = "AUTH"};
    expect_ok(bus_consume(fixture->auth.runtime.bus, &options, hear, &ear, &consumer));
    size_t from = 0;

    _cleanup_(reply_deinit) struct reply first = log_in(&fixture->auth, ANN, PASSWORD);
    for (int i = 0; i < 2; i++) { /* the second time there is nothing to tell */
        _cleanup_(reply_deinit) struct reply out =
            CALL(fixture->auth.server, POST, LOGOUT, .token = reply_text(&first, "access_token"));
        check_reply("logout", &out, 204, "");
    }
    check_revocation(await_event(&ear, &from, ann.id, SESSION_REVOKED),
                     reply_text(&first, "session_id"), "logout");

    _cleanup_(reply_deinit) struct reply second = log_in(&fixture->auth, ANN, PASSWORD);
    const char *stolen = reply_text(&second, "refresh_token");
    _cleanup_(reply_deinit) struct reply third = refresh_with(&fixture->auth, stolen);
    test_database_run(&fixture->database, "UPDATE sessions SET rotated_at = 0");
    _cleanup_(reply_deinit) struct reply reused = refresh_with(&fixture->auth, stolen);
    check_reply("reused", &reused, 401, "invalid_refresh_token");
    check_revocation(await_event(&ear, &from, ann.id, SESSION_REVOKED),
                     reply_text(&second, "session_id"), "reused");

    /* By a replica whose clock is a minute ahead. */
    _cleanup_(reply_deinit) struct reply fourth = log_in(&fixture->auth, ANN, PASSWORD);
    check_reply("ahead", &fourth, 200, "");
    int64_t ahead_ms = clock_now_ms() + 60000;
    test_database_run(&fixture->database, "UPDATE sessions SET rotated_at = rotated_at + 61000");
    fake_directory_change(&directory, ann.id, ANN, ROLE_USER, STATUS_SUSPENDED);
    int64_t revoked_ms =
        check_revocation(await_event(&ear, &from, ann.id, SESSIONS_REVOKED), NULL, "suspended");
    assert_true(revoked_ms >= ahead_ms);
    fake_directory_change(&directory, ann.id, ANN, ROLE_ADMIN, STATUS_SUSPENDED); /* no news */
    fake_directory_remove(&directory, ann.id);
    check_revocation(await_event(&ear, &from, ann.id, SESSIONS_REVOKED), NULL, "deleted");
    bus_consumer_stop(consumer);
    for (size_t i = 0; i < ear.count; i++)
        json_free(ear.events[i]);
}

/* --- what cannot be handled --- */

static struct err *replay(struct fixture *fixture, const char *list, const char *discard,
                          const char *id)
{
    const char *args[APP_ARGS_MAX] = {list, discard, id};
    struct app_runtime runtime = fixture->auth.runtime;
    runtime.state = NULL;
    return replay_events(&runtime, args);
}

/* An event that fails is set aside, so that others are not held up, and can be handled later. */
static void test_replay(void **state)
{
    struct fixture *fixture = *state;
    struct user ann = register_ann(fixture);
    static const struct {
        const char *type, *version;
    } rows[] = {
        {"deleted", "\"seven\""},
        {"deleted", "-1"},
        {"deleted", "9223372036854775807"},
        {"deleted", "9223372036854775808"},
        {"updated", "-9223372036854775808"},
        {"updated", "9223372036854775807"}, /* after this one there would be no news of Ann */
        {"updated", "18014398509481985"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char data[512];
        snprintf(data, sizeof(data),
                 "{\"id\":\"%s\",\"email\":\"x@example.com\",\"name\":\"X\",\"role\":\"admin\","
                 "\"status\":\"suspended\",\"version\":%s}",
                 ann.id, rows[i].version);
        fake_directory_tell(&directory, rows[i].type, ann.id, data);
    }
    fake_directory_change(&directory, ann.id, "anna@example.com", ROLE_USER, STATUS_ACTIVE);
    await_known(&fixture->database, ann.id); /* by a snapshot, perhaps: the events are under way */
    for (int64_t until_ms = clock_mono_ms() + PATIENCE_MS;;) {
        expect_ok(replay(fixture, "--list", NULL, NULL));
        struct err *e = replay(fixture, NULL, NULL, NULL);
        bool is_all = str_equal(err_detail(e), "7 events failed again");
        if (!is_all && clock_mono_ms() > until_ms)
            fail_msg("not all were set aside: %s", e ? err_detail(e) : "none");
        err_free(e);
        if (is_all)
            break;
    }
    expect_error(replay(fixture, NULL, "--discard", NULL), &ERR_INVALID_REQUEST);
    expect_error(replay(fixture, "--list", "--discard", "seq:1"), &ERR_INVALID_REQUEST);
    expect_error(replay(fixture, NULL, "--discard", "seq:0"), &ERR_NOT_FOUND);
    expect_ok(replay(fixture, NULL, "--discard", "seq:1"));
    expect_error(replay(fixture, NULL, "--discard", "seq:1"), &ERR_NOT_FOUND);
    assert_int_equal(number_of(fixture, "accounts"), 1);
    assert_int_equal(number_of(fixture, "directory WHERE email_key = 'anna@example.com'"), 1);
}

static void test_models(void **state)
{
    (void)state;
    for (size_t i = 0; i < auth_app.event_count; i++)
        expect_ok(model_check(auth_app.events[i].model));
    expect_ok(model_check(&told_user_model));
    expect_ok(model_check(&deleted_user_model));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_login_by_events),
        TEST(test_an_event_finishes_a_registration),
        TEST(test_old_news),
        TEST(test_many_were_deleted),
        TEST(test_news_without_versions),
        TEST(test_snapshot),
        TEST(test_the_clock_is_set_back_in_a_snapshot),
        TEST(test_snapshot_is_tried_again),
        TEST(test_nobody_is_forgotten_too_early),
        TEST(test_revocations),
        TEST(test_replay),
        TEST(test_models),
    };
    return cmocka_run_group_tests_name("auth.events", tests, group_start, group_stop);
}
