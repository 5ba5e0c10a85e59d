#include "check.h"

#include <math.h>
#include <stdio.h>

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

static bool is_hidden(struct metric *metric)
{
    struct metrics *other = new_registry();
    bool hidden = metric == metric_counter(other, "not allowed", NULL, NULL);
    metrics_free(other);
    return hidden;
}

static void test_one_series_per_label_set(void **state)
{
    (void)state;
    _cleanup_(metrics_free) struct metrics *metrics = new_registry();
    struct metric *a =
        metric_counter(metrics, "n_total", "h", METRIC_LABELS({"a", "1"}, {"b", "2"}));
    struct metric *b =
        metric_counter(metrics, "n_total", "x", METRIC_LABELS({"b", "2"}, {"a", "1"}));
    struct metric *c = metric_counter(metrics, "n_total", "h", METRIC_LABELS({"a", "1,b=2"}));
    struct metric *d = metric_counter(metrics, "n_total", "h", METRIC_LABELS({"a", "1\",b=\"2"}));
    struct metric *none = metric_counter(metrics, "n_total", "h", NULL);
    struct metric *empty = metric_counter(metrics, "n_total", "h", (struct metric_label[]){{0}});
    assert_ptr_equal(a, b);
    assert_ptr_equal(none, empty);
    assert_ptr_not_equal(a, c);
    assert_ptr_not_equal(a, d);
    assert_ptr_not_equal(a, none);
}

static void test_counting(void **state)
{
    (void)state;
    _cleanup_(metrics_free) struct metrics *metrics = new_registry();
    struct metric *counter = metric_counter(metrics, "c_total", NULL, NULL);
    struct metric *gauge = metric_gauge(metrics, "g", NULL, NULL);
    struct metric *histogram = metric_histogram(metrics, "h", NULL, NULL, NULL, 0);
    metric_add(counter, 2);
    metric_add(counter, -1);
    metric_set(counter, 9);
    metric_observe(counter, 1);
    assert_int_equal(metric_value(counter), 2);
    metric_set(gauge, 9);
    metric_add(gauge, -11);
    metric_observe(gauge, 1);
    assert_int_equal(metric_value(gauge), -2);
    metric_observe(histogram, 1);
    metric_observe(histogram, 100);
    metric_add(histogram, 5);
    metric_set(histogram, 5);
    assert_int_equal(metric_value(histogram), 2);
}

static void test_what_is_not_allowed_is_hidden(void **state)
{
    (void)state;
    static const struct {
        const char *row, *name;
        struct metric_label label;
    } rows[] = {
        {"empty name", "", {"a", "b"}},
        {"name begins with a digit", "1a", {"a", "b"}},
        {"name with dash", "a-b", {"a", "b"}},
        {"name with newline", "a\nb", {"a", "b"}},
        {"name not ASCII", "z\xc3\xbc", {"a", "b"}},
        {"empty label", "ok", {"", "b"}},
        {"label with colon", "ok", {"a:b", "b"}},
        {"label with dash", "ok", {"a-b", "b"}},
        {"label of the system", "ok", {"__name__", "b"}},
        {"label without value", "ok", {"a", NULL}},
        {"other type", "taken", {"a", "b"}},
        {"function", "process_open_fds", {NULL, NULL}},
        {"le", "ok", {"le", "1"}},
    };
    _cleanup_(metrics_free) struct metrics *metrics = new_registry();
    metric_counter(metrics, "taken", NULL, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct metric_label *labels = METRIC_LABELS(rows[i].label);
        bool is_le = strcmp(rows[i].row, "le") == 0; /* which a gauge may have */
        CHECK_INT(rows[i].row, is_hidden(metric_gauge(metrics, rows[i].name, NULL, labels)),
                  !is_le);
        metric_gauge(metrics, "ok", NULL, NULL);
        CHECK(rows[i].row, is_hidden(metric_histogram(metrics, is_le ? "h" : rows[i].name, NULL,
                                                      labels, NULL, 0)));
    }
    CHECK("same label twice",
          is_hidden(metric_gauge(metrics, "ok", NULL, METRIC_LABELS({"a", "1"}, {"a", "2"}))));
    struct metric_label many[METRIC_LABELS_MAX + 2] = {{0}};
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i"};
    for (size_t i = 0; i < METRIC_LABELS_MAX; i++)
        many[i] = (struct metric_label){names[i], "v"};
    CHECK("most labels", !is_hidden(metric_gauge(metrics, "ok", NULL, many)));
    many[METRIC_LABELS_MAX] = (struct metric_label){names[METRIC_LABELS_MAX], "v"};
    CHECK("one label more", is_hidden(metric_gauge(metrics, "ok", NULL, many)));

    static char long_name[9000];
    memset(long_name, 'x', sizeof(long_name) - 1);
    CHECK("long label name",
          is_hidden(metric_gauge(metrics, "ok", NULL, METRIC_LABELS({long_name, "v"}))));
}

static void test_hidden_series_counts_nothing(void **state)
{
    (void)state;
    _cleanup_(metrics_free) struct metrics *metrics = new_registry();
    struct metric *hidden = metric_counter(metrics, "not allowed", NULL, NULL);
    metric_add(hidden, 1);
    metric_set(hidden, 1);
    metric_observe(hidden, 1);
    assert_int_equal(metric_value(hidden), 0);
}

