/* Each type: what it takes, what becomes of it, and what is said of what it does not take. */
#include "check.h"

#include <limits.h>
#include <stdio.h>

#include <base/macros.h>

#include "value.h"

static bool parse(const struct cfg_setting *setting, const char *text, union value *out_value,
                  char *out_must_be, size_t cap)
{
    _cleanup_(buf_deinit) struct buf must_be = BUF_INIT(4096);
    bool ok = cfg_value_parse(setting, text, out_value, &must_be);
    snprintf(out_must_be, cap, "%s", buf_text(&must_be));
    return ok;
}

static const struct cfg_setting small = {.name = "N", .size = sizeof(int)};
static const struct cfg_setting wide = {.name = "N", .size = sizeof(int64_t)};
static const struct cfg_setting limited = {.name = "N", .size = sizeof(int), .min = 1, .max = 1024};
static const struct cfg_setting lower = {.name = "N", .size = sizeof(int64_t), .min = 5, .max = 0};
static const struct cfg_setting negative = {
    .name = "N", .size = sizeof(int64_t), .min = -5, .max = -1};
static const struct cfg_setting one = {.name = "N", .size = sizeof(int), .min = 0, .max = 1};
static const struct cfg_setting ms = {
    .name = "T_MS", .type = CFG_TYPE_DURATION, .size = sizeof(int64_t)};
static const struct cfg_setting small_ms = {
    .name = "T", .type = CFG_TYPE_DURATION, .size = sizeof(int)};
static const struct cfg_setting seconds = {
    .name = "T_S", .type = CFG_TYPE_DURATION, .size = sizeof(int64_t), .min = 1, .max = 86400};
static const struct cfg_setting bytes = {
    .name = "Z", .type = CFG_TYPE_SIZE, .size = sizeof(int64_t)};
static const struct cfg_setting kib = {
    .name = "Z_KIB", .type = CFG_TYPE_SIZE, .size = sizeof(int), .min = 8, .max = 1048576};
static const struct {
    const struct cfg_setting *setting;
    const char *text;
    bool ok;
    int64_t number;
} number_rows[] = {
    {&small, "0", true, 0},
    {&small, "-1", true, -1},
    {&small, "2147483647", true, INT_MAX},
    {&small, "2147483648", false, 0},
    {&small, "-2147483648", true, INT_MIN},
    {&small, "-2147483649", false, 0},
    {&wide, "9223372036854775807", true, INT64_MAX},
    {&wide, "9223372036854775808", false, 0},
    {&wide, "-9223372036854775808", true, INT64_MIN},
    {&wide, "-9223372036854775809", false, 0},
    {&small, "abc", false, 0},
    {&small, "1a", false, 0},
    {&small, "+1", false, 0},
    {&small, " 1", false, 0},
    {&small, "1 ", false, 0},
    {&small, "01", false, 0},
    {&small, "0x10", false, 0},
    {&small, "1.0", false, 0},
    {&small, "1e3", false, 0},
    {&small, "-", false, 0},
    {&limited, "1", true, 1},
    {&limited, "1024", true, 1024},
    {&limited, "0", false, 0},
    {&limited, "1025", false, 0},
    {&lower, "5", true, 5},
    {&lower, "4", false, 0},
    {&lower, "9223372036854775807", true, INT64_MAX},
    {&negative, "-5", true, -5},
    {&negative, "-1", true, -1},
    {&negative, "-6", false, 0},
    {&negative, "0", false, 0},
    {&one, "0", true, 0},
    {&one, "2", false, 0},
    {&one, "-1", false, 0},
    {&ms, "250", true, 250},
    {&ms, "0", true, 0},
    {&ms, "1ms", true, 1},
    {&ms, "1.5s", true, 1500},
    {&ms, "0.001s", true, 1},
    {&ms, "0.0005s", false, 0},
    {&ms, "10m", true, 600000},
    {&ms, "2h", true, 7200000},
    {&ms, "1d", true, 86400000},
    {&ms, "0.5d", true, 43200000},
    {&ms, "0.000000001d", false, 0},
    {&ms, "1.5", false, 0},
    {&ms, "1.000", true, 1},
    {&ms, "1.", false, 0},
    {&ms, "1.s", false, 0},
    {&ms, ".5s", false, 0},
    {&ms, "1.5000000000s", false, 0},
    {&ms, "-1s", false, 0},
    {&ms, "1 s", false, 0},
    {&ms, "1S", false, 0},
    {&ms, "1sec", false, 0},
    {&ms, "1m30s", false, 0},
    {&ms, "s", false, 0},
    {&ms, "9223372036854775807", true, INT64_MAX},
    {&ms, "9223372036854775807ms", true, INT64_MAX},
    {&ms, "9223372036854775808", false, 0},
    {&ms, "9223372036854775.807s", true, INT64_MAX},
    {&ms, "9223372036854775.808s", false, 0},
    {&ms, "106751991168d", false, 0},
    {&small_ms, "2147483647", true, INT_MAX},
    {&small_ms, "25d", false, 0},
    {&seconds, "900", true, 900},
    {&seconds, "15m", true, 900},
    {&seconds, "2000ms", true, 2},
    {&seconds, "1500ms", false, 0},
    {&seconds, "1.5s", false, 0},
    {&seconds, "1.5", false, 0},
    {&seconds, "1.5m", true, 90},
    {&seconds, "0", false, 0},
    {&seconds, "1d", true, 86400},
    {&seconds, "86401", false, 0},
    {&seconds, "9223372036854775", false, 0},
    {&bytes, "1048576", true, 1048576},
    {&bytes, "512B", true, 512},
    {&bytes, "64KiB", true, 65536},
    {&bytes, "1.5MiB", true, 1572864},
    {&bytes, "2GiB", true, INT64_C(2147483648)},
    {&bytes, "0.5B", false, 0},
    {&bytes, "64kib", false, 0},
    {&bytes, "64KB", false, 0},
    {&bytes, "64K", false, 0},
    {&bytes, "-1", false, 0},
    {&bytes, "8589934591GiB", true, INT64_C(9223372035781033984)},
    {&bytes, "8589934592GiB", false, 0},
    {&bytes, "8589934591.999999999GiB", false, 0},
    {&kib, "64", true, 64},
    {&kib, "64KiB", true, 64},
    {&kib, "1GiB", true, 1048576},
    {&kib, "65536B", true, 64},
    {&kib, "65537B", false, 0},
    {&kib, "7", false, 0},
    {&kib, "1.5KiB", false, 0},
    {&kib, "2GiB", false, 0},
};

