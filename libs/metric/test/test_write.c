/* What is written, held against a reader of the format and against whole texts. */
#include "check.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <metric/metric.h>

#include "alloc_fail.h"
#include "exposition.h"

#define TEXT_MAX (4 << 20)

static struct metrics *new_registry(void)
{
    struct metrics *metrics = NULL;
    assert_null(metrics_new(&metrics));
    return metrics;
}

/* The text, checked; the process's own families, which come last here, are cut off. */
static const char *write_text(struct metrics *metrics, struct buf *out)
{
    buf_reset(out);
    assert_null(metrics_write(metrics, out));
    const char *fault = exposition_fault(buf_text(out));
    if (fault)
        fail_msg("%s", fault);
    char *process = strstr(out->data, "# HELP process_");
    assert_non_null(process);
    buf_truncate(out, (size_t)(process - out->data));
    return buf_text(out);
}

static void test_whole_text(void **state)
{
    (void)state;
    _cleanup_(metrics_free) struct metrics *metrics = new_registry();
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(TEXT_MAX);
    static const double bounds[] = {0.1, 1, 2.5};
    struct metric *histogram = metric_histogram(metrics, "h_seconds", "How long",
                                                METRIC_LABELS({"route", "/a"}), bounds, 3);
    metric_observe(histogram, 0.1); /* limits are inclusive */
    metric_observe(histogram, 0.25);
    metric_observe(histogram, 2.5);
    metric_observe(histogram, 1e9);
    metric_observe(histogram, -1);
    metric_observe(histogram, (double)NAN);
    metric_histogram(metrics, "h_seconds", "ignored", NULL, NULL, 0);
    metric_set(metric_gauge(metrics, "g", "", NULL), -7);
    metric_add(metric_counter(metrics, "b_total", "Second \\ line\nand \"quotes\"",
                              METRIC_LABELS({"z", "1"}, {"a", "x\"y\\z\n"})),
               3);
    metric_add(metric_counter(metrics, "b_total", NULL, METRIC_LABELS({"a", ""}, {"z", "1"})), 4);
    metric_counter(metrics, "a:b", NULL, NULL);
    assert_string_equal(write_text(metrics, &out),
                        "# HELP a:b \n"
                        "# TYPE a:b counter\n"
                        "a:b 0\n"
                        "# HELP b_total Second \\\\ line\\nand \"quotes\"\n"
                        "# TYPE b_total counter\n"
                        "b_total{a=\"\",z=\"1\"} 4\n"
                        "b_total{a=\"x\\\"y\\\\z\\n\",z=\"1\"} 3\n"
                        "# HELP g \n"
                        "# TYPE g gauge\n"
                        "g -7\n"
                        "# HELP h_seconds How long\n"
                        "# TYPE h_seconds histogram\n"
                        "h_seconds_bucket{le=\"0.1\"} 0\n"
                        "h_seconds_bucket{le=\"1\"} 0\n"
                        "h_seconds_bucket{le=\"2.5\"} 0\n"
                        "h_seconds_bucket{le=\"+Inf\"} 0\n"
                        "h_seconds_sum 0\n"
                        "h_seconds_count 0\n"
                        "h_seconds_bucket{route=\"/a\",le=\"0.1\"} 2\n"
                        "h_seconds_bucket{route=\"/a\",le=\"1\"} 3\n"
                        "h_seconds_bucket{route=\"/a\",le=\"2.5\"} 4\n"
                        "h_seconds_bucket{route=\"/a\",le=\"+Inf\"} 5\n"
                        "h_seconds_sum{route=\"/a\"} 1000000001.85\n"
                        "h_seconds_count{route=\"/a\"} 5\n");
    assert_int_equal(metric_value(histogram), 5);
}

static double read_number(void *data)
{
    return *(double *)data;
}

static void test_functions(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } rows[] = {
        {"0", 0},
        {"-2.5", -2.5},
        {"0.1", 0.1},
        {"0.3333333333333333", 1.0 / 3},
        {"0.30000000000000004", 0.1 + 0.2},
        {"1e+15", 1e15},
        {"NaN", (double)NAN},
        {"+Inf", HUGE_VAL},
        {"-Inf", -HUGE_VAL},
    };
    _cleanup_(metrics_free) struct metrics *metrics = new_registry();
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(TEXT_MAX);
    double number = 0;
    assert_null(metric_function(metrics, "f", "A function", "gauge", METRIC_LABELS({"a", "b"}),
                                read_number, &number));
    assert_null(metric_function(metrics, "f_total", NULL, "counter", NULL, read_number, &number));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char expected[256];
        number = rows[i].value;
        snprintf(expected, sizeof(expected),
                 "# HELP f A function\n# TYPE f gauge\nf{a=\"b\"} %s\n"
                 "# HELP f_total \n# TYPE f_total counter\nf_total %s\n",
                 rows[i].text, rows[i].text);
        CHECK_STR(rows[i].text, write_text(metrics, &out), expected);
    }
}

