/*
 * Counters, gauges and histograms, written as Prometheus text (exposition format 0.0.4).
 *
 * Metrics are created once (at start, or when a label set first appears) and then only touched
 * atomically: counting takes no lock. They live in a registry until it is freed. The number of label
 * sets of one name is bounded (METRIC_SERIES_MAX): further ones share a series labelled
 * other="true", so that a client cannot fill the memory with labels.
 *
 * Threads: any.
 */
#ifndef METRIC_METRIC_H
#define METRIC_METRIC_H

#include <stddef.h>
#include <stdint.h>

#include <base/buf.h>
#include <base/macros.h>
#include <err/err.h>

#define METRIC_SERIES_MAX 1024

struct metrics; /* a registry */
struct metric;  /* one series */

struct metric_label {
    const char *name, *value;
};
#define METRIC_LABELS(...) ((const struct metric_label[]){__VA_ARGS__, {0}})

struct err *metrics_new(struct metrics **out_metrics) MUST_CHECK;
void metrics_free(struct metrics *metrics);
DEFINE_CLEANUP(struct metrics *, metrics_free);

/* The series of this name and labels (NULL: none; copied), made if new; all of one name have one type
 * and help. Never NULL: when out of memory it is a series that is not shown. Takes a lock: keep it. */
struct metric *metric_counter(struct metrics *metrics, const char *name, const char *help,
                              const struct metric_label *labels);
struct metric *metric_gauge(struct metrics *metrics, const char *name, const char *help,
                            const struct metric_label *labels);
/* bounds: upper limits, ascending, at most 32; NULL: seconds from 0.0005 to 10. */
struct metric *metric_histogram(struct metrics *metrics, const char *name, const char *help,
                                const struct metric_label *labels, const double *bounds,
                                size_t bounds_count);
/* A gauge or counter whose value is asked for when the text is written. read must not block. */
struct err *metric_function(struct metrics *metrics, const char *name, const char *help,
                            const char *type, const struct metric_label *labels,
                            double (*read)(void *data), void *data) MUST_CHECK;

void metric_add(struct metric *metric, int64_t amount); /* counter (amount >= 0) or gauge */
void metric_set(struct metric *metric, int64_t value);  /* gauge */
void metric_observe(struct metric *metric, double value);
int64_t metric_value(const struct metric *metric); /* counter and gauge; observations of a histogram */

/* process_* (CPU seconds, resident bytes, open fds, start time) are always included. */
struct err *metrics_write(struct metrics *metrics, struct buf *out) MUST_CHECK;

#endif
