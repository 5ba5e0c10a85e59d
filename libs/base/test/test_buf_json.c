#include "alloc_fail.h"
#include "check.h"

#include <base/buf.h>

#define BYTES(literal) (literal), sizeof(literal) - 1

static const struct {
    const char *name, *bytes;
    size_t count;
    const char *json;
} rows[] = {
    {"empty", BYTES(""), "\"\""},
    {"plain", BYTES("hello"), "\"hello\""},
    {"long and plain", BYTES("The quick brown fox jumps over the lazy dog, twice."),
     "\"The quick brown fox jumps over the lazy dog, twice.\""},
    {"quote and backslash", BYTES("a\"b\\c"), "\"a\\\"b\\\\c\""},
    {"slash stands", BYTES("a/b"), "\"a/b\""},
    {"short escapes", BYTES("\b\t\n\f\r"), "\"\\b\\t\\n\\f\\r\""},
    {"other control characters", BYTES("\0\1\a\v\x0e\x1f"),
     "\"\\u0000\\u0001\\u0007\\u000b\\u000e\\u001f\""},
    {"delete stands", BYTES("\x7f"), "\"\x7f\""},
    {"UTF-8 stands", BYTES("h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
     "\"h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\""},
    {"lone continuation", BYTES("a\x80z"), "\"a\xef\xbf\xbdz\""},
    {"never a lead byte", BYTES("\xff"), "\"\xef\xbf\xbd\""},
    {"cut short at the end", BYTES("ab\xe2\x82"), "\"ab\xef\xbf\xbd\xef\xbf\xbd\""},
    {"overlong slash", BYTES("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\""},
    {"surrogate", BYTES("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    {"beyond U+10FFFF", BYTES("\xf4\x90\x80\x80"),
     "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf buf = BUF_INIT(1000);
        CHECK(rows[i].name, buf_append_json(&buf, rows[i].bytes, rows[i].count));
        CHECK_STR(rows[i].name, buf_text(&buf), rows[i].json);
    }
}

/* Eight bytes are looked at together: every byte value at every place of such a group. */
static void test_every_byte_at_every_place(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        _cleanup_(buf_deinit) struct buf alone = BUF_INIT(1000);
        assert_true(buf_append_json(&alone, &(char){(char)byte}, 1));
        for (size_t place = 0; place < 17; place++) {
            char text[17];
            memset(text, 'x', sizeof(text));
            text[place] = (char)byte;
            _cleanup_(buf_deinit) struct buf all = BUF_INIT(1000);
            assert_true(buf_append_json(&all, text, sizeof(text)));
            assert_int_equal(all.len, sizeof(text) - 1 + alone.len);
            assert_memory_equal(all.data + 1 + place, alone.data + 1, alone.len - 2);
            for (size_t i = 0; i < place; i++)
                assert_int_equal(all.data[1 + i], 'x');
        }
    }
}

static void test_limit_is_exact(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t length = strlen(rows[i].json);
        _cleanup_(buf_deinit) struct buf enough = BUF_INIT(3 + length);
        buf_append_str(&enough, "old");
        CHECK(rows[i].name, buf_append_json(&enough, rows[i].bytes, rows[i].count));
        _cleanup_(buf_deinit) struct buf small = BUF_INIT(3 + length - 1);
        buf_append_str(&small, "old");
        CHECK(rows[i].name, !buf_append_json(&small, rows[i].bytes, rows[i].count));
        CHECK_INT(rows[i].name, buf_status(&small), BUF_TOO_LARGE);
        CHECK_STR(rows[i].name, buf_text(&small), "old");
    }
}

static void test_out_of_memory_leaves_no_part(void **state)
{
    (void)state;
    char text[100];
    memset(text, '\n', sizeof(text));
    for (size_t successes = 0;; successes++) {
        _cleanup_(buf_deinit) struct buf buf = BUF_INIT(1000);
        buf_append_str(&buf, "old");
        alloc_fail_after(successes);
        bool ok = buf_append_json(&buf, text, sizeof(text));
        bool failed = alloc_fail_stop();
        assert_int_equal(ok, !failed);
        if (!failed) {
            assert_true(successes >= 2);
            break;
        }
        assert_int_equal(buf_status(&buf), BUF_NO_MEMORY);
        assert_string_equal(buf_text(&buf), "old");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_every_byte_at_every_place),
        cmocka_unit_test(test_limit_is_exact),
        cmocka_unit_test(test_out_of_memory_leaves_no_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