static void test_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(number_rows); i++) {
        char row[64], must_be[256];
        union value value = {.number = 77};
        snprintf(row, sizeof(row), "%s=%s", number_rows[i].setting->name, number_rows[i].text);
        CHECK_INT(
            row,
            parse(number_rows[i].setting, number_rows[i].text, &value, must_be, sizeof(must_be)),
            number_rows[i].ok);
        CHECK_INT(row, value.number, number_rows[i].ok ? number_rows[i].number : 77);
        CHECK_INT(row, must_be[0] != '\0', !number_rows[i].ok);
    }
}

static void test_booleans(void **state)
{
    (void)state;
    static const struct cfg_setting setting = {.name = "B", .type = CFG_TYPE_BOOL, .size = 1};
    static const struct {
        const char *text;
        bool ok, boolean;
    } rows[] = {
        {"true", true, true}, {"false", true, false}, {"1", true, true},       {"0", true, false},
        {"yes", true, true},  {"no", true, false},    {"on", true, true},      {"off", true, false},
        {"TRUE", true, true}, {"Off", true, false},   {"2", false, false},     {"t", false, false},
        {"y", false, false},  {"tru", false, false},  {"true ", false, false}, {"01", false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char must_be[256];
        for (int before = 0; before < 2; before++) {
            union value value = {.boolean = before};
            CHECK_INT(rows[i].text, parse(&setting, rows[i].text, &value, must_be, sizeof(must_be)),
                      rows[i].ok);
            CHECK_INT(rows[i].text, value.boolean, rows[i].ok ? rows[i].boolean : before);
        }
    }
}

static void test_enums(void **state)
{
    (void)state;
    static const char *const values[] = {"ES256", "EdDSA", "RS256", NULL};
    static const struct cfg_setting setting = {
        .name = "E", .type = CFG_TYPE_ENUM, .size = sizeof(int), .values = values};
    static const struct {
        const char *text;
        bool ok;
        int index;
    } rows[] = {
        {"ES256", true, 0}, {"EdDSA", true, 1}, {"RS256", true, 2},   {"rs256", true, 2},
        {"none", false, 0}, {"ES25", false, 0}, {"ES2567", false, 0}, {"0", false, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char must_be[256];
        union value value = {.number = 77};
        CHECK_INT(rows[i].text, parse(&setting, rows[i].text, &value, must_be, sizeof(must_be)),
                  rows[i].ok);
        CHECK_INT(rows[i].text, value.number, rows[i].ok ? rows[i].index : 77);
    }
}

#define LABEL_63 "a23456789012345678901234567890123456789012345678901234567890123"
#define NAME_253                                                                                   \
    LABEL_63 "." LABEL_63 "." LABEL_63 "."                                                         \
             "a234567890123456789012345678901234567890123456789012345678901"

static const char *const web[] = {"http", "https", NULL};
static const struct cfg_setting address = {.name = "A", .type = CFG_TYPE_ADDRESS};
static const struct cfg_setting url = {.name = "U", .type = CFG_TYPE_URL, .values = web};
static const struct cfg_setting any = {.name = "U", .type = CFG_TYPE_URL};
static const struct cfg_setting list = {.name = "U", .type = CFG_TYPE_URL, .list = true};
static const struct cfg_setting short_url = {.name = "U", .type = CFG_TYPE_URL, .max = 10};
static const struct cfg_setting free_text = {.name = "S", .type = CFG_TYPE_STRING};
static const struct cfg_setting two = {.name = "S", .type = CFG_TYPE_STRING, .min = 2, .max = 3};
static const struct cfg_setting secret = {.name = "S", .type = CFG_TYPE_SECRET, .min = 4};
static const struct {
    const struct cfg_setting *setting;
    const char *text;
    bool ok;
} text_rows[] = {
    {&address, ":8080", true},
    {&address, ":0", true},
    {&address, ":65535", true},
    {&address, ":65536", false},
    {&address, ":080", false},
    {&address, ":-1", false},
    {&address, ":", false},
    {&address, "8080", false},
    {&address, "", false},
    {&address, "127.0.0.1:80", true},
    {&address, "0.0.0.0:80", true},
    {&address, "256.0.0.1:80", false},
    {&address, "1.2.3:80", false},
    {&address, "127.0.0.01:80", false},
    {&address, "localhost:80", true},
    {&address, "users.default.svc.cluster.local.:80", true},
    {&address, "my_host-1.a:80", true},
    {&address, "localhost", false},
    {&address, "localhost:", false},
    {&address, "localhost:http", false},
    {&address, "-a:80", false},
    {&address, "a-:80", false},
    {&address, "a..b:80", false},
    {&address, ".:80", false},
    {&address, "a b:80", false},
    {&address, "a/b:80", false},
    {&address, LABEL_63 ":80", true},
    {&address, "b" LABEL_63 ":80", false},
    {&address, NAME_253 ":80", true},
    {&address, NAME_253 "2:80", false},
    {&address, "[::1]:80", true},
    {&address, "[::]:80", true},
    {&address, "[2001:db8::1]:80", true},
    {&address, "[::ffff:127.0.0.1]:80", true},
    {&address, "[::1]", false},
    {&address, "[::1]80", false},
    {&address, "[::1:80", false},
    {&address, "[]:80", false},
    {&address, "[::g]:80", false},
    {&address, "[127.0.0.1]:80", false},
    {&address, "[fe80::1%eth0]:80", false},
    {&address, "::1:80", false},
    {&address, "http://a:80", false},
    {&url, "http://localhost", true},
    {&url, "https://localhost:8443/a/b?c=d&e=%20", true},
    {&url, "HTTP://localhost/", true},
    {&url, "http://127.0.0.1:8080", true},
    {&url, "http://[::1]:8080/x", true},
    {&url, "http://user:pa%40ss@host/", true},
    {&url, "http://@host/", true},
    {&url, "http://host?q", true},
    {&url, "http://host//a//", true},
    {&url, "http://host/~a;b=(1)!$'*+,:@", true},
    {&url, "nats://localhost", false},
    {&url, "http:/localhost", false},
    {&url, "http:localhost", false},
    {&url, "//localhost", false},
    {&url, "://localhost", false},
    {&url, "localhost:80", false},
    {&url, "", false},
    {&url, "http://", false},
    {&url, "http:///path", false},
    {&url, "http://:80/", false},
    {&url, "http://host:/", false},
    {&url, "http://host:0/", false},
    {&url, "http://host:65536/", false},
    {&url, "http://host:8a/", false},
    {&url, "http://ho st/", false},
    {&url, "http://host/a b", false},
    {&url, "http://host/a\nb", false},
    {&url, "http://host/\x7f", false},
    {&url, "http://host/z\xc3\xbc", false},
    {&url, "http://host/%", false},
    {&url, "http://host/%2", false},
    {&url, "http://host/%2g", false},
    {&url, "http://host/#part", false},
    {&url, "http://host/<x>", false},
    {&url, "http://a@b@host/", false},
    {&url, "http://a[b@host/", false},
    {&url, "http://[::1/", false},
    {&url, "http://[::1]x/", false},
    {&url, "http://host,http://other", false},
    {&any, "nats://localhost:4222", true},
    {&any, "postgres+tls.x-1://h", true},
    {&any, "1http://h", false},
    {&any, "ht_tp://h", false},
    {&any, "http://a,nats://b", false},
    {&list, "nats://a:4222,nats://b:4222", true},
    {&list, "nats://a:4222", true},
    {&list, "nats://a:4222,", false},
    {&list, ",nats://a:4222", false},
    {&list, "nats://a:4222, nats://b:4222", false},
    {&short_url, "a://b/7890", true},
    {&short_url, "a://b/78901", false},
    {&free_text, "anything \n at all \xff", true},
    {&free_text, "x", true},
    {&two, "a", false},
    {&two, "ab", true},
    {&two, "abc", true},
    {&two, "abcd", false},
    {&two, "\xc3\xbc", true}, /* bytes, not characters */
    {&secret, "123", false},
    {&secret, "1234", true},
    {&secret, "12345678901234567890", true},
};

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(text_rows); i++) {
        char must_be[256];
        union value value = {.text = must_be};
        CHECK_INT(text_rows[i].text,
                  parse(text_rows[i].setting, text_rows[i].text, &value, must_be, sizeof(must_be)),
                  text_rows[i].ok);
        CHECK_INT(text_rows[i].text, must_be[0] != '\0', !text_rows[i].ok);
        CHECK(text_rows[i].text, value.text == (text_rows[i].ok ? NULL : must_be));
    }
}

