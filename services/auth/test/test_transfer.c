/* auth export and import: whoever could sign in can afterwards, in another database. */
#include "auth_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <app/transfer.h>
#include <base/str.h>

#include "store.h"

static struct err *run_command(struct sql_db *db, const char *name, const char *path)
{
    struct app_runtime runtime = {.db = db, .own_settings = &DEFAULTS};
    const char *args[APP_ARGS_MAX] = {path};
    for (size_t i = 0; i < auth_app.command_count; i++) {
        if (strcmp(auth_app.commands[i].name, name) == 0)
            return auth_app.commands[i].run(&runtime, args);
    }
    fail_msg("there is no subcommand %s", name);
    return NULL;
}

static void make_path(char out[static 64])
{
    str_copy(out, 64, "/tmp/plankton-auth-XXXXXX");
    close(mkstemp(out));
}

static void check_login(struct replica *auth, const char *email, int status)
{
    _cleanup_(reply_deinit) struct reply reply = log_in(auth, email, PASSWORD);
    CHECK_INT(email, reply.status, status);
}

static void test_move(void **state)
{
    struct fixture *fixture = *state;
    register_person(&fixture->auth, "Ann@example.com");
    register_person(&fixture->auth, "sue@example.com");
    const struct user sue = directory.users[directory.count - 1].user;
    fake_directory_change(&directory, sue.id, "sue@example.com", ROLE_ADMIN, STATUS_SUSPENDED);
    check_login(&fixture->auth, "sue@example.com", 403);
    fake_directory_order(&directory, (struct fault){"activate", &ERR_INTERNAL, 1, false});
    _cleanup_(reply_deinit) struct reply lost = CALL(
        fixture->auth.server, POST, REGISTER,
        .body = "{\"email\":\"lost@example.com\",\"password\":\"" PASSWORD "\",\"name\":\"L\"}");
    check_reply("lost", &lost, 500, "internal");

    char path[64], line[1024];
    make_path(path);
    expect_ok(run_command(fixture->database.db, "export", path));
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file))
        assert_null(strstr(line, PASSWORD));
    fclose(file);

    struct test_database other;
    test_database_open(&other, auth_app.migrations);
    for (int again = 0; again < 2; again++) {
        expect_ok(run_command(other.db, "import", path));
        assert_int_equal(test_database_number(&other, "SELECT count(*) FROM accounts"), 2);
        assert_int_equal(test_database_number(&other, "SELECT count(*) FROM directory"), 2);
    }
    struct replica auth;
    replica_start(&auth, &other, &DEFAULTS);
    fake_directory_stop(&directory);
    check_login(&auth, "ann@example.com", 200);
    check_login(&auth, "sue@example.com", 403);
    check_login(&auth, "lost@example.com", 401);
    fake_directory_start(&directory, nats_url(), auth.runtime.bus);
    replica_stop(&auth);
    unlink(path);
    test_database_close(&other);
}

static void test_conflict(void **state)
{
    struct fixture *fixture = *state;
    register_person(&fixture->auth, "ann@example.com");
    register_person(&fixture->auth, "bob@example.com");
    char path[64];
    make_path(path);
    expect_ok(run_command(fixture->database.db, "export", path));
    /* What is known of a user goes on; that is none. */
    test_database_run(&fixture->database, "UPDATE directory SET version = version + 1");
    expect_ok(run_command(fixture->database.db, "import", path));
    static const char *const other_credentials[] = {
        "UPDATE accounts SET password_hash = 'other' WHERE email = 'ann@example.com'",
        "UPDATE accounts SET status = 'pending' WHERE email = 'ann@example.com'",
    };
    for (size_t i = 0; i < ARRAY_LEN(other_credentials); i++) {
        test_database_run(&fixture->database, other_credentials[i]);
        expect_error(run_command(fixture->database.db, "import", path), &ERR_INVALID_REQUEST);
    }
    unlink(path);
}

