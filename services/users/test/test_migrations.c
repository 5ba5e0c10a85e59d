/* That migrations keep what they promise to programs that do not know them. */
#include "users_test.h"

#include <promises.h>

extern const struct sql_migrations users_migrations;

static void test_users_keeps_its_promises(void **state)
{
    (void)state;
    _cleanup_(buf_deinit) struct buf broken = BUF_INIT(65536);
    promises_find_broken(&users_migrations, &broken);
    assert_string_equal(buf_text(&broken), "");
}

#define ID_NAME "CREATE TABLE people (id TEXT NOT NULL PRIMARY KEY, name TEXT, "
#define PEOPLE  ID_NAME "age BIGINT NOT NULL DEFAULT 0)"
#define ANEW    "DROP TABLE people; " ID_NAME

/* That a broken one would be found. */
static void test_broken_promises_are_found(void **state)
{
    (void)state;
    const struct {
        const char *name;
        const char *sql;
        const char *broken; /* of what; NULL: all is kept */
    } rows[] = {
        {"another table", "CREATE TABLE towns (name TEXT NOT NULL UNIQUE)", NULL},
        {"a column that may be NULL", "ALTER TABLE people ADD COLUMN town TEXT", NULL},
        {"a column with a default",
         "ALTER TABLE people ADD COLUMN town TEXT NOT NULL DEFAULT 'Ghent'", NULL},
        {"an index", "CREATE INDEX people_by_name ON people (name)", NULL},
        {"a table that goes", "DROP TABLE people", "not there any more: age bigint"},
        {"a column that goes", "ALTER TABLE people DROP COLUMN name",
         "not there any more: name text"},
        {"another name", "ALTER TABLE people RENAME COLUMN name TO title",
         "not there any more: name text"},
        {"another type", ANEW "age TEXT NOT NULL DEFAULT '')", "not there any more: age bigint"},
        {"a column that must be given", ANEW "age BIGINT NOT NULL DEFAULT 0, town TEXT NOT NULL)",
         "a demand more: town"},
        {"a column that may not be NULL any more",
         "DROP TABLE people; CREATE TABLE people (id TEXT NOT NULL PRIMARY KEY, "
         "name TEXT NOT NULL DEFAULT '', age BIGINT NOT NULL DEFAULT 0)",
         "not there any more: name may be NULL"},
        {"a default that goes", ANEW "age BIGINT NOT NULL)", "a demand more: age"},
        {"a unique index", "CREATE UNIQUE INDEX people_by_name ON people (name)",
         "a demand more: "},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct sql_migration steps[] = {
            {.version = 1, .name = "people", .sql = PEOPLE},
            {.version = 2, .name = "change", .sql = rows[i].sql, .works_with = 1},
        };
        _cleanup_(buf_deinit) struct buf broken = BUF_INIT(65536);
        promises_find_broken(&(struct sql_migrations){steps, ARRAY_LEN(steps)}, &broken);
        if (rows[i].broken)
            CHECK(rows[i].name, strstr(buf_text(&broken), rows[i].broken));
        else
            CHECK_STR(rows[i].name, buf_text(&broken), "");
    }
}

/* Each migration is asked for itself and for each program that it admits, and none for what it does
 * not promise. */
static void test_each_migration_is_asked(void **state)
{
    (void)state;
    const struct sql_migration steps[] = {
        {.version = 1, .name = "people", .sql = PEOPLE},
        {.version = 2,
         .name = "towns",
         .sql = "CREATE TABLE towns (name TEXT NOT NULL)",
         .works_with = 1},
        {.version = 3, .name = "gone", .sql = "DROP TABLE people"},
        {.version = 4, .name = "lost", .sql = "DROP TABLE towns", .works_with = 1},
    };
    _cleanup_(buf_deinit) struct buf broken = BUF_INIT(65536);
    promises_find_broken(&(struct sql_migrations){steps, ARRAY_LEN(steps)}, &broken);
    assert_string_equal(
        buf_text(&broken),
        "0004 (lost) does not work with 0001: of people, not there any more: age bigint\n"
        "0004 (lost) does not work with 0001: of people, not there any more: id text\n"
        "0004 (lost) does not work with 0001: of people, not there any more: name may be NULL\n"
        "0004 (lost) does not work with 0001: of people, not there any more: name text\n"
        "0004 (lost) does not work with 0002: of people, not there any more: age bigint\n"
        "0004 (lost) does not work with 0002: of people, not there any more: id text\n"
        "0004 (lost) does not work with 0002: of people, not there any more: name may be NULL\n"
        "0004 (lost) does not work with 0002: of people, not there any more: name text\n"
        "0004 (lost) does not work with 0002: of towns, not there any more: name text\n"
        "0004 (lost) does not work with 0003: of towns, not there any more: name text\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_users_keeps_its_promises),
        cmocka_unit_test(test_broken_promises_are_found),
        cmocka_unit_test(test_each_migration_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
