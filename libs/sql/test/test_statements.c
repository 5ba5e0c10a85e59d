/* Statements: parameters, rows one by one, errors and their kinds, the cache, the end of the ctx.
 */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/str.h>

#include "internal.h"
#include "sql_test.h"

static const char count_for_ever[] =
    "WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n "
    "WHERE i < 1000000000000) SELECT count(*) FROM n";

static void parameters_go_by_number(void **state)
{
    (void)state;
    static const struct {
        const char *name, *statement;
        size_t count;
        const struct err_kind *kind;
    } rows[] = {
        {"in order", "SELECT CAST($1 AS BIGINT) * 10 + CAST($2 AS BIGINT)", 2, NULL},
        {"out of order", "SELECT CAST($2 AS BIGINT) + 10 * CAST($1 AS BIGINT)", 2, NULL},
        {"used twice", "SELECT CAST($1 AS BIGINT) * 10 + $1 - $1 + CAST($2 AS BIGINT)", 2, NULL},
        {"in a string it is none", "SELECT 12 WHERE '$1' <> 'x'", 0, NULL},
        {"a comment and a semicolon", "SELECT 12; -- that is all\n", 0, NULL},
        {"too few", "SELECT CAST($1 AS BIGINT) + CAST($2 AS BIGINT)", 1, &SQL_FAILED},
        {"too many", "SELECT CAST($1 AS BIGINT)", 2, &SQL_FAILED},
        {"a gap", "SELECT CAST($1 AS BIGINT) + CAST($3 AS BIGINT)", 3, &SQL_FAILED},
        {"from nought", "SELECT CAST($0 AS BIGINT)", 1, &SQL_FAILED},
        {"by another name", "SELECT CAST(:a AS BIGINT)", 1, &SQL_FAILED},
        {"a question mark", "SELECT CAST(? AS BIGINT)", 1, &SQL_FAILED},
        {"two statements", "SELECT 12; SELECT 13", 0, &SQL_FAILED},
        {"no statement", " -- nothing\n", 0, &SQL_FAILED},
        {"not SQL", "SELEC 12", 0, &SQL_FAILED},
        {"no such table", "SELECT 12 FROM nowhere", 0, &SQL_FAILED},
    };
    static const struct sql_value params[] = {
        {SQL_TYPE_I64, {.i64 = 1}}, {SQL_TYPE_I64, {.i64 = 2}}, {SQL_TYPE_I64, {.i64 = 3}}};
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t value = -1;
        expect(sql_fetch_i64_params(conn, NULL, &value, rows[i].statement, params, rows[i].count),
               rows[i].kind, rows[i].name);
        CHECK_INT(rows[i].name, value, rows[i].kind ? -1 : 12);
    }
}

static void affected_rows_are_counted(void **state)
{
    (void)state;
    static const struct {
        const char *statement;
        int64_t affected;
    } rows[] = {
        {"CREATE TABLE t (a BIGINT)", 0},
        {"INSERT INTO t VALUES (1), (2), (3)", 3},
        {"SELECT count(*) FROM t", 0},
        {"UPDATE t SET a = a + 10 WHERE a > 1", 2},
        {"UPDATE t SET a = 0 WHERE a = 99", 0},
        {"CREATE TABLE u (a BIGINT)", 0},
        {"INSERT INTO u SELECT a FROM t RETURNING a", 3},
        {"DELETE FROM t", 3},
        {"DELETE FROM t", 0},
    };
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t affected = -1;
        OK(sql_exec(conn, NULL, rows[i].statement, &affected));
        CHECK_INT(rows[i].statement, affected, rows[i].affected);
    }
    int64_t untouched = -1;
    FAILS(sql_exec(conn, NULL, "DELETE FROM nowhere", &untouched), SQL_FAILED);
    assert_int_equal(untouched, -1);
}

