#include "check.h"

#include <base/str.h>

static void test_sequences(void **state)
{
    (void)state;
    static const struct {
        const char *name, *bytes;
        uint32_t code_point; /* 0: invalid */
    } rows[] = {
        {"first of one", "\x01", 0x1},
        {"last of one", "\x7f", 0x7f},
        {"first of two", "\xc2\x80", 0x80},
        {"last of two", "\xdf\xbf", 0x7ff},
        {"first of three", "\xe0\xa0\x80", 0x800},
        {"before the surrogates", "\xed\x9f\xbf", 0xd7ff},
        {"after the surrogates", "\xee\x80\x80", 0xe000},
        {"last of three", "\xef\xbf\xbf", 0xffff},
        {"first of four", "\xf0\x90\x80\x80", 0x10000},
        {"last of all", "\xf4\x8f\xbf\xbf", 0x10ffff},
        {"continuation alone", "\x80", 0},
        {"last continuation alone", "\xbf", 0},
        {"overlong of two, first", "\xc0\x80", 0},
        {"overlong of two, last", "\xc1\xbf", 0},
        {"overlong of three", "\xe0\x9f\xbf", 0},
        {"overlong of four", "\xf0\x8f\xbf\xbf", 0},
        {"first surrogate", "\xed\xa0\x80", 0},
        {"last surrogate", "\xed\xbf\xbf", 0},
        {"beyond the last", "\xf4\x90\x80\x80", 0},
        {"lead byte too large", "\xf5\x80\x80\x80", 0},
        {"five bytes", "\xf8\x88\x80\x80\x80", 0},
        {"0xfe", "\xfe", 0},
        {"0xff", "\xff", 0},
        {"two cut short", "\xc2", 0},
        {"three cut short", "\xe2\x82", 0},
        {"four cut short", "\xf0\x9f\x98", 0},
        {"second is no continuation", "\xc3\x28", 0},
        {"third is no continuation", "\xe2\x82\x28", 0},
        {"fourth is no continuation", "\xf0\x9f\x98\x28", 0},
        {"second is a lead byte", "\xc3\xc3", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t count = strlen(rows[i].bytes);
        bool is_valid = rows[i].code_point != 0;
        uint32_t code_point = 42;
        CHECK_INT(rows[i].name, utf8_decode(rows[i].bytes, count, &code_point),
                  is_valid ? count : 0);
        CHECK_INT(rows[i].name, code_point, is_valid ? rows[i].code_point : 42);
        CHECK_INT(rows[i].name, utf8_is_valid(rows[i].bytes, count), is_valid);
        /* The same behind other text, where whole words are skipped. */
        for (size_t before = 1; before < 17; before++) {
            char text[32] = "abcdefghijklmnopqrst";
            memcpy(text + before, rows[i].bytes, count);
            CHECK_INT(rows[i].name, utf8_is_valid(text, before + count), is_valid);
        }
    }
}

static void test_every_code_point_both_ways(void **state)
{
    (void)state;
    for (uint32_t code_point = 0; code_point < 0x110100; code_point++) {
        char bytes[4];
        uint32_t decoded;
        size_t length = utf8_encode(code_point, bytes);
        bool exists = code_point <= 0x10ffff && (code_point < 0xd800 || code_point > 0xdfff);
        if (!exists) {
            assert_int_equal(length, 0);
            continue;
        }
        if (utf8_decode(bytes, length, &decoded) != length || decoded != code_point)
            fail_msg("U+%04X does not come back", code_point);
    }
    assert_int_equal(utf8_encode(UINT32_MAX, (char[4]){0}), 0);
}

static void test_length(void **state)
{
    (void)state;
    assert_int_equal(utf8_length("", 0), 0);
    assert_int_equal(utf8_length("abc", 3), 3);
    assert_int_equal(utf8_length("h\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10), 4);
    assert_int_equal(utf8_length("a\0b", 3), 3);
}

static void test_nothing(void **state)
{
    (void)state;
    uint32_t code_point = 42;
    assert_int_equal(utf8_decode("a", 0, &code_point), 0);
    assert_int_equal(code_point, 42);
    assert_true(utf8_is_valid(NULL, 0));
    assert_true(utf8_is_valid("\0\0", 2));
    assert_int_equal(utf8_decode("\0", 1, &code_point), 1);
    assert_int_equal(code_point, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequences),
        cmocka_unit_test(test_every_code_point_both_ways),
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
