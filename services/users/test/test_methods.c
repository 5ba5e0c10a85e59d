/* users.v1.* as other services call them, and every way in which a registration may break off. */
#include "users_test.h"

#include <stdatomic.h>
#include <stdio.h>

#include <base/clock.h>
#include <base/str.h>

#include "handlers.h"

static struct err *call_method(struct fixture *fixture, const char *subject, const void *in,
                               struct user *out_user)
{
    for (size_t i = 0; i < users_app.method_count; i++) {
        const struct bus_method *method = &users_app.methods[i];
        if (strcmp(method->subject, subject) != 0)
            continue;
        struct bus_call call = {
            .subject = subject, .in = in, .out = out_user, .state = &fixture->service};
        return method->handle(&call);
    }
    fail_msg("there is no method %s", subject);
    return NULL;
}

static struct err *create(struct fixture *fixture, const char *email, struct user *out_user)
{
    struct new_user new_user = {.role = ROLE_USER};
    str_copy(new_user.email, sizeof(new_user.email), email);
    str_copy(new_user.name, sizeof(new_user.name), "New");
    return call_method(fixture, "users.v1.create", &new_user, out_user);
}

static struct err *by_id(struct fixture *fixture, const char *subject, const char *id,
                         struct user *out_user)
{
    struct user_id in = {0};
    str_copy(in.id, sizeof(in.id), id);
    return call_method(fixture, subject, &in, out_user);
}

static struct err *by_email(struct fixture *fixture, const char *email, struct user *out_user)
{
    struct user_email in = {0};
    str_copy(in.email, sizeof(in.email), email);
    return call_method(fixture, "users.v1.find_by_email", &in, out_user);
}

static void test_create_and_activate(void **state)
{
    struct fixture *fixture = *state;
    struct user user = {0}, active = {0}, again = {0}, found = {0};
    expect_ok(create(fixture, "New@example.com", &user));
    assert_int_equal(user.status, STATUS_PENDING);
    assert_true(uuid_is_valid(user.id));
    expect_error(by_id(fixture, "users.v1.get", user.id, &found), &USER_NOT_FOUND);
    expect_error(by_email(fixture, "new@example.com", &found), &USER_NOT_FOUND);
    assert_string_equal(found.id, "");
    expect_ok(by_id(fixture, "users.v1.activate", user.id, &active));
    assert_int_equal(active.status, STATUS_ACTIVE);
    expect_ok(by_id(fixture, "users.v1.activate", user.id, &again));
    assert_int_equal(again.version, active.version);
    expect_ok(by_id(fixture, "users.v1.get", user.id, &found));
    assert_string_equal(found.email, "New@example.com");
    expect_ok(by_email(fixture, "NEW@example.com", &found));
    assert_string_equal(found.id, user.id);
}

/* Steps of a registration that are taken again, in any state, by who says the same id. */
static void test_create_is_repeated(void **state)
{
    struct fixture *fixture = *state;
    struct new_user again = {.role = ROLE_USER, .email = "new@example.com", .name = "New"};
    struct new_user other = again;
    uuid_new(again.id);
    uuid_new(other.id);
    struct user user = {0};
    for (int i = 0; i < 2; i++) {
        expect_ok(call_method(fixture, "users.v1.create", &again, &user));
        assert_string_equal(user.id, again.id);
        assert_int_equal(user.status, STATUS_PENDING);
    }
    /* Another one gives way, and may come back as long as nobody has finished. */
    expect_ok(call_method(fixture, "users.v1.create", &other, &user));
    expect_error(by_id(fixture, "users.v1.activate", again.id, &user), &USER_NOT_FOUND);
    expect_ok(call_method(fixture, "users.v1.create", &again, &user));
    expect_ok(by_id(fixture, "users.v1.activate", again.id, &user));
    expect_ok(call_method(fixture, "users.v1.create", &again, &user));
    assert_string_equal(user.id, again.id);
    assert_int_equal(user.status, STATUS_ACTIVE);
    assert_int_equal(user.version, 2);
    expect_error(call_method(fixture, "users.v1.create", &other, &user), &EMAIL_TAKEN);
    /* The id of one address is not taken for another one while it is pending. */
    str_copy(other.email, sizeof(other.email), "other@example.com");
    expect_ok(call_method(fixture, "users.v1.create", &other, &user));
    str_copy(other.email, sizeof(other.email), "third@example.com");
    expect_error(call_method(fixture, "users.v1.create", &other, &user), &EMAIL_TAKEN);
    /* Nor after a deletion. */
    test_database_run(&fixture->database, "DELETE FROM users WHERE email = 'new@example.com'");
    char statement[160];
    snprintf(statement, sizeof(statement), "INSERT INTO deleted_users VALUES ('%s', 1)", again.id);
    test_database_run(&fixture->database, statement);
    expect_error(call_method(fixture, "users.v1.create", &again, &user), &USER_NOT_FOUND);
    expect_error(by_email(fixture, again.email, &user), &USER_NOT_FOUND);
}

