#include "check.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include <base/clock.h>
#include <base/macros.h>

#define MIN_MS INT64_C(-62167219200000)
#define MAX_MS INT64_C(253402300799999)

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text, *utc;
    } rows[] = {
        {"1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"},
        {"1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"},
        {"0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z"},
        {"9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999Z"},
        /* leap years */
        {"2024-02-29T12:00:00Z", "2024-02-29T12:00:00.000Z"},
        {"2000-02-29T12:00:00Z", "2000-02-29T12:00:00.000Z"},
        {"0000-02-29T12:00:00Z", "0000-02-29T12:00:00.000Z"},
        /* fractions are cut, not rounded */
        {"2026-01-02T03:04:05.6Z", "2026-01-02T03:04:05.600Z"},
        {"2026-01-02T03:04:05.67Z", "2026-01-02T03:04:05.670Z"},
        {"2026-01-02T03:04:05.6789Z", "2026-01-02T03:04:05.678Z"},
        {"1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999Z"},
        {"2026-01-02T03:04:05.00000000000000000000000000000000000001Z", "2026-01-02T03:04:05.000Z"},
        /* offsets */
        {"2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05.000Z"},
        {"2026-01-01T01:00:00+02:30", "2025-12-31T22:30:00.000Z"},
        {"2025-12-31T23:00:00-05:45", "2026-01-01T04:45:00.000Z"},
        {"2026-01-02T03:04:05-00:00", "2026-01-02T03:04:05.000Z"},
        {"2026-01-02T03:04:05+23:59", "2026-01-01T03:05:05.000Z"},
        /* lower case is allowed */
        {"2026-01-02t03:04:05z", "2026-01-02T03:04:05.000Z"},
        /* leap seconds, at the end of a UTC June or December */
        {"1990-12-31T23:59:60Z", "1991-01-01T00:00:00.000Z"},
        {"1990-12-31T15:59:60-08:00", "1991-01-01T00:00:00.000Z"},
        {"2015-06-30T23:59:60.5Z", "2015-07-01T00:00:00.500Z"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t time_ms = 0;
        char utc[CLOCK_TEXT];
        CHECK(rows[i].text, clock_parse(rows[i].text, strlen(rows[i].text), &time_ms));
        clock_format(time_ms, utc);
        CHECK_STR(rows[i].text, utc, rows[i].utc);
    }
}

static void test_parse_refuses(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2026-01-02T03:04Z",
        "2026-01-02 03:04:05Z",
        "2026-01-02T03:04:05Z ",
        " 2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05ZZ",
        "2026-1-02T03:04:05Z",
        "26-01-02T03:04:05Z",
        "+2026-01-02T03:04:05Z",
        "-001-01-02T03:04:05Z",
        "12026-01-02T03:04:05Z",
        "20260102T030405Z",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05,5Z",
        "2026-01-02T03:04:05.5",
        "2026-01-02T03:04:05.5.5Z",
        "2026-01-02T03:04:05+0200",
        "2026-01-02T03:04:05+02",
        "2026-01-02T03:04:05+2:00",
        "2026-01-02T03:04:05+24:00",
        "2026-01-02T03:04:05+02:60",
        "2026-01-02T03:04:05+02:00Z",
        "2026-01-02T24:00:00Z",
        "2026-01-02T03:60:00Z",
        "2026-01-02T03:04:61Z",
        "2026-00-02T03:04:05Z",
        "2026-13-02T03:04:05Z",
        "2026-01-00T03:04:05Z",
        "2026-01-32T03:04:05Z",
        "2026-04-31T03:04:05Z",
        "2026-06-31T03:04:05Z",
        "2026-09-31T03:04:05Z",
        "2026-11-31T03:04:05Z",
        "2026-02-29T03:04:05Z",
        "2100-02-29T03:04:05Z",
        "2024-02-30T03:04:05Z",
        "2026-01-02T03:04:60Z",
        "2026-01-31T23:59:60Z",
        "2026-12-31T23:59:60+01:00",
        "2026-12-31T22:59:60Z",
        "0000-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:60Z",
        "2026-01-02T03:04:0\xc2\xb2Z",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t time_ms = 42;
        CHECK(rows[i], !clock_parse(rows[i], strlen(rows[i]), &time_ms));
        CHECK_INT(rows[i], time_ms, 42);
    }
}

static void test_parse_reads_count_bytes_only(void **state)
{
    (void)state;
    static const char text[] = "2026-01-02T03:04:05.678+01:00";
    int64_t time_ms = 42;
    for (size_t count = 0; count < sizeof(text) - 1; count++)
        assert_false(clock_parse(text, count, &time_ms));
    assert_false(clock_parse("2026-01-02T03:04:05Z\0", 21, &time_ms));
    assert_false(clock_parse("2026-01-02T03:04:05\0Z", 21, &time_ms));
    assert_int_equal(time_ms, 42);
    assert_true(clock_parse("2026-01-02T03:04:05Zrest", 20, &time_ms));
}

static void test_format_ends_of_its_range(void **state)
{
    (void)state;
    static const struct {
        int64_t time_ms;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {MIN_MS, "0000-01-01T00:00:00.000Z"},
        {MIN_MS - 1, ""},
        {MAX_MS, "9999-12-31T23:59:59.999Z"},
        {MAX_MS + 1, ""},
        {INT64_MIN, ""},
        {INT64_MAX, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[CLOCK_TEXT] = "untouched";
        clock_format(rows[i].time_ms, text);
        CHECK_STR(rows[i].text, text, rows[i].text);
    }
}

/* libc is the oracle: every 23rd day of ten thousand years, at a different time of the day each. */
static void test_agrees_with_libc_and_with_itself(void **state)
{
    (void)state;
    for (int64_t time_ms = MIN_MS; time_ms <= MAX_MS;
         time_ms += INT64_C(23) * 86400000 + 12345678) {
        int64_t second = (time_ms - MIN_MS) / 1000 + MIN_MS / 1000;
        struct tm tm;
        time_t time = (time_t)second;
        assert_non_null(gmtime_r(&time, &tm));
        char expected[64], text[CLOCK_TEXT];
        snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02d.%03" PRId64 "Z",
                 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                 time_ms - second * 1000);
        clock_format(time_ms, text);
        assert_string_equal(text, expected);
        int64_t parsed;
        assert_true(clock_parse(text, strlen(text), &parsed));
        assert_true(parsed == time_ms);
    }
}

static void test_clocks_run(void **state)
{
    (void)state;
    int64_t real_s = (int64_t)time(NULL);
    assert_in_range(clock_now_ms() / 1000, real_s, real_s + 5);
    int64_t ns = clock_mono_ns();
    int64_t ms = clock_mono_ms();
    assert_true(ms >= ns / 1000000);
    assert_true(clock_mono_ns() >= ms * 1000000);
    while (clock_mono_ns() == ns)
        continue;
    assert_true(clock_mono_ns() > ns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_parse_reads_count_bytes_only),
        cmocka_unit_test(test_format_ends_of_its_range),
        cmocka_unit_test(test_agrees_with_libc_and_with_itself),
        cmocka_unit_test(test_clocks_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
