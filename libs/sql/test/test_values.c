/* Values on their way into the database and back: every type, NULL, and what is refused. */
#include <float.h>
#include <math.h>
#include <stdio.h>

#include <base/str.h>

#include "sql_test.h"

static const char *const colors[] = {"red", "green", NULL};

struct thing {
    int small;
    int64_t big;
    double real;
    bool flag;
    int color;
    int64_t made_at_ms;
    char id[UUID_TEXT];
    char name[9];
    const char *note;
    const char *raw;
    char secret[9];
    struct model_presence seen;
};

static const struct field thing_fields[] = {
    FIELD(struct thing, small, INT, .flags = NULLABLE),
    FIELD(struct thing, big, INT, .flags = NULLABLE),
    FIELD(struct thing, real, FLOAT, .flags = NULLABLE),
    FIELD(struct thing, flag, BOOL, .flags = NULLABLE),
    FIELD(struct thing, color, ENUM, .values = colors, .flags = NULLABLE),
    FIELD(struct thing, made_at_ms, TIME, .json = "made_at", .flags = NULLABLE),
    FIELD(struct thing, id, UUID, .flags = NULLABLE),
    FIELD(struct thing, name, STRING, .flags = NULLABLE),
    FIELD(struct thing, note, STRING, .flags = NULLABLE),
    FIELD(struct thing, raw, RAW, .column = "json", .flags = NULLABLE),
    FIELD(struct thing, secret, STRING, .column = "hidden", .flags = REQUIRED | WRITE_ONLY),
};
static const struct model thing_model =
    MODEL_WITH_PRESENCE(struct thing, thing_fields, seen, "One field of each type");

struct pair {
    int64_t left;
    char right[MODEL_TEXT(20)];
};

static const struct field pair_fields[] = {
    FIELD(struct pair, left, INT, .flags = REQUIRED),
    FIELD(struct pair, right, STRING),
};
static const struct model pair_model = MODEL(struct pair, pair_fields, "Two columns");

static void models_are_right(void **state)
{
    (void)state;
    OK(model_check(&thing_model));
    OK(model_check(&pair_model));
}

static const char make_things[] =
    "CREATE TABLE things (small INTEGER, big BIGINT, real DOUBLE PRECISION, flag BOOLEAN, "
    "color TEXT, made_at BIGINT, id TEXT, name TEXT, note TEXT, json TEXT)";
static const char insert_thing[] =
    "INSERT INTO things VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
static const char select_thing[] =
    "SELECT small, big, real, flag, color, made_at, id, name, note, json FROM things";

static void every_type_comes_back(void **state)
{
    (void)state;
    static const char id[] = "0190163d-8694-739b-aea5-966c26f8ad91";
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 16);
    run(conn, make_things);
    int64_t affected = -1;
    OK(sql_exec(conn, NULL, insert_thing, &affected, SQL_I64(INT32_MIN), SQL_I64(INT64_MIN),
                SQL_F64(-DBL_MAX), SQL_BOOL(true), SQL_TEXT("green"), SQL_I64(1767323045678),
                SQL_TEXT(id), SQL_TEXTN("12345678 and more", 8), SQL_TEXT("a 'quoted' \"$1\" note"),
                SQL_TEXT("{\"a\":[1,null]}")));
    assert_int_equal(affected, 1);
    struct thing thing;
    memset(&thing, 0xff, sizeof(thing));
    OK(sql_fetch_one(conn, NULL, &thing_model, &thing, &arena, select_thing));
    assert_int_equal(thing.small, INT32_MIN);
    assert_true(thing.big == INT64_MIN);
    assert_true(thing.real == -DBL_MAX);
    assert_true(thing.flag);
    assert_int_equal(thing.color, 1);
    assert_true(thing.made_at_ms == 1767323045678);
    assert_string_equal(thing.id, id);
    assert_string_equal(thing.name, "12345678");
    assert_string_equal(thing.note, "a 'quoted' \"$1\" note");
    assert_string_equal(thing.raw, "{\"a\":[1,null]}");
    assert_string_equal(thing.secret, "");
    assert_int_equal(thing.seen.present, 0x3ff);
    assert_int_equal(thing.seen.null, 0);
}

