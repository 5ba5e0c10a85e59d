#include "check.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <base/macros.h>
#include <base/str.h>
#include <slog/trace.h>

#include "capture.h"

#define HEAD "{\"time\":\"" CAPTURE_TIME "\",\"level\":\"info\",\"service\":\"users\",\"msg\":\"m\""

static void test_levels(void **state)
{
    (void)state;
    for (enum slog_level limit = SLOG_DEBUG; limit <= SLOG_OFF; limit++) {
        for (enum slog_level level = SLOG_DEBUG; level <= SLOG_OFF; level++) {
            char written[16];
            bool shown = level >= limit && level != SLOG_OFF;
            capture_start(limit, SLOG_JSON, "users");
            CHECK_INT(slog_level_names[level], slog_enabled(level), shown);
            slog_write(level, "m", NULL, 0);
            const char *line = capture_read();
            CHECK_INT(slog_level_names[level], line[0] != '\0', shown);
            if (shown) {
                assert_true(capture_member(line, "level", written, sizeof(written)));
                assert_string_equal(written, slog_level_names[level]);
            }
        }
    }
    assert_null(slog_level_names[SLOG_OFF + 1]);
    assert_string_equal(slog_format_names[SLOG_JSON], "json");
    assert_string_equal(slog_format_names[SLOG_TEXT], "text");
    assert_null(slog_format_names[2]);
}

static void test_macros_evaluate_only_when_on(void **state)
{
    (void)state;
    int count = 0;
    capture_start(SLOG_WARN, SLOG_JSON, "users");
    slog_debug("m", SLOG_I64("n", ++count));
    slog_info("m", SLOG_I64("n", ++count));
    assert_int_equal(count, 0);
    slog_warn("m", SLOG_I64("n", ++count));
    slog_error("m", SLOG_I64("n", ++count), SLOG_BOOL("b", true));
    slog_error("m");
    assert_int_equal(count, 2);
}

