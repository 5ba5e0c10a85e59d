/* Numbers as the exposition format writes them. */
#ifndef METRIC_NUMBER_H
#define METRIC_NUMBER_H

/* The shortest of 15 to 17 digits that reads back as the same number; NaN, +Inf, -Inf. */
void metric_number_format(double number, char out[static 32]);

#endif
