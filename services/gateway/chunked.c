#include "chunked.h"

#include <string.h>

#include <base/macros.h>

#include "chars.h"

#define DIGITS_MAX 15 /* 60 bits: no overflow */

static bool add_digit(struct chunked *c, char byte)
{
    int digit = char_hex(byte);
    if (digit < 0 || c->digits == DIGITS_MAX)
        return false;
    c->left = c->left * 16 + digit;
    c->digits++;
    c->state = CHUNK_SIZE;
    return true;
}

static bool size_ended(struct chunked *c, char byte)
{
    if (byte == '\r')
        c->state = CHUNK_SIZE_LF;
    else if (byte == ';')
        c->state = CHUNK_EXTENSION;
    else
        return add_digit(c, byte);
    return true;
}

static bool expect(struct chunked *c, char byte, char expected, enum chunk_state next)
{
    c->state = next;
    return byte == expected;
}

/* Bytes up to a CR, counted; false for control characters and when it gets too long. */
static bool skip_text(struct chunked *c, char byte, enum chunk_state next)
{
    if (byte == '\r') {
        c->state = next;
        return true;
    }
    return char_is(byte, CHAR_VALUE) && ++c->extra <= CHUNK_EXTRA_MAX;
}

static bool trailer_name(struct chunked *c, char byte)
{
    if (byte == ':') {
        c->state = CHUNK_TRAILER_VALUE;
        return true;
    }
    c->state = CHUNK_TRAILER_NAME;
    return char_is(byte, CHAR_TOKEN) && ++c->extra <= CHUNK_EXTRA_MAX;
}

/* One byte of the framing. False when it may not stand there. */
static bool step(struct chunked *c, char byte)
{
    switch (c->state) {
    case CHUNK_SIZE_FIRST:
        return add_digit(c, byte);
    case CHUNK_SIZE:
        return size_ended(c, byte);
    case CHUNK_EXTENSION:
        return skip_text(c, byte, CHUNK_SIZE_LF);
    case CHUNK_SIZE_LF:
        return expect(c, byte, '\n', c->left > 0 ? CHUNK_DATA : CHUNK_TRAILER_FIRST);
    case CHUNK_DATA_CR:
        return expect(c, byte, '\r', CHUNK_DATA_LF);
    case CHUNK_DATA_LF:
        c->digits = 0;
        return expect(c, byte, '\n', CHUNK_SIZE_FIRST);
    case CHUNK_TRAILER_FIRST:
        if (byte == '\r')
            return expect(c, byte, '\r', CHUNK_LAST_LF);
        return byte != ':' && trailer_name(c, byte);
    case CHUNK_TRAILER_NAME:
        return trailer_name(c, byte);
    case CHUNK_TRAILER_VALUE:
        return skip_text(c, byte, CHUNK_TRAILER_LF);
    case CHUNK_TRAILER_LF:
        return expect(c, byte, '\n', CHUNK_TRAILER_FIRST);
    case CHUNK_LAST_LF:
        return expect(c, byte, '\n', CHUNK_END);
    case CHUNK_DATA:
    case CHUNK_END:
        break;
    }
    return false;
}

enum chunk_status chunked_decode(struct chunked *chunked, char *bytes, size_t len, size_t *out_body,
                                 size_t *out_used)
{
    size_t from = 0, to = 0;
    while (from < len && chunked->state != CHUNK_END) {
        if (chunked->state != CHUNK_DATA) {
            if (!step(chunked, bytes[from++]))
                return CHUNK_BAD;
            continue;
        }
        size_t run = (size_t)MIN(chunked->left, (int64_t)(len - from));
        memmove(bytes + to, bytes + from, run);
        to += run;
        from += run;
        chunked->left -= (int64_t)run;
        if (chunked->left == 0)
            chunked->state = CHUNK_DATA_CR;
    }
    *out_body = to;
    *out_used = from;
    return chunked->state == CHUNK_END ? CHUNK_DONE : CHUNK_MORE;
}

size_t chunk_line(char out[static CHUNK_LINE_MAX], size_t size)
{
    static const char digits[] = "0123456789abcdef";
    size_t count = 1;
    while (size >> (4 * count))
        count++;
    for (size_t i = 0; i < count; i++)
        out[i] = digits[size >> (4 * (count - 1 - i)) & 15];
    out[count] = '\r';
    out[count + 1] = '\n';
    return count + 2;
}
