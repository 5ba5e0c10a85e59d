#include "labels.h"

#include <string.h>

#include <base/str.h>

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
#define DIGITS  "0123456789"

static bool is_name(const char *name, const char *first, const char *further)
{
    return *name != '\0' && strchr(first, *name) && name[strspn(name, further)] == '\0';
}

bool metric_name_is_valid(const char *name)
{
    return is_name(name, LETTERS ":", LETTERS ":" DIGITS);
}

static bool label_name_is_valid(const char *name, bool with_le)
{
    return is_name(name, LETTERS, LETTERS DIGITS) && !str_starts_with(name, "__") &&
           !(with_le && str_equal(name, "le"));
}

void metric_append_escaped(struct buf *out, const char *text, size_t max, bool with_quotes)
{
    size_t count = strlen(text);
    for (size_t at = 0, length; at < count; at += length) {
        uint32_t code_point;
        length = utf8_decode(text + at, count - at, &code_point);
        if (at + MAX(length, (size_t)1) > max)
            return;
        if (length == 0) {
            buf_append_str(out, "\xef\xbf\xbd"); /* U+FFFD */
            length = 1;
        } else if (text[at] == '\n') {
            buf_append_str(out, "\\n");
        } else {
            if (text[at] == '\\' || (with_quotes && text[at] == '"'))
                buf_append_char(out, '\\');
            buf_append(out, text + at, length);
        }
    }
}

/* The labels in the order of their names, so that one set has one text. Returns their number, or
 * METRIC_LABELS_MAX + 1 if they are too many. */
static size_t sort_labels(const struct metric_label *labels,
                          const struct metric_label *sorted[static METRIC_LABELS_MAX])
{
    size_t count = 0;
    for (; labels && labels->name; labels++) {
        if (count == METRIC_LABELS_MAX)
            return METRIC_LABELS_MAX + 1;
        size_t at = count++;
        for (; at > 0 && strcmp(sorted[at - 1]->name, labels->name) > 0; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = labels;
    }
    return count;
}

struct err *metric_labels_format(const struct metric_label *labels, bool with_le, struct buf *out)
{
    const struct metric_label *sorted[METRIC_LABELS_MAX];
    size_t count = sort_labels(labels, sorted);
    if (count > METRIC_LABELS_MAX)
        return err_new(&ERR_INTERNAL, "more than %d labels", METRIC_LABELS_MAX);
    for (size_t i = 0; i < count; i++) {
        const char *name = sorted[i]->name;
        if (!label_name_is_valid(name, with_le) || !sorted[i]->value)
            return err_new(&ERR_INTERNAL, "label \"%s\" is not allowed", name);
        if (i > 0 && str_equal(name, sorted[i - 1]->name))
            return err_new(&ERR_INTERNAL, "label \"%s\" is there twice", name);
        buf_printf(out, "%s%s=\"", i > 0 ? "," : "", name);
        metric_append_escaped(out, sorted[i]->value, METRIC_LABEL_VALUE_MAX, true);
        buf_append_char(out, '"');
    }
    if (buf_status(out) == BUF_TOO_LARGE)
        return err_new(&ERR_INTERNAL, "the names of the labels are too long");
    return buf_status(out) == BUF_OK ? NULL : err_oom();
}
