/*
 * A growing byte buffer that must name its maximum.
 *
 * Invariants: data[len] is always NUL (data is never NULL for reading: use buf_text()); len <= max.
 * The first failure sticks: after it every append does nothing, so that a writer appends freely and
 * asks buf_status() once at the end. Memory comes from malloc; growth doubles.
 *
 * Threads: one at a time. Nothing blocks.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/macros.h>

enum buf_status {
    BUF_OK,
    BUF_TOO_LARGE, /* an append would have gone beyond max */
    BUF_NO_MEMORY,
};

struct buf {
    char *data;
    size_t len;
    size_t cap; /* bytes allocated, the NUL's included */
    size_t max; /* most bytes of content */
    enum buf_status status;
};

/* No memory is taken until the first append. */
#define BUF_INIT(max_bytes) ((struct buf){.max = (max_bytes)})

void buf_deinit(struct buf *buf);
DEFINE_CLEANUP_VALUE(struct buf, buf_deinit);

/* Empties the buffer and clears a failure; keeps the memory, and does not wipe it. */
void buf_reset(struct buf *buf);

/* Each returns false when the buffer has failed, now or before. Nothing is appended in part. */
bool buf_append(struct buf *buf, const void *bytes, size_t count);
bool buf_append_str(struct buf *buf, const char *text);
bool buf_append_char(struct buf *buf, char byte);
/* What vsnprintf() cannot write at all counts as BUF_TOO_LARGE. */
bool buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
bool buf_vprintf(struct buf *buf, const char *format, va_list args) PRINTF_LIKE(2, 0);
/* Decimal, without printf's cost. */
bool buf_append_i64(struct buf *buf, int64_t number);

/* Appends bytes as a JSON string with its quotes. Bytes that are not valid UTF-8 become U+FFFD;
 * control characters, quote and backslash are escaped; everything else stands as it is. */
bool buf_append_json(struct buf *buf, const char *bytes, size_t count);

/* Room for at least count more bytes; NULL on failure. The caller writes at the returned place and
 * then calls buf_commit() with what it wrote (at most count). */
char *buf_reserve(struct buf *buf, size_t count);
void buf_commit(struct buf *buf, size_t count);

/* Drops the first count bytes (all, if there are fewer). */
void buf_consume(struct buf *buf, size_t count);
/* Keeps only the first len bytes; no effect when there are fewer. */
void buf_truncate(struct buf *buf, size_t len);

static inline enum buf_status buf_status(const struct buf *buf)
{
    return buf->status;
}

/* The content as a C string: valid until the next change. */
static inline const char *buf_text(const struct buf *buf)
{
    return buf->data ? buf->data : "";
}

/* Hands over the content (free() it) and leaves an empty buffer without memory; NULL if it failed
 * or is out of memory now, and then it stays failed. */
char *buf_take(struct buf *buf);

#endif
