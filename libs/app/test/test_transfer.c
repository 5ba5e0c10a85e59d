/* Export and import: whole files, files that are not, and imports that are run again. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <app/transfer.h>
#include <base/str.h>

struct thing {
    int64_t id;
    const char *name;
};
static const struct field thing_fields[] = {
    FIELD(struct thing, id, INT, .flags = REQUIRED, .min = 1, .max = 1000000),
    FIELD(struct thing, name, STRING, .flags = REQUIRED, .min = 1, .max = 100),
};
static const struct model thing_model = MODEL(struct thing, thing_fields, "A thing");

static struct err *fetch(struct sql_conn *conn, struct ctx *ctx, const void *last, size_t limit,
                         struct arena *arena, void **out_items, size_t *out_count)
{
    const struct thing *after = last;
    return sql_fetch_all(conn, ctx, &thing_model, limit, arena, out_items, out_count,
                         "SELECT id, name FROM things WHERE id > $1 ORDER BY id LIMIT $2",
                         SQL_I64(after ? after->id : 0), SQL_I64((int64_t)limit));
}

static struct err *put(struct sql_conn *conn, struct ctx *ctx, const void *item,
                       enum app_put *out_put, const char **out_why)
{
    const struct thing *thing = item;
    int64_t same = 0, inserted = 0;
    TRY(sql_exec(conn, ctx, "INSERT INTO things VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
                 &inserted, SQL_I64(thing->id), SQL_TEXT(thing->name)));
    TRY(sql_fetch_i64(conn, ctx, &same, "SELECT count(*) FROM things WHERE id = $1 AND name = $2",
                      SQL_I64(thing->id), SQL_TEXT(thing->name)));
    *out_put = inserted ? APP_INSERTED : same ? APP_SKIPPED : APP_CONFLICT;
    *out_why = "another name";
    return NULL;
}

#define UNLUCKY 999913

static struct err *check(const struct app_runtime *runtime, const void *item)
{
    const struct thing *thing = item;
    assert_non_null(runtime->db);
    if (thing->id != UNLUCKY)
        return NULL;
    struct err *e = NULL;
    err_add_field(&e, "id", "unlucky", "must not be %d", UNLUCKY);
    return e;
}

static const struct app_transfer transfer = {
    .format = "test-things",
    .version = 3,
    .things = "things",
    .model = &thing_model,
    .fetch = fetch,
    .check = check,
    .put = put,
};

#define HEADER "{\"format\":\"test-things\",\"version\":3}\n"

struct fixture {
    char directory[64], path[96];
    struct app_runtime runtime;
};

static void run_sql(struct fixture *fixture, const char *statement)
{
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    assert_null(sql_acquire(fixture->runtime.db, NULL, &conn));
    assert_null(sql_exec(conn, NULL, statement, NULL));
}

static int64_t number(struct fixture *fixture, const char *statement)
{
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    int64_t value = 0;
    assert_null(sql_acquire(fixture->runtime.db, NULL, &conn));
    assert_null(sql_fetch_i64(conn, NULL, &value, statement));
    return value;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    str_copy(fixture->directory, sizeof(fixture->directory), "/tmp/plankton-transfer-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    snprintf(fixture->path, sizeof(fixture->path), "%s/things.jsonl", fixture->directory);
    assert_null(sql_open(&(struct sql_options){.url = "sqlite::memory:"}, &fixture->runtime.db));
    run_sql(fixture, "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT");
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", fixture->directory);
    sql_close(fixture->runtime.db);
    free(fixture);
    return system(command);
}

static void write_file(struct fixture *fixture, const char *text)
{
    FILE *file = fopen(fixture->path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void read_file(struct fixture *fixture, struct buf *out)
{
    char bytes[4096];
    FILE *file = fopen(fixture->path, "re");
    assert_non_null(file);
    for (size_t count; (count = fread(bytes, 1, sizeof(bytes), file)) > 0;)
        assert_true(buf_append(out, bytes, count));
    fclose(file);
}

static void check_import(struct fixture *fixture, const char *row, const char *detail)
{
    _cleanup_(err_free) struct err *e = app_import(&fixture->runtime, &transfer, fixture->path);
    CHECK_STR(row, err_detail(e), detail);
    if (e)
        CHECK(row, err_is(e, &ERR_INVALID_REQUEST));
}

static void test_there_and_back(void **state)
{
    struct fixture *fixture = *state;
    static const char fill[] =
        "INSERT INTO things SELECT value, 'thing \"' || value || '\"' FROM"
        " (WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT %d)"
        " SELECT value FROM n)";
    const int counts[] = {
        0, 1, APP_IMPORT_BATCH, APP_EXPORT_PAGE - 1, APP_EXPORT_PAGE, 2 * APP_EXPORT_PAGE + 1};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        char row[32], statement[512];
        snprintf(row, sizeof(row), "%d things", counts[i]);
        snprintf(statement, sizeof(statement), fill, MAX(counts[i], 1));
        run_sql(fixture, "DELETE FROM things");
        if (counts[i] > 0)
            run_sql(fixture, statement);
        assert_null(app_export(&fixture->runtime, &transfer, fixture->path));
        _cleanup_(buf_deinit) struct buf first = BUF_INIT((size_t)1 << 20);
        read_file(fixture, &first);
        CHECK(row, str_starts_with(buf_text(&first), HEADER));

        check_import(fixture, row, ""); /* all of it is there */
        run_sql(fixture, "DELETE FROM things WHERE id % 3 = 0");
        check_import(fixture, row, "");
        CHECK_INT(row, number(fixture, "SELECT count(*) FROM things"), counts[i]);
        assert_null(app_export(&fixture->runtime, &transfer, fixture->path));
        _cleanup_(buf_deinit) struct buf second = BUF_INIT((size_t)1 << 20);
        read_file(fixture, &second);
        CHECK_STR(row, buf_text(&second), buf_text(&first));
    }
}

