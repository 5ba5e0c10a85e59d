/* On which schemas a process starts: its own, and a newer one that works with it. */
#include "child.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <base/str.h>

static struct err *start(struct app_runtime *runtime, void **out_state)
{
    (void)runtime;
    *out_state = NULL;
    dprintf(STDOUT_FILENO, "[start]\n");
    return NULL;
}

static const struct sql_migration rows[] = {
    {.version = 1, .name = "things", .sql = "CREATE TABLE things (id TEXT PRIMARY KEY)"},
    {.version = 2, .name = "names", .sql = "ALTER TABLE things ADD COLUMN name TEXT"},
    {.version = 3, .name = "more", .sql = "CREATE TABLE more (id TEXT)", .works_with = 2},
};
static const struct sql_migrations one = {rows, 1}, two = {rows, 2}, three = {rows, 3};

static struct app program(const struct sql_migrations *migrations)
{
    return (struct app){
        .name = "plain", .needs = APP_DATABASE, .start = start, .migrations = migrations};
}

static char directory[DIRECTORY_TEXT];
static char database[128]; /* DATABASE_URL=... */

static int set_up(void **state)
{
    (void)state;
    directory_make(directory);
    snprintf(database, sizeof(database), "DATABASE_URL=sqlite:%s/test.db", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return directory_remove(directory);
}

/* As an initContainer does, and --status. */
static void migrate(struct child *child, const struct sql_migrations *migrations,
                    const char *option)
{
    struct app app = program(migrations);
    child_start(child, &app, option ? ARGS("migrate", option) : ARGS("migrate"), ENV(database));
    assert_int_equal(child_end(child), 0);
}

static void test_wrong_database_ends_the_process(void **state)
{
    (void)state;
    static const struct sql_migration changed_rows[] = {
        {.version = 1, .name = "things", .sql = "CREATE TABLE things (id TEXT PRIMARY KEY) STRICT"},
        {.version = 2, .name = "names", .sql = "ALTER TABLE things ADD COLUMN name TEXT"},
    };
    static const struct sql_migrations changed = {changed_rows, 2};
    const struct {
        const char *name;
        const struct sql_migrations *migrations;
        const char *text;
    } cases[] = {
        {"newer", &one, "schema_newer"},
        {"changed", &changed, "migration 1 (things) was changed"},
    };
    struct child child;
    migrate(&child, &two, NULL);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct app app = program(cases[i].migrations);
        child_start(&child, &app, NULL, ENV(database));
        CHECK_INT(cases[i].name, child_end(&child), 1);
        CHECK(cases[i].name, strstr(child.text, cases[i].text));
        CHECK(cases[i].name, !strstr(child.text, "[start]"));
    }
}

/* In the middle of a rollout, and after a rollback: the next release has migrated. */
static void test_newer_schema_that_works_with_it(void **state)
{
    (void)state;
    static const char warning[] = "\"level\":\"warn\",\"service\":\"plain\","
                                  "\"msg\":\"the schema is newer than this program";
    struct child child;
    migrate(&child, &three, NULL);
    assert_null(strstr(child.text, warning));
    migrate(&child, &two, NULL);
    assert_non_null(strstr(child.text, warning));
    migrate(&child, &two, "--status");
    assert_non_null(strstr(child.text, "unknown to this program, works with it"));

    struct app app = program(&two);
    child_start(&child, &app, NULL, ENV(database));
    child_await_listening(&child);
    await_status(child.admin, "/readyz", 200);
    child_stop(&child);
    assert_non_null(strstr(child.text, "\"schema\":3,\"known\":2"));
    const char *first = strstr(child.text, warning);
    assert_non_null(first);
    assert_null(strstr(first + 1, warning)); /* it is said once */
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_wrong_database_ends_the_process),
        CASE(test_newer_schema_that_works_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