static void broken_constraints_have_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *name, *statement;
        const struct err_kind *kind;
        const char *sqlite, *postgres;
    } rows[] = {
        {"unique", "INSERT INTO cars VALUES ('b', 'SECRET-1', 1, 'ann')", &SQL_UNIQUE, "cars.plate",
         "cars_plate"},
        {"primary key", "INSERT INTO cars VALUES ('a', 'SECRET-2', 1, 'ann')", &SQL_UNIQUE,
         "cars.id", "cars_pkey"},
        {"update to a taken value", "UPDATE cars SET plate = 'SECRET-1' WHERE id = 'z'",
         &SQL_UNIQUE, "cars.plate", "cars_plate"},
        {"check", "INSERT INTO cars VALUES ('c', 'SECRET-3', -1, 'ann')", &SQL_CONSTRAINT,
         "has_wheels", "has_wheels"},
        {"not null", "INSERT INTO cars VALUES ('d', NULL, 1, 'ann')", &SQL_CONSTRAINT, "cars.plate",
         "plate"},
        {"no such owner", "INSERT INTO cars VALUES ('e', 'SECRET-4', 1, 'SECRET-bob')",
         &SQL_FOREIGN_KEY, "", "cars_owner_fkey"},
        {"still an owner", "DELETE FROM people", &SQL_FOREIGN_KEY, "", "cars_owner_fkey"},
    };
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    run(conn, "CREATE TABLE people (name TEXT NOT NULL PRIMARY KEY)");
    run(conn, "CREATE TABLE cars (id TEXT NOT NULL PRIMARY KEY, plate TEXT NOT NULL, wheels BIGINT "
              "CONSTRAINT has_wheels CHECK (wheels > 0), owner TEXT REFERENCES people (name))");
    run(conn, "CREATE UNIQUE INDEX cars_plate ON cars (plate)");
    run(conn, "INSERT INTO people VALUES ('ann')");
    run(conn, "INSERT INTO cars VALUES ('a', 'SECRET-1', 4, 'ann'), ('z', 'SECRET-9', 4, 'ann')");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err *e = sql_exec(conn, NULL, rows[i].statement, NULL);
        CHECK_STR(rows[i].name, sql_constraint(e),
                  backend->dialect == SQL_SQLITE ? rows[i].sqlite : rows[i].postgres);
        CHECK(rows[i].name, !strstr(err_detail(e), "SECRET") && !strstr(err_detail(e), "cars"));
        expect(e, rows[i].kind, rows[i].name);
    }
    assert_string_equal(sql_constraint(NULL), "");
    assert_int_equal(number(conn, "SELECT count(*) FROM cars"), 2);
}

static void errors_tell_the_statement_and_no_value(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    run(conn, "CREATE TABLE t (id TEXT NOT NULL PRIMARY KEY, n BIGINT)");
    OK(sql_exec(conn, NULL, "INSERT INTO t VALUES ($1, 1)", NULL, SQL_TEXT("hunter2")));
    const struct {
        const char *statement;
        struct sql_value value;
    } rows[] = {
        {"INSERT INTO t VALUES ($1, 2)", SQL_TEXT("hunter2")},
        {"INSERT INTO t VALUES ($1, NULL, 1)", SQL_TEXT("hunter2")},
        {"SELECT id AS n FROM t WHERE id = $1", SQL_TEXT("hunter2")},
        {"SELECT id AS n FROM t WHERE id = $1", SQL_TEXT("hunter2\xff")},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t value = 0;
        char line[ERR_LINE];
        _cleanup_(err_free) struct err *e =
            sql_fetch_i64(conn, NULL, &value, rows[i].statement, rows[i].value);
        err_format(e, line, sizeof(line));
        CHECK(line, strstr(line, rows[i].statement));
        CHECK(line, !strstr(line, "hunter2"));
    }
}

