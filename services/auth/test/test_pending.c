/* What a registration that broke off leaves behind, and how it is settled (pending.c). */
#include "auth_test.h"

#include <stdio.h>

#include <base/clock.h>
#include <base/str.h>

#include "handlers.h"

static void break_off(struct fixture *fixture, const char *email, struct fault fault)
{
    char body[256];
    snprintf(body, sizeof(body), "{\"email\":\"%s\",\"password\":\"" PASSWORD "\",\"name\":\"A\"}",
             email);
    fake_directory_order(&directory, fault);
    _cleanup_(reply_deinit) struct reply reply =
        CALL(fixture->auth.server, POST, REGISTER, .body = body);
    CHECK_INT(email, reply.status, fault.kind->status);
    fake_directory_order(&directory, (struct fault){0});
}

static void make_due(struct fixture *fixture)
{
    test_database_run(&fixture->database, "UPDATE accounts SET check_at = check_at - 600001");
}

/* The one that auth begins with; later it would settle what is pending. */
static void await_snapshot(const struct service *service)
{
    struct err *e;
    for (int64_t began_ms = clock_mono_ms(); (e = inbox_check(service->inbox));) {
        err_free(e);
        assert_true(clock_mono_ms() - began_ms < 20000);
        expect_ok(ctx_sleep(NULL, 10));
    }
}

static void test_pending_accounts_are_settled(void **state)
{
    struct fixture *fixture = *state;
    const struct service *service = fixture->auth.runtime.state;
    await_snapshot(service);
    fake_directory_silence(&directory); /* or the event would settle it */
    static const char accounts[] = "SELECT count(*) FROM accounts",
                      pending[] = "SELECT count(*) FROM accounts WHERE status = 'pending'";
    break_off(fixture, "lost@example.com", (struct fault){"activate", &ERR_INTERNAL, 1, false});
    break_off(fixture, "lost@example.com", (struct fault){"activate", &ERR_INTERNAL, 1, false});
    break_off(fixture, "ann@example.com",
              (struct fault){"activate", &ERR_UPSTREAM_TIMEOUT, 9, true});
    assert_int_equal(test_database_number(&fixture->database, pending), 3);
    expect_ok(settle_due(service, NULL));
    assert_int_equal(test_database_number(&fixture->database, pending), 3); /* too early */

    make_due(fixture);
    fake_directory_stop(&directory);
    expect_error(settle_due(service, NULL), &ERR_UPSTREAM_UNAVAILABLE);
    assert_int_equal(test_database_number(&fixture->database, pending), 3);
    fake_directory_start(&directory, nats_url(), fixture->auth.runtime.bus);
    make_due(fixture); /* the first one was put off */
    expect_ok(settle_due(service, NULL));
    assert_int_equal(test_database_number(&fixture->database, accounts), 1);
    assert_int_equal(test_database_number(&fixture->database, pending), 0);

    fake_directory_stop(&directory);
    _cleanup_(reply_deinit) struct reply ann = log_in(&fixture->auth, "ann@example.com", PASSWORD);
    check_reply("Ann", &ann, 200, "");
    fake_directory_start(&directory, nats_url(), fixture->auth.runtime.bus);
}

/* --- an account that fails again and again --- */

static void set_pending(struct fixture *fixture, const char *email, const char *column, int64_t ms)
{
    char statement[160];
    snprintf(statement, sizeof(statement), "UPDATE accounts SET %s = %lld WHERE email_key = '%s'",
             column, (long long)ms, email);
    test_database_run(&fixture->database, statement);
}

static int64_t delay_of(struct fixture *fixture, const char *email)
{
    char statement[160];
    snprintf(statement, sizeof(statement), "SELECT check_at FROM accounts WHERE email_key = '%s'",
             email);
    return test_database_number(&fixture->database, statement) - clock_now_ms();
}

#define BAD "bad@example.com"

/* The oldest one fails; those behind it do not wait for it, whatever the error says. */
static void test_a_failure_holds_up_nobody(void **state)
{
    struct fixture *fixture = *state;
    const struct service *service = fixture->auth.runtime.state;
    static const struct {
        const struct err_kind *kind;
        int rounds;
    } rows[] = {{&ERR_INTERNAL, 1}, {&ERR_UPSTREAM_TIMEOUT, 2}, {&ERR_UPSTREAM_UNAVAILABLE, 2}};
    static const char pending[] = "SELECT count(*) FROM accounts WHERE status = 'pending'";
    await_snapshot(service);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *slug = rows[i].kind->slug;
        fake_directory_clear(&directory);
        fake_directory_silence(&directory);
        test_database_run(&fixture->database, "DELETE FROM accounts");
        const struct fault lost = {"activate", &ERR_UPSTREAM_TIMEOUT, 9, true};
        break_off(fixture, BAD, lost);
        char bad[UUID_TEXT];
        str_copy(bad, sizeof(bad), directory.users[0].user.id);
        break_off(fixture, "good-1@example.com", lost);
        break_off(fixture, "good-2@example.com", lost);
        make_due(fixture);
        set_pending(fixture, BAD, "check_at", 1);
        set_pending(fixture, BAD, "created_at", clock_now_ms() - 300000);
        fake_directory_order_for(&directory, bad, (struct fault){"get", rows[i].kind, 99, false});
        expect_error(settle_due(service, NULL), rows[i].kind);
        if (rows[i].rounds > 1) {
            CHECK_INT(slug, test_database_number(&fixture->database, pending), 3);
            expect_ok(settle_due(service, NULL));
        }
        CHECK_INT(slug, test_database_number(&fixture->database, pending), 1);
        expect_ok(settle_due(service, NULL)); /* its time has not come again */
        fake_directory_order(&directory, (struct fault){0});
        make_due(fixture);
        expect_ok(settle_due(service, NULL));
        CHECK_INT(slug, test_database_number(&fixture->database, pending), 0);
        CHECK_INT(slug, test_database_number(&fixture->database, "SELECT count(*) FROM accounts"),
                  3);
    }
}

