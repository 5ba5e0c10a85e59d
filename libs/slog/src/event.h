/* One event on its way to a line, and the formats that a line may have. */
#ifndef SLOG_EVENT_H
#define SLOG_EVENT_H

#include <slog/slog.h>
#include <slog/trace.h>

#include "line.h"

struct event {
    const char *time; /* RFC 3339 */
    enum slog_level level;
    const char *service; /* "": left out */
    const char *message;
    const struct trace *trace; /* NULL: none */
    const struct slog_pair *pairs;
    size_t count;
};

/* Appends the whole line, its newline included, to a fresh line. */
void slog_event_put_json(struct line *line, const struct event *event);
void slog_event_put_text(struct line *line, const struct event *event);

#endif