static void rows_come_one_by_one(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    _cleanup_(sql_rows_close) struct sql_rows *rows = NULL;
    bool has_row = true;
    {
        char gone[] = "x"; /* the parameters are copied */
        OK(sql_query(conn, NULL, &rows,
                     "SELECT 1 AS n, CAST($1 AS TEXT) AS t UNION ALL SELECT 2, 'y' ORDER BY n",
                     SQL_TEXT(gone)));
        gone[0] = 'z';
    }
    assert_int_equal(sql_rows_columns(rows), 0);
    assert_string_equal(sql_rows_name(rows, 0), "");
    assert_int_equal(sql_rows_value(rows, 0).type, SQL_TYPE_NULL);
    OK(sql_rows_next(rows, &has_row));
    assert_true(has_row);
    assert_int_equal(sql_rows_columns(rows), 2);
    assert_string_equal(sql_rows_name(rows, 1), "t");
    assert_string_equal(sql_rows_name(rows, 2), "");
    assert_int_equal(sql_rows_value(rows, 0).as.i64, 1);
    assert_string_equal(sql_rows_value(rows, 1).as.bytes.data, "x");
    OK(sql_rows_next(rows, &has_row));
    assert_int_equal(sql_rows_value(rows, 0).as.i64, 2);
    for (int i = 0; i < 3; i++) {
        OK(sql_rows_next(rows, &has_row));
        assert_false(has_row);
        assert_int_equal(sql_rows_columns(rows), 0);
    }
}

struct item {
    int64_t n;
    const char *text;
};

static const struct field item_fields[] = {
    FIELD(struct item, n, INT),
    FIELD(struct item, text, STRING),
};
static const struct model item_model = MODEL(struct item, item_fields, "A number and its text");

static void make_items(struct sql_conn *conn, int count)
{
    run(conn, "CREATE TABLE items (n BIGINT NOT NULL PRIMARY KEY, text TEXT)");
    OK(sql_begin(conn, NULL));
    for (int i = 0; i < count; i++)
        OK(sql_exec(conn, NULL, "INSERT INTO items VALUES ($1, CAST(CAST($1 AS BIGINT) AS TEXT))",
                    NULL, SQL_I64(i)));
    OK(sql_commit(conn, NULL));
}

static void all_rows_at_once(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 20);
    make_items(conn, 100);
    void *items = (void *)1;
    size_t count = 7;
    FAILS(sql_fetch_all(conn, NULL, &item_model, 99, &arena, &items, &count, "SELECT * FROM items"),
          SQL_FAILED);
    struct arena small = ARENA_INIT(1024);
    FAILS(
        sql_fetch_all(conn, NULL, &item_model, 100, &small, &items, &count, "SELECT * FROM items"),
        ERR_OUT_OF_MEMORY);
    arena_deinit(&small);
    assert_ptr_equal(items, (void *)1);
    assert_int_equal(count, 7);
    OK(sql_fetch_all(conn, NULL, &item_model, 100, &arena, &items, &count,
                     "SELECT * FROM items WHERE n >= $1 ORDER BY n", SQL_I64(1)));
    assert_int_equal(count, 99);
    const struct item *list = items;
    for (size_t i = 0; i < count; i++) {
        char text[32];
        snprintf(text, sizeof(text), "%zu", i + 1);
        assert_int_equal(list[i].n, i + 1);
        assert_string_equal(list[i].text, text);
    }
    OK(sql_fetch_all(conn, NULL, &item_model, 0, &arena, &items, &count,
                     "SELECT * FROM items WHERE n < 0"));
    assert_null(items);
    assert_int_equal(count, 0);
}

