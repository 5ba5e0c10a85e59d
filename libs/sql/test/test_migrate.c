/* Migrations: once, in order, whole, by one process at a time. */
#include <stdio.h>
#include <unistd.h>

#include <base/str.h>
#include <sql/migrate.h>

#include "sql_test.h"

#define PEOPLE  "CREATE TABLE people (name TEXT NOT NULL PRIMARY KEY); -- and a comment; with more"
#define ANN     "INSERT INTO people VALUES ('ann');\nINSERT INTO people VALUES ('bob; $1')"
#define TOWNS   "CREATE TABLE towns (name TEXT); INSERT INTO people VALUES ('cid');"
#define BROKEN  "INSERT INTO people VALUES ('dan'); INSERT INTO people VALUES ('ann');"
#define LEAVING "INSERT INTO people VALUES ('eve'); COMMIT;"

static const struct sql_migrations two = MIGRATIONS(STEP(1, "people", PEOPLE), STEP(2, "ann", ANN));
static const struct sql_migrations three =
    MIGRATIONS(STEP(1, "people", PEOPLE), STEP(2, "ann", ANN), STEP(3, "towns", TOWNS));

static void once_and_in_order(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    struct sql_schema schema = {.applied = -1};
    OK(sql_migrate(db, NULL, &two, &schema));
    assert_int_equal(schema.applied, 2);
    assert_int_equal(schema.version, 2);
    OK(sql_migrate(db, NULL, &two, &schema));
    assert_int_equal(schema.applied, 0);
    assert_int_equal(schema.version, 2);
    OK(sql_migrate(db, NULL, &three, &schema));
    assert_int_equal(schema.applied, 1);
    assert_int_equal(schema.version, 3);
    assert_int_equal(schema.known, 3);
    OK(sql_migrate(db, NULL, &three, NULL));
    assert_int_equal(number_in(db, "SELECT count(*) FROM people"), 3);
    assert_int_equal(number_in(db, "SELECT count(*) FROM schema_migrations"), 3);
    assert_int_equal(number_in(db, "SELECT count(*) FROM schema_migrations WHERE version = 2 AND "
                                   "name = 'ann' AND length(checksum) = 16 AND "
                                   "applied_at > 1700000000000"),
                     1);
}

static void variants_for_each_database(void **state)
{
    (void)state;
    const struct sql_migrations variants =
        MIGRATIONS(STEP(1, "people", PEOPLE),
                   STEP(2, "kind", "INSERT INTO people VALUES ('postgres')", .dialect = "postgres"),
                   STEP(2, "kind", "INSERT INTO people VALUES ('sqlite')", .dialect = "sqlite"),
                   STEP(3, "towns", TOWNS));
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    struct sql_schema schema;
    OK(sql_migrate(db, NULL, &variants, &schema));
    assert_int_equal(schema.applied, 3);
    assert_int_equal(number_in(db, backend->dialect == SQL_SQLITE
                                       ? "SELECT count(*) FROM people WHERE name = 'sqlite'"
                                       : "SELECT count(*) FROM people WHERE name = 'postgres'"),
                     1);
    assert_int_equal(number_in(db, "SELECT count(*) FROM people"), 2);
}

