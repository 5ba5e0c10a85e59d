/*
 * Counters, gauges and histograms, written as Prometheus text (exposition format 0.0.4,
 * https://prometheus.io/docs/instrumenting/exposition_formats/).
 *
 *     static struct metric *logins;
 *     logins = metric_counter(metrics, "auth_logins_total", "Logins by result",
 *                             METRIC_LABELS({"result", "ok"}));
 *     metric_add(logins, 1);
 *
 * Metrics are created once (at start, or when a label set first appears) and then only touched
 * atomically: counting takes no lock. They live in a registry until it is freed. Text is always in
 * the order of the names, then of the labels.
 *
 * Names are those of Prometheus: [a-zA-Z_:][a-zA-Z0-9_:]* for metrics (counters end in _total,
 * units are base units: _seconds, _bytes), [a-zA-Z_][a-zA-Z0-9_]* for labels, none beginning with
 * __, and no le for a histogram. Label names are distinct; their order does not matter.
 *
 * Label values may be any bytes: those that are not UTF-8 become U+FFFD, values are cut between two
 * characters to METRIC_LABEL_VALUE_MAX bytes. The number of label sets of one name is bounded
 * (METRIC_SERIES_MAX): further ones share a series labelled other="true", so that a client cannot
 * fill the memory with labels.
 *
 * Threads: all functions from any thread, but metrics_free() only when nothing else is going on. No
 * function blocks for longer than a lock is held; metrics_write() holds it while it writes.
 */
#ifndef METRIC_METRIC_H
#define METRIC_METRIC_H

#include <stddef.h>
#include <stdint.h>

#include <base/buf.h>
#include <base/macros.h>
#include <err/err.h>

#define METRIC_SERIES_MAX      1024
#define METRIC_NAMES_MAX       1024 /* of one registry */
#define METRIC_BOUNDS_MAX      32
#define METRIC_LABELS_MAX      8
#define METRIC_LABEL_VALUE_MAX 128

struct metrics; /* a registry */
struct metric;  /* one series, owned by its registry */

struct metric_label {
    const char *name, *value;
};
#define METRIC_LABELS(...) ((const struct metric_label[]){__VA_ARGS__, {0}})

/* Already in it: process_cpu_seconds_total, process_resident_memory_bytes, process_open_fds,
 * process_max_fds and process_start_time_seconds, read from /proc/self (NaN where that fails).
 * Errors: ERR_OUT_OF_MEMORY. */
struct err *metrics_new(struct metrics **out_metrics) MUST_CHECK;
/* With all its series. */
void metrics_free(struct metrics *metrics);
DEFINE_CLEANUP(struct metrics *, metrics_free);

/* The series of this name and labels (NULL: none), made if new; everything is copied. The help and
 * bounds of the first call of a name hold for all its series. Never NULL: when out of memory, when
 * the name or a label is not allowed, or when the name belongs to another type, it is a series that
 * counts nothing and is not shown. Takes a lock: keep what it returns. */
struct metric *metric_counter(struct metrics *metrics, const char *name, const char *help,
                              const struct metric_label *labels);
struct metric *metric_gauge(struct metrics *metrics, const char *name, const char *help,
                            const struct metric_label *labels);
/* bounds: upper limits, inclusive, ascending, finite, at most METRIC_BOUNDS_MAX (+Inf is added);
 * NULL: seconds from 0.0005 to 10. */
struct metric *metric_histogram(struct metrics *metrics, const char *name, const char *help,
                                const struct metric_label *labels, const double *bounds,
                                size_t bounds_count);
/* A gauge or counter (type is "gauge" or "counter") whose value is asked for when the text is
 * written. read must not block and not call this library; data must outlive the registry.
 * Errors: ERR_CONFLICT when the series exists, ERR_INTERNAL for what is not allowed,
 * ERR_OUT_OF_MEMORY. */
struct err *metric_function(struct metrics *metrics, const char *name, const char *help,
                            const char *type, const struct metric_label *labels,
                            double (*read)(void *data), void *data) MUST_CHECK;

/* What does not fit the type of the series, or its rule, has no effect. */
void metric_add(struct metric *metric, int64_t amount);   /* counter (amount >= 0) or gauge */
void metric_set(struct metric *metric, int64_t value);    /* gauge */
void metric_observe(struct metric *metric, double value); /* histogram; NaN has no effect */
/* Of a counter or gauge; of a histogram, the number of observations. */
int64_t metric_value(const struct metric *metric);

/* Appends the text of all series. Counts that go on meanwhile are in it or not; a histogram's
 * +Inf bucket and _count are always equal, its _sum may be an observation ahead or behind.
 * Errors: ERR_OUT_OF_MEMORY, ERR_INTERNAL when the text is longer than out may be; out is then as
 * it was, but failed (see <base/buf.h>). */
struct err *metrics_write(struct metrics *metrics, struct buf *out) MUST_CHECK;

#endif
