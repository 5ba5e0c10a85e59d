/* A strict reader of the text exposition format 0.0.4, apart from the code under test. */
#ifndef METRIC_TEST_EXPOSITION_H
#define METRIC_TEST_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>

/* NULL when the text keeps every rule: each line is a HELP, a TYPE or a sample; HELP and TYPE once
 * per family and before its samples; families in one piece and in the order of their names; no
 * series twice; buckets ascending, +Inf last and equal to _count. Else what is wrong. */
const char *exposition_fault(const char *text);

/* The value of the sample whose name and labels are written like this; false if there is none. */
bool exposition_value(const char *text, const char *series, double *out_value);

#endif
