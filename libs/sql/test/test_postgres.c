/* What is PostgreSQL's alone: its types, its errors, a server that goes away. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <base/clock.h>

#include "internal.h"
#include "sql_test.h"

static void wrong_urls_are_refused_in_silence(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "postgres:hunter2",
        "postgresql://u:hunter2@h/d?no_such_setting=1",
        "postgres://u:hunter2@[::1/d",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sql_db *db = (void *)1;
        char line[ERR_LINE];
        struct err *e = sql_open(&(struct sql_options){.url = rows[i]}, &db);
        err_format(e, line, sizeof(line));
        CHECK(line, !strstr(line, "hunter2"));
        expect(e, &SQL_FAILED, rows[i]);
        CHECK(rows[i], db == (void *)1);
    }
}

/* The one value of a query. */
static void check_value(struct sql_conn *conn, const char *query, struct sql_value expected)
{
    _cleanup_(sql_rows_close) struct sql_rows *rows = NULL;
    bool has_row = false;
    expect(sql_query(conn, NULL, &rows, query), NULL, query);
    expect(sql_rows_next(rows, &has_row), NULL, query);
    struct sql_value value = sql_rows_value(rows, 0);
    CHECK_INT(query, value.type, expected.type);
    if (value.type == SQL_TYPE_TEXT || value.type == SQL_TYPE_BLOB) {
        CHECK_INT(query, value.as.bytes.len, expected.as.bytes.len);
        CHECK(query, memcmp(value.as.bytes.data, expected.as.bytes.data, value.as.bytes.len) == 0);
    } else if (value.type == SQL_TYPE_I64) {
        CHECK_INT(query, value.as.i64, expected.as.i64);
    } else if (value.type == SQL_TYPE_F64) {
        CHECK(query, value.as.f64 >= expected.as.f64 && value.as.f64 <= expected.as.f64);
    }
}

static void its_types(void **state)
{
    (void)state;
    const struct {
        const char *query;
        struct sql_value value;
    } rows[] = {
        {"SELECT CAST(-7 AS SMALLINT)", SQL_I64(-7)},
        {"SELECT CAST(4294967295 AS OID)", SQL_I64(4294967295)},
        {"SELECT CAST(0.25 AS REAL)", SQL_F64(0.25)},
        {"SELECT sum(x) FROM (VALUES (CAST(1 AS BIGINT)), (2)) AS t (x)", SQL_I64(3)},
        {"SELECT CAST(1.50 AS NUMERIC)", SQL_TEXT("1.50")},
        {"SELECT CAST(99999999999999999999 AS NUMERIC)", SQL_TEXT("99999999999999999999")},
        {"SELECT CAST('0190163D-8694-739B-AEA5-966C26F8AD91' AS UUID)",
         SQL_TEXT("0190163d-8694-739b-aea5-966c26f8ad91")},
        {"SELECT CAST('{\"a\": 1}' AS JSONB)", SQL_TEXT("{\"a\": 1}")},
        {"SELECT CAST('x' AS VARCHAR(9))", SQL_TEXT("x")},
        {"SELECT CAST('\\x00ff' AS BYTEA)", SQL_BLOB("\0\xff", 2)},
        {"SELECT CAST('' AS BYTEA)", SQL_BLOB("", 0)},
        {"SELECT 1 <> 1", SQL_BOOL(false)},
        {"SELECT CAST(NULL AS UUID)", SQL_NULL},
    };
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_value(conn, rows[i].query, rows[i].value);
    run(conn, "SET bytea_output = 'escape'");
    check_value(conn, "SELECT CAST('\\x00ff41' AS BYTEA)",
                SQL_BLOB("\0\xff"
                         "A",
                         3));
}

struct real {
    double real;
};

static const struct field real_fields[] = {FIELD(struct real, real, FLOAT)};
static const struct model real_model = MODEL(struct real, real_fields, "A number");