/* It is asked about after as long as it has been pending. */
static void test_pauses_double(void **state)
{
    struct fixture *fixture = *state;
    static const int64_t second_ms = 1000, hour_ms = 3600000, slack_ms = 60000;
    static const struct {
        int64_t age_ms, delay_ms;
    } rows[] = {
        {0, second_ms},
        {-hour_ms, second_ms},
        {hour_ms / 6, hour_ms / 6},
        {hour_ms / 3, hour_ms / 3},
        {hour_ms, hour_ms},
        {9999 * hour_ms, hour_ms},
    };
    await_snapshot(fixture->auth.runtime.state);
    fake_directory_silence(&directory);
    break_off(fixture, BAD, (struct fault){"activate", &ERR_UPSTREAM_TIMEOUT, 9, true});
    fake_directory_order(&directory, (struct fault){"get", &ERR_INTERNAL, 99, false});
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char row[64];
        snprintf(row, sizeof(row), "%lld ms old", (long long)rows[i].age_ms);
        set_pending(fixture, BAD, "check_at", 1);
        set_pending(fixture, BAD, "created_at", clock_now_ms() - rows[i].age_ms);
        expect_error(settle_due(fixture->auth.runtime.state, NULL), &ERR_INTERNAL);
        int64_t delay_ms = delay_of(fixture, BAD);
        CHECK(row, delay_ms <= rows[i].delay_ms + slack_ms);
        CHECK(row, delay_ms > rows[i].delay_ms - slack_ms && (delay_ms > 0 || i < 2));
    }
}

/* As many as a directory leaves that was empty by mistake. */
static void test_many_are_due(void **state)
{
    struct fixture *fixture = *state;
    const struct service *service = fixture->auth.runtime.state;
    static const char accounts[] = "SELECT count(*) FROM accounts";
    await_snapshot(service);
    test_database_run(
        &fixture->database,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250)"
        " INSERT INTO accounts (user_id, email, email_key, role, status, password_hash, created_at,"
        " updated_at, check_at) SELECT '0190b5a0-0000-7000-8000-' || (100000000000 + i), '', '',"
        " 'user', 'pending', '', 0, 0, 1000 - i FROM n");
    /* Nobody answers the first question, which is about who waited longest; it ends the round. */
    fake_directory_order(&directory, (struct fault){"get", &ERR_UPSTREAM_TIMEOUT, 1, false});
    expect_error(settle_due(service, NULL), &ERR_UPSTREAM_TIMEOUT);
    assert_int_equal(test_database_number(&fixture->database, accounts), 250);
    assert_int_equal(test_database_number(&fixture->database, "SELECT min(check_at) FROM accounts"),
                     751);
    expect_ok(settle_due(service, NULL));
    assert_int_equal(test_database_number(&fixture->database, accounts), 1);
}

/* The release before has written them. */
static void test_pending_accounts_of_before(void **state)
{
    struct fixture *fixture = *state;
    break_off(fixture, "lost@example.com", (struct fault){"activate", &ERR_INTERNAL, 1, false});
    test_database_run(&fixture->database, "UPDATE accounts SET check_at = NULL");
    expect_ok(settle_due(fixture->auth.runtime.state, NULL));
    assert_int_equal(test_database_number(&fixture->database, "SELECT count(*) FROM accounts"), 1);
    test_database_run(&fixture->database, "UPDATE accounts SET created_at = created_at - 3600001");
    expect_ok(settle_due(fixture->auth.runtime.state, NULL));
    assert_int_equal(test_database_number(&fixture->database, "SELECT count(*) FROM accounts"), 0);
}

static void test_pending_accounts_are_settled_in_time(void **state)
{
    struct fixture *fixture = *state;
    struct auth_settings hasty = DEFAULTS;
    hasty.pending_ttl_s = 1;
    struct replica auth;
    replica_start(&auth, &fixture->database, &hasty);
    break_off(fixture, "lost@example.com", (struct fault){"activate", &ERR_INTERNAL, 1, false});
    make_due(fixture);
    for (int64_t began_ms = clock_mono_ms();;) { /* nothing tells of it but the table */
        if (test_database_number(&fixture->database, "SELECT count(*) FROM accounts") == 0)
            break;
        assert_true(clock_mono_ms() - began_ms < 20000);
        expect_ok(ctx_sleep(NULL, 10));
    }
    replica_stop(&auth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pending_accounts_are_settled),
        TEST(test_a_failure_holds_up_nobody),
        TEST(test_pauses_double),
        TEST(test_many_are_due),
        TEST(test_pending_accounts_of_before),
        TEST(test_pending_accounts_are_settled_in_time),
    };
    return cmocka_run_group_tests_name("auth.pending", tests, group_start, group_stop);
}
