#include "check.h"

#include <stdio.h>

#include <base/macros.h>
#include <slog/trace.h>

#include "capture.h"

#define HEAD CAPTURE_TIME " INFO  users "

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *name, *message, *key, *value, *line;
    } rows[] = {
        {"plain", "user created", "id", "u-1", "user created id=u-1"},
        {"value with blank", "m", "k", "a b", "m k=\"a b\""},
        {"empty value", "m", "k", "", "m k=\"\""},
        {"no value", "m", "k", NULL, "m k=null"},
        {"value with quote", "m", "k", "a\"b", "m k=\"a\\\"b\""},
        {"value with equals sign", "m", "k", "a=b", "m k=\"a=b\""},
        {"value with backslash", "m", "k", "a\\b", "m k=\"a\\\\b\""},
        {"value with newline", "m", "k", "a\nb", "m k=\"a\\nb\""},
        {"value with colour", "m", "k", "\x1b[31mred", "m k=\"\\u001b[31mred\""},
        {"value with C1 control", "m", "k",
         "\xc2\x9b"
         "31m",
         "m k=\"\\u009b31m\""},
        {"value with direction override", "m", "k",
         "a\xe2\x80\xae"
         "b",
         "m k=\"a\\u202eb\""},
        {"value with direction isolate", "m", "k", "\xe2\x81\xa6", "m k=\"\\u2066\""},
        {"value with line separator", "m", "k", "\xe2\x80\xa8", "m k=\"\\u2028\""},
        {"value with DEL", "m", "k", "\x7f", "m k=\"\\u007f\""},
        {"value beyond ASCII", "m", "k", "z\xc3\xbcrich", "m k=\"z\xc3\xbcrich\""},
        {"message with newline", "a\nb", "k", "v", "\"a\\nb\" k=v"},
        {"message with pair", "a b=c", "k", "v", "\"a b=c\" k=v"},
        {"message with quote", "say \"x\"", "k", "v", "\"say \\\"x\\\"\" k=v"},
        {"empty message", "", "k", "v", "\"\" k=v"},
        {"secret", "m", "password", "hunter2", "m password=***"},
        {"reserved", "m", "time", "t", "m _time=t"},
        {"key with blank", "m", "a b", "v", "m \"a b\"=v"},
        {"key with newline", "m", "a\nb", "v", "m \"a\\nb\"=v"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char expected[256];
        capture_start(SLOG_INFO, SLOG_TEXT, "users");
        slog_info(rows[i].message, SLOG_STR(rows[i].key, rows[i].value));
        snprintf(expected, sizeof(expected), HEAD "%s\n", rows[i].line);
        CHECK_STR(rows[i].name, capture_read_line(), expected);
    }
}

static void test_ids_and_types(void **state)
{
    (void)state;
    struct trace trace = {.request_id = "r-1",
                          .trace_id = "4bf92f3577b34da6a3ce929d0e0e4736",
                          .span_id = "00f067aa0ba902b7"};
    capture_start(SLOG_DEBUG, SLOG_TEXT, "");
    trace_set_current(&trace);
    slog_debug("m", SLOG_I64("n", -5), SLOG_F64("f", 0.5), SLOG_BOOL("b", false), SLOG_ERR(NULL),
               (struct slog_pair){0});
    trace_set_current(NULL);
    assert_string_equal(capture_read_line(),
                        CAPTURE_TIME " DEBUG request_id=r-1 m n=-5 f=0.5 b=false error=null "
                                     "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 "
                                     "span_id=00f067aa0ba902b7\n");
    _cleanup_(err_free) struct err *e = err_new(&ERR_INTERNAL, "x");
    slog_warn("m", SLOG_ERR(e));
    assert_string_equal(capture_read_line(), CAPTURE_TIME " WARN  m error=\"x [internal]\"\n");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_ids_and_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
