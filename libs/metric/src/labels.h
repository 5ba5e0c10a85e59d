/* Names and labels as text. */
#ifndef METRIC_LABELS_H
#define METRIC_LABELS_H

#include <metric/metric.h>

bool metric_name_is_valid(const char *name);

/* Appends labels (NULL: none) as a="b",c="d", sorted by name. ERR_INTERNAL if they are not allowed
 * (with_le: le is not), ERR_OUT_OF_MEMORY. */
struct err *metric_labels_format(const struct metric_label *labels, bool with_le, struct buf *out)
    MUST_CHECK;

/* Appends at most max bytes of text with backslash and newline escaped, and quotes if asked; bytes
 * that are not UTF-8 become U+FFFD, since a scraper refuses the whole text for one of them. */
void metric_append_escaped(struct buf *out, const char *text, size_t max, bool with_quotes);

#endif