static void test_errors(void **state)
{
    struct fixture *fixture = *state;
    static const char nobody[] = "0190b5a0-0000-7000-8000-000000000000";
    struct user out = {.version = 42};
    expect_error(create(fixture, "ANN@example.com", &out), &EMAIL_TAKEN);
    expect_error(by_id(fixture, "users.v1.activate", nobody, &out), &USER_NOT_FOUND);
    expect_error(by_id(fixture, "users.v1.get", nobody, &out), &USER_NOT_FOUND);
    expect_error(by_email(fixture, "nobody@example.com", &out), &USER_NOT_FOUND);
    assert_int_equal(out.version, 42);
}

static void test_activate_does_not_lift_a_suspension(void **state)
{
    struct fixture *fixture = *state;
    struct user sue = make_user(fixture, "sue@example.com", "Sue", ROLE_USER, STATUS_SUSPENDED);
    struct user after = {0};
    expect_ok(by_id(fixture, "users.v1.activate", sue.id, &after));
    assert_int_equal(after.status, STATUS_SUSPENDED);
}

/* The first caller died between create and activate. */
static void test_a_broken_off_registration_gives_way(void **state)
{
    struct fixture *fixture = *state;
    struct user lost = {0}, second = {0}, out = {0};
    expect_ok(create(fixture, "new@example.com", &lost));
    expect_ok(create(fixture, "NEW@example.com", &second));
    expect_error(by_id(fixture, "users.v1.activate", lost.id, &out), &USER_NOT_FOUND);
    expect_ok(by_id(fixture, "users.v1.activate", second.id, &out));
    expect_error(by_id(fixture, "users.v1.activate", lost.id, &out), &USER_NOT_FOUND);
    expect_error(create(fixture, "new@example.com", &out), &EMAIL_TAKEN);
}

static void test_old_pending_users_go(void **state)
{
    struct fixture *fixture = *state;
    static const char pending[] = "SELECT count(*) FROM users WHERE status = 'pending'";
    struct user lost = {0}, out = {0};
    int64_t removed = 0;
    expect_ok(create(fixture, "lost@example.com", &lost));
    expect_ok(create(fixture, "other@example.com", &out));
    expect_ok(store_remove_pending(fixture->database.db, NULL, 60000, &removed));
    assert_int_equal(removed, 0);
    test_database_run(&fixture->database,
                      "UPDATE users SET created_at = created_at - 60001"
                      " WHERE email IN ('lost@example.com', 'bob@example.com')");
    expect_ok(store_remove_pending(fixture->database.db, NULL, 60000, &removed));
    assert_int_equal(removed, 1);
    assert_int_equal(test_database_number(&fixture->database, pending), 1);
    expect_error(by_id(fixture, "users.v1.activate", lost.id, &out), &USER_NOT_FOUND);
    expect_ok(store_fetch(fixture->database.db, NULL, fixture->bob.id, &out));
}