static void not_a_number_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {"SELECT CAST('NaN' AS REAL) AS real",
                                       "SELECT CAST('-Infinity' AS DOUBLE PRECISION) AS real"};
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    struct real real = {5};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        expect(sql_fetch_one(conn, NULL, &real_model, &real, NULL, rows[i]), &SQL_FAILED, rows[i]);
    assert_true(real.real > 4.5);
}

static void its_errors_have_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *name, *state;
        const struct err_kind *kind;
        bool is_shown, is_dropped;
    } rows[] = {
        {"serialization", "40001", &SQL_SERIALIZATION, true, false},
        {"deadlock", "40P01", &SQL_SERIALIZATION, true, false},
        {"lock not available", "55P03", &SQL_SERIALIZATION, true, false},
        {"unique", "23505", &SQL_UNIQUE, false, false},
        {"exclusion", "23P01", &SQL_CONSTRAINT, false, false},
        {"text too long", "22001", &SQL_CONSTRAINT, false, false},
        {"number too large", "22003", &SQL_CONSTRAINT, false, false},
        {"not of the type", "22P02", &SQL_CONSTRAINT, false, false},
        {"division by zero", "22012", &SQL_FAILED, false, false},
        {"raised by a function", "P0001", &SQL_FAILED, false, false},
        {"no rights", "42501", &SQL_FAILED, true, false},
        {"protocol", "08P01", &SQL_FAILED, true, false},
        {"statement timeout", "57014", &ERR_UPSTREAM_TIMEOUT, true, false},
        {"disk full", "53100", &ERR_UPSTREAM_UNAVAILABLE, true, false},
        {"input and output", "58030", &ERR_UPSTREAM_UNAVAILABLE, true, false},
        {"shutdown", "57P01", &ERR_UPSTREAM_UNAVAILABLE, true, true},
        {"connection", "08006", &ERR_UPSTREAM_UNAVAILABLE, true, true},
        {"not the primary", "25006", &ERR_UPSTREAM_UNAVAILABLE, true, true},
    };
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char statement[160], line[ERR_LINE];
        struct sql_stats stats;
        struct sql_conn *conn = acquire(db);
        run(conn, "CREATE OR REPLACE FUNCTION fail(code TEXT) RETURNS BIGINT LANGUAGE plpgsql AS "
                  "$$ BEGIN RAISE EXCEPTION 'it is 42' USING ERRCODE = code; END $$");
        snprintf(statement, sizeof(statement), "SELECT fail('%s')", rows[i].state);
        struct err *e = sql_exec(conn, NULL, statement, NULL);
        err_format(e, line, sizeof(line));
        CHECK_INT(rows[i].name, strstr(line, "it is 42") != NULL, rows[i].is_shown);
        expect(e, rows[i].kind, rows[i].name);
        sql_release(conn);
        sql_get_stats(db, &stats);
        CHECK_INT(rows[i].name, stats.open, !rows[i].is_dropped);
    }
}

static void a_transaction_alone_in_the_world(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *first = acquire(db);
    _cleanup_(sql_release) struct sql_conn *second = acquire(db);
    run(first, "CREATE TABLE doctors (name TEXT PRIMARY KEY, on_call BOOLEAN)");
    run(first, "INSERT INTO doctors VALUES ('ann', true), ('bob', true)");
    OK(sql_begin(first, NULL));
    OK(sql_begin(second, NULL));
    assert_int_equal(number(first, "SELECT count(*) FROM doctors WHERE on_call"), 2);
    assert_int_equal(number(second, "SELECT count(*) FROM doctors WHERE on_call"), 2);
    run(first, "UPDATE doctors SET on_call = false WHERE name = 'ann'");
    struct err *e =
        sql_exec(second, NULL, "UPDATE doctors SET on_call = false WHERE name = 'bob'", NULL);
    OK(sql_commit(first, NULL));
    if (!e)
        e = sql_commit(second, NULL);
    FAILS(e, SQL_SERIALIZATION);
    sql_rollback(second);
    assert_int_equal(number(second, "SELECT count(*) FROM doctors WHERE on_call"), 1);
}

