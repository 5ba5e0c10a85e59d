/* The hot path: no lock, no allocation. Counts are statistics: no thread orders its memory by them,
 * so all of it is relaxed. */
#include <math.h>

#include "registry.h"

void metric_add(struct metric *metric, int64_t amount)
{
    if (metric->type == METRIC_GAUGE || (metric->type == METRIC_COUNTER && amount >= 0))
        atomic_fetch_add_explicit(&metric->value, amount, memory_order_relaxed);
}

void metric_set(struct metric *metric, int64_t value)
{
    if (metric->type == METRIC_GAUGE)
        atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

void metric_observe(struct metric *metric, double value)
{
    if (metric->type != METRIC_HISTOGRAM || isnan(value))
        return;
    const struct family *family = metric->family;
    size_t bucket = 0;
    while (bucket < family->bounds_count && value > family->bounds[bucket].limit)
        bucket++;
    atomic_fetch_add_explicit(&metric->counts[bucket], 1, memory_order_relaxed);
    double sum = atomic_load_explicit(&metric->sum, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&metric->sum, &sum, sum + value,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

int64_t metric_value(const struct metric *metric)
{
    if (metric->type != METRIC_HISTOGRAM)
        return atomic_load_explicit(&metric->value, memory_order_relaxed);
    uint64_t observations = 0;
    for (size_t i = 0; i <= metric->family->bounds_count; i++)
        observations += atomic_load_explicit(&metric->counts[i], memory_order_relaxed);
    return (int64_t)observations;
}
