#include "check.h"

#include <pthread.h>

#include <base/macros.h>
#include <base/str.h>
#include <base/uuid.h>
#include <slog/trace.h>

#define TRACE  "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN   "00f067aa0ba902b7"
#define PARENT "00-" TRACE "-" SPAN "-01"

static void test_traceparent(void **state)
{
    (void)state;
    static const struct {
        const char *name, *header;
        bool is_valid, sampled;
    } rows[] = {
        {"sampled", PARENT, true, true},
        {"not sampled", "00-" TRACE "-" SPAN "-00", true, false},
        {"further flags", "00-" TRACE "-" SPAN "-03", true, true},
        {"flags without the lowest bit", "00-" TRACE "-" SPAN "-fe", true, false},
        {"all flags", "00-" TRACE "-" SPAN "-ff", true, true},
        {"later version of the same length", "01-" TRACE "-" SPAN "-01", true, true},
        {"later version with more", "cc-" TRACE "-" SPAN "-01-what-ever", true, true},
        {"later version with an empty field", "fe-" TRACE "-" SPAN "-01-", true, true},
        {"later version without the dash", "cc-" TRACE "-" SPAN "-01.what", false, false},
        {"later version with a third flag digit", "01-" TRACE "-" SPAN "-011", false, false},
        {"version 00 with more", PARENT "-", false, false},
        {"version 00 with more yet", PARENT "-00", false, false},
        {"version ff", "ff-" TRACE "-" SPAN "-01", false, false},
        {"version not hex", "0g-" TRACE "-" SPAN "-01", false, false},
        {"version in capitals", "0A-" TRACE "-" SPAN "-01", false, false},
        {"trace id zero", "00-00000000000000000000000000000000-" SPAN "-01", false, false},
        {"span id zero", "00-" TRACE "-0000000000000000-01", false, false},
        {"trace id in capitals", "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01", false, false},
        {"span id in capitals", "00-" TRACE "-00F067AA0BA902B7-01", false, false},
        {"flags in capitals", "00-" TRACE "-" SPAN "-0A", false, false},
        {"flags not hex", "00-" TRACE "-" SPAN "-0x", false, false},
        {"trace id not hex", "00-4bf92f3577b34da6a3ce929d0e0e473g-" SPAN "-01", false, false},
        {"short", "00-" TRACE "-" SPAN "-0", false, false},
        {"other separator", "00_" TRACE "-" SPAN "-01", false, false},
        {"second separator", "00-" TRACE "_" SPAN "-01", false, false},
        {"third separator", "00-" TRACE "-" SPAN "_01", false, false},
        {"blank in front", " " PARENT, false, false},
        {"blank behind", PARENT " ", false, false},
        {"empty", "", false, false},
        {"missing", NULL, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct trace trace;
        trace_start(&trace, NULL, rows[i].header);
        CHECK_INT(rows[i].name, strlen(trace.trace_id), TRACE_ID_TEXT - 1);
        CHECK_INT(rows[i].name, strlen(trace.span_id), TRACE_SPAN_TEXT - 1);
        CHECK(rows[i].name, strcmp(trace.span_id, SPAN) != 0);
        CHECK_INT(rows[i].name, strcmp(trace.trace_id, TRACE) == 0, rows[i].is_valid);
        CHECK_STR(rows[i].name, trace.parent_span_id, rows[i].is_valid ? SPAN : "");
        CHECK_INT(rows[i].name, trace.sampled, rows[i].is_valid ? rows[i].sampled : true);
    }
}

static void test_parent_goes_on(void **state)
{
    (void)state;
    struct trace trace, next;
    char header[TRACE_PARENT_LEN + 1];
    trace_start(&trace, NULL, "00-" TRACE "-" SPAN "-00");
    trace_format_parent(&trace, header);
    assert_int_equal(strlen(header), TRACE_PARENT_LEN);
    trace_start(&next, NULL, header);
    assert_string_equal(next.trace_id, TRACE);
    assert_string_equal(next.parent_span_id, trace.span_id);
    assert_false(next.sampled);
    trace.sampled = true;
    trace_format_parent(&trace, header);
    assert_string_equal(header + TRACE_PARENT_LEN - 3, "-01");

    struct trace none = {.request_id = "r"};
    trace_format_parent(&none, header);
    assert_string_equal(header, "");
    memcpy(none.trace_id, TRACE, sizeof(none.trace_id));
    trace_format_parent(&none, header);
    assert_string_equal(header, "");
}

static void test_request_id(void **state)
{
    (void)state;
    static const char longest[] =
        "0123456789012345678901234567890123456789012345678901234567890123";
    static const struct {
        const char *name, *id;
        bool is_sane;
    } rows[] = {
        {"one", "x", true},
        {"all kinds", "AZaz09._-", true},
        {"longest", longest, true},
        {"uuid", "0190a6b2-7c5e-7def-8123-456789abcdef", true},
        {"empty", "", false},
        {"missing", NULL, false},
        {"too long", "01234567890123456789012345678901234567890123456789012345678901234", false},
        {"blank", "a b", false},
        {"newline", "a\nb", false},
        {"quote", "a\"b", false},
        {"slash", "a/b", false},
        {"not ASCII", "\xc3\xa9", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct trace trace;
        trace_start(&trace, rows[i].id, NULL);
        if (rows[i].is_sane)
            CHECK_STR(rows[i].name, trace.request_id, rows[i].id);
        else
            CHECK(rows[i].name, uuid_is_valid(trace.request_id));
        if (rows[i].id)
            CHECK_INT(rows[i].name, trace_request_id_is_sane(rows[i].id, strlen(rows[i].id)),
                      rows[i].is_sane);
    }
    assert_false(trace_request_id_is_sane("a\0b", 3));
}

static void test_new_ids_differ(void **state)
{
    (void)state;
    struct trace a, b;
    trace_start(&a, NULL, NULL);
    trace_start(&b, NULL, NULL);
    assert_string_not_equal(a.trace_id, b.trace_id);
    assert_string_not_equal(a.span_id, b.span_id);
    assert_string_not_equal(a.request_id, b.request_id);
}

static void *use_new_thread(void *data)
{
    static const struct trace own = {.request_id = "own"};
    bool *out_is_own = data;
    bool had_none = trace_current() == NULL;
    trace_set_current(&own);
    *out_is_own = had_none && trace_current() == &own;
    return NULL;
}

static void test_each_thread_has_its_own(void **state)
{
    (void)state;
    static const struct trace outer = {.request_id = "outer"}, inner = {.request_id = "inner"};
    assert_null(trace_set_current(&outer));
    assert_ptr_equal(trace_set_current(&inner), &outer);
    pthread_t thread;
    bool is_own = false;
    assert_int_equal(pthread_create(&thread, NULL, use_new_thread, &is_own), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(is_own);
    assert_ptr_equal(trace_set_current(&outer), &inner);
    assert_ptr_equal(trace_set_current(NULL), &outer);
    assert_null(trace_current());
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traceparent),
        cmocka_unit_test(test_parent_goes_on),
        cmocka_unit_test(test_request_id),
        cmocka_unit_test(test_new_ids_differ),
        cmocka_unit_test(test_each_thread_has_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
