/* Numbers as the exposition format writes them. */
#ifndef METRIC_NUMBER_H
#define METRIC_NUMBER_H

#include <base/str.h>

/* As f64_format(), or NaN, +Inf, -Inf. */
void metric_number_format(double number, char out[static F64_TEXT]);

#endif
