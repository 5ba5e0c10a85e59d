/* A program that is older than the schema: it starts if all that it does not know works with it. */
#include <stdio.h>
#include <unistd.h>

#include <base/str.h>

#include "sql_test.h"

#define PEOPLE  "CREATE TABLE people (name TEXT NOT NULL PRIMARY KEY)"
#define TOWNS   "CREATE TABLE towns (name TEXT)"
#define AGE     "ALTER TABLE people ADD COLUMN age BIGINT"
#define ROADS   "CREATE TABLE roads (name TEXT)"
#define DROPPED "DROP TABLE towns"

#define WITHOUT_COLUMN "ALTER TABLE schema_migrations DROP COLUMN works_with"
/* All that a program may say of itself there. */
#define TOLD "SELECT COALESCE(sum(version * 1000 + works_with), 0) FROM schema_migrations"

/* What is known to the oldest program of these tests; each list goes on from there. */
#define OLD STEP(1, "people", PEOPLE), STEP(2, "towns", TOWNS)
static const struct sql_migrations old = MIGRATIONS(OLD);
static const struct sql_migrations open_to_old =
    MIGRATIONS(OLD, STEP(3, "age", AGE, .works_with = 2));
static const struct sql_migrations closed = MIGRATIONS(OLD, STEP(3, "age", AGE));

static void check_text(const char *name, const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("%s: no \"%s\" in \"%s\"", name, part, text);
}

