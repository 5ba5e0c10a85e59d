/* Log lines caught in a pipe and read back by a parser that knows nothing of the writer. */
#ifndef SLOG_TEST_CAPTURE_H
#define SLOG_TEST_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>

#include <slog/slog.h>

#define CAPTURE_TIME "2000-01-01T00:00:00.000Z"

/* Lines of this level and format go to the returned pipe from now on. */
int capture_start(enum slog_level level, enum slog_format format, const char *service);
/* All that was written since, NUL-terminated; valid until the next call. */
const char *capture_read(void);
/* The same, with the time of a line (checked for its form) replaced by CAPTURE_TIME. */
const char *capture_read_line(void);
void capture_stop(void);

/* Whether text is one flat JSON object (RFC 8259) in valid UTF-8 and a newline. */
bool capture_is_json_line(const char *text, size_t len);
/* The member's value, decoded if it is a string; false if there is none. */
bool capture_member(const char *line, const char *key, char *out, size_t cap);

#endif
