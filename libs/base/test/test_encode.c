#include "check.h"

#include <base/encode.h>
#include <base/macros.h>

/* RFC 4648, section 10, without the padding; the last ones for the two letters of base64url. */
static const struct {
    const char *bytes;
    size_t count;
    const char *base64url, *hex;
} rows[] = {
    {"", 0, "", ""},
    {"f", 1, "Zg", "66"},
    {"fo", 2, "Zm8", "666f"},
    {"foo", 3, "Zm9v", "666f6f"},
    {"foob", 4, "Zm9vYg", "666f6f62"},
    {"fooba", 5, "Zm9vYmE", "666f6f6261"},
    {"foobar", 6, "Zm9vYmFy", "666f6f626172"},
    {"\0\0", 2, "AAA", "0000"},
    {"\xfb\xff\xfe", 3, "-__-", "fbfffe"},
    {"\xff\xff\xff\xff", 4, "_____w", "ffffffff"},
};

static void test_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[16];
        char bytes[8];
        size_t length = 99;
        CHECK_INT(rows[i].base64url, base64url_encode(text, rows[i].bytes, rows[i].count),
                  BASE64URL_LEN(rows[i].count));
        CHECK_STR(rows[i].base64url, text, rows[i].base64url);
        CHECK(rows[i].base64url,
              base64url_decode(bytes, rows[i].count, text, strlen(text), &length));
        CHECK_INT(rows[i].base64url, length, rows[i].count);
        CHECK(rows[i].base64url, length <= BASE64URL_DECODED_MAX(strlen(text)));
        CHECK(rows[i].base64url, memcmp(bytes, rows[i].bytes, length) == 0);

        hex_encode(text, rows[i].bytes, rows[i].count);
        CHECK_STR(rows[i].hex, text, rows[i].hex);
        length = 99;
        CHECK(rows[i].hex, hex_decode(bytes, rows[i].count, text, strlen(text), &length));
        CHECK_INT(rows[i].hex, length, rows[i].count);
        CHECK(rows[i].hex, memcmp(bytes, rows[i].bytes, length) == 0);
    }
}

static void test_too_small_a_place(void **state)
{
    (void)state;
    for (size_t i = 1; i < ARRAY_LEN(rows); i++) {
        char bytes[8] = "xxxxxxx";
        size_t length = 99;
        size_t cap = rows[i].count - 1;
        CHECK(rows[i].base64url,
              !base64url_decode(bytes, cap, rows[i].base64url, strlen(rows[i].base64url), &length));
        CHECK(rows[i].hex, !hex_decode(bytes, cap, rows[i].hex, strlen(rows[i].hex), &length));
        CHECK_INT(rows[i].hex, length, 99);
        CHECK_STR(rows[i].hex, bytes, "xxxxxxx");
    }
}

static void test_decoding_is_strict(void **state)
{
    (void)state;
    static const char *const base64url[] = {
        "A",     "AAAAA",   "Zg==",  "Zm8=", "Zm9v\n", " Zm9v", "Zm 9v",  "Zm9+",
        "Zm9/",  "Zm9.",    "Zh",    "Zn",   "Zm9",    "Zm-",   "Zm9vYh", "\xc3\xa9zz",
        "Zm9v=", "Zm9vYmF", "Zm9v`", "Zm9@", "Zm9[",   "Zm9{",  "Zm9:",
    };
    static const char *const hex[] = {
        "0", "000", "0g", "g0", "0A", "F0", " 0", "0 ", "0x", "0:", "0/", "0`", "\xc3\xa9",
    };
    char bytes[16];
    size_t length = 99;
    for (size_t i = 0; i < ARRAY_LEN(base64url); i++)
        CHECK(base64url[i],
              !base64url_decode(bytes, sizeof(bytes), base64url[i], strlen(base64url[i]), &length));
    for (size_t i = 0; i < ARRAY_LEN(hex); i++)
        CHECK(hex[i], !hex_decode(bytes, sizeof(bytes), hex[i], strlen(hex[i]), &length));
    assert_false(base64url_decode(bytes, sizeof(bytes), "AA\0A", 4, &length));
    assert_false(base64url_decode(bytes, sizeof(bytes), "", SIZE_MAX - 3, &length));
    assert_int_equal(length, 99);
}

/* One text for each value: of all texts of two letters, 256 are valid. */
static void test_each_byte_has_one_text(void **state)
{
    (void)state;
    unsigned valid = 0;
    for (int a = 0; a < 256; a++)
        for (int b = 0; b < 256; b++) {
            unsigned char byte;
            char again[3];
            size_t length;
            char text[2] = {(char)a, (char)b};
            if (!base64url_decode(&byte, 1, text, 2, &length))
                continue;
            valid++;
            base64url_encode(again, &byte, 1);
            assert_memory_equal(again, text, 2);
        }
    assert_int_equal(valid, 256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_too_small_a_place),
        cmocka_unit_test(test_decoding_is_strict),
        cmocka_unit_test(test_each_byte_has_one_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
