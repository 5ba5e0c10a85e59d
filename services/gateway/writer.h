/*
 * Appends to a fixed piece of memory. What does not fit is dropped and is_full sticks, so that a
 * head is written freely and asked about once at the end.
 */
#ifndef GATEWAY_WRITER_H
#define GATEWAY_WRITER_H

#include <stdbool.h>
#include <string.h>

#include <base/str.h>

struct writer {
    char *begin, *at, *end;
    bool is_full;
};

#define WRITER(memory, size)                                                                       \
    ((struct writer){.begin = (memory), .at = (memory), .end = (memory) + (size)})

static inline void write_bytes(struct writer *w, const char *bytes, size_t count)
{
    if (count > (size_t)(w->end - w->at)) {
        w->is_full = true;
        return;
    }
    memcpy(w->at, bytes, count);
    w->at += count;
}

static inline void write_str(struct writer *w, struct str text)
{
    write_bytes(w, text.data, text.len);
}

#define WRITE_LITERAL(w, literal) write_bytes((w), (literal), sizeof(literal) - 1)

static inline void write_text(struct writer *w, const char *text)
{
    write_bytes(w, text, strlen(text));
}

static inline void write_number(struct writer *w, int64_t number)
{
    char digits[20];
    size_t count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    while (count > 0)
        write_bytes(w, &digits[--count], 1);
}

static inline void write_field(struct writer *w, struct str name, struct str value)
{
    write_str(w, name);
    WRITE_LITERAL(w, ": ");
    write_str(w, value);
    WRITE_LITERAL(w, "\r\n");
}

static inline size_t written(const struct writer *w)
{
    return (size_t)(w->at - w->begin);
}

#endif
