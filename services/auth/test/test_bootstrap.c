/* The bootstrap admin: there in the end, once, however late the directory comes. */
#include "auth_test.h"

#include <base/clock.h>
#include <base/str.h>

#include "kinds.h"

#define ADMIN       "admin@example.com"
#define PATIENCE_MS 20000

static struct auth_settings with_admin(void)
{
    static char email[] = ADMIN, password[] = PASSWORD;
    struct auth_settings settings = DEFAULTS;
    settings.bootstrap_admin_email = email;
    settings.bootstrap_admin_password = password;
    return settings;
}

/* Nothing tells of it but the answer of /readyz: asked often. */
static void await_ready(struct replica *auth)
{
    int64_t until_ms = clock_mono_ms() + PATIENCE_MS;
    for (;;) {
        struct err *e = auth_app.ready(&auth->runtime);
        if (!e)
            return;
        expect_error(e, &ERR_UPSTREAM_UNAVAILABLE);
        assert_true(clock_mono_ms() < until_ms);
        err_free(ctx_sleep(NULL, 1));
    }
}

static void check_signs_in(struct replica *auth, int status)
{
    _cleanup_(reply_deinit) struct reply reply = log_in(auth, ADMIN, PASSWORD);
    assert_int_equal(reply.status, status);
    if (status != 200)
        return;
    struct http_identity identity;
    const char *token = reply_text(&reply, "access_token");
    expect_ok(auth->authenticator.check(auth->authenticator.data, token, strlen(token), &identity));
    assert_string_equal(identity.role, "admin");
}

static void test_made(void **state)
{
    struct fixture *fixture = *state;
    struct auth_settings settings = with_admin();
    for (int i = 0; i < 3; i++) { /* each start finds what the one before has made */
        struct replica auth;
        replica_start(&auth, &fixture->database, &settings);
        await_ready(&auth);
        check_signs_in(&auth, 200);
        replica_stop(&auth);
        assert_int_equal(directory.count, 1);
    }
}

static void test_without_one(void **state)
{
    struct fixture *fixture = *state;
    expect_ok(auth_app.ready(&fixture->auth.runtime));
    assert_int_equal(directory.count, 0);
}

static void test_directory_comes_later(void **state)
{
    struct fixture *fixture = *state;
    fake_directory_stop(&directory);
    struct auth_settings settings = with_admin();
    struct replica auth;
    replica_start(&auth, &fixture->database, &settings);
    expect_error(auth_app.ready(&auth.runtime), &ERR_UPSTREAM_UNAVAILABLE);
    check_signs_in(&auth, 401);
    fake_directory_start(&directory, nats_url(), fixture->auth.runtime.bus);
    await_ready(&auth);
    check_signs_in(&auth, 200);
    replica_stop(&auth);

    /* Who has an admin does not wait for the directory another time. */
    fake_directory_stop(&directory);
    replica_start(&auth, &fixture->database, &settings);
    await_ready(&auth);
    check_signs_in(&auth, 200);
    replica_stop(&auth);
    fake_directory_start(&directory, nats_url(), fixture->auth.runtime.bus);
}

static void test_stopped_while_waiting(void **state)
{
    struct fixture *fixture = *state;
    fake_directory_stop(&directory);
    struct auth_settings settings = with_admin();
    struct replica auth;
    replica_start(&auth, &fixture->database, &settings);
    replica_stop(&auth);
    fake_directory_start(&directory, nats_url(), fixture->auth.runtime.bus);
    assert_int_equal(directory.count, 0);
}

static void test_a_step_fails_first(void **state)
{
    struct fixture *fixture = *state;
    static const struct fault faults[] = {
        {"find_by_email", &ERR_INTERNAL, 1, false},   {"create", &ERR_UPSTREAM_TIMEOUT, 1, true},
        {"activate", &ERR_INTERNAL, 1, false},        {"activate", &ERR_INTERNAL, 1, true},
        {"create", &DIRECTORY_EMAIL_TAKEN, 1, false},
    };
    struct auth_settings settings = with_admin();
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        fake_directory_clear(&directory);
        test_database_run(&fixture->database, "DELETE FROM accounts");
        fake_directory_order(&directory, faults[i]);
        struct replica auth;
        replica_start(&auth, &fixture->database, &settings);
        await_ready(&auth);
        CHECK_INT(faults[i].method, directory.fault.times, 0);
        CHECK_INT(faults[i].method, directory.count, 1);
        check_signs_in(&auth, 200);
        replica_stop(&auth);
    }
}

#define REPLICAS 4

struct replicas {
    struct fixture *fixture;
    struct auth_settings settings;
    struct replica replicas[REPLICAS];
};

static void start_one(size_t index, void *data)
{
    struct replicas *replicas = data;
    replica_start(&replicas->replicas[index], &replicas->fixture->database, &replicas->settings);
}

static void test_many_replicas_at_once(void **state)
{
    struct replicas *replicas = calloc(1, sizeof(*replicas));
    assert_non_null(replicas);
    replicas->fixture = *state;
    replicas->settings = with_admin();
    run_threads(REPLICAS, start_one, replicas);
    for (size_t i = 0; i < REPLICAS; i++)
        await_ready(&replicas->replicas[i]);
    assert_int_equal(fake_directory_count(&directory, ADMIN), 1);
    for (size_t i = 0; i < REPLICAS; i++) {
        check_signs_in(&replicas->replicas[i], 200);
        replica_stop(&replicas->replicas[i]);
    }
    free(replicas);
}

static void test_somebody_else_has_the_address(void **state)
{
    struct fixture *fixture = *state;
    fake_directory_add(&directory, ADMIN, ROLE_USER, STATUS_ACTIVE);
    struct auth_settings settings = with_admin();
    struct replica auth;
    replica_start(&auth, &fixture->database, &settings);
    await_ready(&auth);
    check_signs_in(&auth, 401);
    assert_int_equal(directory.count, 1);
    assert_int_equal(directory.users[0].user.role, ROLE_USER);
    replica_stop(&auth);
}

/* Invited, or auth has lost its database. */
static void test_an_admin_without_a_password(void **state)
{
    struct fixture *fixture = *state;
    fake_directory_add(&directory, "Admin@Example.com", ROLE_ADMIN, STATUS_ACTIVE);
    struct auth_settings settings = with_admin();
    struct replica auth;
    replica_start(&auth, &fixture->database, &settings);
    await_ready(&auth);
    check_signs_in(&auth, 200);
    assert_int_equal(directory.count, 1);
    replica_stop(&auth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_made),
        TEST(test_without_one),
        TEST(test_directory_comes_later),
        TEST(test_stopped_while_waiting),
        TEST(test_a_step_fails_first),
        TEST(test_many_replicas_at_once),
        TEST(test_somebody_else_has_the_address),
        TEST(test_an_admin_without_a_password),
    };
    return cmocka_run_group_tests_name("auth.bootstrap", tests, group_start, group_stop);
}
