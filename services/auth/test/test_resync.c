/* auth resync: the directory went back to a former state, and auth goes back with it. */
#include "auth_test.h"

#include <pthread.h>
#include <stdio.h>

#include <base/str.h>

#include "handlers.h"
#include "kinds.h"

#define ANN "ann@example.com"
#define BOB "bob@example.com"
#define SUE "sue@example.com"

static int64_t number_of(struct fixture *fixture, const char *rows)
{
    char statement[160];
    snprintf(statement, sizeof(statement), "SELECT count(*) FROM %s", rows);
    return test_database_number(&fixture->database, statement);
}

static struct user register_one(struct fixture *fixture, const char *email)
{
    register_person(&fixture->auth, email);
    struct user user = directory.users[directory.count - 1].user;
    await_known(&fixture->database, user.id);
    return user;
}

static void check_login(struct fixture *fixture, const char *email, int status)
{
    _cleanup_(reply_deinit) struct reply reply = log_in(&fixture->auth, email, PASSWORD);
    CHECK_INT(email, reply.status, status);
}

static void check_refresh(struct fixture *fixture, const char *row, const char *token, int status)
{
    _cleanup_(reply_deinit) struct reply reply = refresh_with(&fixture->auth, token);
    CHECK_INT(row, reply.status, status);
}

static void change_times(const struct user *user, int times, int status)
{
    for (int i = 0; i < times; i++)
        fake_directory_change(&directory, user->id, user->email, ROLE_USER, status);
}

static struct err *run_resync(struct fixture *fixture)
{
    const char *args[APP_ARGS_MAX] = {NULL};
    struct app_runtime runtime = fixture->auth.runtime;
    runtime.state = NULL;
    return resync(&runtime, args);
}

/* --- a backup of the directory --- */

struct backup {
    struct fake_user users[FAKE_USERS_MAX];
    size_t count;
};

static void back_up(struct backup *backup)
{
    pthread_mutex_lock(&directory.lock);
    memcpy(backup->users, directory.users, sizeof(backup->users));
    backup->count = directory.count;
    pthread_mutex_unlock(&directory.lock);
}

static void restore(const struct backup *backup)
{
    pthread_mutex_lock(&directory.lock);
    memcpy(directory.users, backup->users, sizeof(backup->users));
    directory.count = backup->count;
    pthread_mutex_unlock(&directory.lock);
}

/* --- everything that may be different --- */

struct people {
    struct user ann, bob, sue, gone, late;
    char bobs[128], sues[128], lates[128];
    struct backup backup;
};

/* Afterwards the directory is as it was, and what is known here is of a time that is no more. */
static void go_back(struct fixture *fixture, struct people *people)
{
    people->ann = register_one(fixture, ANN);
    people->bob = register_one(fixture, BOB);
    people->sue = register_one(fixture, SUE);
    people->gone = register_one(fixture, "gone@example.com");
    back_up(&people->backup);
    people->late = register_one(fixture, "late@example.com");
    take_refresh_token(&fixture->auth, BOB, people->bobs);
    take_refresh_token(&fixture->auth, SUE, people->sues);
    take_refresh_token(&fixture->auth, "late@example.com", people->lates);
    change_times(&people->ann, 3, STATUS_SUSPENDED);
    change_times(&people->bob, 5, STATUS_ACTIVE);
    fake_directory_change(&directory, people->sue.id, "moved@example.com", ROLE_ADMIN,
                          STATUS_ACTIVE);
    fake_directory_remove(&directory, people->gone.id);
    await_number(&fixture->database, "SELECT count(*) FROM directory WHERE status = 'deleted'", 1);
    restore(&people->backup);
}

static void test_everybody(void **state)
{
    struct fixture *fixture = *state;
    static struct people people;
    go_back(fixture, &people);
    /* Of the new time, and not heard: its version is lower than those of the old one. */
    change_times(&people.bob, 1, STATUS_SUSPENDED);
    check_login(fixture, ANN, 403);
    check_refresh(fixture, "Bob's, before", people.bobs, 200);
    check_login(fixture, BOB, 200);

    expect_ok(run_resync(fixture));
    check_login(fixture, ANN, 200);
    check_login(fixture, BOB, 403);
    check_login(fixture, SUE, 200);
    check_login(fixture, "moved@example.com", 401);
    check_login(fixture, "late@example.com", 401);
    check_login(fixture, "gone@example.com", 401); /* the credentials went with the user */
    check_refresh(fixture, "Bob's", people.bobs, 401);
    check_refresh(fixture, "Sue's", people.sues, 200);
    check_refresh(fixture, "the late one's", people.lates, 401);
    assert_int_equal(number_of(fixture, "directory"), 4);
    assert_int_equal(number_of(fixture, "directory WHERE version = 0"), 0);
    assert_int_equal(number_of(fixture, "directory WHERE role = 'admin'"), 0);
    assert_int_equal(number_of(fixture, "accounts WHERE status = 'pending'"), 1);

    expect_ok(run_resync(fixture)); /* it may be run again */
    check_login(fixture, ANN, 200);
    change_times(&people.ann, 1, STATUS_SUSPENDED);
    await_known(&fixture->database, people.ann.id); /* and events count as ever */
}