static void open_rows_keep_the_connection(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    struct sql_conn *conn = acquire(db);
    struct sql_rows *rows = NULL;
    struct item item = {.n = 7};
    bool has_row = false;
    make_items(conn, 3);
    OK(sql_query(conn, NULL, &rows, "SELECT * FROM items ORDER BY n"));
    FAILS(sql_exec(conn, NULL, "DELETE FROM items", NULL), SQL_FAILED);
    FAILS(sql_begin(conn, NULL), SQL_FAILED);
    FAILS(sql_rows_scan(rows, &item_model, NULL, &item), SQL_FAILED);
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(4096);
    OK(sql_rows_next(rows, &has_row));
    OK(sql_rows_scan(rows, &item_model, &arena, &item));
    assert_int_equal(item.n, 0);
    item.n = 7;
    FAILS(sql_rows_scan(rows, &item_model, NULL, &item), SQL_FAILED);
    assert_int_equal(item.n, 7);
    sql_rows_close(rows);
    run(conn, "DELETE FROM items WHERE n = 0");
    OK(sql_query(conn, NULL, &rows, "SELECT * FROM items ORDER BY n"));
    OK(sql_rows_next(rows, &has_row));
    sql_release(conn); /* the rows outlive their connection, and show nothing */
    assert_int_equal(sql_rows_columns(rows), 0);
    FAILS(sql_rows_next(rows, &has_row), SQL_FAILED);
    sql_rows_close(rows);
    assert_int_equal(number_in(db, "SELECT count(*) FROM items"), 2);
}

static const char endless[] =
    "WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n) "
    "SELECT i FROM n";

static void reading_may_stop_early(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    run(conn, "CREATE TABLE t (n BIGINT)");
    struct sql_rows *rows = NULL;
    bool has_row = false;
    int64_t begin_ms = clock_mono_ms();
    OK(sql_query(conn, NULL, &rows, endless));
    OK(sql_rows_next(rows, &has_row));
    assert_true(has_row);
    sql_rows_close(rows);
    assert_true(clock_mono_ms() - begin_ms < 5 * SOON_MS);
    OK(sql_begin(conn, NULL)); /* which goes on */
    OK(sql_query(conn, NULL, &rows, "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3"));
    OK(sql_rows_next(rows, &has_row));
    sql_rows_close(rows);
    run(conn, "INSERT INTO t VALUES (1)");
    OK(sql_commit(conn, NULL));
    assert_int_equal(number(conn, "SELECT count(*) FROM t"), 1);
}

static void the_deadline_ends_endless_rows(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    _cleanup_(sql_rows_close) struct sql_rows *rows = NULL;
    struct err *e = NULL;
    struct ctx ctx;
    ctx_init(&ctx, NULL, 50);
    OK(sql_query(conn, &ctx, &rows, endless));
    for (bool has_row = true; has_row && !e;)
        e = sql_rows_next(rows, &has_row);
    FAILS(e, ERR_UPSTREAM_TIMEOUT);
    int64_t late_ms = clock_mono_ms() - ctx.deadline_ms;
    assert_in_range(late_ms, 0, SOON_MS);
    ctx_deinit(&ctx);
}

static void few_statements_are_kept(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3 * STATEMENTS_MAX; i++) {
            char statement[64];
            snprintf(statement, sizeof(statement), "SELECT %d", i);
            assert_int_equal(number(conn, statement), i);
            assert_int_equal(number(conn, "SELECT -1"), -1);
            assert_in_range(conn->cache.count, 1, STATEMENTS_MAX);
        }
    }
    const struct prepared *first = NULL;
    assert_int_equal(conn->cache.count, STATEMENTS_MAX);
    first = CONTAINER_OF(conn->cache.recent.next, struct prepared, in_cache);
    assert_string_equal(first->text, "SELECT -1");
}

static void a_kept_statement_follows_the_schema(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(4096);
    run(conn, "CREATE TABLE items (n BIGINT)");
    run(conn, "INSERT INTO items VALUES (5)");
    struct item item;
    OK(sql_fetch_one(conn, NULL, &item_model, &item, &arena, "SELECT * FROM items"));
    assert_null(item.text);
    run(conn, "ALTER TABLE items ADD COLUMN text TEXT DEFAULT 'new'");
    OK(sql_fetch_one(conn, NULL, &item_model, &item, &arena, "SELECT * FROM items"));
    assert_string_equal(item.text, "new");
}