/* More than two statements remove: created_at is 1 for the first of them, and so on. */
#define MANY 1100

static void add_old_pending_users(struct fixture *fixture)
{
    test_database_run(
        &fixture->database,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " TO_TEXT(
            MANY) ")"
                  " INSERT INTO users (id, email, email_key, name, role, status, email_verified,"
                  " version, created_at, updated_at) SELECT 'old-' || i, 'old-' || i, 'old-' || i,"
                  " 'Old', 'user', 'pending', (1 = 0), 1, i, i FROM n");
}

/* Each statement takes a bounded number of rows, the oldest. */
static void test_many_old_pending_users(void **state)
{
    struct fixture *fixture = *state;
    static const int64_t rows[] = {STORE_REMOVE_MAX, STORE_REMOVE_MAX, MANY - 2 * STORE_REMOVE_MAX,
                                   0};
    add_old_pending_users(fixture);
    int64_t before = test_database_number(&fixture->database, "SELECT count(*) FROM users");
    int64_t removed = 0, all = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        expect_ok(store_remove_pending(fixture->database.db, NULL, 60000, &removed));
        CHECK_INT("removed", removed, rows[i]);
        all += removed;
        if (all < MANY)
            CHECK_INT("the oldest",
                      test_database_number(&fixture->database, "SELECT min(created_at) FROM users"),
                      all + 1);
    }
    assert_int_equal(test_database_number(&fixture->database, "SELECT count(*) FROM users"),
                     before - MANY);
}

/* The background goes on while there are more. */
static void test_the_background_removes_all(void **state)
{
    struct fixture *fixture = *state;
    const struct users_settings hasty = {.pending_ttl_s = 1};
    add_old_pending_users(fixture);
    fixture->service.settings = &hasty;
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, NULL, CTX_NO_TIMEOUT);
    struct group *group = NULL;
    expect_ok(group_new(&ctx, 1, &group));
    expect_ok(group_go(group, remove_pending, &fixture->service));
    for (int64_t began_ms = clock_mono_ms();;) { /* nothing tells of it but the table */
        if (test_database_number(&fixture->database,
                                 "SELECT count(*) FROM users WHERE status = 'pending'") == 0)
            break;
        assert_true(clock_mono_ms() - began_ms < 20000);
        expect_ok(ctx_sleep(NULL, 10));
    }
    ctx_cancel(&ctx);
    expect_error(group_wait(group), &ERR_CANCELLED);
}

#define RACERS 8
#define ROUNDS 20

struct race {
    struct fixture *fixture;
    atomic_int winners;
    char email[64];
};

static void register_one(size_t index, void *data)
{
    struct race *race = data;
    (void)index;
    struct user user = {0};
    struct err *e = create(race->fixture, race->email, &user);
    if (!e)
        e = by_id(race->fixture, "users.v1.activate", user.id, &user);
    if (!e)
        atomic_fetch_add(&race->winners, 1);
    else if (!err_is(e, &EMAIL_TAKEN) && !err_is(e, &USER_NOT_FOUND))
        atomic_fetch_add(&race->winners, 1000);
    err_free(e);
}

static void test_exactly_one_registration_wins(void **state)
{
    struct race race = {.fixture = *state};
    for (int round = 0; round < ROUNDS; round++) {
        atomic_store(&race.winners, 0);
        snprintf(race.email, sizeof(race.email), "race-%d@example.com", round);
        run_threads(RACERS, register_one, &race);
        CHECK_INT(race.email, atomic_load(&race.winners), 1);
    }
    assert_int_equal(test_database_number(&race.fixture->database,
                                          "SELECT count(*) FROM users WHERE status = 'active'"),
                     3 + ROUNDS);
}

static void register_another(size_t index, void *data)
{
    struct race *race = data;
    struct user user = {0};
    char email[64];
    for (int round = 0; round < ROUNDS; round++) {
        snprintf(email, sizeof(email), "other-%zu-%d@example.com", index, round);
        struct err *e = create(race->fixture, email, &user);
        if (!e)
            e = by_id(race->fixture, "users.v1.activate", user.id, &user);
        if (!e)
            atomic_fetch_add(&race->winners, 1);
        err_free(e);
    }
}