static bool is_power_of_two(const char *text, struct buf *out_must_be)
{
    if (strcmp(text, "8") == 0)
        return true;
    buf_append_str(out_must_be, "a power of two");
    return false;
}

static void test_what_would_be_right(void **state)
{
    (void)state;
    static const char *const values[] = {"json", "text", NULL};
    static const struct {
        struct cfg_setting setting;
        const char *must_be;
    } rows[] = {
        {{.name = "N", .type = CFG_TYPE_INT, .size = sizeof(int)}, "a whole number"},
        {{.name = "N", .type = CFG_TYPE_INT, .size = sizeof(int), .min = 1, .max = 1024},
         "a whole number from 1 to 1024"},
        {{.name = "N", .type = CFG_TYPE_INT, .size = sizeof(int), .min = 1},
         "a whole number of at least 1"},
        {{.name = "T_MS", .type = CFG_TYPE_DURATION, .size = sizeof(int), .min = 0, .max = 5000},
         "a duration in whole ms, such as 250, 30s or 1.5m, 0 to 5000 ms"},
        {{.name = "T_S", .type = CFG_TYPE_DURATION, .size = sizeof(int), .min = 60},
         "a duration in whole s, such as 250, 30s or 1.5m, at least 60 s"},
        {{.name = "Z", .type = CFG_TYPE_SIZE, .size = sizeof(int)},
         "a size in whole bytes, such as 4096, 64KiB or 1.5MiB"},
        {{.name = "Z_KIB", .type = CFG_TYPE_SIZE, .size = sizeof(int), .min = 8, .max = 9},
         "a size in whole KiB, such as 4096, 64KiB or 1.5MiB, 8 to 9 KiB"},
        {{.name = "B", .type = CFG_TYPE_BOOL}, "true or false (or 1, 0, yes, no, on, off)"},
        {{.name = "E", .type = CFG_TYPE_ENUM, .values = values}, "one of json, text"},
        {{.name = "U", .type = CFG_TYPE_URL}, "a URL of the form scheme://host[:port][/path]"},
        {{.name = "U", .type = CFG_TYPE_URL, .values = values, .list = true, .max = 100},
         "URLs, separated by commas, of the form scheme://host[:port][/path] with a scheme out of "
         "json, text, 0 to 100 bytes"},
        {{.name = "A", .type = CFG_TYPE_ADDRESS}, "host:port, :port or [ip6]:port"},
        {{.name = "S", .type = CFG_TYPE_SECRET, .min = 32}, "a text of at least 32 bytes"},
        {{.name = "S", .type = CFG_TYPE_STRING, .min = 2, .max = 3}, "a text of 2 to 3 bytes"},
        {{.name = "C", .type = CFG_TYPE_INT, .size = sizeof(int), .check = is_power_of_two},
         "a power of two"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char must_be[256];
        union value value;
        const char *wrong = rows[i].setting.check ? "7" : "?";
        CHECK(rows[i].must_be, !parse(&rows[i].setting, wrong, &value, must_be, sizeof(must_be)));
        CHECK_STR("must be", must_be, rows[i].must_be);
    }
    char must_be[256];
    union value value;
    assert_true(parse(&rows[ARRAY_LEN(rows) - 1].setting, "8", &value, must_be, sizeof(must_be)));
    assert_int_equal(value.number, 8);
    assert_string_equal(must_be, "");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_booleans),
        cmocka_unit_test(test_enums),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_what_would_be_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
