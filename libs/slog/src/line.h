/*
 * One log line in the caller's stack frame: bounded, never reallocated. What does not fit is left
 * out and marks the line as truncated.
 */
#ifndef SLOG_LINE_H
#define SLOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <slog/slog.h>

struct line {
    size_t len;
    size_t limit; /* appends end here; behind it there is room for the mark and the line's end */
    bool truncated;
    /* data[0] is a newline that is only written after a line that was written in part. */
    char data[SLOG_LINE_MAX];
};

#define SLOG_LINE_TAIL 32 /* bytes behind limit */

void slog_line_init(struct line *line);

/* Each appends all or nothing and returns whether it did. */
bool slog_line_put(struct line *line, const char *bytes, size_t count);
bool slog_line_put_i64(struct line *line, int64_t number);
bool slog_line_put_f64(struct line *line, double number); /* null unless finite */

#define SLOG_LINE_PUT(line, literal) slog_line_put((line), (literal), sizeof(literal) - 1)

/* Appends the bytes as they stand between the quotes of a JSON string, at most SLOG_VALUE_MAX
 * bytes, and leaves room for one byte more (the quote). Cut between two characters if need be. */
void slog_line_put_escaped(struct line *line, const char *bytes, size_t count);
/* With quotes; false when there is no room even for an empty string. */
bool slog_line_put_quoted(struct line *line, const char *bytes, size_t count);

/* Takes back what was appended since mark (a former len), and marks the line. */
void slog_line_give_up(struct line *line, size_t mark);
/* Appends to the room behind limit. */
void slog_line_end(struct line *line, const char *text);

#endif
