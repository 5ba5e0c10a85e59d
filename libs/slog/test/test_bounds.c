/* Any bytes, at any length: the line stays one line, bounded, and JSON stays JSON. */
#include "check.h"

#include <stdio.h>

#include <base/macros.h>
#include <base/secret.h>
#include <base/str.h>
#include <slog/trace.h>

#include "capture.h"

static void check_json(const char *row, const char *line)
{
    size_t len = strlen(line);
    CHECK(row, len < SLOG_LINE_MAX);
    if (!capture_is_json_line(line, len))
        fail_msg("%s: not JSON: %s", row, line);
}

/* One line of bytes 0x20 to 0x7e and UTF-8 beyond U+009F. */
static void check_text(const char *row, const char *line)
{
    size_t len = strlen(line);
    CHECK(row, len > 0 && len < SLOG_LINE_MAX && line[len - 1] == '\n');
    for (size_t at = 0; at < len - 1;) {
        uint32_t code_point;
        size_t used = utf8_decode(line + at, len - 1 - at, &code_point);
        CHECK(row, used > 0 && code_point >= 0x20 && !(code_point >= 0x7f && code_point < 0xa0));
        at += used;
    }
}

/* Each byte in the middle of eight and in what is left of them. */
static void test_each_byte(void **state)
{
    (void)state;
    for (unsigned byte = 1; byte < 256; byte++) {
        char row[16], text[64], value[16], expected[32];
        snprintf(row, sizeof(row), "byte %02x", byte);
        snprintf(value, sizeof(value), "abc%cdefghijk%cz", byte, byte);
        if (byte < 0x80)
            str_copy(expected, sizeof(expected), value);
        else
            snprintf(expected, sizeof(expected), "abc\xef\xbf\xbd%s\xef\xbf\xbdz", "defghijk");
        capture_start(SLOG_INFO, SLOG_JSON, "users");
        slog_info("m", SLOG_STR("v", value));
        const char *line = capture_read();
        check_json(row, line);
        CHECK(row, capture_member(line, "v", text, sizeof(text)));
        CHECK_STR(row, text, expected);
        capture_start(SLOG_INFO, SLOG_TEXT, "users");
        slog_info("m", SLOG_STR("v", value));
        check_text(row, capture_read());
    }
    capture_start(SLOG_INFO, SLOG_JSON, "users");
    slog_info("m", SLOG_STRN("v", "a\0b", 3));
    assert_non_null(strstr(capture_read(), "\"v\":\"a\\u0000b\"}"));
}

/* Bytes of which many are special: quotes, lead bytes, control characters. */
static size_t make_bytes(char *out, size_t cap)
{
    static const char special[] = "\"\\\n\x1b\x7f\xc2\x9b\xe2\x80\xa8\xf0\x9f\x98\x80\xed\xa0\xff";
    size_t len = random_below((uint32_t)cap);
    random_bytes(out, len);
    for (size_t i = 0; i < len; i++) {
        if (random_below(3) == 0)
            out[i] = special[random_below(sizeof(special))];
        else if (random_below(2) == 0)
            out[i] &= 0x7f;
    }
    return len;
}

static void test_random_bytes(void **state)
{
    (void)state;
    enum { ROUNDS = 1500 };
    for (int round = 0; round < ROUNDS; round++) {
        char row[32], a[SLOG_LINE_MAX], b[600], key[40], message[300];
        size_t a_len = make_bytes(a, round % 8 == 0 ? sizeof(a) : 200);
        size_t b_len = make_bytes(b, sizeof(b));
        key[make_bytes(key, sizeof(key) - 1)] = '\0';
        message[make_bytes(message, sizeof(message) - 1)] = '\0';
        const struct slog_pair pairs[] = {SLOG_STRN("a", a, a_len), SLOG_STRN(key, b, b_len),
                                          SLOG_STRN("c", a, a_len), SLOG_I64("last", round)};
        snprintf(row, sizeof(row), "round %d", round);
        capture_start(SLOG_INFO, SLOG_JSON, "users");
        slog_write(SLOG_INFO, message, pairs, ARRAY_LEN(pairs));
        check_json(row, capture_read());
        capture_start(SLOG_INFO, SLOG_TEXT, "users");
        slog_write(SLOG_INFO, message, pairs, ARRAY_LEN(pairs));
        check_text(row, capture_read());
    }
}