static void null_sets_its_bit_and_leaves_zero(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    run(conn, make_things);
    OK(sql_exec(conn, NULL, insert_thing, NULL, SQL_NULL, SQL_NULL, SQL_NULL, SQL_NULL, SQL_NULL,
                SQL_NULL, SQL_NULL, SQL_TEXT(NULL), SQL_NULL, SQL_NULL));
    struct thing thing;
    memset(&thing, 0xff, sizeof(thing));
    OK(sql_fetch_one(conn, NULL, &thing_model, &thing, NULL, select_thing));
    assert_int_equal(thing.seen.present, 0x3ff);
    assert_int_equal(thing.seen.null, 0x3ff);
    assert_int_equal(thing.small, 0);
    assert_false(thing.flag);
    assert_string_equal(thing.name, "");
    assert_null(thing.note);
    struct pair pair = {7, "seven"};
    OK(sql_fetch_one(conn, NULL, &pair_model, &pair, NULL,
                     "SELECT 5 AS \"left\", CAST(NULL AS TEXT) AS \"right\""));
    assert_int_equal(pair.left, 5);
    assert_string_equal(pair.right, "");
}

/* A value of a table's text column, compared byte by byte. */
static void expect_text(struct sql_conn *conn, const char *row, const char *text, size_t len)
{
    _cleanup_(sql_rows_close) struct sql_rows *rows = NULL;
    run(conn, "DELETE FROM texts");
    expect(sql_exec(conn, NULL, "INSERT INTO texts VALUES ($1)", NULL, SQL_TEXTN(text, len)), NULL,
           row);
    OK(sql_query(conn, NULL, &rows, "SELECT t, length(t) FROM texts"));
    bool has_row = false;
    OK(sql_rows_next(rows, &has_row));
    CHECK(row, has_row);
    struct sql_value value = sql_rows_value(rows, 0);
    CHECK_INT(row, value.type, SQL_TYPE_TEXT);
    CHECK_INT(row, value.as.bytes.len, len);
    CHECK(row, len == 0 || memcmp(value.as.bytes.data, text, len) == 0);
    CHECK(row, ((const char *)value.as.bytes.data)[len] == '\0');
    CHECK_INT(row, sql_rows_value(rows, 1).as.i64, utf8_length(text, len));
}

static void text_is_unicode(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
    } rows[] = {
        {"empty", ""},
        {"two bytes a character", "Grüße"},
        {"three and four bytes", "漢字 \xf0\x9f\xa6\x86"},
        {"the last code point", "\xf4\x8f\xbf\xbf"},
        {"control characters", "\x01\t\r\n\x7f"},
        {"what would end a string", "'; DROP TABLE texts; --\\"},
        {"combining marks stay apart", "e\xcc\x81"},
    };
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    run(conn, "CREATE TABLE texts (t TEXT)");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        expect_text(conn, rows[i].name, rows[i].text, strlen(rows[i].text));
    expect_text(conn, "no bytes, no address", NULL, 0);
}

static void blobs_keep_every_byte(void **state)
{
    (void)state;
    char all[4096];
    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (char)(i * 7);
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    char make[64];
    snprintf(make, sizeof(make), "CREATE TABLE blobs (n BIGINT, b %s)", backend->blob);
    run(conn, make);
    static const size_t lengths[] = {0, 1, 255, sizeof(all)};
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
        OK(sql_exec(conn, NULL, "INSERT INTO blobs (b, n) VALUES ($2, $1)", NULL,
                    SQL_I64((int64_t)i), SQL_BLOB(lengths[i] ? all : NULL, lengths[i])));
    _cleanup_(sql_rows_close) struct sql_rows *rows = NULL;
    OK(sql_query(conn, NULL, &rows, "SELECT b FROM blobs ORDER BY n"));
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        bool has_row = false;
        OK(sql_rows_next(rows, &has_row));
        struct sql_value value = sql_rows_value(rows, 0);
        assert_int_equal(value.type, SQL_TYPE_BLOB);
        assert_int_equal(value.as.bytes.len, lengths[i]);
        assert_non_null(value.as.bytes.data);
        assert_memory_equal(value.as.bytes.data, all, lengths[i]);
    }
}

