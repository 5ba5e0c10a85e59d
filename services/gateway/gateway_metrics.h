/* The workers' counts as metrics: summed when /metrics asks. */
#ifndef GATEWAY_METRICS_H
#define GATEWAY_METRICS_H

#include <metric/metric.h>

#include "worker.h"

struct gateway_metrics;

/* workers: borrowed; they, and what is made here, outlive every use of metrics. */
struct err *gateway_metrics_new(struct metrics *metrics, struct worker **workers, size_t count,
                                struct gateway_metrics **out_metrics) MUST_CHECK;
void gateway_metrics_free(struct gateway_metrics *metrics);

#endif
