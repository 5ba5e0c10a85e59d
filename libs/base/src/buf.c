#include <base/buf.h>

#include <stdio.h>
#include <string.h>

#define FIRST_CAP 64

void buf_deinit(struct buf *buf)
{
    free(buf->data);
    *buf = BUF_INIT(buf->max);
}

void buf_reset(struct buf *buf)
{
    buf->status = BUF_OK;
    buf_truncate(buf, 0);
}

static bool fail(struct buf *buf, enum buf_status status)
{
    buf->status = status;
    return false;
}

/* Makes cap at least needed; needed <= max + 1, so that the clamp below keeps enough. */
static bool grow(struct buf *buf, size_t needed)
{
    size_t cap = MAX(buf->cap, FIRST_CAP);
    while (cap < needed)
        cap = cap > SIZE_MAX / 2 ? SIZE_MAX : cap * 2;
    if (cap - 1 > buf->max)
        cap = buf->max + 1;
    char *data = realloc(buf->data, cap);
    if (!data)
        return fail(buf, BUF_NO_MEMORY);
    if (!buf->data)
        data[0] = '\0';
    buf->data = data;
    buf->cap = cap;
    return true;
}

static bool make_room(struct buf *buf, size_t count)
{
    if (buf->status != BUF_OK)
        return false;
    if (count > buf->max - buf->len)
        return fail(buf, BUF_TOO_LARGE);
    if (count < buf->cap - buf->len)
        return true;
    if (buf->len + count == SIZE_MAX)
        return fail(buf, BUF_NO_MEMORY);
    return grow(buf, buf->len + count + 1);
}

/* Room for count more bytes and the NUL. Most of the time it is there. */
static inline bool has_room(struct buf *buf, size_t count)
{
    bool is_there =
        buf->status == BUF_OK && count < buf->cap - buf->len && count <= buf->max - buf->len;
    return is_there || make_room(buf, count);
}

char *buf_reserve(struct buf *buf, size_t count)
{
    return has_room(buf, count) ? buf->data + buf->len : NULL;
}

void buf_commit(struct buf *buf, size_t count)
{
    if (buf->status != BUF_OK || !buf->data)
        return;
    buf->len += count;
    buf->data[buf->len] = '\0';
}

bool buf_append(struct buf *buf, const void *bytes, size_t count)
{
    if (!has_room(buf, count))
        return false;
    if (count > 0)
        memcpy(buf->data + buf->len, bytes, count);
    buf->len += count;
    buf->data[buf->len] = '\0';
    return true;
}

bool buf_append_str(struct buf *buf, const char *text)
{
    return buf_append(buf, text, strlen(text));
}

bool buf_append_char(struct buf *buf, char byte)
{
    return buf_append(buf, &byte, 1);
}

bool buf_append_i64(struct buf *buf, int64_t number)
{
    char digits[20]; /* "-9223372036854775808" */
    size_t at = sizeof(digits);
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        digits[--at] = '-';
    return buf_append(buf, digits + at, sizeof(digits) - at);
}

bool buf_vprintf(struct buf *buf, const char *format, va_list args)
{
    if (buf->status != BUF_OK)
        return false;
    va_list again;
    va_copy(again, args);
    size_t room = buf->cap - buf->len;
    int length = vsnprintf(buf->data ? buf->data + buf->len : NULL, room, format, args);
    if (length < 0)
        fail(buf, BUF_TOO_LARGE);
    else if ((size_t)length >= room && make_room(buf, (size_t)length))
        vsnprintf(buf->data + buf->len, (size_t)length + 1, format, again);
    va_end(again);
    if (buf->status == BUF_OK)
        buf->len += (size_t)length;
    else
        buf_truncate(buf, buf->len); /* takes back the part that fitted */
    return buf->status == BUF_OK;
}

bool buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    bool ok = buf_vprintf(buf, format, args);
    va_end(args);
    return ok;
}

void buf_consume(struct buf *buf, size_t count)
{
    if (!buf->data)
        return;
    count = MIN(count, buf->len);
    memmove(buf->data, buf->data + count, buf->len - count + 1);
    buf->len -= count;
}

void buf_truncate(struct buf *buf, size_t len)
{
    if (!buf->data)
        return;
    buf->len = MIN(len, buf->len);
    buf->data[buf->len] = '\0';
}

char *buf_take(struct buf *buf)
{
    if (!make_room(buf, 0))
        return NULL;
    char *content = TAKE(buf->data);
    buf->len = buf->cap = 0;
    return content;
}
