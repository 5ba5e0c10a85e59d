#include "check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/macros.h>
#include <cfg/cfg.h>

#include "alloc_fail.h"

struct settings {
    int threads;
    int64_t drain_ms;
    int64_t memory_kib;
    bool access_log;
    int format;
    char *title;
    char *url;
    char *listen;
    char *key;
};

static const char *const formats[] = {"json", "text", NULL};
static const char *const schemes[] = {"nats", NULL};

static const struct cfg_setting rows[] = {
    CFG_INT(struct settings, threads, "THREADS", .def = "16", .min = 1, .max = 1024),
    CFG_DURATION(struct settings, drain_ms, "DRAIN_MS", .def = "25s", .max = 60000),
    CFG_SIZE(struct settings, memory_kib, "MEMORY_KIB", .def = "64MiB"),
    CFG_BOOL(struct settings, access_log, "ACCESS_LOG", .def = "on"),
    CFG_ENUM(struct settings, format, "FORMAT", .def = "text", .values = formats),
    CFG_STRING(struct settings, title, "TITLE", .min = 2, .max = 200),
    CFG_URL(struct settings, url, "BUS_URL", .values = schemes),
    CFG_ADDRESS(struct settings, listen, "LISTEN", .def = ":8080"),
};
static const struct cfg_table table = CFG_TABLE("shared", rows);

static const struct cfg_setting secret_rows[] = {
    CFG_SECRET(struct settings, key, "KEY", .required = true, .min = 4, .help = "Seals the rest"),
};
static const struct cfg_table secret_table = CFG_TABLE("own", secret_rows);

static char directory[] = "/tmp/cfg_test_XXXXXX";

static int make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    return rmdir(directory);
}

