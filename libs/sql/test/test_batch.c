/* Several statements together, and how often the server has to be waited for. */
#include <stdio.h>

#include "relay.h"

static void make_tables(struct sql_conn *conn)
{
    run(conn, "CREATE TABLE people (name TEXT NOT NULL PRIMARY KEY)");
    run(conn, "CREATE TABLE towns (name TEXT NOT NULL PRIMARY KEY, mayor TEXT REFERENCES "
              "people (name) DEFERRABLE INITIALLY DEFERRED)");
}

#define INSERT_PERSON "INSERT INTO people VALUES ($1)"
#define INSERT_TOWN   "INSERT INTO towns VALUES ($1, $2)"

static int64_t rows_of(struct sql_conn *conn)
{
    return number(conn, "SELECT (SELECT count(*) FROM people) + (SELECT count(*) FROM towns)");
}

static void all_of_them(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    make_tables(conn);
    const struct sql_statement batch[] = {
        SQL_STATEMENT(INSERT_TOWN, SQL_TEXT("Rome"), SQL_TEXT("ann")), /* whom the next one makes */
        SQL_STATEMENT(INSERT_PERSON, SQL_TEXT("ann")),
        SQL_STATEMENT(INSERT_PERSON, SQL_TEXT("bob")),
        SQL_STATEMENT("SELECT name FROM people"),
        SQL_STATEMENT("UPDATE people SET name = name"),
    };
    static const int64_t expected[] = {1, 1, 1, 0, 2};
    int64_t affected[ARRAY_LEN(batch)];
    OK(sql_exec_batch(conn, NULL, batch, ARRAY_LEN(batch), affected));
    for (size_t i = 0; i < ARRAY_LEN(batch); i++)
        CHECK_INT(batch[i].text, affected[i], expected[i]);
    assert_int_equal(rows_of(conn), 3);
    OK(sql_exec_batch(conn, NULL, NULL, 0, NULL));
    OK(sql_begin(conn, NULL)); /* once more, in a transaction that is not kept */
    run(conn, "DELETE FROM towns");
    run(conn, "DELETE FROM people");
    OK(sql_exec_batch(conn, NULL, batch, ARRAY_LEN(batch), NULL));
    assert_int_equal(rows_of(conn), 3);
    OK(sql_exec_batch(conn, NULL, NULL, 0, NULL));
    run(conn, "INSERT INTO people VALUES ('eve')");
    sql_rollback(conn);
    assert_int_equal(rows_of(conn), 3);
}

static void or_none(void **state)
{
    (void)state;
    const struct {
        const char *name;
        struct sql_statement last;
        const struct err_kind *kind;
        const char *told;
    } rows[] = {
        {"a constraint", SQL_STATEMENT(INSERT_PERSON, SQL_TEXT("ann")), &SQL_UNIQUE, INSERT_PERSON},
        {"one that only the commit looks at",
         SQL_STATEMENT(INSERT_TOWN, SQL_TEXT("Bonn"), SQL_TEXT("eve")), &SQL_FOREIGN_KEY, ""},
        {"no SQL", SQL_STATEMENT("INSERT INTO"), &SQL_FAILED, "INSERT INTO"},
        {"a wrong parameter", SQL_STATEMENT(INSERT_PERSON, SQL_TEXT("\xff")), &SQL_FAILED,
         INSERT_PERSON},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(sql_close) struct sql_db *db = OPEN();
        _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
        make_tables(conn);
        const struct sql_statement batch[] = {
            SQL_STATEMENT(INSERT_PERSON, SQL_TEXT("ann")),
            rows[i].last,
            SQL_STATEMENT(INSERT_PERSON, SQL_TEXT("bob")),
        };
        int64_t affected[ARRAY_LEN(batch)] = {7};
        char line[ERR_LINE];
        struct err *e = sql_exec_batch(conn, NULL, batch, ARRAY_LEN(batch), affected);
        err_format(e, line, sizeof(line));
        CHECK(line, strstr(line, rows[i].told));
        expect(e, rows[i].kind, rows[i].name);
        CHECK_INT(rows[i].name, affected[0], 7);
        CHECK_INT(rows[i].name, rows_of(conn), 0);
        OK(sql_exec_batch(conn, NULL, batch, 1, NULL)); /* the connection is as good as before */
        CHECK_INT(rows[i].name, rows_of(conn), 1);
    }
}

static void in_a_transaction_that_fails(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    make_tables(conn);
    const struct sql_statement twice[] = {
        SQL_STATEMENT(INSERT_PERSON, SQL_TEXT("ann")),
        SQL_STATEMENT(INSERT_PERSON, SQL_TEXT("ann")),
    };
    OK(sql_begin(conn, NULL));
    run(conn, "INSERT INTO people VALUES ('bob')");
    FAILS(sql_exec_batch(conn, NULL, twice, ARRAY_LEN(twice), NULL), SQL_UNIQUE);
    FAILS(sql_exec_batch(conn, NULL, twice, 1, NULL), SQL_FAILED);
    FAILS(sql_commit(conn, NULL), SQL_FAILED);
    assert_int_equal(rows_of(conn), 0);
}

