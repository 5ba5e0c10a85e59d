/*
 * Time. Deadlines use the monotonic clock, stored times the real one (UTC, milliseconds since
 * 1970). Thread-safe; nothing blocks.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int64_t clock_now_ms(void);  /* real time */
int64_t clock_mono_ms(void); /* monotonic */
int64_t clock_mono_ns(void);

#define CLOCK_TEXT 25 /* "2026-01-02T03:04:05.678Z" and its NUL */

/* RFC 3339, UTC, milliseconds; for years 0000 to 9999, else an empty string. */
void clock_format(int64_t time_ms, char out[static CLOCK_TEXT]);
/* Any RFC 3339 date-time (offset, any number of fraction digits; below a millisecond is cut off)
 * within what clock_format() can write. A leap second, which is only taken at the end of a UTC June
 * or December, is the second after it. False, *out_ms untouched, for anything else, a day that does
 * not exist included. */
bool clock_parse(const char *text, size_t count, int64_t *out_ms);

#endif
