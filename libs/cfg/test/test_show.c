#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <base/macros.h>
#include <cfg/cfg.h>

#include "alloc_fail.h"

struct settings {
    int threads;
    int64_t ttl_s;
    int format;
    char *title;
    char *urls;
    char *key;
};

static const char *const formats[] = {"json", "text", NULL};

static const struct cfg_setting shared_rows[] = {
    CFG_INT(struct settings, threads, "THREADS", .def = "16", .min = 1, .max = 1024,
            .help = "Threads that answer | requests"),
    CFG_DURATION(struct settings, ttl_s, "TTL_S", .def = "15m", .min = 60, .help = "Life"),
    CFG_ENUM(struct settings, format, "FORMAT", .def = "json", .values = formats),
};
static const struct cfg_table shared = CFG_TABLE("shared", shared_rows);

static const struct cfg_setting own_rows[] = {
    CFG_STRING(struct settings, title, "TITLE", .max = 100, .help = "Heading"),
    CFG_URL(struct settings, urls, "URLS", .def = "nats://u:p@a,nats://b", .list = true,
            .help = "Servers"),
    CFG_SECRET(struct settings, key, "KEY", .required = true, .help = "Seals"),
};
static const struct cfg_table own = CFG_TABLE("own", own_rows);
static const struct cfg_binding bindings[] = {{&shared, NULL}, {&own, NULL}};

/* An environment is not of const strings, though nobody writes to them. */
#define ENV(...) ((char *const *)(uintptr_t)(const char *const[]){__VA_ARGS__, NULL})

static void check_describe(const char *row, char *const *env, const char *expected)
{
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(1 << 20);
    struct err *e = cfg_describe(bindings, ARRAY_LEN(bindings), env, &out);
    CHECK(row, e == NULL);
    CHECK_STR(row, buf_text(&out), expected);
}

#define SHARED_BY_DEFAULT                                                                          \
    "# shared\n"                                                                                   \
    "THREADS=16               # default; Threads that answer | requests\n"                         \
    "TTL_S=15m                # default; Life\n"                                                   \
    "FORMAT=json              # default\n"                                                         \
    "\n# own\n"

static void test_describe(void **state)
{
    (void)state;
    check_describe("nothing set", (char *const[]){NULL},
                   SHARED_BY_DEFAULT "TITLE=                 # not set; Heading\n"
                                     "URLS=nats://***@a,nats://b  # default; Servers\n"
                                     "KEY=                   # not set; Seals\n");
    check_describe("environment", ENV("KEY=hunter2", "TITLE=a b\n", "URLS=nats://x:pw@c"),
                   SHARED_BY_DEFAULT "TITLE=\"a b\\n\"          # environment; Heading\n"
                                     "URLS=nats://***@c      # environment; Servers\n"
                                     "KEY=***                # environment; Seals\n");
    check_describe("wrong values are shown too", ENV("THREADS=x y"),
                   "# shared\n"
                   "THREADS=\"x y\"            # environment; Threads that answer | requests\n"
                   "TTL_S=15m                # default; Life\n"
                   "FORMAT=json              # default\n"
                   "\n# own\n"
                   "TITLE=                 # not set; Heading\n"
                   "URLS=nats://***@a,nats://b  # default; Servers\n"
                   "KEY=                   # not set; Seals\n");
}

static void test_describe_files(void **state)
{
    (void)state;
    char path[] = "/tmp/cfg_show_XXXXXX", entry[64], expected[1024];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "hunter2\n", 8), 8);
    close(fd);
    snprintf(entry, sizeof(entry), "KEY_FILE=%s", path);
    snprintf(
        expected, sizeof(expected),
        SHARED_BY_DEFAULT
        "TITLE=                 # file \"/no where\", must name a file that can be read (No such "
        "file or directory); Heading\n"
        "URLS=                  # environment, must not be set together with URLS_FILE; "
        "Servers\n"
        "KEY=***                # file %s; Seals\n",
        path);
    check_describe("files", ENV(entry, "TITLE_FILE=/no where", "URLS=nats://u:p@x", "URLS_FILE=y"),
                   expected);
    unlink(path);
}

static void test_markdown(void **state)
{
    (void)state;
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(1 << 20);
    assert_null(cfg_markdown(&shared, &out));
    assert_string_equal(
        buf_text(&out),
        "## shared\n\n"
        "| Name | Type | Default | Limits | Meaning |\n"
        "|---|---|---|---|---|\n"
        "| `THREADS` | int | `16` | 1 to 1024 | Threads that answer \\| requests |\n"
        "| `TTL_S` | duration (s) | `15m` | at least 60 s | Life |\n"
        "| `FORMAT` | enum | `json` | json, text |  |\n");
    buf_reset(&out);
    assert_null(cfg_markdown(&own, &out));
    assert_string_equal(buf_text(&out),
                        "## own\n\n"
                        "| Name | Type | Default | Limits | Meaning |\n"
                        "|---|---|---|---|---|\n"
                        "| `TITLE` | string | none | 0 to 100 bytes | Heading |\n"
                        "| `URLS` | url list | `nats://u:p@a,nats://b` |  | Servers |\n"
                        "| `KEY` | secret | required |  | Seals |\n");
}

static void test_no_room(void **state)
{
    (void)state;
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(60);
    buf_append_str(&out, "before");
    _cleanup_(err_free) struct err *e =
        cfg_describe(bindings, ARRAY_LEN(bindings), (char *const[]){NULL}, &out);
    assert_true(err_is(e, &ERR_INTERNAL));
    assert_string_equal(buf_text(&out), "before");

    _cleanup_(buf_deinit) struct buf other = BUF_INIT(60);
    buf_append_str(&other, "before");
    _cleanup_(err_free) struct err *markdown = cfg_markdown(&own, &other);
    assert_true(err_is(markdown, &ERR_INTERNAL));
    assert_string_equal(buf_text(&other), "before");
}

static void test_out_of_memory(void **state)
{
    (void)state;
    for (size_t successes = 0;; successes++) {
        _cleanup_(buf_deinit) struct buf out = BUF_INIT(1 << 20);
        alloc_fail_after(successes);
        struct err *e = cfg_describe(bindings, ARRAY_LEN(bindings), ENV("TITLE=x"), &out);
        if (!e)
            e = cfg_markdown(&own, &out);
        if (!alloc_fail_stop()) {
            assert_null(e);
            break;
        }
        assert_true(err_is(e, &ERR_OUT_OF_MEMORY));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_describe),      cmocka_unit_test(test_describe_files),
        cmocka_unit_test(test_markdown),      cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
