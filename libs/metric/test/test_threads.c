/* Threads that count, make series and write the text at once: nothing is lost, no text is torn. */
#include "check.h"

#include <pthread.h>
#include <stdio.h>

#include <metric/metric.h>

#include "exposition.h"

enum { THREADS = 6, ROUNDS = 3000 };

static struct metrics *metrics;
static const double bounds[] = {1, 2};

static void *count(void *data)
{
    (void)data;
    struct metric *counter = metric_counter(metrics, "c_total", "h", NULL);
    struct metric *gauge = metric_gauge(metrics, "g", "h", NULL);
    struct metric *histogram = metric_histogram(metrics, "h", "h", NULL, bounds, 2);
    for (int round = 0; round < ROUNDS; round++) {
        char value[8];
        snprintf(value, sizeof(value), "%d", round % 50);
        metric_add(counter, 1);
        metric_add(gauge, round % 2 == 0 ? 3 : -2);
        metric_observe(histogram, round % 4);
        metric_add(metric_counter(metrics, "d_total", "h", METRIC_LABELS({"v", value})), 1);
    }
    return NULL;
}

static double value_of(const char *text, const char *series)
{
    double value = -1;
    if (!exposition_value(text, series, &value))
        fail_msg("no %s", series);
    return value;
}

static void test_nothing_is_lost(void **state)
{
    (void)state;
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(1 << 20);
    pthread_t threads[THREADS];
    assert_null(metrics_new(&metrics));
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
    for (int i = 0; i < 50; i++) {
        buf_reset(&out);
        assert_null(metrics_write(metrics, &out));
        const char *fault = exposition_fault(buf_text(&out));
        if (fault)
            fail_msg("%s", fault);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);

    buf_reset(&out);
    assert_null(metrics_write(metrics, &out));
    const char *text = buf_text(&out);
    assert_true(value_of(text, "c_total") == THREADS * ROUNDS);
    assert_true(value_of(text, "g") == THREADS * ROUNDS / 2.0);
    assert_true(value_of(text, "h_bucket{le=\"1\"}") == THREADS * ROUNDS / 2.0);
    assert_true(value_of(text, "h_count") == THREADS * ROUNDS);
    assert_true(value_of(text, "h_sum") == THREADS * ROUNDS * 1.5);
    assert_true(value_of(text, "d_total{v=\"7\"}") == THREADS * ROUNDS / 50.0);
    metrics_free(metrics);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_nothing_is_lost)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