/* The service is stopped, and has not heard the last of the old time. */
static void test_events_of_the_old_time(void **state)
{
    struct fixture *fixture = *state;
    static struct backup backup;
    struct user ann = register_one(fixture, ANN);
    back_up(&backup);
    replica_stop(&fixture->auth);
    change_times(&ann, 9, STATUS_SUSPENDED);
    restore(&backup);
    struct replica *auth = &fixture->auth;
    expect_ok(
        bus_open(&(struct bus_options){.url = nats_url(), .name = "auth"}, &auth->runtime.bus));
    ctx_init(&auth->ctx, NULL, CTX_NO_TIMEOUT);
    expect_ok(bus_wait(auth->runtime.bus, &auth->ctx));
    expect_ok(run_resync(fixture));
    bus_close(auth->runtime.bus);
    ctx_deinit(&auth->ctx);
    assert_int_equal(number_of(fixture, "directory WHERE status = 'active' AND version = 2"), 1);
    replica_start(auth, &fixture->database, &DEFAULTS);
    await_known(&fixture->database, ann.id);
    check_login(fixture, ANN, 200);
}

struct changing {
    struct fixture *fixture;
    struct user user;
};

static void suspend_and_await(void *data)
{
    struct changing *changing = data;
    change_times(&changing->user, 1, STATUS_SUSPENDED);
    await_known(&changing->fixture->database, changing->user.id);
}

/* The page was read before the event, and comes after it. */
static void test_an_event_meanwhile(void **state)
{
    struct fixture *fixture = *state;
    static struct backup backup;
    char token[128];
    struct user ann = register_one(fixture, ANN);
    back_up(&backup);
    change_times(&ann, 9, STATUS_ACTIVE);
    await_known(&fixture->database, ann.id);
    take_refresh_token(&fixture->auth, ANN, token);
    restore(&backup);
    struct changing changing = {fixture, ann};
    fake_directory_pause(&directory, "list", suspend_and_await, &changing);
    expect_ok(run_resync(fixture));
    assert_int_equal(number_of(fixture, "directory WHERE status = 'suspended' AND version = 3"), 1);
    check_refresh(fixture, "Ann's", token, 401);
    check_login(fixture, ANN, 403);
}

/* Whatever breaks off: people sign in, and it can be run again. */
static void test_directory_away(void **state)
{
    struct fixture *fixture = *state;
    static struct people people;
    go_back(fixture, &people);
    fake_directory_order(&directory, (struct fault){"list", &ERR_UPSTREAM_TIMEOUT, 1, false});
    expect_error(run_resync(fixture), &ERR_UPSTREAM_TIMEOUT);
    check_login(fixture, BOB, 200);
    fake_directory_order(&directory, (struct fault){"get", &ERR_UPSTREAM_TIMEOUT, 1, false});
    expect_error(run_resync(fixture), &ERR_UPSTREAM_TIMEOUT); /* about the late one */
    fake_directory_order(&directory, (struct fault){0});
    check_refresh(fixture, "of whom nothing is certain", people.lates, 200);
    expect_ok(run_resync(fixture));
    check_refresh(fixture, "who is not there", people.lates, 401);
    check_login(fixture, ANN, 200);
}

/* More than a transaction takes. */
static void test_many(void **state)
{
    struct fixture *fixture = *state;
    struct user ann = register_one(fixture, ANN);
    test_database_run(
        &fixture->database,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100)"
        " INSERT INTO directory (user_id, email, email_key, role, status, version, updated_at,"
        " learned_at) SELECT '0190b5a0-0000-7000-8000-' || (100000000000 + i), '', '', 'user',"
        " CASE WHEN i > 50 THEN 'deleted' ELSE 'active' END, 9, 0, 0 FROM n");
    expect_ok(run_resync(fixture));
    assert_int_equal(number_of(fixture, "directory"), 1);
    await_known(&fixture->database, ann.id);
    check_login(fixture, ANN, 200);
}

/* With the snapshot behind it that auth begins with. */
static int start(void **state)
{
    fixture_start(state);
    struct fixture *fixture = *state;
    await_number(&fixture->database, "SELECT count(*) FROM inbox_places", 1);
    return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, fixture_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_everybody),
        CASE(test_events_of_the_old_time),
        CASE(test_an_event_meanwhile),
        CASE(test_directory_away),
        CASE(test_many),
    };
    return cmocka_run_group_tests_name("auth.resync", tests, group_start, group_stop);
}