/* Values that a client may choose never spoil the text. */
static void test_label_values(void **state)
{
    (void)state;
    char longest[METRIC_LABEL_VALUE_MAX + 3], kept[METRIC_LABEL_VALUE_MAX + 1];
    memset(longest, 'x', sizeof(longest));
    memcpy(longest + METRIC_LABEL_VALUE_MAX - 1, "\xc3\xa9", 3);
    memset(kept, 'x', sizeof(kept));
    kept[METRIC_LABEL_VALUE_MAX - 1] = '\0';
    const struct {
        const char *name, *value, *shown;
    } rows[] = {
        {"plain", "GET", "GET"},
        {"not UTF-8",
         "a\xff"
         "b\xc3",
         "a\xef\xbf\xbd"
         "b\xef\xbf\xbd"},
        {"UTF-8", "z\xc3\xbc", "z\xc3\xbc"},
        {"control characters", "\r\t\x01", "\r\t\x01"},
        {"forged series", "\"} 1\nevil 2\n", "\\\"} 1\\nevil 2\\n"},
        {"ends with backslash", "\\", "\\\\"},
        {"cut between characters", longest, kept},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char expected[512];
        _cleanup_(metrics_free) struct metrics *metrics = new_registry();
        _cleanup_(buf_deinit) struct buf out = BUF_INIT(TEXT_MAX);
        metric_counter(metrics, "a_total", "h", METRIC_LABELS({"v", rows[i].value}));
        snprintf(expected, sizeof(expected),
                 "# HELP a_total h\n# TYPE a_total counter\na_total{v=\"%s\"} 0\n", rows[i].shown);
        CHECK_STR(rows[i].name, write_text(metrics, &out), expected);
    }
}

static void test_default_bounds(void **state)
{
    (void)state;
    _cleanup_(metrics_free) struct metrics *metrics = new_registry();
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(TEXT_MAX);
    metric_observe(metric_histogram(metrics, "h", NULL, NULL, NULL, 0), 0.0004);
    metric_histogram(metrics, "none", NULL, NULL, (const double[]){0}, 0);
    const char *text = write_text(metrics, &out);
    double value;
    assert_true(exposition_value(text, "h_bucket{le=\"0.0005\"}", &value) && value == 1);
    assert_true(exposition_value(text, "h_bucket{le=\"10\"}", &value) && value == 1);
    assert_true(exposition_value(text, "h_sum", &value) && value == 0.0004);
    assert_true(exposition_value(text, "none_bucket{le=\"+Inf\"}", &value) && value == 0);
}

static double process_value(const char *name)
{
    _cleanup_(metrics_free) struct metrics *metrics = new_registry();
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(TEXT_MAX);
    double value = (double)NAN;
    assert_null(metrics_write(metrics, &out));
    assert_null(exposition_fault(buf_text(&out)));
    assert_true(exposition_value(buf_text(&out), name, &value));
    return value;
}

static void test_process(void **state)
{
    (void)state;
    double cpu = process_value("process_cpu_seconds_total");
    assert_true(cpu > 0 && cpu < 120);
    double resident = process_value("process_resident_memory_bytes");
    assert_true(resident >= 100e3 && resident < 1e12);
    double age = (double)time(NULL) - process_value("process_start_time_seconds");
    assert_true(age > -2 && age < 120);

    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_cur / 2;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(process_value("process_max_fds") == (double)limit.rlim_cur);

    double open_fds = process_value("process_open_fds");
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(process_value("process_open_fds") == open_fds + 1);
    close(fd);
    assert_true(process_value("process_open_fds") == open_fds);
}

static void test_text_that_finds_no_room(void **state)
{
    (void)state;
    _cleanup_(metrics_free) struct metrics *metrics = new_registry();
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(100);
    buf_append_str(&out, "before");
    _cleanup_(err_free) struct err *e = metrics_write(metrics, &out);
    assert_true(err_is(e, &ERR_INTERNAL));
    assert_string_equal(buf_text(&out), "before");

    for (size_t successes = 0;; successes++) {
        _cleanup_(buf_deinit) struct buf text = BUF_INIT(TEXT_MAX);
        alloc_fail_after(successes);
        struct err *failed = metrics_write(metrics, &text);
        if (!alloc_fail_stop()) {
            assert_null(failed);
            break;
        }
        assert_true(err_is(failed, &ERR_OUT_OF_MEMORY));
        assert_int_equal(text.len, 0);
        err_free(failed);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_text),   cmocka_unit_test(test_functions),
        cmocka_unit_test(test_label_values), cmocka_unit_test(test_default_bounds),
        cmocka_unit_test(test_process),      cmocka_unit_test(test_text_that_finds_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
