/*
 * What a registry is made of. Families stand in the order of their names, the series of a family in
 * the order of their labels; a map beside each list finds them by text.
 *
 * The registry's lock guards both lists and maps and everything in a family. A series never changes
 * once it is in its list, but for its atomic numbers, which need no lock.
 */
#ifndef METRIC_REGISTRY_H
#define METRIC_REGISTRY_H

#include <pthread.h>
#include <stdatomic.h>

#include <base/map.h>
#include <base/str.h>
#include <metric/metric.h>

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_HIDDEN };

struct bound {
    double limit;
    char text[F64_TEXT]; /* as it stands in le="..." */
};

struct family {
    struct family *next;
    char *name;
    char *help;
    enum metric_type type;
    struct metric *first;
    struct map series;   /* labels to struct metric */
    size_t bounds_count; /* of a histogram */
    struct bound bounds[];
};

struct metric {
    struct metric *next;
    const struct family *family;
    enum metric_type type;
    char *labels;               /* a="b",c="d": sorted, escaped, without braces */
    double (*read)(void *data); /* NULL unless made by metric_function() */
    void *data;
    atomic_int_fast64_t value;     /* of a counter or gauge */
    _Atomic double sum;            /* of a histogram */
    atomic_uint_fast64_t counts[]; /* observations in each bucket alone; the last is +Inf's */
};

struct metrics {
    pthread_mutex_t lock;
    struct family *first;
    struct map families; /* name to struct family */
    double start_time;   /* of the process, seconds since 1970 */
};

/* The process_* metrics; sets metrics->start_time. */
struct err *metric_register_process(struct metrics *metrics) MUST_CHECK;

#endif