static void a_deadline_reaches_the_server(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    _cleanup_(sql_release) struct sql_conn *other = acquire(db);
    struct ctx ctx;
    ctx_init(&ctx, NULL, 30);
    FAILS(sql_exec(conn, &ctx, "SELECT pg_sleep(1000)", NULL), ERR_UPSTREAM_TIMEOUT);
    ctx_deinit(&ctx);
    assert_int_equal(
        number(other,
               "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
               "state = 'active' AND pid <> pg_backend_pid()"),
        0);
    assert_int_equal(number(conn, "SELECT 1"), 1);
}

static void the_server_forgets_what_the_cache_drops(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    for (int i = 0; i < 2 * STATEMENTS_MAX; i++) {
        char statement[64];
        snprintf(statement, sizeof(statement), "SELECT %d", i);
        assert_int_equal(number(conn, statement), i);
    }
    assert_in_range(number(conn, "SELECT count(*) FROM pg_prepared_statements"), STATEMENTS_MAX,
                    STATEMENTS_MAX + 1);
}

static void statements_are_prepared_again(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    run(conn, "CREATE TABLE t (n INTEGER)");
    run(conn, "INSERT INTO t VALUES (5)");
    assert_int_equal(number(conn, "SELECT * FROM t"), 5);
    run(conn, "ALTER TABLE t ALTER n TYPE BIGINT");
    assert_int_equal(number(conn, "SELECT * FROM t"), 5);
    run(conn, "ALTER TABLE t ALTER n TYPE SMALLINT");
    int64_t n = 0;
    OK(sql_begin(conn, NULL)); /* here it cannot be mended, but when the transaction runs again */
    FAILS(sql_fetch_i64(conn, NULL, &n, "SELECT * FROM t"), SQL_SERIALIZATION);
    sql_rollback(conn);
    assert_int_equal(number(conn, "SELECT * FROM t"), 5);
    run(conn, "DISCARD ALL"); /* as a pooler does */
    assert_int_equal(number(conn, "SELECT * FROM t"), 5);
    for (int i = 0; i < 2 * STATEMENTS_MAX; i++) { /* those that it has lost go from the cache */
        char statement[64];
        snprintf(statement, sizeof(statement), "SELECT %d", i);
        assert_int_equal(number(conn, statement), i);
    }
}

static void a_batch_is_prepared_again(void **state)
{
    (void)state;
    static const char *const changes[] = {"ALTER TABLE t ALTER n TYPE BIGINT", "DISCARD ALL"};
    static const struct sql_statement both[] = {{.text = "INSERT INTO t VALUES (1) RETURNING n"},
                                                {.text = "INSERT INTO t VALUES (2) RETURNING n"}};
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    run(conn, "CREATE TABLE t (n INTEGER)");
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        OK(sql_exec_batch(conn, NULL, both, ARRAY_LEN(both), NULL));
        run(conn, changes[i]);
        struct err *e = sql_exec_batch(conn, NULL, both, ARRAY_LEN(both), NULL);
        for (size_t again = 0; again < ARRAY_LEN(both) && err_is(e, &SQL_SERIALIZATION); again++) {
            err_free(e);
            e = sql_exec_batch(conn, NULL, both, ARRAY_LEN(both), NULL);
        }
        expect(e, NULL, changes[i]);
    }
    assert_int_equal(number(conn, "SELECT count(*) FROM t"), 8);
}

/* A statement that PostgreSQL cannot run is not run again and again. */
static void what_is_not_supported(void **state)
{
    (void)state;
    static const char statement[] = "CREATE TEMPORARY TABLE t (n INTEGER GENERATED ALWAYS AS (1))";
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    for (int i = 0; i < 3; i++) {
        OK(sql_begin(conn, NULL));
        FAILS(sql_exec(conn, NULL, statement, NULL), SQL_FAILED);
        sql_rollback(conn);
    }
}