/* A file in the directory; remove it. */
static void make_file(const char *name, const void *bytes, size_t len, char out_path[static 128])
{
    snprintf(out_path, 128, "%s/%s", directory, name);
    FILE *file = fopen(out_path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static struct err *load(struct settings *settings, char *const *env)
{
    const struct cfg_binding bindings[] = {{&table, settings}, {&secret_table, settings}};
    return cfg_load(bindings, ARRAY_LEN(bindings), env);
}

static void unload(struct settings *settings)
{
    const struct cfg_binding bindings[] = {{&table, settings}, {&secret_table, settings}};
    cfg_unload(bindings, ARRAY_LEN(bindings));
}

/* An environment is not of const strings, though nobody writes to them. */
#define ENV(...) ((char *const *)(uintptr_t)(const char *const[]){__VA_ARGS__, NULL})

static void test_defaults(void **state)
{
    (void)state;
    struct settings settings = {0};
    assert_null(load(&settings, ENV("KEY=abcd", "UNKNOWN=1", "THREADSX=2", "THREADS", "TITLE=")));
    assert_int_equal(settings.threads, 16);
    assert_int_equal(settings.drain_ms, 25000);
    assert_int_equal(settings.memory_kib, 65536);
    assert_true(settings.access_log);
    assert_int_equal(settings.format, 1);
    assert_null(settings.title);
    assert_null(settings.url);
    assert_string_equal(settings.listen, ":8080");
    assert_string_equal(settings.key, "abcd");
    unload(&settings);
    assert_null(settings.listen);
    assert_null(settings.key);
    unload(&settings);
}

static void test_environment(void **state)
{
    (void)state;
    struct settings settings = {0};
    assert_null(
        load(&settings, ENV("THREADS=4", "DRAIN_MS=1.5s", "MEMORY_KIB=1MiB", "ACCESS_LOG=no",
                            "FORMAT=JSON", "TITLE=a=b c", "BUS_URL=nats://h:4222", "LISTEN=[::1]:0",
                            "KEY=secret", "THREADS=5")));
    assert_int_equal(settings.threads, 4);
    assert_int_equal(settings.drain_ms, 1500);
    assert_int_equal(settings.memory_kib, 1024);
    assert_false(settings.access_log);
    assert_int_equal(settings.format, 0);
    assert_string_equal(settings.title, "a=b c");
    assert_string_equal(settings.url, "nats://h:4222");
    assert_string_equal(settings.listen, "[::1]:0");
    unload(&settings);
}

static void test_every_mistake_in_one_message(void **state)
{
    (void)state;
    struct settings settings = {.threads = 1, .title = NULL};
    struct settings before = settings;
    char path[128], env_path[160];
    make_file("format", "xml\n", 4, path);
    snprintf(env_path, sizeof(env_path), "FORMAT_FILE=%s", path);
    _cleanup_(err_free) struct err *e =
        load(&settings,
             ENV("THREADS=abc", "DRAIN_MS=61s", "MEMORY_KIB=1.5KiB", "ACCESS_LOG=maybe", env_path,
                 "TITLE=\x1b\"\n", "TITLE_FILE=/x", "BUS_URL=http://u:hunter2@h", "LISTEN=nope"));
    char expected[2048];
    snprintf(expected, sizeof(expected),
             "THREADS=\"abc\": must be a whole number from 1 to 1024\n"
             "DRAIN_MS=\"61s\": must be a duration in whole ms, such as 250, 30s or 1.5m, 0 to "
             "60000 ms\n"
             "MEMORY_KIB=\"1.5KiB\": must be a size in whole KiB, such as 4096, 64KiB or 1.5MiB\n"
             "ACCESS_LOG=\"maybe\": must be true or false (or 1, 0, yes, no, on, off)\n"
             "FORMAT=\"xml\" (from the file %s): must be one of json, text\n"
             "TITLE: must not be set together with TITLE_FILE\n"
             "BUS_URL=\"http://***@h\": must be a URL of the form scheme://host[:port][/path] with "
             "a scheme out of nats\n"
             "LISTEN=\"nope\": must be host:port, :port or [ip6]:port\n"
             "KEY: must be set (Seals the rest)",
             path);
    assert_true(err_is(e, &CFG_INVALID));
    assert_string_equal(err_detail(e), expected);
    assert_memory_equal(&settings, &before, sizeof(settings));
    unlink(path);
}

/* A wrong value is shown as far as it helps, and never a secret one. */
static void test_what_messages_show(void **state)
{
    (void)state;
    static const struct {
        const char *name, *env, *contains, *lacks;
    } cases[] = {
        {"secret", "KEY=abc", "KEY=\"***\": must be a text of at least 4 bytes", "abc"},
        {"escapes", "THREADS=a\n\"\x1b", "THREADS=\"a\\n\\\"\\u001b\": ", "\x1b"},
        {"not UTF-8", "THREADS=\xff", "THREADS=\"\xef\xbf\xbd\": ", "\xff"},
        {"password in a URL", "BUS_URL=x://u:p@ss@h", "BUS_URL=\"x://***@h\"", "p@ss"},
        {"password without scheme", "BUS_URL=u:pass@h", "BUS_URL=\"***@h\"", "pass"},
        {"at sign before the scheme", "BUS_URL=u:pass@x://h", "BUS_URL=\"***@x://h\"", "pass"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct settings settings = {0};
        _cleanup_(err_free) struct err *e = load(&settings, ENV(cases[i].env));
        CHECK(cases[i].name, err_is(e, &CFG_INVALID));
        if (!strstr(err_detail(e), cases[i].contains) || strstr(err_detail(e), cases[i].lacks))
            fail_msg("%s: %s", cases[i].name, err_detail(e));
    }
    char entry[600] = "TITLE=";
    memset(entry + 6, 'x', 300);
    entry[6 + 99] = '\xc3'; /* a character across the limit */
    entry[6 + 100] = '\xbc';
    struct settings settings = {0};
    _cleanup_(err_free) struct err *e = load(&settings, ENV(entry, "KEY=abcd"));
    char xs[100] = "", shown[200];
    memset(xs, 'x', sizeof(xs) - 1);
    snprintf(shown, sizeof(shown), "TITLE=\"%s\"...: must be a text of 2 to 200 bytes", xs);
    assert_non_null(strstr(err_detail(e), shown));
}

static void test_wrong_default(void **state)
{
    (void)state;
    static const struct cfg_setting wrong[] = {
        CFG_INT(struct settings, threads, "THREADS", .def = "none"),
        CFG_STRING(struct settings, title, "TITLE", .required = true),
    };
    static const struct cfg_table wrong_table = CFG_TABLE("wrong", wrong);
    struct settings settings = {0};
    const struct cfg_binding binding = {&wrong_table, &settings};
    _cleanup_(err_free) struct err *e = cfg_load(&binding, 1, (char *const[]){NULL});
    assert_string_equal(err_detail(e), "THREADS=\"none\" (the default): must be a whole number\n"
                                       "TITLE: must be set (it has no default)");
}

/* More mistakes than a message holds. */
static void test_message_is_bounded(void **state)
{
    (void)state;
    enum { ROWS = 600 };
    static struct cfg_setting many[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        many[i] = (struct cfg_setting)CFG_INT(struct settings, threads, "THREADS");
    const struct cfg_table many_table = CFG_TABLE("many", many);
    struct settings settings = {0};
    const struct cfg_binding binding = {&many_table, &settings};
    _cleanup_(err_free) struct err *e = cfg_load(&binding, 1, ENV("THREADS=x"));
    assert_true(err_is(e, &CFG_INVALID));
    assert_in_range(strlen(err_detail(e)), ERR_TEXT_MAX - 100, ERR_TEXT_MAX);
}

static void test_reload(void **state)
{
    (void)state;
    struct settings settings = {0};
    assert_null(load(&settings, ENV("KEY=first", "TITLE=one")));
    char *title = settings.title;
    _cleanup_(err_free) struct err *e = load(&settings, ENV("KEY=second", "THREADS=x"));
    assert_true(err_is(e, &CFG_INVALID));
    assert_string_equal(settings.key, "first");
    assert_ptr_equal(settings.title, title);
    assert_null(load(&settings, ENV("KEY=third")));
    assert_string_equal(settings.key, "third");
    assert_null(settings.title);
    unload(&settings);
}

static void test_files(void **state)
{
    (void)state;
    static char full[CFG_FILE_MAX + 1];
    memset(full, 'k', sizeof(full));
    static const struct {
        const char *name, *bytes;
        size_t len;
        const char *value; /* NULL: mistake */
        const char *must;
    } cases[] = {
        {"plain", "secret", 6, "secret", NULL},
        {"newline", "secret\n", 7, "secret", NULL},
        {"only one newline", "secret\n\n", 8, "secret\n", NULL},
        {"several lines", "one\ntwo\n", 8, "one\ntwo", NULL},
        {"carriage return stays", "secret\r\n", 8, "secret\r", NULL},
        {"largest", full, CFG_FILE_MAX, full, NULL},
        {"too large", full, CFG_FILE_MAX + 1, NULL, "must name a file of at most 65536 bytes"},
        {"empty", "", 0, NULL, "must name a file that is not empty"},
        {"only a newline", "\n", 1, NULL, "must name a file that is not empty"},
        {"NUL", "sec\0ret", 7, NULL, "must name a file without NUL bytes"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct settings settings = {0};
        char path[128], entry[160], expected[256];
        make_file("key", cases[i].bytes, cases[i].len, path);
        snprintf(entry, sizeof(entry), "KEY_FILE=%s", path);
        _cleanup_(err_free) struct err *e = load(&settings, ENV("KEY=", entry));
        if (cases[i].value) {
            CHECK(cases[i].name, e == NULL);
            CHECK_INT(cases[i].name, strlen(settings.key), strnlen(cases[i].value, CFG_FILE_MAX));
            CHECK(cases[i].name, memcmp(settings.key, cases[i].value, strlen(settings.key)) == 0);
        } else {
            snprintf(expected, sizeof(expected), "KEY_FILE=\"%s\": %s", path, cases[i].must);
            CHECK_STR(cases[i].name, err_detail(e), expected);
        }
        unload(&settings);
        unlink(path);
    }
}

static void test_files_that_cannot_be_read(void **state)
{
    (void)state;
    char fifo[128], link[128];
    snprintf(fifo, sizeof(fifo), "%s/fifo", directory);
    snprintf(link, sizeof(link), "%s/link", directory);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(symlink(link, link), 0);
    const struct {
        const char *name, *path, *must;
    } cases[] = {
        {"missing", "/nonexistent/key",
         "must name a file that can be read (No such file or directory)"},
        {"below a file", "/dev/null/key", "must name a file that can be read (Not a directory)"},
        {"links in a circle", link,
         "must name a file that can be read (Too many levels of symbolic links)"},
        {"directory", directory, "must name a regular file"},
        {"device", "/dev/zero", "must name a regular file"},
        {"fifo without a writer", fifo, "must name a regular file"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct settings settings = {0};
        char entry[160], expected[256];
        snprintf(entry, sizeof(entry), "KEY_FILE=%s", cases[i].path);
        snprintf(expected, sizeof(expected), "KEY_FILE=\"%s\": %s", cases[i].path, cases[i].must);
        _cleanup_(err_free) struct err *e = load(&settings, ENV(entry));
        CHECK_STR(cases[i].name, err_detail(e), expected);
    }
    unlink(fifo);
    unlink(link);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    char path[128], entry[160];
    make_file("key", "secret", 6, path);
    snprintf(entry, sizeof(entry), "KEY_FILE=%s", path);
    char *const *environments[] = {ENV(entry, "TITLE=a title"),
                                   ENV("THREADS=x", "FORMAT=y", entry)};
    for (size_t i = 0; i < ARRAY_LEN(environments); i++) {
        for (size_t successes = 0;; successes++) {
            struct settings settings = {0}, before = {0};
            alloc_fail_after(successes);
            struct err *e = load(&settings, environments[i]);
            if (!alloc_fail_stop()) {
                assert_int_equal(err_is(e, &CFG_INVALID), i == 1);
                err_free(e);
                unload(&settings);
                break;
            }
            assert_true(err_is(e, &ERR_OUT_OF_MEMORY));
            assert_memory_equal(&settings, &before, sizeof(settings));
        }
    }
    unlink(path);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_every_mistake_in_one_message),
        cmocka_unit_test(test_what_messages_show),
        cmocka_unit_test(test_wrong_default),
        cmocka_unit_test(test_message_is_bounded),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_files_that_cannot_be_read),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
