/*
 * The durations of a route's requests, a histogram for each status that it answered. The series are
 * looked up in the registry, which locks, only when a status comes for the first time.
 */
#ifndef HTTP_MEASURE_H
#define HTTP_MEASURE_H

#include <stdatomic.h>
#include <stdint.h>

#include <metric/metric.h>

#define MEASURE_STATUSES                                                                           \
    12 /* different ones of one route; further ones are looked up each time                        \
        */

struct measure_series {
    _Atomic(struct metric *) metric; /* set before the status is */
    atomic_int status;               /* 0: free */
};

struct measure {
    struct metrics *metrics; /* NULL: nothing is measured */
    const char *method, *route;
    struct measure_series series[MEASURE_STATUSES];
};

/* method and route are borrowed for as long as the measure is used. */
void http_measure_init(struct measure *measure, struct metrics *metrics, const char *method,
                       const char *route);
/* Any thread. */
void http_measure_observe(struct measure *measure, int status, int64_t duration_ns);

#endif