static void test_different_addresses_do_not_collide(void **state)
{
    struct race race = {.fixture = *state};
    run_threads(RACERS, register_another, &race);
    assert_int_equal(atomic_load(&race.winners), RACERS * ROUNDS);
}

static struct user_list list(struct fixture *fixture, struct arena *arena, int64_t limit,
                             const char *cursor)
{
    struct user_list_query in = {.limit = limit, .cursor = cursor};
    struct user_list out = {0};
    struct bus_call call = {.in = &in, .out = &out, .arena = arena, .state = &fixture->service};
    expect_ok(method_list(&call));
    return out;
}

/* Everybody once, whatever the size of the page, and nobody who is pending. */
static void test_list(void **state)
{
    struct fixture *fixture = *state;
    struct user out = {0};
    for (int i = 0; i < 4; i++) {
        char email[64];
        snprintf(email, sizeof(email), "half-%d@example.com", i);
        expect_ok(create(fixture, email, &out));
        snprintf(email, sizeof(email), "user-%d@example.com", i);
        make_user(fixture, email, "U", ROLE_USER, i ? STATUS_ACTIVE : STATUS_SUSPENDED);
    }
    for (int64_t limit = 1; limit <= 9; limit++) {
        _cleanup_(arena_deinit) struct arena arena = ARENA_INIT((size_t)1 << 20);
        const char *cursor = NULL, *last = "";
        size_t count = 0;
        do {
            struct user_list page = list(fixture, &arena, limit, cursor);
            assert_true(page.count <= (size_t)limit);
            for (size_t i = 0; i < page.count; i++) {
                assert_true(strcmp(last, page.items[i].id) < 0);
                last = page.items[i].id;
                assert_int_equal(page.items[i].version, 1);
            }
            count += page.count;
            cursor = page.next_cursor;
        } while (cursor);
        assert_int_equal(count, 7);
    }
}

static void test_models(void **state)
{
    (void)state;
    for (size_t i = 0; i < users_app.method_count; i++) {
        expect_ok(model_check(users_app.methods[i].in));
        expect_ok(model_check(users_app.methods[i].out));
    }
    for (size_t i = 0; i < users_app.event_count; i++)
        expect_ok(model_check(users_app.events[i].model));
}

static void test_start_and_stop(void **state)
{
    struct fixture *fixture = *state;
    struct users_settings settings = {.pending_ttl_s = 1};
    struct app_runtime runtime = {
        .db = fixture->database.db, .bus = fixture->bus, .own_settings = &settings};
    struct user lost = {0};
    expect_ok(create(fixture, "lost@example.com", &lost));
    expect_ok(users_app.start(&runtime, &runtime.state));
    assert_ptr_equal(((struct service *)runtime.state)->db, fixture->database.db);
    for (int64_t began_ms = clock_mono_ms();;) { /* nothing tells of it but the table */
        if (test_database_number(&fixture->database,
                                 "SELECT count(*) FROM users WHERE status = 'pending'") == 0)
            break;
        assert_true(clock_mono_ms() - began_ms < 20000);
        expect_ok(ctx_sleep(NULL, 10));
    }
    users_app.stop(&runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_create_is_repeated),
        TEST(test_create_and_activate),
        TEST(test_errors),
        TEST(test_activate_does_not_lift_a_suspension),
        TEST(test_a_broken_off_registration_gives_way),
        TEST(test_old_pending_users_go),
        TEST(test_many_old_pending_users),
        TEST(test_the_background_removes_all),
        TEST(test_exactly_one_registration_wins),
        TEST(test_different_addresses_do_not_collide),
        TEST(test_list),
        TEST(test_models),
        TEST(test_start_and_stop),
    };
    return cmocka_run_group_tests_name("users.methods", tests, NULL, NULL);
}
