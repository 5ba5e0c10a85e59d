#include "check.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include <model/json.h>

static void test_values_and_separators(void **state)
{
    (void)state;
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(1024);
    struct json_writer w = JSON_WRITER(&out);
    json_begin_object(&w);
    json_write_name(&w, "a");
    json_begin_array(&w);
    json_write_i64(&w, INT64_MIN);
    json_write_i64(&w, 0);
    json_write_bool(&w, true);
    json_write_bool(&w, false);
    json_write_null(&w);
    json_write_string(&w, NULL);
    json_begin_array(&w);
    json_end_array(&w);
    json_begin_object(&w);
    json_end_object(&w);
    json_end_array(&w);
    json_write_name(&w, "b\n");
    json_write_string(&w, "x\"\\\x01\xc3\xa9\xff");
    json_write_name(&w, "c");
    json_write_string_n(&w, "ab\0cd", 5);
    json_write_name(&w, "d");
    json_write_raw(&w, "[1, 2]", 6);
    json_write_name(&w, "");
    json_write_value(&w, NULL);
    json_end_object(&w);
    assert_string_equal(buf_text(&out),
                        "{\"a\":[-9223372036854775808,0,true,false,null,null,[],{}],"
                        "\"b\\n\":\"x\\\"\\\\\\u0001\xc3\xa9\xef\xbf\xbd\",\"c\":\"ab\\u0000cd\","
                        "\"d\":[1, 2],\"\":null}");
}

static void test_doubles_are_short_and_read_back(void **state)
{
    (void)state;
    static const struct {
        double number;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {0.1, "0.1"},
        {-2.5, "-2.5"},
        {100, "100"},
        {1e15, "1e+15"},
        {123456789012345, "123456789012345"},
        {1e21, "1e+21"},
        {1e-7, "1e-07"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1.0 / 3, "0.3333333333333333"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {4.9406564584124654e-324, "4.94065645841247e-324"},
        {9007199254740993.0, "9007199254740992"},
        {HUGE_VAL, "null"},
        {-HUGE_VAL, "null"},
        {(double)NAN, "null"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_(buf_deinit) struct buf out = BUF_INIT(64);
        json_write_f64(&JSON_WRITER(&out), cases[i].number);
        assert_string_equal(buf_text(&out), cases[i].text);
        double again = cases[i].number;
        if (isfinite(cases[i].number)) {
            _cleanup_(json_free) struct json_doc *doc = NULL;
            assert_null(json_parse(out.data, out.len, &doc));
            assert_true(json_f64(json_root(doc), &again));
        }
        assert_memory_equal(&again, &cases[i].number, sizeof(again));
    }
}

static void test_any_value_is_written_as_it_was(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "null",
        "true",
        "false",
        "\"\"",
        "\"a\\\"b\\n\"",
        "[]",
        "{}",
        "0",
        "-0",
        "1.50",
        "1e400",
        "1234567890123456789012345678901234567890123456789012345678901234567890",
        "{\"b\":1,\"a\":[true,{\"c\":null},\"x\"]}",
        "[[[[[[1]]]]],[2,[3]]]",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        _cleanup_(json_free) struct json_doc *doc = NULL;
        _cleanup_(buf_deinit) struct buf out = BUF_INIT(1024);
        assert_null(json_parse(texts[i], strlen(texts[i]), &doc));
        json_write_value(&JSON_WRITER(&out), json_root(doc));
        assert_string_equal(buf_text(&out), texts[i]);
    }
}

static void nest(struct json_writer *w, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++) {
        if (i % 2 == 0) {
            json_begin_array(w);
        } else {
            json_begin_object(w);
            json_write_name(w, "a");
        }
    }
    json_write_null(w);
    for (unsigned i = depth; i > 0; i--) {
        if (i % 2 == 1)
            json_end_array(w);
        else
            json_end_object(w);
    }
}

static void test_nesting_is_bounded(void **state)
{
    (void)state;
    static const struct {
        unsigned depth;
        enum buf_status status;
    } cases[] = {{1, BUF_OK},
                 {JSON_WRITE_DEPTH_MAX, BUF_OK},
                 {JSON_WRITE_DEPTH_MAX + 1, BUF_TOO_LARGE},
                 {JSON_WRITE_DEPTH_MAX + 40, BUF_TOO_LARGE}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_(buf_deinit) struct buf out = BUF_INIT(4096);
        struct json_writer w = JSON_WRITER(&out);
        nest(&w, cases[i].depth);
        assert_int_equal(buf_status(&out), cases[i].status);
        assert_int_equal(w.depth, 0);
    }
}

static void test_full_buffer_fails_once_and_for_all(void **state)
{
    (void)state;
    for (size_t max = 0; max < 13; max++) {
        _cleanup_(buf_deinit) struct buf out = BUF_INIT(max);
        struct json_writer w = JSON_WRITER(&out);
        json_begin_object(&w);
        json_write_name(&w, "a");
        json_write_string(&w, "\t");
        json_write_name(&w, "b");
        json_write_i64(&w, 1);
        json_end_object(&w);
        assert_int_equal(buf_status(&out), BUF_TOO_LARGE);
        assert_true(out.len <= max);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_and_separators),
        cmocka_unit_test(test_doubles_are_short_and_read_back),
        cmocka_unit_test(test_any_value_is_written_as_it_was),
        cmocka_unit_test(test_nesting_is_bounded),
        cmocka_unit_test(test_full_buffer_fails_once_and_for_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