static void wrong_lists_are_refused(void **state)
{
    (void)state;
    const struct {
        const char *name;
        struct sql_migrations list;
    } rows[] = {
        {"a gap", MIGRATIONS(STEP(1, "a", PEOPLE), STEP(3, "b", ANN))},
        {"twice", MIGRATIONS(STEP(1, "a", PEOPLE), STEP(1, "b", ANN))},
        {"for both and for each",
         MIGRATIONS(STEP(1, "a", PEOPLE), STEP(1, "b", ANN, .dialect = "sqlite"),
                    STEP(1, "b", ANN, .dialect = "postgres"))},
        {"out of order", MIGRATIONS(STEP(2, "a", PEOPLE), STEP(1, "b", ANN))},
        {"from nought", MIGRATIONS(STEP(0, "a", PEOPLE))},
        {"an unknown database",
         MIGRATIONS(STEP(1, "a", PEOPLE), STEP(2, "b", ANN, .dialect = "oracle"))},
        {"works with itself", MIGRATIONS(STEP(1, "a", PEOPLE), STEP(2, "b", ANN, .works_with = 2))},
        {"works with less than none",
         MIGRATIONS(STEP(1, "a", PEOPLE), STEP(2, "b", ANN, .works_with = -1))},
        {"too many", {two.rows, 10000}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(sql_close) struct sql_db *db = OPEN();
        struct sql_schema schema = {.applied = -1};
        expect(sql_migrate(db, NULL, &rows[i].list, &schema), &SQL_FAILED, rows[i].name);
        CHECK_INT(rows[i].name, schema.applied, -1);
        struct buf text = BUF_INIT(4096);
        expect(sql_migrate_status(db, NULL, &rows[i].list, &text), &SQL_FAILED, rows[i].name);
    }
}

static void what_was_applied_must_stay(void **state)
{
    (void)state;
    const struct sql_migrations changed =
        MIGRATIONS(STEP(1, "people", PEOPLE), STEP(2, "ann", ANN " "), STEP(3, "towns", TOWNS));
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    char line[ERR_LINE];
    struct sql_schema schema = {.applied = -1};
    OK(sql_migrate(db, NULL, &two, NULL));
    struct err *e = sql_migrate(db, NULL, &changed, &schema);
    err_format(e, line, sizeof(line));
    assert_non_null(strstr(line, "migration 2 (ann) was changed"));
    FAILS(e, SQL_FAILED);
    assert_int_equal(schema.applied, -1);
    assert_int_equal(number_in(db, "SELECT count(*) FROM schema_migrations"), 2);
    run_in(db, "DELETE FROM schema_migrations WHERE version = 1");
    FAILS(sql_migrate(db, NULL, &three, NULL), SQL_FAILED);
}

static void a_migration_is_whole(void **state)
{
    (void)state;
    const struct {
        const char *name;
        struct sql_migrations list;
    } rows[] = {
        {"it breaks a constraint",
         MIGRATIONS(STEP(1, "people", PEOPLE), STEP(2, "ann", ANN), STEP(3, "dan", BROKEN))},
        {"it is not SQL", MIGRATIONS(STEP(1, "people", PEOPLE), STEP(2, "ann", ANN),
                                     STEP(3, "dan", TOWNS "CREATE TABEL x (y TEXT)"))},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(sql_close) struct sql_db *db = OPEN();
        char line[ERR_LINE];
        _cleanup_(err_free) struct err *e = sql_migrate(db, NULL, &rows[i].list, NULL);
        err_format(e, line, sizeof(line));
        CHECK(line, strstr(line, "migration 3 (dan)"));
        CHECK_INT(rows[i].name, number_in(db, "SELECT count(*) FROM people"), 2);
        CHECK_INT(rows[i].name, number_in(db, "SELECT count(*) FROM schema_migrations"), 2);
        OK(sql_migrate(db, NULL, &three, NULL)); /* nothing of it is in the way */
    }
}

static void a_migration_may_not_end_its_transaction(void **state)
{
    (void)state;
    const struct sql_migrations leaving =
        MIGRATIONS(STEP(1, "people", PEOPLE), STEP(2, "eve", LEAVING));
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    FAILS(sql_migrate(db, NULL, &leaving, NULL), SQL_FAILED);
    assert_int_equal(number_in(db, "SELECT count(*) FROM schema_migrations"), 1);
}

static void status_lists_all(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(4096);
    OK(sql_migrate_status(db, NULL, &two, &text));
    assert_string_equal(buf_text(&text),
                        "0001  people                                    pending\n"
                        "0002  ann                                       pending\n");
    OK(sql_migrate(db, NULL, &two, NULL));
    run_in(db, "UPDATE schema_migrations SET applied_at = 1767323045678");
    buf_reset(&text);
    OK(sql_migrate_status(db, NULL, &three, &text));
    assert_string_equal(
        buf_text(&text),
        "0001  people                                    applied 2026-01-02T03:04:05.678Z\n"
        "0002  ann                                       applied 2026-01-02T03:04:05.678Z\n"
        "0003  towns                                     pending\n");
    const struct sql_migrations other = MIGRATIONS(STEP(1, "people", PEOPLE " "));
    buf_reset(&text);
    OK(sql_migrate_status(db, NULL, &other, &text));
    assert_non_null(strstr(buf_text(&text), ":05.678Z, changed since\n0002  ann"));
    assert_non_null(
        strstr(buf_text(&text), ":05.678Z, unknown to this program, does not work with it\n"));
    struct buf small = BUF_INIT(10);
    FAILS(sql_migrate_status(db, NULL, &other, &small), ERR_INTERNAL);
    buf_deinit(&small);
}

/* Many small ones, so that the processes meet. */
enum { STEPS = 12, PROCESSES = 4 };

static int migrate_in_child(const char *url)
{
    static char texts[STEPS][96];
    struct sql_migration steps[STEPS];
    for (int i = 0; i < STEPS; i++) {
        snprintf(texts[i], sizeof(texts[i]),
                 i == 0 ? "CREATE TABLE steps (n BIGINT); INSERT INTO steps VALUES (%d)"
                        : "INSERT INTO steps VALUES (%d)",
                 i + 1);
        steps[i] = (struct sql_migration){.version = i + 1, .name = "step", .sql = texts[i]};
    }
    _cleanup_(sql_close) struct sql_db *db = NULL;
    struct sql_schema schema = {0};
    struct err *e =
        sql_open(&(struct sql_options){.url = url, .is_unprepared = is_behind_pooler(url)}, &db);
    if (!e)
        e = sql_migrate(db, NULL, &(struct sql_migrations){steps, STEPS}, &schema);
    if (!e)
        return schema.applied;
    char line[ERR_LINE];
    err_format(e, line, sizeof(line));
    fprintf(stderr, "child: %s\n", line);
    err_free(e);
    return 255;
}

static void processes_share_the_work(void **state)
{
    (void)state;
    int pids[PROCESSES], output = -1, applied = 0;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = spawn_self((const char *const[]){"migrate", database_url(), NULL}, &output);
        close(output);
    }
    for (int i = 0; i < PROCESSES; i++) {
        int by_this = await_exit(pids[i]);
        assert_in_range(by_this, 0, STEPS);
        applied += by_this;
    }
    assert_int_equal(applied, STEPS);
    assert_int_equal(number_in(db, "SELECT count(*) FROM steps"), STEPS);
    assert_int_equal(number_in(db, "SELECT count(DISTINCT n) FROM steps"), STEPS);
    assert_int_equal(number_in(db, "SELECT count(*) FROM schema_migrations"), STEPS);
}

int main(int argc, char **argv)
{
    if (argc == 3)
        return migrate_in_child(argv[2]);
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(once_and_in_order),
        cmocka_unit_test(variants_for_each_database),
        cmocka_unit_test(wrong_lists_are_refused),
        cmocka_unit_test(what_was_applied_must_stay),
        cmocka_unit_test(a_migration_is_whole),
        cmocka_unit_test(a_migration_may_not_end_its_transaction),
        cmocka_unit_test(status_lists_all),
        cmocka_unit_test(processes_share_the_work),
    };
    return RUN_CONTRACT("migrate", tests);
}
