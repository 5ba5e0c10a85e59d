#include "measure.h"

#include <stdio.h>

void http_measure_init(struct measure *measure, struct metrics *metrics, const char *method,
                       const char *route)
{
    *measure = (struct measure){.metrics = metrics, .method = method, .route = route};
}

static struct metric *look_up(const struct measure *measure, int status)
{
    char text[12];
    snprintf(text, sizeof(text), "%d", status);
    return metric_histogram(
        measure->metrics, "http_server_request_duration_seconds",
        "From the request's header section to the end of its answer",
        METRIC_LABELS({"method", measure->method}, {"route", measure->route}, {"status", text}),
        NULL, 0);
}

/* Threads that meet a status at once may fill two places with it: both hold the same metric. */
static struct metric *series_of(struct measure *measure, int status)
{
    for (size_t i = 0; i < MEASURE_STATUSES; i++) {
        struct measure_series *series = &measure->series[i];
        if (atomic_load_explicit(&series->status, memory_order_acquire) == status)
            return atomic_load_explicit(&series->metric, memory_order_relaxed);
    }
    struct metric *metric = look_up(measure, status);
    for (size_t i = 0; i < MEASURE_STATUSES; i++) {
        struct metric *none = NULL;
        if (atomic_compare_exchange_strong(&measure->series[i].metric, &none, metric)) {
            atomic_store_explicit(&measure->series[i].status, status, memory_order_release);
            break;
        }
    }
    return metric;
}

void http_measure_observe(struct measure *measure, int status, int64_t duration_ns)
{
    if (measure->metrics)
        metric_observe(series_of(measure, status), (double)duration_ns / 1e9);
}