static void test_values(void **state)
{
    (void)state;
    static const struct {
        const char *name, *json;
        struct slog_pair pair;
    } rows[] = {
        {"text", "\"k\":\"v\"", {"k", SLOG_TYPE_STR, {.str = {"v", 1}}}},
        {"empty text", "\"k\":\"\"", {"k", SLOG_TYPE_STR, {.str = {"", 0}}}},
        {"text without end", "\"k\":\"ab\"", {"k", SLOG_TYPE_STR, {.str = {"abc", 2}}}},
        {"no text", "\"k\":null", {"k", SLOG_TYPE_STR, {.str = {NULL, 0}}}},
        {"zero", "\"k\":0", {"k", SLOG_TYPE_I64, {.i64 = 0}}},
        {"number", "\"k\":1234567890", {"k", SLOG_TYPE_I64, {.i64 = 1234567890}}},
        {"least", "\"k\":-9223372036854775808", {"k", SLOG_TYPE_I64, {.i64 = INT64_MIN}}},
        {"greatest", "\"k\":9223372036854775807", {"k", SLOG_TYPE_I64, {.i64 = INT64_MAX}}},
        {"true", "\"k\":true", {"k", SLOG_TYPE_BOOL, {.boolean = true}}},
        {"false", "\"k\":false", {"k", SLOG_TYPE_BOOL, {.boolean = false}}},
        {"no error", "\"k\":null", {"k", SLOG_TYPE_ERR, {.err = NULL}}},
        {"secret text", "\"api_key\":\"***\"", {"api_key", SLOG_TYPE_STR, {.str = {"v", 1}}}},
        {"secret number", "\"token\":\"***\"", {"token", SLOG_TYPE_I64, {.i64 = 123456}}},
        {"no secret", "\"token\":\"***\"", {"token", SLOG_TYPE_STR, {.str = {NULL, 0}}}},
        {"reserved", "\"_level\":1", {"level", SLOG_TYPE_I64, {.i64 = 1}}},
        {"reserved with blank", "\"_request_id\":1", {"request_id", SLOG_TYPE_I64, {.i64 = 1}}},
        {"key to escape", "\"a\\\"\\n\":1", {"a\"\n", SLOG_TYPE_I64, {.i64 = 1}}},
        {"empty key", "\"\":1", {"", SLOG_TYPE_I64, {.i64 = 1}}},
        {"unknown type", "\"k\":null", {"k", (enum slog_type)99, {.i64 = 1}}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char expected[256];
        capture_start(SLOG_INFO, SLOG_JSON, "users");
        slog_write(SLOG_INFO, "m", &rows[i].pair, 1);
        snprintf(expected, sizeof(expected), HEAD ",%s}\n", rows[i].json);
        CHECK_STR(rows[i].name, capture_read_line(), expected);
    }
}

static void test_floats(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double number;
    } rows[] = {
        {"0", 0.0},
        {"-0", -0.0},
        {"1", 1.0},
        {"-1.5", -1.5},
        {"0.1", 0.1},
        {"0.000001", 1e-6},
        {"12.345678", 12.345678},
        {"999999999.999999", 999999999.999999},
        {"1000000000", 1e9},
        {"1e-07", 1e-7},
        {"0.3333333333333333", 1.0 / 3},
        {"0.30000000000000004", 0.1 + 0.2},
        {"1.7976931348623157e+308", 1.7976931348623157e308},
        {"4.94065645841247e-324", 5e-324},
        {"null", (double)NAN},
        {"null", HUGE_VAL},
        {"null", -HUGE_VAL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[64];
        capture_start(SLOG_INFO, SLOG_JSON, "users");
        slog_info("m", SLOG_F64("f", rows[i].number));
        CHECK(rows[i].text, capture_member(capture_read(), "f", text, sizeof(text)));
        if (isfinite(rows[i].number))
            CHECK(rows[i].text, strtod(text, NULL) == rows[i].number);
        CHECK_STR(rows[i].text, text, rows[i].text);
    }
}

static void test_all_fields(void **state)
{
    (void)state;
    struct trace trace = {.request_id = "r-1",
                          .trace_id = "4bf92f3577b34da6a3ce929d0e0e4736",
                          .span_id = "00f067aa0ba902b7"};
    capture_start(SLOG_INFO, SLOG_JSON, "users");
    trace_set_current(&trace);
    slog_error("it \"broke\"", SLOG_STR("user_id", "u1"), (struct slog_pair){0},
               SLOG_STRN("part", "abcdef", 3), SLOG_I64("count", -3));
    assert_string_equal(
        capture_read_line(),
        "{\"time\":\"" CAPTURE_TIME
        "\",\"level\":\"error\",\"service\":\"users\",\"request_id\":\"r-1\","
        "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"span_id\":\"00f067aa0ba902b7\","
        "\"msg\":\"it \\\"broke\\\"\",\"user_id\":\"u1\",\"part\":\"abc\",\"count\":-3}\n");

    trace = (struct trace){.request_id = "r-2"};
    slog_info("m");
    assert_string_equal(capture_read_line(),
                        "{\"time\":\"" CAPTURE_TIME "\",\"level\":\"info\",\"service\":\"users\","
                        "\"request_id\":\"r-2\",\"msg\":\"m\"}\n");
    trace_set_current(NULL);

    capture_start(SLOG_INFO, SLOG_JSON, NULL);
    slog_write(SLOG_INFO, NULL, NULL, 0);
    assert_string_equal(capture_read_line(),
                        "{\"time\":\"" CAPTURE_TIME "\",\"level\":\"info\",\"msg\":\"\"}\n");
}

static void test_errors(void **state)
{
    (void)state;
    char text[SLOG_LINE_MAX];
    _cleanup_(err_free) struct err *e =
        err_wrap(err_new(&ERR_NOT_FOUND, "no \"row\"\n"), "read user %d", 42);
    capture_start(SLOG_INFO, SLOG_JSON, "users");
    slog_error("m", SLOG_ERR(e));
    assert_true(capture_member(capture_read(), "error", text, sizeof(text)));
    assert_string_equal(text, "read user 42: no \"row\"\\x0a [not_found]");

    for (int i = 0; i < 4; i++)
        e = err_wrap(e, "%0300d", i);
    slog_error("m", SLOG_ERR(e));
    const char *line = capture_read();
    assert_true(capture_member(line, "error", text, sizeof(text)));
    assert_int_equal(strlen(text), ERR_LINE - 1);
    assert_true(capture_member(line, "truncated", text, sizeof(text)));
}

static void test_errno_is_kept(void **state)
{
    (void)state;
    capture_start(SLOG_INFO, SLOG_JSON, "users");
    errno = ENOTDIR;
    slog_info("m", SLOG_F64("f", 1e-300));
    assert_int_equal(errno, ENOTDIR);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),        cmocka_unit_test(test_macros_evaluate_only_when_on),
        cmocka_unit_test(test_values),        cmocka_unit_test(test_floats),
        cmocka_unit_test(test_all_fields),    cmocka_unit_test(test_errors),
        cmocka_unit_test(test_errno_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
