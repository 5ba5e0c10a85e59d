/* Query parameters: one field after the other, then the end. */
#include "alloc_fail.h"
#include "check.h"

#include <string.h>

#include "cjson_memory.h"
#include "thing.h"

struct query {
    int64_t limit;
    const char *cursor;
    char name[8];
    double ratio;
    bool all;
    int color;
    int64_t since_ms;
    const char *id;
    const char *mail;
    struct part part;
    int64_t *numbers;
    size_t number_count;
    const char *raw;
    int own;
    int hidden;
    struct model_presence given;
};

static void check_query(const void *object, struct err **e)
{
    const struct query *query = object;
    if (query->all && query->limit > 100)
        err_add_field(e, "limit", "too_many", "all of them at most 100 at a time");
}

static const struct field query_rows[] = {
    FIELD(struct query, limit, INT, .min = 1, .max = 200, .def = "50"),
    FIELD(struct query, cursor, STRING, .min = 2),
    FIELD(struct query, name, STRING, .flags = REQUIRED),
    FIELD(struct query, ratio, FLOAT),
    FIELD(struct query, all, BOOL),
    FIELD(struct query, color, ENUM, .values = colors, .def = "\"blue\""),
    FIELD(struct query, since_ms, TIME, .json = "since"),
    FIELD(struct query, id, UUID),
    FIELD(struct query, mail, EMAIL),
    FIELD(struct query, part, OBJECT, .model = &part_model),
    FIELD_ARRAY(struct query, numbers, number_count, INT),
    FIELD(struct query, raw, RAW),
    FIELD(struct query, own, INT, .flags = READ_ONLY),
    FIELD(struct query, hidden, INT, .flags = COLUMN_ONLY),
};
static const struct model query_model =
    MODEL_WITH_PRESENCE(struct query, query_rows, given, NULL, .check = check_query);

static const struct {
    const char *field, *text, *errors;
} cases[] = {
    {"limit", "1", ""},
    {"limit", "200", ""},
    {"limit", "0", "limit:too_small"},
    {"limit", "201", "limit:too_large"},
    {"limit", "99999999999999999999", "limit:too_large"},
    {"limit", "1.0", "limit:not_exact"},
    {"limit", "", "limit:wrong_type"},
    {"limit", "ten", "limit:wrong_type"},
    {"limit", " 1", "limit:wrong_type"},
    {"limit", "+1", "limit:wrong_type"},
    {"limit", "01", "limit:wrong_type"},
    {"limit", "0x1", "limit:wrong_type"},
    {"limit", "true", "limit:wrong_type"},
    {"limit", "null", "limit:wrong_type"},
    {"cursor", "ab", ""},
    {"cursor", "null", ""},
    {"cursor", "\"", "cursor:too_short"},
    {"cursor", "", "cursor:too_short"},
    {"cursor", "a\xff", "cursor:invalid_utf8"},
    {"name", "1234567", ""},
    {"name", "", ""},
    {"name", "12345678", "name:too_long"},
    {"ratio", "-1.5e3", ""},
    {"ratio", "1e999", "ratio:too_large"},
    {"ratio", "NaN", "ratio:wrong_type"},
    {"ratio", "inf", "ratio:wrong_type"},
    {"all", "true", ""},
    {"all", "false", ""},
    {"all", "True", "all:wrong_type"},
    {"all", "1", "all:wrong_type"},
    {"all", "", "all:wrong_type"},
    {"color", "red", ""},
    {"color", "0", "color:not_in_list"},
    {"since", "2026-01-02T03:04:05Z", ""},
    {"since", "now", "since:invalid_time"},
    {"id", "0190163d-8694-739b-aea5-966c26f8ad91", ""},
    {"id", "..", "id:invalid_uuid"},
    {"mail", "a@b.cd", ""},
    {"mail", "a", "mail:invalid_email"},
    {"part", "{}", "part:wrong_type"},
    {"numbers", "1", "numbers:wrong_type"},
    {"raw", "1", "raw:wrong_type"},
    {"own", "1", "own:read_only"},
};

