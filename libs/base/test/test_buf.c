#include "alloc_fail.h"
#include "check.h"

#include <base/buf.h>

static void test_starts_empty_without_memory(void **state)
{
    (void)state;
    struct buf buf = BUF_INIT(10);
    assert_string_equal(buf_text(&buf), "");
    assert_null(buf.data);
    buf_consume(&buf, 1);
    buf_truncate(&buf, 0);
    buf_commit(&buf, 0);
    buf_reset(&buf);
    assert_null(buf.data);
    assert_true(buf_append(&buf, NULL, 0));
    assert_string_equal(buf_text(&buf), "");
    buf_deinit(&buf);
    buf_deinit(&buf);
    assert_int_equal(buf.max, 10);
}

static void test_keeps_invariants_while_it_grows(void **state)
{
    (void)state;
    enum { MAX_BYTES = 1000 };
    _cleanup_(buf_deinit) struct buf buf = BUF_INIT(MAX_BYTES);
    for (size_t i = 0; i < MAX_BYTES; i++) {
        assert_true(buf_append_char(&buf, (char)('a' + i % 26)));
        assert_int_equal(buf.len, i + 1);
        assert_int_equal(buf.data[buf.len], '\0');
        assert_true(buf.cap > buf.len && buf.cap <= MAX_BYTES + 1);
    }
    for (size_t i = 0; i < MAX_BYTES; i++)
        assert_int_equal(buf.data[i], 'a' + i % 26);
    assert_false(buf_append_char(&buf, 'x'));
    assert_int_equal(buf_status(&buf), BUF_TOO_LARGE);
    assert_int_equal(buf.len, MAX_BYTES);
}

static bool append_bytes(struct buf *buf)
{
    return buf_append(buf, "abc", 3);
}

static bool append_text(struct buf *buf)
{
    return buf_append_str(buf, "abc");
}

static bool append_printf(struct buf *buf)
{
    return buf_printf(buf, "%c%s", 'a', "bc");
}

static bool append_number(struct buf *buf)
{
    return buf_append_i64(buf, 123);
}

static bool append_json(struct buf *buf)
{
    return buf_append_json(buf, "b", 1);
}

static bool append_in_place(struct buf *buf)
{
    char *place = buf_reserve(buf, 3);
    if (place)
        memset(place, 'a', 3);
    buf_commit(buf, place ? 3 : 0);
    return place != NULL;
}

/* Each appends three bytes. */
static const struct appender {
    const char *name;
    bool (*append)(struct buf *buf);
    const char *text;
} appenders[] = {
    {"append", append_bytes, "abc"},       {"append_str", append_text, "abc"},
    {"printf", append_printf, "abc"},      {"append_i64", append_number, "123"},
    {"append_json", append_json, "\"b\""}, {"reserve", append_in_place, "aaa"},
};

static void test_limit_is_exact_and_nothing_is_appended_in_part(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(appenders); i++) {
        const struct appender *row = &appenders[i];
        for (size_t before = 0; before < 3; before++) {
            _cleanup_(buf_deinit) struct buf buf = BUF_INIT(before + 3);
            buf_append(&buf, "12", before);
            CHECK(row->name, row->append(&buf));
            CHECK_STR(row->name, buf_text(&buf) + before, row->text);

            _cleanup_(buf_deinit) struct buf small = BUF_INIT(before + 2);
            buf_append(&small, "12", before);
            CHECK(row->name, !row->append(&small));
            CHECK_INT(row->name, buf_status(&small), BUF_TOO_LARGE);
            CHECK_INT(row->name, small.len, before);
            CHECK_INT(row->name, strlen(buf_text(&small)), before);
        }
    }
}

static void test_failure_sticks_until_reset(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(appenders); i++) {
        const struct appender *row = &appenders[i];
        _cleanup_(buf_deinit) struct buf buf = BUF_INIT(5);
        buf_append_str(&buf, "12");
        buf_append_str(&buf, "too long");
        CHECK(row->name, !row->append(&buf));
        CHECK_STR(row->name, buf_text(&buf), "12");
        CHECK(row->name, buf_take(&buf) == NULL);
        buf_reset(&buf);
        CHECK_INT(row->name, buf_status(&buf), BUF_OK);
        CHECK(row->name, row->append(&buf));
        CHECK_STR(row->name, buf_text(&buf), row->text);
    }
}

