#include "gateway_metrics.h"

#include <stdio.h>
#include <stdlib.h>

static const struct row {
    size_t offset; /* in struct stats */
    const char *name, *type, *help;
} rows[] = {
#define X(member, name_, type_, help_) {offsetof(struct stats, member), name_, type_, help_},
    STATS(X)
#undef X
};

#define CLASSES 6

/* One counter of all workers. */
struct sum {
    struct worker **workers;
    size_t count;
    size_t offset;
};

struct gateway_metrics {
    struct sum sums[ARRAY_LEN(rows) + CLASSES];
};

static double read_sum(void *data)
{
    const struct sum *sum = data;
    int64_t total = 0;
    for (size_t i = 0; i < sum->count; i++) {
        const char *stats = (const char *)&sum->workers[i]->stats;
        const _Atomic int64_t *counter = (const void *)(stats + sum->offset);
        total += atomic_load_explicit(counter, memory_order_relaxed);
    }
    return (double)total;
}

static struct err *add_answers(struct metrics *metrics, struct sum *sum, size_t class)
{
    char text[24];
    snprintf(text, sizeof(text), "%zuxx", class);
    sum->offset = offsetof(struct stats, answers) + class * sizeof(_Atomic int64_t);
    return metric_function(metrics, "gateway_answers_total", "Answers by the class of their status",
                           "counter", METRIC_LABELS({"class", text}), read_sum, sum);
}

struct err *gateway_metrics_new(struct metrics *metrics, struct worker **workers, size_t count,
                                struct gateway_metrics **out_metrics)
{
    _cleanup_(free) struct gateway_metrics *made = calloc(1, sizeof(*made));
    if (!made)
        return err_oom();
    for (size_t i = 0; i < ARRAY_LEN(made->sums); i++)
        made->sums[i] = (struct sum){.workers = workers, .count = count};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        made->sums[i].offset = rows[i].offset;
        TRY(metric_function(metrics, rows[i].name, rows[i].help, rows[i].type, NULL, read_sum,
                            &made->sums[i]));
    }
    for (size_t class = 1; class < CLASSES; class ++)
        TRY(add_answers(metrics, &made->sums[ARRAY_LEN(rows) + class], class));
    for (size_t i = 0; i < count; i++) {
        char worker[24];
        snprintf(worker, sizeof(worker), "%zu", i);
        workers[i]->durations = metric_histogram(metrics, "gateway_request_duration_seconds",
                                                 "From a request's head to its answer's end",
                                                 METRIC_LABELS({"worker", worker}), NULL, 0);
    }
    *out_metrics = TAKE(made);
    return NULL;
}

void gateway_metrics_free(struct gateway_metrics *metrics)
{
    free(metrics);
}