static void test_bounds(void **state)
{
    (void)state;
    double many[METRIC_BOUNDS_MAX + 1];
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        many[i] = (double)i;
    const struct {
        const char *name;
        const double *bounds;
        size_t count;
        bool allowed;
    } rows[] = {
        {"most", many, METRIC_BOUNDS_MAX, true},
        {"one", many, 1, true},
        {"none", many, 0, true},
        {"too many", many, METRIC_BOUNDS_MAX + 1, false},
        {"descending", (double[]){2, 1}, 2, false},
        {"equal", (double[]){1, 1}, 2, false},
        {"infinite", (double[]){1, HUGE_VAL}, 2, false},
        {"not a number", (double[]){(double)NAN, 1}, 2, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(metrics_free) struct metrics *metrics = new_registry();
        struct metric *metric =
            metric_histogram(metrics, "h", NULL, NULL, rows[i].bounds, rows[i].count);
        CHECK_INT(rows[i].name, is_hidden(metric), !rows[i].allowed);
    }
}

static double read_one(void *data)
{
    (void)data;
    return 1;
}

static void test_function_errors(void **state)
{
    (void)state;
    static const struct {
        const char *row, *name, *type;
        const struct err_kind *kind;
    } rows[] = {
        {"histogram", "f", "histogram", &ERR_INTERNAL},
        {"unknown type", "f", "", &ERR_INTERNAL},
        {"name", "a b", "gauge", &ERR_INTERNAL},
        {"type of the name", "counted", "gauge", &ERR_INTERNAL},
        {"counted series", "counted", "counter", &ERR_CONFLICT},
        {"function twice", "process_open_fds", "gauge", &ERR_CONFLICT},
    };
    _cleanup_(metrics_free) struct metrics *metrics = new_registry();
    metric_counter(metrics, "counted", NULL, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(err_free) struct err *e =
            metric_function(metrics, rows[i].name, NULL, rows[i].type, NULL, read_one, NULL);
        CHECK(rows[i].row, err_is(e, rows[i].kind));
    }
}

static void test_series_are_bounded(void **state)
{
    (void)state;
    _cleanup_(metrics_free) struct metrics *metrics = new_registry();
    struct metric *others = NULL;
    for (int i = 0; i < METRIC_SERIES_MAX + 100; i++) {
        char value[16];
        snprintf(value, sizeof(value), "v%d", i);
        struct metric *metric =
            metric_counter(metrics, "n_total", "h", METRIC_LABELS({"v", value}));
        metric_add(metric, 1);
        if (i == METRIC_SERIES_MAX)
            others = metric;
        if (i >= METRIC_SERIES_MAX)
            assert_ptr_equal(metric, others);
    }
    assert_int_equal(metric_value(others), 100);
    struct metric *first = metric_counter(metrics, "n_total", "h", METRIC_LABELS({"v", "v0"}));
    assert_int_equal(metric_value(first), 1);

    _cleanup_(buf_deinit) struct buf out = BUF_INIT(TEXT_MAX);
    assert_null(metrics_write(metrics, &out));
    assert_null(exposition_fault(buf_text(&out)));
    double value;
    assert_true(exposition_value(buf_text(&out), "n_total{other=\"true\"}", &value));
    assert_true(value == 100);
}

static void test_names_are_bounded(void **state)
{
    (void)state;
    _cleanup_(metrics_free) struct metrics *metrics = new_registry();
    struct metric *last = NULL;
    for (int i = 0; i < METRIC_NAMES_MAX; i++) {
        char name[16];
        snprintf(name, sizeof(name), "n%d", i);
        last = metric_counter(metrics, name, "h", NULL);
    }
    assert_true(is_hidden(last));
    assert_false(is_hidden(metric_counter(metrics, "n0", "h", NULL)));
}

static void test_out_of_memory(void **state)
{
    (void)state;
    for (size_t successes = 0;; successes++) {
        struct metrics *metrics = NULL;
        alloc_fail_after(successes);
        struct err *e = metrics_new(&metrics);
        if (!alloc_fail_stop()) {
            assert_null(e);
            metrics_free(metrics);
            break;
        }
        assert_true(err_is(e, &ERR_OUT_OF_MEMORY));
        assert_null(metrics);
        err_free(e);
    }
    for (size_t successes = 0;; successes++) {
        _cleanup_(metrics_free) struct metrics *metrics = new_registry();
        alloc_fail_after(successes);
        struct metric *metric =
            metric_histogram(metrics, "h", "help", METRIC_LABELS({"a", "b"}), NULL, 0);
        bool failed = alloc_fail_stop();
        assert_int_equal(is_hidden(metric), failed);
        metric_observe(metric, 1);
        /* It works once there is memory. */
        assert_false(
            is_hidden(metric_histogram(metrics, "h", "help", METRIC_LABELS({"a", "b"}), NULL, 0)));
        _cleanup_(buf_deinit) struct buf out = BUF_INIT(TEXT_MAX);
        assert_null(metrics_write(metrics, &out));
        assert_null(exposition_fault(buf_text(&out)));
        if (!failed)
            break;
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_series_per_label_set),
        cmocka_unit_test(test_counting),
        cmocka_unit_test(test_what_is_not_allowed_is_hidden),
        cmocka_unit_test(test_hidden_series_counts_nothing),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_function_errors),
        cmocka_unit_test(test_series_are_bounded),
        cmocka_unit_test(test_names_are_bounded),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