static void test_file_of_an_export(void **state)
{
    struct fixture *fixture = *state;
    struct stat info;
    run_sql(fixture, "INSERT INTO things VALUES (1, 'one')");
    /* Laid there by somebody who waits for what will be written into it. */
    char part[512];
    snprintf(part, sizeof(part), "%s.part", fixture->path);
    FILE *trap = fopen(part, "we");
    assert_non_null(trap);
    assert_int_equal(fchmod(fileno(trap), 0666), 0);
    assert_null(app_export(&fixture->runtime, &transfer, fixture->path));
    assert_int_equal(fstat(fileno(trap), &info), 0);
    fclose(trap);
    assert_int_equal(info.st_size, 0);
    assert_int_equal(stat(fixture->path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(4096);
    read_file(fixture, &text);
    assert_string_equal(buf_text(&text), HEADER "{\"id\":1,\"name\":\"one\"}\n"
                                                "{\"end\":true,\"count\":1}\n");
    /* What was there stays until the new one is whole. */
    run_sql(fixture, "ALTER TABLE things RENAME TO parked");
    struct err *e = app_export(&fixture->runtime, &transfer, fixture->path);
    assert_true(err_is(e, &SQL_FAILED));
    err_free(e);
    _cleanup_(buf_deinit) struct buf again = BUF_INIT(4096);
    read_file(fixture, &again);
    assert_string_equal(buf_text(&again), buf_text(&text));
    e = app_export(&fixture->runtime, &transfer, "/nonexistent/file");
    assert_true(err_is(e, &ERR_INTERNAL));
    err_free(e);
    e = app_import(&fixture->runtime, &transfer, "/nonexistent/file");
    assert_true(err_is(e, &ERR_INTERNAL));
    err_free(e);
}

#define ONE "{\"id\":1,\"name\":\"one\"}\n"
#define TWO "{\"id\":2,\"name\":\"two\"}\n"

static const struct {
    const char *name, *text, *detail;
    int things;
} rows[] = {
    {"nothing", HEADER "{\"end\":true,\"count\":0}\n", "", 0},
    {"two", HEADER ONE TWO "{\"end\":true,\"count\":2}\n", "", 2},
    {"no newline at the end", HEADER ONE "{\"end\":true,\"count\":1}", "", 1},
    {"empty", "",
     "this is no export of things: it does not begin with"
     " {\"format\":\"test-things\",\"version\":3}",
     0},
    {"another format", "{\"format\":\"other\",\"version\":3}\n",
     "this is no export of things: it does not begin with"
     " {\"format\":\"test-things\",\"version\":3}",
     0},
    {"another version", "{\"format\":\"test-things\",\"version\":4}\n" ONE,
     "this export has version 4, and this release reads version 3", 0},
    {"cut at a line", HEADER ONE TWO,
     "the last line is missing: the file was cut; what it has was imported", 2},
    {"cut in a line", HEADER ONE "{\"id\":2,\"na",
     "line 3: byte 11: expected the string's closing quote", 1},
    {"missing lines", HEADER ONE "{\"end\":true,\"count\":2}\n",
     "line 3: the file had 2 things and has 1", 1},
    {"more behind the end", HEADER ONE "{\"end\":true,\"count\":1}\n" TWO,
     "line 4: there is more after the end", 1},
    {"a wrong field", HEADER ONE "{\"id\":0,\"name\":\"none\"}\n" TWO,
     "line 3: field \"id\": must be at least 1", 1},
    {"what the check refuses", HEADER ONE "{\"id\":999913,\"name\":\"none\"}\n" TWO,
     "line 3: field \"id\": must not be 999913", 1},
    {"a missing field", HEADER "{\"id\":1}\n", "line 2: field \"name\": is required", 0},
    {"an unknown field", HEADER "{\"id\":1,\"name\":\"x\",\"more\":1}\n",
     "line 2: field \"more\": is not a field of thing", 0},
    {"an empty line", HEADER ONE "\n" TWO, "line 3: byte 0: expected a value", 1},
    {"the same again", HEADER ONE ONE "{\"end\":true,\"count\":2}\n", "", 1},
    {"a conflict", HEADER ONE "{\"id\":1,\"name\":\"uno\"}\n" TWO "{\"end\":true,\"count\":3}\n",
     "1 things could not be imported", 2},
};

static void test_files(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        run_sql(fixture, "DELETE FROM things");
        write_file(fixture, rows[i].text);
        check_import(fixture, rows[i].name, rows[i].detail);
        CHECK_INT(rows[i].name, number(fixture, "SELECT count(*) FROM things"), rows[i].things);
    }
    assert_int_equal(number(fixture, "SELECT count(*) FROM things WHERE name = 'uno'"), 0);
}

/* A backup that could not be restored would be found out too late. */
static void test_models_that_go_one_way(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *row;
        unsigned flags;
    } ways[] = {
        {"refused by import", READ_ONLY},
        {"not written", WRITE_ONLY},
        {"a column alone", COLUMN_ONLY},
    };
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        const struct field fields[] = {
            FIELD(struct thing, id, INT, .flags = REQUIRED, .min = 1, .max = 1000000),
            FIELD(struct thing, name, STRING, .flags = ways[i].flags),
        };
        const struct model model = MODEL(struct thing, fields, "A thing, as the API has it");
        struct app_transfer wrong = transfer;
        wrong.model = &model;
        _cleanup_(err_free) struct err *out = app_export(&fixture->runtime, &wrong, fixture->path);
        CHECK(ways[i].row, err_is(out, &ERR_INTERNAL));
        CHECK(ways[i].row, access(fixture->path, F_OK) != 0);
        write_file(fixture, HEADER "{\"end\":true,\"count\":0}\n");
        _cleanup_(err_free) struct err *in = app_import(&fixture->runtime, &wrong, fixture->path);
        CHECK(ways[i].row, err_is(in, &ERR_INTERNAL));
        unlink(fixture->path);
    }
}

