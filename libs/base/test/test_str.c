#include "check.h"

#include <base/str.h>

static void test_copy(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        size_t cap;
        bool fits;
    } rows[] = {
        {"empty", "", 1, true},    {"no place at all", "", 0, false},
        {"exact", "abc", 4, true}, {"one short", "abc", 3, false},
        {"roomy", "abc", 8, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[8] = "before";
        const char *expected = rows[i].fits ? rows[i].text : "before";
        CHECK_INT(rows[i].name, str_copy(out, rows[i].cap, rows[i].text), rows[i].fits);
        CHECK_STR(rows[i].name, out, expected);
    }
    char out[8] = "before";
    assert_true(str_copy_n(out, sizeof(out), "a\0cdef", 3));
    assert_memory_equal(out, "a\0c", 4);
    assert_true(str_copy_n(out, sizeof(out), NULL, 0));
    assert_string_equal(out, "");
    assert_false(str_copy_n(out, sizeof(out), "x", SIZE_MAX));
}

static void test_compare(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool equal, equal_nocase, starts, ends;
    } rows[] = {
        {"", "", true, true, true, true},
        {"abc", "abc", true, true, true, true},
        {"abc", "ABC", false, true, false, false},
        {"aBc", "AbC", false, true, false, false},
        {"abc", "ab", false, false, true, false},
        {"abc", "bc", false, false, false, true},
        {"abc", "", false, false, true, true},
        {"ab", "abc", false, false, false, false},
        {"[", "{", false, false, false, false}, /* 0x20 apart, but no letters */
        {"@", "`", false, false, false, false},
        {"\xc3\x84", "\xc3\xa4", false, false, false, false}, /* only ASCII has cases here */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *a = rows[i].a;
        const char *b = rows[i].b;
        CHECK_INT(a, str_equal(a, b), rows[i].equal);
        CHECK_INT(a, str_equal_nocase(a, b), rows[i].equal_nocase);
        CHECK_INT(a, str_starts_with(a, b), rows[i].starts);
        CHECK_INT(a, str_ends_with(a, b), rows[i].ends);
    }
    assert_true(str_equal_nocase_n("ABx", "aby", 2));
    assert_false(str_equal_nocase_n("ABx", "aby", 3));
    assert_true(str_equal_nocase_n("x", "y", 0));
}

static void test_lower(void **state)
{
    (void)state;
    char text[] = "@AZ[\xc3\x84z09";
    str_lower(text);
    assert_string_equal(text, "@az[\xc3\x84z09");
}

static void test_view(void **state)
{
    (void)state;
    struct str view = STR("ab\0c");
    assert_int_equal(view.len, 4);
    assert_memory_equal(view.data, "ab\0c", 5);
}

static void test_parse_i64(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t min, max;
        bool valid;
        int64_t number;
    } rows[] = {
        {"0", INT64_MIN, INT64_MAX, true, 0},
        {"7", INT64_MIN, INT64_MAX, true, 7},
        {"-7", INT64_MIN, INT64_MAX, true, -7},
        {"1234567890", INT64_MIN, INT64_MAX, true, 1234567890},
        {"9223372036854775807", INT64_MIN, INT64_MAX, true, INT64_MAX},
        {"-9223372036854775808", INT64_MIN, INT64_MAX, true, INT64_MIN},
        {"9223372036854775808", INT64_MIN, INT64_MAX, false, 0},
        {"-9223372036854775809", INT64_MIN, INT64_MAX, false, 0},
        {"92233720368547758070", INT64_MIN, INT64_MAX, false, 0},
        {"99999999999999999999999999999", INT64_MIN, INT64_MAX, false, 0},
        {"10", 10, 20, true, 10},
        {"20", 10, 20, true, 20},
        {"9", 10, 20, false, 0},
        {"21", 10, 20, false, 0},
        {"-1", 0, 20, false, 0},
        {"", INT64_MIN, INT64_MAX, false, 0},
        {"-", INT64_MIN, INT64_MAX, false, 0},
        {"--1", INT64_MIN, INT64_MAX, false, 0},
        {"+1", INT64_MIN, INT64_MAX, false, 0},
        {"-0", INT64_MIN, INT64_MAX, false, 0},
        {"00", INT64_MIN, INT64_MAX, false, 0},
        {"01", INT64_MIN, INT64_MAX, false, 0},
        {"-01", INT64_MIN, INT64_MAX, false, 0},
        {" 1", INT64_MIN, INT64_MAX, false, 0},
        {"1 ", INT64_MIN, INT64_MAX, false, 0},
        {"1\n", INT64_MIN, INT64_MAX, false, 0},
        {"1.0", INT64_MIN, INT64_MAX, false, 0},
        {"1e3", INT64_MIN, INT64_MAX, false, 0},
        {"0x1", INT64_MIN, INT64_MAX, false, 0},
        {"1:", INT64_MIN, INT64_MAX, false, 0},
        {"1/", INT64_MIN, INT64_MAX, false, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t number = 42;
        bool valid = parse_i64(rows[i].text, rows[i].min, rows[i].max, &number);
        CHECK_INT(rows[i].text, valid, rows[i].valid);
        CHECK_INT(rows[i].text, number, rows[i].valid ? rows[i].number : 42);
    }
    int64_t number = 42;
    assert_true(parse_i64_n("123456", 3, 0, 1000, &number));
    assert_int_equal(number, 123);
    assert_false(parse_i64_n("1\0", 2, 0, 1000, &number));
    assert_false(parse_i64_n("", 0, 0, 1000, &number));
    assert_int_equal(number, 123);
}

static void test_f64_format(void **state)
{
    (void)state;
    static const struct {
        double number;
        const char *text;
    } rows[] = {
        {0, "0"},
        {-0.0, "-0"},
        {0.1, "0.1"},
        {1.0 / 3, "0.3333333333333333"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1e15, "1e+15"},
        {-123456.75, "-123456.75"},
        {9007199254740993.0, "9007199254740992"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {-1.7976931348623157e308, "-1.7976931348623157e+308"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[F64_TEXT];
        CHECK_INT(rows[i].text, f64_format(rows[i].number, text), strlen(rows[i].text));
        CHECK_STR(rows[i].text, text, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy),      cmocka_unit_test(test_compare),
        cmocka_unit_test(test_lower),     cmocka_unit_test(test_view),
        cmocka_unit_test(test_parse_i64), cmocka_unit_test(test_f64_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