static void no_copy(void **state)
{
    (void)state;
    static const char *const rows[] = {"COPY t TO STDOUT", "COPY t FROM STDIN"};
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
        run(conn, "CREATE TABLE IF NOT EXISTS t (n INTEGER)");
        expect(sql_exec(conn, NULL, rows[i], NULL), &SQL_FAILED, rows[i]);
    }
    assert_int_equal(number_in(db, "SELECT count(*) FROM t"), 0);
}

static void a_connection_that_breaks_in_use(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    struct sql_conn *conn = acquire(db);
    struct sql_stats stats;
    run(conn, "CREATE TABLE t (n BIGINT)");
    OK(sql_begin(conn, NULL));
    run(conn, "INSERT INTO t VALUES (1)");
    backend->sever(conn, NULL);
    FAILS(sql_exec(conn, NULL, "INSERT INTO t VALUES (2)", NULL), ERR_UPSTREAM_UNAVAILABLE);
    FAILS(sql_exec(conn, NULL, "SELECT 1", NULL), ERR_UPSTREAM_UNAVAILABLE);
    FAILS(sql_commit(conn, NULL), ERR_UPSTREAM_UNAVAILABLE);
    sql_release(conn);
    sql_get_stats(db, &stats);
    assert_int_equal(stats.open, 0);
    assert_int_equal(number_in(db, "SELECT count(*) FROM t"), 0);
}

static void the_server_goes_and_comes_back(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    OK(sql_ping(db, NULL));
    postgres_halt();
    int64_t begin_ms = clock_mono_ms();
    FAILS(sql_ping(db, NULL), ERR_UPSTREAM_UNAVAILABLE);
    FAILS(sql_ping(db, NULL), ERR_UPSTREAM_UNAVAILABLE);
    assert_true(clock_mono_ms() - begin_ms < SOON_MS);
    postgres_run();
    struct err *e = sql_ping(db, NULL);
    while (err_is(e, &ERR_UPSTREAM_UNAVAILABLE)) {
        err_free(e);
        OK(ctx_sleep(NULL, 10));
        e = sql_ping(db, NULL);
    }
    OK(e);
}

static void a_server_that_says_nothing(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char url[URL_MAX];
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.5432", test_directory());
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 5), 0);
    snprintf(url, sizeof(url), "postgres://u:hunter2@/d?host=%s", test_directory());
    _cleanup_(sql_close) struct sql_db *db = NULL;
    OK(sql_open(&(struct sql_options){.url = url}, &db));
    struct ctx ctx;
    ctx_init(&ctx, NULL, 30);
    FAILS(sql_ping(db, &ctx), ERR_UPSTREAM_TIMEOUT);
    int64_t late_ms = clock_mono_ms() - ctx.deadline_ms;
    assert_in_range(late_ms, 0, SOON_MS);
    ctx_deinit(&ctx);
    close(listener);
    char line[ERR_LINE];
    struct err *e = sql_ping(db, NULL);
    err_format(e, line, sizeof(line));
    CHECK(line, strstr(line, "Connection refused") && !strstr(line, "hunter2"));
    FAILS(e, ERR_UPSTREAM_UNAVAILABLE);
}

int main(void)
{
    static const struct backend *const backends[] = {&postgres_backend};
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_urls_are_refused_in_silence),
        cmocka_unit_test(its_types),
        cmocka_unit_test(not_a_number_is_refused),
        cmocka_unit_test(its_errors_have_kinds),
        cmocka_unit_test(a_transaction_alone_in_the_world),
        cmocka_unit_test(a_deadline_reaches_the_server),
        cmocka_unit_test(the_server_forgets_what_the_cache_drops),
        cmocka_unit_test(statements_are_prepared_again),
        cmocka_unit_test(a_batch_is_prepared_again),
        cmocka_unit_test(what_is_not_supported),
        cmocka_unit_test(no_copy),
        cmocka_unit_test(a_connection_that_breaks_in_use),
        cmocka_unit_test(the_server_goes_and_comes_back),
        cmocka_unit_test(a_server_that_says_nothing),
    };
    return run_over(backends, ARRAY_LEN(backends), "postgres", tests, ARRAY_LEN(tests));
}
