/* Every allocation of this library fails once: the error is the one for it, and nothing is lost. */
#include <alloc_fail.h>
#include <base/str.h>
#include <sql/migrate.h>

#include "sql_test.h"

struct item {
    int64_t n;
    const char *text;
};

static const struct field item_fields[] = {
    FIELD(struct item, n, INT),
    FIELD(struct item, text, STRING),
};
static const struct model item_model = MODEL(struct item, item_fields, "A number and its text");

static const struct sql_migration rows[] = {
    STEP(1, "items", "CREATE TABLE items (n BIGINT, text TEXT)"),
    STEP(2, "one", "INSERT INTO items VALUES (1, 'one')"),
};
static const struct sql_migrations migrations = {rows, ARRAY_LEN(rows)};

/* If it fails, it is for want of memory. */
static bool is_done(struct err *e)
{
    if (e && !err_is(e, &ERR_OUT_OF_MEMORY)) {
        char line[ERR_LINE];
        err_format(e, line, sizeof(line));
        fail_msg("not for want of memory: %s", line);
    }
    bool is_success = !e;
    err_free(e);
    return is_success;
}

static struct err *insert_two(struct sql_conn *conn, struct ctx *ctx, void *data)
{
    (void)data;
    TRY(sql_exec(conn, ctx, "INSERT INTO items VALUES ($1, $2)", NULL, SQL_I64(2),
                 SQL_TEXT("two")));
    return sql_exec(conn, ctx, "INSERT INTO items VALUES ($1, $2)", NULL, SQL_I64(3), SQL_NULL);
}

static struct err *read_rows(struct sql_conn *conn)
{
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 16);
    _cleanup_(sql_rows_close) struct sql_rows *result = NULL;
    struct item item;
    void *items = NULL;
    size_t count = 0;
    bool has_row = true;
    TRY(sql_fetch_one(conn, NULL, &item_model, &item, &arena, "SELECT * FROM items WHERE n = $1",
                      SQL_I64(1)));
    TRY(sql_fetch_all(conn, NULL, &item_model, 10, &arena, &items, &count, "SELECT * FROM items"));
    TRY(sql_query(conn, NULL, &result, "SELECT * FROM items"));
    while (has_row) {
        TRY(sql_rows_next(result, &has_row));
        if (has_row)
            TRY(sql_rows_scan(result, &item_model, &arena, &item));
    }
    return NULL;
}

static struct err *use(const char *url)
{
    _cleanup_(sql_close) struct sql_db *db = NULL;
    TRY(sql_open(&(struct sql_options){.url = url, .is_unprepared = is_behind_pooler(url)}, &db));
    TRY(sql_migrate(db, NULL, &migrations, NULL));
    TRY(sql_transact(db, NULL, insert_two, NULL));
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(db, NULL, &conn));
    TRY(read_rows(conn));
    return sql_exec(conn, NULL, "DELETE FROM items WHERE n > 1", NULL);
}

/* What was written is whole; without the table, nothing was. */
static void check_and_clean(struct sql_db *db)
{
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    int64_t odd = 0;
    _cleanup_(err_free) struct err *e =
        sql_fetch_i64(conn, NULL, &odd, "SELECT count(*) % 2 FROM items WHERE n > 1");
    assert_int_equal(odd, 0);
    if (!e)
        run(conn, "DELETE FROM items WHERE n > 1");
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    char url[URL_MAX];
    assert_true(str_copy(url, sizeof(url), database_url()));
    bool is_finished = false;
    for (size_t successes = 0; !is_finished; successes++) {
        alloc_fail_after(successes);
        struct err *e = use(url);
        is_finished = !alloc_fail_stop();
        assert_int_equal(is_done(e), is_finished);
        check_and_clean(db);
    }
    assert_int_equal(number_in(db, "SELECT count(*) FROM items"), 1);
}

static void errors_without_memory(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    static const char *const statements[] = {"SELEC", "SELECT 1; SELECT 2", "", "SELECT ?"};
    for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
        alloc_fail_after(1); /* the copy of the text */
        struct err *e = sql_exec(conn, NULL, statements[i], NULL);
        alloc_fail_stop();
        expect(e, &ERR_OUT_OF_MEMORY, statements[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(errors_without_memory),
    };
    return RUN_CONTRACT("memory", tests);
}