static void test_out_of_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(appenders); i++) {
        const struct appender *row = &appenders[i];
        _cleanup_(buf_deinit) struct buf buf = BUF_INIT(SIZE_MAX);
        alloc_fail_after(0);
        bool ok = row->append(&buf);
        CHECK(row->name, alloc_fail_stop());
        CHECK(row->name, !ok);
        CHECK_INT(row->name, buf_status(&buf), BUF_NO_MEMORY);
        CHECK_STR(row->name, buf_text(&buf), "");
    }
    _cleanup_(buf_deinit) struct buf buf = BUF_INIT(SIZE_MAX);
    buf_append_str(&buf, "kept");
    assert_null(buf_reserve(&buf, SIZE_MAX - 4));
    assert_int_equal(buf_status(&buf), BUF_NO_MEMORY);
    assert_string_equal(buf_text(&buf), "kept");
    assert_null(buf_reserve(&buf, SIZE_MAX));
}

static void test_failed_growth_keeps_the_content(void **state)
{
    (void)state;
    _cleanup_(buf_deinit) struct buf buf = BUF_INIT(4096);
    buf_append_str(&buf, "kept");
    alloc_fail_after(0);
    bool ok = buf_printf(&buf, "%500d", 1);
    assert_true(alloc_fail_stop());
    assert_false(ok);
    assert_int_equal(buf_status(&buf), BUF_NO_MEMORY);
    assert_string_equal(buf_text(&buf), "kept");
}

static void test_printf_of_any_length(void **state)
{
    (void)state;
    for (int width = 1; width < 300; width++) {
        _cleanup_(buf_deinit) struct buf buf = BUF_INIT(4096);
        buf_append_char(&buf, '>');
        assert_true(buf_printf(&buf, "%*d|%s", width, 7, "end"));
        assert_int_equal(buf.len, 1 + (size_t)width + 4);
        assert_string_equal(buf_text(&buf) + width, "7|end");
    }
    _cleanup_(buf_deinit) struct buf buf = BUF_INIT(4096);
    assert_false(buf_printf(&buf, "%ls", L"\xe9")); /* no such character in the C locale */
    assert_int_equal(buf_status(&buf), BUF_TOO_LARGE);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        int64_t number;
        const char *text;
    } rows[] = {
        {0, "0"},
        {7, "7"},
        {-1, "-1"},
        {10, "10"},
        {1234567890123, "1234567890123"},
        {INT64_MAX, "9223372036854775807"},
        {INT64_MIN, "-9223372036854775808"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf buf = BUF_INIT(20);
        assert_true(buf_append_i64(&buf, rows[i].number));
        CHECK_STR(rows[i].text, buf_text(&buf), rows[i].text);
    }
}

static void test_consume_and_truncate(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t consume, truncate;
        const char *left;
    } rows[] = {
        {"nothing", 0, 99, "abcdef"}, {"front", 2, 99, "cdef"}, {"back", 0, 2, "ab"},
        {"both", 1, 3, "bcd"},        {"all", 6, 99, ""},       {"more than all", 7, 0, ""},
        {"huge", SIZE_MAX, 0, ""},    {"to nothing", 0, 0, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf buf = BUF_INIT(6);
        buf_append_str(&buf, "abcdef");
        buf_consume(&buf, rows[i].consume);
        buf_truncate(&buf, rows[i].truncate);
        CHECK_STR(rows[i].name, buf_text(&buf), rows[i].left);
        CHECK_INT(rows[i].name, buf.len, strlen(rows[i].left));
    }
}

static void test_take(void **state)
{
    (void)state;
    _cleanup_(buf_deinit) struct buf buf = BUF_INIT(6);
    _cleanup_(free) char *empty = buf_take(&buf);
    assert_string_equal(empty, "");
    buf_append_str(&buf, "abc");
    _cleanup_(free) char *text = buf_take(&buf);
    assert_string_equal(text, "abc");
    assert_string_equal(buf_text(&buf), "");
    assert_true(buf_append_str(&buf, "second"));
    assert_string_equal(text, "abc");

    _cleanup_(buf_deinit) struct buf poor = BUF_INIT(6);
    alloc_fail_after(0);
    char *nothing = buf_take(&poor);
    alloc_fail_stop();
    assert_null(nothing);
    assert_int_equal(buf_status(&poor), BUF_NO_MEMORY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starts_empty_without_memory),
        cmocka_unit_test(test_keeps_invariants_while_it_grows),
        cmocka_unit_test(test_limit_is_exact_and_nothing_is_appended_in_part),
        cmocka_unit_test(test_failure_sticks_until_reset),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_failed_growth_keeps_the_content),
        cmocka_unit_test(test_printf_of_any_length),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_consume_and_truncate),
        cmocka_unit_test(test_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