static void numbers_are_exact(void **state)
{
    (void)state;
    static const int64_t integers[] = {0, -1, INT64_MAX, INT64_MIN, (int64_t)1 << 53};
    static const double reals[] = {0.1, -1.5, 5e-324, DBL_MAX, 1.0 / 3, 9007199254740993.0};
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    run(conn, "CREATE TABLE numbers (i BIGINT, r DOUBLE PRECISION)");
    for (size_t i = 0; i < ARRAY_LEN(integers); i++) {
        int64_t got = 0;
        OK(sql_fetch_i64(conn, NULL, &got, "INSERT INTO numbers (i) VALUES ($1) RETURNING i",
                         SQL_I64(integers[i])));
        assert_true(got == integers[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(reals); i++) {
        struct thing got;
        OK(sql_fetch_one(conn, NULL, &thing_model, &got, NULL,
                         "INSERT INTO numbers (r) VALUES ($1) RETURNING r AS real",
                         SQL_F64(reals[i])));
        assert_memory_equal(&got.real, &reals[i], sizeof(double));
    }
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *select;
    } rows[] = {
        {"text into int", "SELECT CAST('7' AS TEXT) AS small"},
        {"real into int", "SELECT CAST(1.5 AS DOUBLE PRECISION) AS small"},
        {"too large for an int", "SELECT CAST(2147483648 AS BIGINT) AS small"},
        {"too small for an int", "SELECT CAST(-2147483649 AS BIGINT) AS small"},
        {"text into time", "SELECT CAST('now' AS TEXT) AS made_at"},
        {"an integer that is no double", "SELECT CAST(9007199254740993 AS BIGINT) AS real"},
        {"text into float", "SELECT CAST('1.5' AS TEXT) AS real"},
        {"two into bool", "SELECT 2 AS flag"},
        {"text into bool", "SELECT CAST('true' AS TEXT) AS flag"},
        {"an unknown name", "SELECT CAST('purple' AS TEXT) AS color"},
        {"part of a name", "SELECT CAST('gree' AS TEXT) AS color"},
        {"an index for a name", "SELECT 1 AS color"},
        {"upper case in a UUID", "SELECT '0190163D-8694-739B-AEA5-966C26F8AD91' AS id"},
        {"too long for its field", "SELECT CAST('123456789' AS TEXT) AS name"},
        {"int into text", "SELECT 1 AS name"},
        {"a pointer without an arena", "SELECT CAST('x' AS TEXT) AS note"},
        {"not JSON", "SELECT CAST('{' AS TEXT) AS json"},
        {"a column without a field", "SELECT 1 AS small, 1 AS other"},
        {"a column that is there twice", "SELECT 1 AS small, 1 AS small"},
        {"two rows", "SELECT 1 AS small UNION ALL SELECT 2"},
    };
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    struct thing before, thing;
    memset(&before, 0x5a, sizeof(before));
    memcpy(&thing, &before, sizeof(thing));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        expect(sql_fetch_one(conn, NULL, &thing_model, &thing, NULL, rows[i].select), &SQL_FAILED,
               rows[i].name);
        assert_memory_equal(&before, &thing, sizeof(thing));
    }
    FAILS(sql_fetch_one(conn, NULL, &pair_model, &thing, NULL, "SELECT 'x' AS \"right\""),
          SQL_FAILED); /* left is required */
    FAILS(sql_fetch_one(conn, NULL, &thing_model, &thing, NULL, "SELECT 1 AS small WHERE 1 = 0"),
          SQL_NO_ROWS);
    assert_memory_equal(&before, &thing, sizeof(thing));
}

