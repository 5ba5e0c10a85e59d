/* Values of a document: types, exact numbers, strings, walking. */
#include "alloc_fail.h"
#include "check.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <model/json.h>

#include "cjson_memory.h"

static struct json_doc *parse(const char *text)
{
    struct json_doc *doc = NULL;
    _cleanup_(err_free) struct err *e = json_parse(text, strlen(text), &doc);
    if (e)
        fail_msg("%s: %s", text, err_detail(e));
    return doc;
}

static void test_types(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum json_type type;
    } cases[] = {
        {"null", JSON_NULL},        {"true", JSON_BOOL},   {"false", JSON_BOOL},
        {"1", JSON_NUMBER},         {"\"\"", JSON_STRING}, {"[]", JSON_ARRAY},
        {"{}", JSON_OBJECT},        {"-0.5", JSON_NUMBER}, {"[1]", JSON_ARRAY},
        {"{\"a\":1}", JSON_OBJECT},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_(json_free) struct json_doc *doc = parse(cases[i].text);
        const struct json_value *root = json_root(doc);
        if (json_type(root) != cases[i].type)
            fail_msg("%s has type %d", cases[i].text, json_type(root));
        for (enum json_type type = JSON_NULL; type <= JSON_OBJECT; type++)
            assert_int_equal(json_is(root, type), type == cases[i].type);
        assert_null(json_next(root));
        assert_null(json_name(root));
        assert_int_equal(json_string(root) != NULL, cases[i].type == JSON_STRING);
        assert_int_equal(json_number(root) != NULL, cases[i].type == JSON_NUMBER);
    }
}

static void test_absent_values_have_nothing(void **state)
{
    (void)state;
    int64_t number = 7;
    double real = 7;
    bool truth = true;
    assert_int_equal(json_type(NULL), JSON_NULL);
    assert_false(json_is(NULL, JSON_NULL));
    assert_null(json_get(NULL, "a"));
    assert_null(json_first(NULL));
    assert_null(json_next(NULL));
    assert_null(json_name(NULL));
    assert_null(json_string(NULL));
    assert_null(json_number(NULL));
    assert_int_equal(json_count(NULL), 0);
    assert_false(json_i64(NULL, &number) || json_f64(NULL, &real) || json_bool(NULL, &truth));
    assert_true(number == 7 && real == 7 && truth);
    json_free(NULL);
}

static void test_members(void **state)
{
    (void)state;
    _cleanup_(json_free) struct json_doc *doc =
        parse("{\"b\":1,\"a\":{\"c\":[10,20,30]},\"\":\"empty\",\"B\":false,\"\\u00e9\":null}");
    const struct json_value *root = json_root(doc);
    assert_int_equal(json_count(root), 5);
    assert_string_equal(json_number(json_get(root, "b")), "1");
    assert_true(json_is(json_get(root, "B"), JSON_BOOL));
    assert_string_equal(json_string(json_get(root, "")), "empty");
    assert_true(json_is(json_get(root, "\xc3\xa9"), JSON_NULL));
    assert_null(json_get(root, "A"));
    assert_null(json_get(root, "c"));
    const struct json_value *list = json_get(json_get(root, "a"), "c");
    assert_int_equal(json_count(list), 3);
    assert_null(json_get(list, "c"));
    assert_null(json_get(json_get(root, "b"), "x"));
    _cleanup_(buf_deinit) struct buf order = BUF_INIT(64);
    json_foreach (member, root)
        buf_printf(&order, "%s,", json_name(member));
    assert_string_equal(buf_text(&order), "b,a,,B,\xc3\xa9,");
    int64_t sum = 0;
    json_foreach (element, list) {
        int64_t number = 0;
        assert_null(json_name(element));
        assert_true(json_i64(element, &number));
        sum += number;
    }
    assert_int_equal(sum, 60);
}

static void test_strings(void **state)
{
    (void)state;
    static const struct {
        const char *text, *value;
    } cases[] = {
        {"\"\"", ""},
        {"\"plain text of some length\"", "plain text of some length"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"\\u0041\\u00e9\\u20AC\"", "A\xc3\xa9\xe2\x82\xac"},
        {"\"\\ud83d\\uDE00\"", "\xf0\x9f\x98\x80"},
        {"\"\xf0\x9f\x98\x80\"", "\xf0\x9f\x98\x80"},
        {"\"\\u0001\\u001f\\u007f\"", "\x01\x1f\x7f"},
        {"\"\\\\u0041\"", "\\u0041"},
        {"\"\\uffff\\ud7ff\\ue000\"", "\xef\xbf\xbf\xed\x9f\xbf\xee\x80\x80"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_(json_free) struct json_doc *doc = parse(cases[i].text);
        assert_string_equal(json_string(json_root(doc)), cases[i].value);
    }
}

#define NO_INT 4711 /* what stays in the output of a refused number */

static void test_integers_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value; /* NO_INT: refused */
    } cases[] = {
        {"0", 0},
        {"-0", 0},
        {"1", 1},
        {"-1", -1},
        {"2147483648", INT64_C(2147483648)},
        {"9007199254740993", INT64_C(9007199254740993)},
        {"-9007199254740993", INT64_C(-9007199254740993)},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"9223372036854775808", NO_INT},
        {"-9223372036854775809", NO_INT},
        {"18446744073709551615", NO_INT},
        {"100000000000000000000000000000", NO_INT},
        {"1.0", NO_INT},
        {"1e2", NO_INT},
        {"1E0", NO_INT},
        {"0.0", NO_INT},
        {"-0.0", NO_INT},
        {"0e0", NO_INT},
        {"1.5", NO_INT},
        {"true", NO_INT},
        {"\"1\"", NO_INT},
        {"null", NO_INT},
        {"[1]", NO_INT},
        {"{\"a\":1}", NO_INT},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_(json_free) struct json_doc *doc = parse(cases[i].text);
        int64_t value = NO_INT;
        bool ok = json_i64(json_root(doc), &value);
        if (ok != (cases[i].value != NO_INT) || value != cases[i].value)
            fail_msg("%s gives %d and %lld", cases[i].text, ok, (long long)value);
    }
}