static void test_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct query query, before;
        memset(&query, 0, sizeof(query));
        query.color = BLUE;
        before = query;
        _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(65536);
        _cleanup_(err_free) struct err *e = NULL;
        const struct field *field = model_find(&query_model, cases[i].field);
        model_read_text(&query_model, field, cases[i].text, &arena, &query, &e);
        if (strcmp(field_codes(e), cases[i].errors) != 0)
            fail_msg("%s=%s: %s", cases[i].field, cases[i].text, field_codes(e));
        assert_int_equal(model_is_present(&query_model, &query, field), e == NULL);
        if (e)
            assert_memory_equal(&query, &before, sizeof(query));
    }
}

static void read_all(const char *const pairs[][2], size_t count, struct arena *arena,
                     struct query *query, struct err **e)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < count; i++) {
        const struct field *field = model_find(&query_model, pairs[i][0]);
        model_read_text(&query_model, field, pairs[i][1], arena, query, e);
        seen |= UINT64_C(1) << (field - query_rows);
    }
    model_finish_text(&query_model, seen, arena, query, e);
}

static void test_values_arrive_and_defaults_fill_the_rest(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"name", "x"},
        {"cursor", "abc"},
        {"ratio", "0.5"},
        {"all", "true"},
        {"since", "1970-01-01T00:00:01Z"},
        {"id", "0190163d-8694-739b-aea5-966c26f8ad91"},
    };
    struct query query = {0};
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(65536);
    struct err *e = NULL;
    read_all(pairs, ARRAY_LEN(pairs), &arena, &query, &e);
    assert_null(e);
    assert_string_equal(query.name, "x");
    assert_string_equal(query.cursor, "abc");
    assert_true(query.ratio == 0.5 && query.all);
    assert_int_equal(query.since_ms, 1000);
    assert_string_equal(query.id, "0190163d-8694-739b-aea5-966c26f8ad91");
    assert_int_equal(query.limit, 50);
    assert_int_equal(query.color, BLUE);
    assert_int_equal(query.given.present, 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 6 | 1 << 7);
}

static void test_the_end_reports_what_is_missing_or_does_not_fit(void **state)
{
    (void)state;
    static const char *const too_many[][2] = {{"name", "x"}, {"all", "true"}, {"limit", "150"}};
    static const char *const wrong[][2] = {{"limit", "500"}, {"color", "pink"}, {"all", "true"}};
    struct query query = {0};
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(65536);
    _cleanup_(err_free) struct err *missing = NULL;
    read_all(NULL, 0, &arena, &query, &missing);
    assert_string_equal(field_codes(missing), "name:required");
    _cleanup_(err_free) struct err *crossed = NULL;
    read_all(too_many, ARRAY_LEN(too_many), &arena, &query, &crossed);
    assert_string_equal(field_codes(crossed), "limit:too_many");
    _cleanup_(err_free) struct err *several = NULL;
    read_all(wrong, ARRAY_LEN(wrong), &arena, &query, &several);
    assert_string_equal(field_codes(several), "limit:too_large color:not_in_list name:required");
}

static void test_column_only_fields_are_unknown(void **state)
{
    (void)state;
    struct query query = {0};
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(65536);
    _cleanup_(err_free) struct err *e = NULL;
    assert_null(model_find(&query_model, "hidden"));
    const struct field *field = model_find_column(&query_model, "hidden");
    model_read_text(&query_model, field, "1", &arena, &query, &e);
    assert_string_equal(field_codes(e), "hidden:unknown");
}

static void test_out_of_memory(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"name", "x"}, {"cursor", "abc"}, {"limit", "x"}};
    bool failed = true;
    for (size_t successes = 0; failed; successes++) {
        struct query query = {0};
        _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(65536);
        _cleanup_(err_free) struct err *e = NULL;
        alloc_fail_after(successes);
        read_all(pairs, ARRAY_LEN(pairs), &arena, &query, &e);
        failed = alloc_fail_stop();
        assert_string_equal(field_codes(e), failed ? "out_of_memory" : "limit:wrong_type");
    }
}

int main(void)
{
    cjson_memory_can_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_values_arrive_and_defaults_fill_the_rest),
        cmocka_unit_test(test_the_end_reports_what_is_missing_or_does_not_fit),
        cmocka_unit_test(test_column_only_fields_are_unknown),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