static void each_unknown_one_is_asked(void **state)
{
    (void)state;
    const struct {
        const char *name;
        struct sql_migrations newer;
        const char *refusal; /* NULL: it starts */
        const char *status;
    } rows[] = {
        {"it works with the last one", MIGRATIONS(OLD, STEP(3, "age", AGE, .works_with = 2)), NULL,
         "Z, unknown to this program, works with it\n"},
        {"it works with one before", MIGRATIONS(OLD, STEP(3, "age", AGE, .works_with = 1)), NULL,
         "Z, unknown to this program, works with it\n"},
        {"it does not say", MIGRATIONS(OLD, STEP(3, "age", AGE)),
         "the database is at migration 3 (age), this program knows 2, and migration 3 (age) does "
         "not work with it: run the newer release, or restore the backup from before",
         "Z, unknown to this program, does not work with it\n"},
        {"both do",
         MIGRATIONS(OLD, STEP(3, "age", AGE, .works_with = 2),
                    STEP(4, "roads", ROADS, .works_with = 2)),
         NULL, "Z, unknown to this program, works with it\n0004"},
        {"the first of two does not",
         MIGRATIONS(OLD, STEP(3, "age", AGE), STEP(4, "roads", ROADS, .works_with = 2)),
         "at migration 4 (roads), this program knows 2, and migration 3 (age) does not",
         "Z, unknown to this program, does not work with it\n0004"},
        {"the last of two does not",
         MIGRATIONS(OLD, STEP(3, "age", AGE, .works_with = 2), STEP(4, "dropped", DROPPED)),
         "at migration 4 (dropped), this program knows 2, and migration 4 (dropped) does not",
         "Z, unknown to this program, works with it\n0004"},
        {"the last works with the one between alone",
         MIGRATIONS(OLD, STEP(3, "age", AGE, .works_with = 2),
                    STEP(4, "dropped", DROPPED, .works_with = 3)),
         "at migration 4 (dropped), this program knows 2, and migration 4 (dropped) does not",
         "Z, unknown to this program, does not work with it\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(sql_close) struct sql_db *db = OPEN();
        _cleanup_(buf_deinit) struct buf text = BUF_INIT(4096);
        OK(sql_migrate(db, NULL, &rows[i].newer, NULL));
        int64_t told = number_in(db, TOLD);

        struct sql_schema schema = {.version = -1};
        char line[ERR_LINE];
        struct err *e = sql_migrate(db, NULL, &old, &schema);
        err_format(e, line, sizeof(line));
        expect(e, rows[i].refusal ? &SQL_SCHEMA_NEWER : NULL, rows[i].name);
        if (rows[i].refusal)
            check_text(rows[i].name, line, rows[i].refusal);
        CHECK_INT(rows[i].name, schema.version, rows[i].refusal ? -1 : (int)rows[i].newer.count);
        CHECK_INT(rows[i].name, schema.known, rows[i].refusal ? 0 : 2);
        CHECK_INT(rows[i].name, schema.applied, 0);

        OK(sql_migrate_status(db, NULL, &old, &text));
        check_text(rows[i].name, buf_text(&text), rows[i].status);
        CHECK_INT(rows[i].name, number_in(db, TOLD), told);
    }
}

static void what_is_known_is_checked_all_the_same(void **state)
{
    (void)state;
    const struct sql_migrations changed =
        MIGRATIONS(STEP(1, "people", PEOPLE " "), STEP(2, "towns", TOWNS));
    const struct sql_migrations longer = MIGRATIONS(OLD, STEP(3, "age", AGE, .works_with = 2),
                                                    STEP(4, "roads", ROADS, .works_with = 2));
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    OK(sql_migrate(db, NULL, &longer, NULL));
    FAILS(sql_migrate(db, NULL, &changed, NULL), SQL_FAILED);
    run_in(db, "DELETE FROM schema_migrations WHERE version = 3");
    char line[ERR_LINE];
    struct err *e = sql_migrate(db, NULL, &old, NULL);
    err_format(e, line, sizeof(line));
    check_text("a gap", line, "migration 3 was left out");
    FAILS(e, SQL_FAILED);
}

static void status_tells_before_and_after(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(4096);
    OK(sql_migrate_status(db, NULL, &open_to_old, &text));
    check_text("before", buf_text(&text), "pending, works with 0002\n");
    OK(sql_migrate(db, NULL, &open_to_old, NULL));
    buf_reset(&text);
    OK(sql_migrate_status(db, NULL, &open_to_old, &text));
    check_text("after", buf_text(&text), "Z, works with 0002\n");
}

/* In a release after the one that has the migration. */
static void it_may_be_said_later_and_taken_back(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    OK(sql_migrate(db, NULL, &closed, NULL));
    FAILS(sql_migrate(db, NULL, &old, NULL), SQL_SCHEMA_NEWER);
    OK(sql_migrate(db, NULL, &open_to_old, NULL));
    OK(sql_migrate(db, NULL, &old, NULL));
    OK(sql_migrate(db, NULL, &closed, NULL));
    FAILS(sql_migrate(db, NULL, &old, NULL), SQL_SCHEMA_NEWER);
}

/* As the first programs made it. */
static void a_table_without_the_column(void **state)
{
    (void)state;
    const struct sql_migrations longer = MIGRATIONS(OLD, STEP(3, "age", AGE, .works_with = 2),
                                                    STEP(4, "roads", ROADS, .works_with = 3));
    const struct {
        const char *name;
        struct sql_migrations program;
        const struct err_kind *kind;
        int64_t told; /* -1: the column is not there */
    } rows[] = {
        {"an older program leaves it alone", old, &SQL_SCHEMA_NEWER, -1},
        {"the same program adds and fills it", open_to_old, NULL, 6002},
        {"the same, with nothing to fill in", closed, NULL, 6000},
        {"a newer program, before its own", longer, NULL, 10005},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(sql_close) struct sql_db *db = OPEN();
        _cleanup_(buf_deinit) struct buf text = BUF_INIT(4096);
        OK(sql_migrate(db, NULL, &open_to_old, NULL));
        run_in(db, WITHOUT_COLUMN);
        OK(sql_migrate_status(db, NULL, &old, &text));
        check_text(rows[i].name, buf_text(&text), "unknown to this program, does not work with it");
        expect(sql_migrate(db, NULL, &rows[i].program, NULL), rows[i].kind, rows[i].name);
        if (rows[i].told < 0) /* nothing of this name is in the way */
            run_in(db, "ALTER TABLE schema_migrations ADD COLUMN works_with BIGINT");
        else
            CHECK_INT(rows[i].name, number_in(db, TOLD), rows[i].told);
    }
}

/* A column that a later release may add. */
static void a_table_with_a_column_more(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    OK(sql_migrate(db, NULL, &old, NULL));
    run_in(db, "ALTER TABLE schema_migrations ADD COLUMN more TEXT");
    OK(sql_migrate(db, NULL, &open_to_old, NULL));
    OK(sql_migrate(db, NULL, &old, NULL));
    assert_int_equal(number_in(db, TOLD), 6002);
}

enum { STEPS = 12, KNOWN = 2, PROCESSES = 6 };

/* All of STEPS, or as many as an older program knows. */
static int migrate_in_child(const char *url, int count)
{
    static char texts[STEPS][96];
    struct sql_migration steps[STEPS];
    for (int i = 0; i < STEPS; i++) {
        snprintf(texts[i], sizeof(texts[i]),
                 i == 0 ? "CREATE TABLE steps (n BIGINT)" : "INSERT INTO steps VALUES (%d)", i + 1);
        steps[i] = (struct sql_migration){
            .version = i + 1, .name = "step", .sql = texts[i], .works_with = i < KNOWN ? i : KNOWN};
    }
    _cleanup_(sql_close) struct sql_db *db = NULL;
    struct err *e =
        sql_open(&(struct sql_options){.url = url, .is_unprepared = is_behind_pooler(url)}, &db);
    if (!e)
        e = sql_migrate(db, NULL, &(struct sql_migrations){steps, (size_t)count}, NULL);
    if (!e)
        return 0;
    char line[ERR_LINE];
    err_format(e, line, sizeof(line));
    fprintf(stderr, "child: %s\n", line);
    err_free(e);
    return 1;
}

static int spawn_program(const char *count)
{
    int output = -1;
    int pid = spawn_self((const char *const[]){"migrate", database_url(), count, NULL}, &output);
    close(output);
    return pid;
}

/* Old and new replicas start together where the table is without the column: one adds it, and the
 * old ones start wherever the new ones are. */
static void replicas_of_both_start_together(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    assert_int_equal(await_exit(spawn_program("2")), 0);
    run_in(db, WITHOUT_COLUMN);
    int pids[PROCESSES];
    for (int i = 0; i < PROCESSES; i++)
        pids[i] = spawn_program(i % 2 ? "2" : "12");
    for (int i = 0; i < PROCESSES; i++)
        assert_int_equal(await_exit(pids[i]), 0);
    assert_int_equal(number_in(db, "SELECT count(*) FROM steps"), STEPS - 1);
    assert_int_equal(number_in(db, TOLD), 78000 + 1 + (STEPS - KNOWN) * KNOWN);
}

int main(int argc, char **argv)
{
    if (argc == 4)
        return migrate_in_child(argv[2], str_equal(argv[3], "2") ? KNOWN : STEPS);
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_unknown_one_is_asked),
        cmocka_unit_test(what_is_known_is_checked_all_the_same),
        cmocka_unit_test(status_tells_before_and_after),
        cmocka_unit_test(it_may_be_said_later_and_taken_back),
        cmocka_unit_test(a_table_without_the_column),
        cmocka_unit_test(a_table_with_a_column_more),
        cmocka_unit_test(replicas_of_both_start_together),
    };
    return RUN_CONTRACT("migrate, newer schemas", tests);
}