static void test_doubles_are_the_nearest_finite_ones(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        double value;
    } cases[] = {
        {"0", true, 0.0},
        {"-0", true, -0.0},
        {"-0.0", true, -0.0},
        {"1", true, 1.0},
        {"1e2", true, 100.0},
        {"-2.5E-1", true, -0.25},
        {"0.1", true, 0.1},
        {"1.7976931348623157e308", true, DBL_MAX},
        {"5e-324", true, 4.9406564584124654e-324},
        {"1e-999", true, 0.0},
        {"9007199254740993", true, 9007199254740992.0},
        {"0.1000000000000000055511151231257827021181583404541015625000000000000000000000000000",
         true, 0.1},
        {"1e999", false, 0},
        {"-1e999", false, 0},
        {"1.8e308", false, 0},
        {"\"1\"", false, 0},
        {"true", false, 0},
        {"null", false, 0},
        {"[]", false, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_(json_free) struct json_doc *doc = parse(cases[i].text);
        double value = cases[i].ok ? 0.5 : 0;
        bool ok = json_f64(json_root(doc), &value);
        bool is_same = value == cases[i].value && signbit(value) == signbit(cases[i].value);
        if (ok != cases[i].ok || !is_same)
            fail_msg("%s gives %d and %.17g", cases[i].text, ok, value);
    }
}

static void test_bools(void **state)
{
    (void)state;
    static const char *const others[] = {"1", "0", "null", "\"true\"", "[true]"};
    bool truth = true;
    _cleanup_(json_free) struct json_doc *doc = parse("[false,true]");
    assert_true(json_bool(json_first(json_root(doc)), &truth));
    assert_false(truth);
    assert_true(json_bool(json_next(json_first(json_root(doc))), &truth));
    assert_true(truth);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        _cleanup_(json_free) struct json_doc *other = parse(others[i]);
        assert_false(json_bool(json_root(other), &truth));
        assert_true(truth);
    }
}

/* Numbers are put back into the tree in the order of the text, whatever stands between them. */
static void test_numbers_find_their_place(void **state)
{
    (void)state;
    _cleanup_(json_free) struct json_doc *doc =
        parse("[1,[2,{\"a\":3,\"b\":[4.0,\"5\",[]],\"c\":{}},6e0],true,{\"d\":-7}, 8 ]");
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(256);
    json_write_value(&JSON_WRITER(&out), json_root(doc));
    assert_string_equal(buf_text(&out),
                        "[1,[2,{\"a\":3,\"b\":[4.0,\"5\",[]],\"c\":{}},6e0],true,{\"d\":-7},8]");
}

static void test_document_is_a_copy(void **state)
{
    (void)state;
    char text[] = "{\"a\":12.50,\"b\":\"text\"}";
    struct json_doc *parsed = NULL;
    assert_null(json_parse(text, strlen(text), &parsed));
    _cleanup_(json_free) struct json_doc *doc = parsed;
    memset(text, 'x', sizeof(text));
    assert_string_equal(json_number(json_get(json_root(doc), "a")), "12.50");
    assert_string_equal(json_string(json_get(json_root(doc), "b")), "text");
}

/* More names in one object than the scan keeps without memory of its own. */
static void test_out_of_memory(void **state)
{
    (void)state;
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(4096);
    buf_append_str(&text, "{\"first\":[1,2.5,\"text\",{\"a\":null}]");
    for (int i = 0; i < 70; i++)
        buf_printf(&text, ",\"k%d\":%d", i, i);
    buf_append_char(&text, '}');
    size_t successes = 0;
    for (bool failed = true; failed; successes++) {
        struct json_doc *parsed = NULL;
        alloc_fail_after(successes);
        struct err *e = json_parse(text.data, text.len, &parsed);
        failed = alloc_fail_stop();
        _cleanup_(json_free) struct json_doc *doc = parsed;
        assert_ptr_equal(e, failed ? err_oom() : NULL);
        assert_int_equal(doc == NULL, failed);
    }
    assert_true(successes > 150); /* a node and a name each: cJSON's were counted */
}

int main(void)
{
    cjson_memory_can_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_absent_values_have_nothing),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_integers_are_exact),
        cmocka_unit_test(test_doubles_are_the_nearest_finite_ones),
        cmocka_unit_test(test_bools),
        cmocka_unit_test(test_numbers_find_their_place),
        cmocka_unit_test(test_document_is_a_copy),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