/* A value of each length around the bound, made of characters of one to six bytes in the line. */
static void test_long_values_are_cut(void **state)
{
    (void)state;
    static const struct {
        const char *name, *unit;
        size_t escaped; /* bytes of a unit in the line */
    } rows[] = {
        {"ASCII", "x", 1},
        {"two bytes", "\xc3\xa9", 2},
        {"three bytes", "\xe2\x82\xac", 3},
        {"four bytes", "\xf0\x9f\x98\x80", 4},
        {"escaped in two", "\n", 2},
        {"escaped in six", "\x01", 6},
        {"replaced by three", "\xff", 3},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t size = strlen(rows[i].unit);
        size_t fits = SLOG_VALUE_MAX / rows[i].escaped;
        for (size_t units = fits - 1; units <= fits + 2; units++) {
            char value[SLOG_VALUE_MAX * 2], read_back[SLOG_LINE_MAX], mark[8];
            for (size_t unit = 0; unit < units; unit++)
                memcpy(value + unit * size, rows[i].unit, size);
            capture_start(SLOG_INFO, SLOG_JSON, "users");
            slog_info("m", SLOG_STRN("v", value, units * size), SLOG_I64("after", 7));
            const char *line = capture_read();
            check_json(rows[i].name, line);
            CHECK(rows[i].name, capture_member(line, "v", read_back, sizeof(read_back)));
            CHECK_INT(rows[i].name, utf8_length(read_back, strlen(read_back)), MIN(units, fits));
            CHECK(rows[i].name, capture_member(line, "after", mark, sizeof(mark)));
            CHECK_INT(rows[i].name, capture_member(line, "truncated", mark, sizeof(mark)),
                      units > fits);
        }
    }
}

/* So many pairs that the line is full at every possible place. */
static void test_full_lines(void **state)
{
    (void)state;
    enum { PAIRS = 240 };
    struct slog_pair pairs[PAIRS];
    for (size_t i = 0; i < PAIRS; i += 2) {
        pairs[i] = SLOG_STR("some_text", "0123456789abcdef");
        pairs[i + 1] = SLOG_F64("ratio", 0.25);
    }
    for (size_t shift = 0; shift < 64; shift++) {
        char row[32], message[65] = "", mark[8];
        memset(message, '\t', shift);
        snprintf(row, sizeof(row), "message of %zu", shift);
        capture_start(SLOG_INFO, SLOG_JSON, "users");
        slog_write(SLOG_INFO, message, pairs, PAIRS);
        const char *line = capture_read();
        check_json(row, line);
        CHECK(row, capture_member(line, "truncated", mark, sizeof(mark)));
        CHECK_STR(row, mark, "true");
        CHECK(row, strlen(line) > SLOG_LINE_MAX - 100);

        capture_start(SLOG_INFO, SLOG_TEXT, "users");
        slog_write(SLOG_INFO, message, pairs, PAIRS);
        line = capture_read();
        check_text(row, line);
        CHECK(row, strstr(line, " truncated=true\n") != NULL);
    }
}

/* A key is written whole or not at all; what is smaller and comes later still finds room. */
static void test_long_key_is_left_out(void **state)
{
    (void)state;
    char key[SLOG_LINE_MAX], value[8];
    memset(key, 'x', sizeof(key));
    key[sizeof(key) - 1] = '\0';
    capture_start(SLOG_INFO, SLOG_JSON, "users");
    slog_info("m", SLOG_I64(key, 1), SLOG_I64("after", 2));
    const char *line = capture_read();
    check_json("line", line);
    assert_null(strstr(line, "xx"));
    assert_true(capture_member(line, "after", value, sizeof(value)));
    assert_true(capture_member(line, "truncated", value, sizeof(value)));
}

static void test_parts_of_the_head_are_bounded_too(void **state)
{
    (void)state;
    static char service[2 * SLOG_LINE_MAX], message[2 * SLOG_LINE_MAX];
    memset(service, '\1', sizeof(service) - 1);
    memset(message, '\1', sizeof(message) - 1);
    struct trace trace;
    memset(&trace, '\1', sizeof(trace)); /* not even terminated */
    trace.sampled = true;
    trace_set_current(&trace);
    capture_start(SLOG_INFO, SLOG_JSON, service);
    slog_info(message, SLOG_STR("k", message));
    check_json("json", capture_read());
    capture_start(SLOG_INFO, SLOG_TEXT, service);
    slog_info(message, SLOG_STR("k", message));
    check_text("text", capture_read());
    trace_set_current(NULL);
    capture_stop();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_byte),
        cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_long_values_are_cut),
        cmocka_unit_test(test_full_lines),
        cmocka_unit_test(test_long_key_is_left_out),
        cmocka_unit_test(test_parts_of_the_head_are_bounded_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