static void test_lines_are_bounded(void **state)
{
    struct fixture *fixture = *state;
    FILE *file = fopen(fixture->path, "we");
    assert_non_null(file);
    fputs(HEADER "{\"id\":1,\"name\":\"", file);
    for (size_t i = 0; i < APP_LINE_MAX; i++)
        fputc('x', file);
    fputs("\"}\n", file);
    fclose(file);
    check_import(fixture, "long", "line 2 is longer than 65536 bytes");
}

/* A lot of conflicts is counted, and told of in part. */
static void test_many_conflicts(void **state)
{
    struct fixture *fixture = *state;
    FILE *file = fopen(fixture->path, "we");
    assert_non_null(file);
    fputs(HEADER, file);
    for (int i = 1; i <= 50; i++) {
        char statement[64];
        snprintf(statement, sizeof(statement), "INSERT INTO things VALUES (%d, 'old')", i);
        run_sql(fixture, statement);
        fprintf(file, "{\"id\":%d,\"name\":\"new\"}\n", i);
    }
    fputs("{\"end\":true,\"count\":50}\n", file);
    fclose(file);
    check_import(fixture, "conflicts", "50 things could not be imported");
    assert_int_equal(number(fixture, "SELECT count(*) FROM things WHERE name = 'old'"), 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_there_and_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_file_of_an_export, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_models_that_go_one_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lines_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_conflicts, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
