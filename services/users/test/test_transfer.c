/* users export and import: every user as they are, nobody twice, and nothing of what is not finished. */
#include "users_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <app/transfer.h>
#include <base/str.h>

static struct err *run_command(struct sql_db *db, const char *name, const char *path)
{
    struct app_runtime runtime = {.db = db};
    const char *args[APP_ARGS_MAX] = {path};
    for (size_t i = 0; i < users_app.command_count; i++) {
        if (strcmp(users_app.commands[i].name, name) == 0)
            return users_app.commands[i].run(&runtime, args);
    }
    fail_msg("there is no subcommand %s", name);
    return NULL;
}

static void make_path(char out[static 64])
{
    str_copy(out, 64, "/tmp/plankton-users-XXXXXX");
    close(mkstemp(out));
}

static void check_same(struct fixture *fixture, struct test_database *other, const char *id)
{
    struct user before = {0}, after = {0};
    expect_ok(store_fetch(fixture->database.db, NULL, id, &before));
    expect_ok(store_fetch(other->db, NULL, id, &after));
    assert_memory_equal(&before, &after, sizeof(before));
}

static void test_move(void **state)
{
    struct fixture *fixture = *state;
    struct test_database other;
    test_database_open(&other, users_app.migrations);
    make_user(fixture, "half@example.com", "Half", ROLE_USER, STATUS_PENDING);
    struct user sue =
        make_user(fixture, "Sue@example.com", "S\xc3\xbc \"x\"", ROLE_ADMIN, STATUS_SUSPENDED);
    test_database_run(&fixture->database,
                      "UPDATE users SET version = 7, email_verified = (1 = 1), updated_at = 12345"
                      " WHERE email_key = 'ann@example.com'");
    char path[64];
    make_path(path);
    expect_ok(run_command(fixture->database.db, "export", path));
    for (int again = 0; again < 2; again++) {
        expect_ok(run_command(other.db, "import", path));
        assert_int_equal(test_database_number(&other, "SELECT count(*) FROM users"), 4);
    }
    const char *const ids[] = {fixture->admin.id, fixture->ann.id, fixture->bob.id, sue.id};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        check_same(fixture, &other, ids[i]);
    unlink(path);
    test_database_close(&other);
}

/* What is in the way stays as it is; the rest comes in. */
static void test_conflicts(void **state)
{
    struct fixture *fixture = *state;
    struct test_database other;
    test_database_open(&other, users_app.migrations);
    char path[64];
    make_path(path);
    expect_ok(run_command(fixture->database.db, "export", path));
    expect_ok(run_command(other.db, "import", path));
    test_database_run(&other, "UPDATE users SET name = 'Anna' WHERE email_key = 'ann@example.com'");
    test_database_run(&other, "DELETE FROM users WHERE name = 'Root'");
    test_database_run(&other, "UPDATE users SET id = '0190b5a0-0000-7000-8000-000000000000'"
                              " WHERE name = 'Bob'");
    expect_error(run_command(other.db, "import", path), &ERR_INVALID_REQUEST);
    assert_int_equal(test_database_number(&other, "SELECT count(*) FROM users"), 3);
    assert_int_equal(
        test_database_number(&other, "SELECT count(*) FROM users WHERE name IN ('Anna', 'Root')"),
        2);
    unlink(path);
    test_database_close(&other);
}

/* A registration that is not finished gives way to the user who is. */
static void test_pending_gives_way(void **state)
{
    struct fixture *fixture = *state;
    char path[64];
    make_path(path);
    expect_ok(run_command(fixture->database.db, "export", path));
    test_database_run(&fixture->database, "DELETE FROM users WHERE name = 'Bob'");
    make_user(fixture, "BOB@example.com", "Half", ROLE_USER, STATUS_PENDING);
    expect_ok(run_command(fixture->database.db, "import", path));
    struct user bob = {0};
    expect_ok(store_fetch(fixture->database.db, NULL, fixture->bob.id, &bob));
    assert_memory_equal(&bob, &fixture->bob, sizeof(bob));
    unlink(path);
}

static void test_a_version_that_would_wrap(void **state)
{
    struct fixture *fixture = *state;
    char path[64];
    make_path(path);
    test_database_run(&fixture->database,
                      "UPDATE users SET version = 9223372036854775807 WHERE name = 'Bob'");
    expect_ok(run_command(fixture->database.db, "export", path));
    expect_error(run_command(fixture->database.db, "import", path), &ERR_INVALID_REQUEST);
    unlink(path);
}

static void test_model(void **state)
{
    (void)state;
    expect_ok(model_check(&user_record_model));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_move),
        TEST(test_conflicts),
        TEST(test_pending_gives_way),
        TEST(test_a_version_that_would_wrap),
        TEST(test_model),
    };
    return cmocka_run_group_tests_name("users.transfer", tests, NULL, NULL);
}