static void the_deadline_interrupts(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    int64_t value = 0;
    struct ctx ctx;
    ctx_init(&ctx, NULL, 50);
    FAILS(sql_fetch_i64(conn, &ctx, &value, count_for_ever), ERR_UPSTREAM_TIMEOUT);
    int64_t late_ms = clock_mono_ms() - ctx.deadline_ms;
    assert_in_range(late_ms, 0, SOON_MS);
    FAILS(sql_fetch_i64(conn, &ctx, &value, "SELECT 1"), ERR_UPSTREAM_TIMEOUT);
    ctx_deinit(&ctx);
    assert_int_equal(number(conn, "SELECT 1"), 1);
}

struct cancelling {
    struct ctx ctx;
    int64_t at_ms;
};

static void *cancel_in_a_while(void *data)
{
    struct cancelling *cancelling = data;
    err_free(ctx_sleep(NULL, 30));
    cancelling->at_ms = clock_mono_ms();
    ctx_cancel(&cancelling->ctx);
    return NULL;
}

static void cancelling_interrupts(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    struct cancelling cancelling;
    ctx_init(&cancelling.ctx, NULL, CTX_NO_TIMEOUT);
    pthread_t thread;
    int64_t value = 0;
    assert_int_equal(pthread_create(&thread, NULL, cancel_in_a_while, &cancelling), 0);
    FAILS(sql_fetch_i64(conn, &cancelling.ctx, &value, count_for_ever), ERR_CANCELLED);
    int64_t end_ms = clock_mono_ms();
    pthread_join(thread, NULL);
    assert_in_range(end_ms - cancelling.at_ms, 0, SOON_MS);
    FAILS(sql_ping(db, &cancelling.ctx), ERR_CANCELLED);
    ctx_deinit(&cancelling.ctx);
    assert_int_equal(number(conn, "SELECT 1"), 1);
}

static int64_t resident_kib(void)
{
    char line[128];
    int64_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file));
    fclose(file);
    char *begin = strchr(line, ' ') + 1; /* the second number */
    *strchr(begin, ' ') = '\0';
    assert_true(parse_i64(begin, 0, INT64_MAX, &pages));
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void a_large_result_needs_little_memory(void **state)
{
    (void)state;
    enum { ROWS = 50000, GROWTH_MAX_KIB = 8 * 1024 };
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    _cleanup_(sql_rows_close) struct sql_rows *rows = NULL;
    char kilobyte[1025] = "";
    memset(kilobyte, 'k', sizeof(kilobyte) - 1);
    int64_t before_kib = resident_kib();
    OK(sql_query(conn, NULL, &rows,
                 "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) "
                 "SELECT i, CAST($2 AS TEXT) || i FROM n",
                 SQL_I64(ROWS), SQL_TEXT(kilobyte)));
    int64_t count = 0;
    bool has_row = true;
    for (; has_row; count += has_row)
        OK(sql_rows_next(rows, &has_row));
    assert_int_equal(count, ROWS);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they keep what is freed */
    assert_true(resident_kib() - before_kib < GROWTH_MAX_KIB);
#else
    (void)before_kib;
#endif
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_go_by_number),
        cmocka_unit_test(affected_rows_are_counted),
        cmocka_unit_test(broken_constraints_have_kinds),
        cmocka_unit_test(errors_tell_the_statement_and_no_value),
        cmocka_unit_test(rows_come_one_by_one),
        cmocka_unit_test(all_rows_at_once),
        cmocka_unit_test(open_rows_keep_the_connection),
        cmocka_unit_test(reading_may_stop_early),
        cmocka_unit_test(the_deadline_ends_endless_rows),
        cmocka_unit_test(few_statements_are_kept),
        cmocka_unit_test(a_kept_statement_follows_the_schema),
        cmocka_unit_test(the_deadline_interrupts),
        cmocka_unit_test(cancelling_interrupts),
        cmocka_unit_test(a_large_result_needs_little_memory),
    };
    return RUN_CONTRACT("statements", tests);
}