/* Deleted by mistake, and brought back from a backup. */
static void test_bring_back(void **state)
{
    struct fixture *fixture = *state;
    register_person(&fixture->auth, "ann@example.com");
    char path[64];
    make_path(path);
    expect_ok(run_command(fixture->database.db, "export", path));
    test_database_run(&fixture->database, "DELETE FROM accounts");
    test_database_run(&fixture->database,
                      "UPDATE directory SET status = 'deleted', email_key = '', version = 99");
    expect_ok(run_command(fixture->database.db, "import", path));
    check_login(&fixture->auth, "ann@example.com", 200);
    unlink(path);
}

static void write_account(const char *path, const char *hash, const char *version)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file,
            "{\"format\":\"plankton-auth\",\"version\":1}\n"
            "{\"user_id\":\"0190b5a0-0000-7000-8000-000000000000\",\"email\":\"a@example.com\","
            "\"role\":\"user\",\"status\":\"active\",\"version\":%s,"
            "\"updated_at\":\"2026-01-02T03:04:05.678Z\",\"password_hash\":\"%s\","
            "\"created_at\":\"2026-01-02T03:04:05.678Z\"}\n{\"end\":true,\"count\":1}\n",
            version, hash);
    fclose(file);
}

/* Nothing of it gets in that would be of harm later; what is wrong is told with line and field. */
static void test_what_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static const char salt_and_hash[] = "AAAAAAAAAAAAAAAAAAAAAA$"
                                        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    static const struct {
        const char *cost, *version, *detail;
    } rows[] = {
        {NULL, "1", "line 2: field \"password_hash\": must be an argon2id hash"},
        {"m=65536,t=100,p=1", "1", NULL},
        {"m=65537,t=1,p=1", "1",
         "line 2: field \"password_hash\": takes 65537 KiB of memory to check, more than"
         " ARGON2_MEMORY_KIB allows for (65536)"},
        {"m=4194304,t=1,p=1", "1",
         "line 2: field \"password_hash\": takes 4194304 KiB of memory to check, more than"
         " ARGON2_MEMORY_KIB allows for (65536)"},
        {"m=4194305,t=1,p=1", "1", "line 2: field \"password_hash\": must be an argon2id hash"},
        {"m=8,t=101,p=1", "1", "line 2: field \"password_hash\": must be an argon2id hash"},
        {"m=8,t=1,p=1", "18014398509481984", NULL},
        {"m=8,t=1,p=1", "18014398509481985",
         "line 2: field \"version\": must be at most 18014398509481984"},
        {"m=8,t=1,p=1", "-1", "line 2: field \"version\": must be at least 0"},
    };
    char path[64];
    make_path(path);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char hash[PASSWORD_HASH_TEXT] = "hunter2";
        if (rows[i].cost)
            snprintf(hash, sizeof(hash), "$argon2id$v=19$%s$%s", rows[i].cost, salt_and_hash);
        write_account(path, hash, rows[i].version);
        test_database_run(&fixture->database, "DELETE FROM accounts");
        test_database_run(&fixture->database, "DELETE FROM directory");
        struct err *e = run_command(fixture->database.db, "import", path);
        CHECK_STR(hash, e ? err_detail(e) : "", rows[i].detail ? rows[i].detail : "");
        CHECK_INT(hash, test_database_number(&fixture->database, "SELECT count(*) FROM accounts"),
                  !e);
        err_free(e);
    }
    unlink(path);
    struct auth_settings settings = DEFAULTS;
    settings.argon2_memory_kib = 19456;
    assert_int_equal(password_import_kib(&settings), 77824);
}

static void test_model(void **state)
{
    (void)state;
    expect_ok(model_check(&account_model));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_move),  TEST(test_conflict), TEST(test_bring_back), TEST(test_what_is_refused),
        TEST(test_model),
    };
    return cmocka_run_group_tests_name("auth.transfer", tests, group_start, group_stop);
}