static void one_integer(void **state)
{
    (void)state;
    static const struct {
        const char *name, *select;
        const struct err_kind *kind;
    } rows[] = {
        {"no row", "SELECT 1 WHERE 1 = 0", &SQL_NO_ROWS},
        {"two rows", "SELECT 1 UNION ALL SELECT 2", &SQL_FAILED},
        {"two columns", "SELECT 1, 2", &SQL_FAILED},
        {"NULL", "SELECT CAST(NULL AS BIGINT)", &SQL_FAILED},
        {"text", "SELECT CAST('1' AS TEXT)", &SQL_FAILED},
        {"real", "SELECT CAST(1.0 AS DOUBLE PRECISION)", &SQL_FAILED},
    };
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t value = 77;
        expect(sql_fetch_i64(conn, NULL, &value, rows[i].select), rows[i].kind, rows[i].name);
        CHECK_INT(rows[i].name, value, 77);
    }
    assert_int_equal(number(conn, "SELECT 1 = 1"), 1);
    assert_int_equal(number(conn, "SELECT count(*) FROM (SELECT 1 AS one) AS t"), 1);
}

static void wrong_parameters_reach_no_database(void **state)
{
    (void)state;
    static char many[SQL_VALUE_MAX + 1];
    const struct {
        const char *name;
        struct sql_value value;
    } rows[] = {
        {"not UTF-8", SQL_TEXT("\xff")},
        {"half a character", SQL_TEXTN("ü", 1)},
        {"a surrogate", SQL_TEXT("\xed\xa0\x80")},
        {"a NUL character", SQL_TEXTN("a\0b", 3)},
        {"not a number", SQL_F64((double)NAN)},
        {"infinite", SQL_F64(-HUGE_VAL)},
        {"length without bytes", SQL_BLOB(NULL, 1)},
        {"too long", SQL_BLOB(many, sizeof(many))},
    };
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    run(conn, "CREATE TABLE texts (t TEXT)");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        expect(sql_exec(conn, NULL, "INSERT INTO texts VALUES ($1)", NULL, rows[i].value),
               &SQL_FAILED, rows[i].name);
    static struct sql_value too_many[SQL_PARAMS_MAX + 1];
    FAILS(sql_exec_params(conn, NULL, "SELECT 1", NULL, too_many, ARRAY_LEN(too_many)), SQL_FAILED);
    assert_int_equal(number(conn, "SELECT count(*) FROM texts"), 0);
}

static void the_largest_value(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    _cleanup_(free) char *large = malloc(SQL_VALUE_MAX);
    assert_non_null(large);
    memset(large, 'x', SQL_VALUE_MAX);
    run(conn, "CREATE TABLE texts (t TEXT)");
    OK(sql_exec(conn, NULL, "INSERT INTO texts VALUES ($1)", NULL,
                SQL_TEXTN(large, SQL_VALUE_MAX)));
    assert_int_equal(number(conn, "SELECT length(t) FROM texts"), SQL_VALUE_MAX);
}

static void many_parameters(void **state)
{
    (void)state;
    enum { TEXT_MAX = 8 * SQL_PARAMS_MAX };
    char statement[TEXT_MAX] = "SELECT CAST(0 AS BIGINT)";
    struct sql_value params[SQL_PARAMS_MAX];
    for (int i = 0; i < SQL_PARAMS_MAX; i++) {
        size_t len = strlen(statement);
        snprintf(statement + len, sizeof(statement) - len, "+$%d", SQL_PARAMS_MAX - i);
        params[i] = SQL_I64(i);
    }
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    int64_t sum = 0;
    OK(sql_fetch_i64_params(conn, NULL, &sum, statement, params, SQL_PARAMS_MAX));
    assert_int_equal(sum, SQL_PARAMS_MAX * (SQL_PARAMS_MAX - 1) / 2);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_are_right),
        cmocka_unit_test(every_type_comes_back),
        cmocka_unit_test(null_sets_its_bit_and_leaves_zero),
        cmocka_unit_test(text_is_unicode),
        cmocka_unit_test(blobs_keep_every_byte),
        cmocka_unit_test(numbers_are_exact),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(one_integer),
        cmocka_unit_test(wrong_parameters_reach_no_database),
        cmocka_unit_test(the_largest_value),
        cmocka_unit_test(many_parameters),
    };
    return RUN_CONTRACT("values", tests);
}