static void what_is_refused(void **state)
{
    (void)state;
    struct sql_statement many[SQL_BATCH_MAX + 1];
    struct sql_value names[ARRAY_LEN(many)];
    char texts[ARRAY_LEN(many)][8];
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        snprintf(texts[i], sizeof(texts[i]), "p%zu", i);
        names[i] = SQL_TEXT(texts[i]);
        many[i] = (struct sql_statement){INSERT_PERSON, &names[i], 1};
    }
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    make_tables(conn);
    FAILS(sql_exec_batch(conn, NULL, many, ARRAY_LEN(many), NULL), SQL_FAILED);
    OK(sql_exec_batch(conn, NULL, many, SQL_BATCH_MAX, NULL));
    assert_int_equal(rows_of(conn), SQL_BATCH_MAX);
    struct ctx ended;
    ctx_init(&ended, NULL, 0);
    FAILS(sql_exec_batch(conn, &ended, many, 1, NULL), ERR_UPSTREAM_TIMEOUT);
    ctx_deinit(&ended);
    struct sql_rows *rows = NULL;
    OK(sql_query(conn, NULL, &rows, "SELECT name FROM people"));
    FAILS(sql_exec_batch(conn, NULL, many, 1, NULL), SQL_FAILED);
    sql_rows_close(rows);
}

/* --- what PostgreSQL hears in one go --- */

static void use_twice(struct sql_conn *conn, void (*use)(struct sql_conn *conn),
                      struct relay *relay, int64_t out_counts[2])
{
    for (int i = 0; i < 2; i++) {
        int64_t before = relay_round_trips(relay);
        use(conn);
        out_counts[i] = relay_round_trips(relay) - before;
    }
}

static void count_round_trips(void (*use)(struct sql_conn *conn), bool is_unprepared, int hold_ms,
                              int64_t out_counts[2])
{
    _cleanup_(relay_free) struct relay *relay = relay_new();
    char url[URL_MAX];
    sql_close(OPEN());
    relay_url(relay, "", url);
    _cleanup_(sql_close) struct sql_db *db = NULL;
    OK(sql_open(&(struct sql_options){.url = url, .is_unprepared = is_unprepared}, &db));
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    run(conn, "CREATE TABLE t (n BIGINT)");
    relay_hold(relay, hold_ms);
    use_twice(conn, use, relay, out_counts);
}

static void one_statement(struct sql_conn *conn)
{
    OK(sql_exec(conn, NULL, "INSERT INTO t VALUES ($1)", NULL, SQL_I64(1)));
}

static void a_transaction(struct sql_conn *conn)
{
    OK(sql_begin(conn, NULL));
    OK(sql_exec(conn, NULL, "INSERT INTO t VALUES ($1)", NULL, SQL_I64(2)));
    OK(sql_commit(conn, NULL));
}

static void an_empty_transaction(struct sql_conn *conn)
{
    OK(sql_begin(conn, NULL));
    OK(sql_commit(conn, NULL));
    OK(sql_begin(conn, NULL));
    sql_rollback(conn);
}

static const struct sql_statement three[] = {
    {.text = "INSERT INTO t VALUES (1)"},
    {.text = "INSERT INTO t VALUES (2)"},
    {.text = "INSERT INTO t VALUES (3)"},
};

static void a_batch(struct sql_conn *conn)
{
    OK(sql_exec_batch(conn, NULL, three, ARRAY_LEN(three), NULL));
}

static void a_batch_in_a_transaction(struct sql_conn *conn)
{
    OK(sql_begin(conn, NULL));
    OK(sql_exec_batch(conn, NULL, three, ARRAY_LEN(three), NULL));
    OK(sql_commit(conn, NULL));
}

static void statements_of_which_some_are_forgotten(struct sql_conn *conn)
{
    for (int i = 0; i < 100; i++) {
        char statement[64];
        snprintf(statement, sizeof(statement), "SELECT %d", i);
        assert_int_equal(number(conn, statement), i);
    }
}

static void round_trips_are_few(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*use)(struct sql_conn *conn);
        int64_t round_trips; /* whether it is prepared already or not */
    } rows[] = {
        {"one statement", one_statement, 1},
        {"a transaction", a_transaction, 2},
        {"an empty transaction", an_empty_transaction, 0},
        {"a batch", a_batch, 1},
        {"a batch in a transaction", a_batch_in_a_transaction, 2},
        {"more statements than are kept", statements_of_which_some_are_forgotten, 100},
    };
    static const int holds_ms[] = {0, 2, 10, 50};
    for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
        int64_t expected = rows[i / 2].round_trips, counts[2] = {-1, -1};
        for (size_t k = 0; k < ARRAY_LEN(holds_ms); k++)
            if (counts[0] != expected || counts[1] != expected)
                count_round_trips(rows[i / 2].use, i % 2 == 1, holds_ms[k], counts);
        CHECK_INT(rows[i / 2].name, counts[0], expected);
        CHECK_INT(rows[i / 2].name, counts[1], expected);
    }
}

int main(void)
{
    static const struct backend *const servers[] = {&postgres_backend};
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_them),
        cmocka_unit_test(or_none),
        cmocka_unit_test(in_a_transaction_that_fails),
        cmocka_unit_test(what_is_refused),
    };
    static const struct CMUnitTest tests_of_servers[] = {
        cmocka_unit_test(round_trips_are_few),
    };
    return RUN_CONTRACT("batch", tests) + run_over(servers, ARRAY_LEN(servers), "round trips",
                                                   tests_of_servers, ARRAY_LEN(tests_of_servers));
}
