#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

static const struct err out_of_memory = {
    .kind = &ERR_OUT_OF_MEMORY,
    .message = "out of memory",
};

struct err *err_oom(void)
{
    /* Constant in fact, not in type: all that would write to it leave it alone. */
    return (struct err *)(uintptr_t)&out_of_memory;
}

static bool is_oom(const struct err *e)
{
    return e == &out_of_memory;
}

size_t err_whole_characters(const char *text, size_t len)
{
    size_t start = len;
    while (start > 0 && len - start < 3 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0)
        return len;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    return len - (start - 1) < need ? start - 1 : len;
}

size_t err_format_bounded(char *out, size_t cap, const char *format, va_list args)
{
    int whole = vsnprintf(out, cap, format, args);
    size_t len = whole < 0 ? 0 : (size_t)whole;
    if (len >= cap)
        len = err_whole_characters(out, cap - 1);
    out[len] = '\0';
    return len;
}

static struct err *new_node(const struct err_kind *kind, const char *message, size_t len)
{
    struct err *e = malloc(sizeof(*e) + len + 1);
    if (!e)
        return err_oom();
    *e = (struct err){.kind = kind};
    memcpy(e->message, message, len);
    e->message[len] = '\0';
    return e;
}

struct err *err_new_text(const struct err_kind *kind, const char *text)
{
    size_t len = strnlen(text, ERR_TEXT_MAX + 1);
    return new_node(kind, text,
                    len > ERR_TEXT_MAX ? err_whole_characters(text, ERR_TEXT_MAX) : len);
}

struct err *err_vnew(const struct err_kind *kind, const char *format, va_list args)
{
    char message[ERR_MESSAGE_MAX + 1];
    size_t len = err_format_bounded(message, sizeof(message), format, args);
    return new_node(kind, message, len);
}

struct err *err_new(const struct err_kind *kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct err *e = err_vnew(kind, format, args);
    va_end(args);
    return e;
}

static const struct err_kind *kind_of_errno(int errnum)
{
    switch (errnum) {
    case ETIMEDOUT:
        return &ERR_UPSTREAM_TIMEOUT;
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ENOTCONN:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
    case ENETRESET:
        return &ERR_UPSTREAM_UNAVAILABLE;
    default:
        return &ERR_INTERNAL;
    }
}

struct err *err_errno(int errnum, const char *format, ...)
{
    if (errnum == ENOMEM)
        return err_oom();
    char buffer[128];
    const char *reason = strerror_r(errnum, buffer, sizeof(buffer));
    size_t reason_len = MIN(strlen(reason), sizeof(buffer));
    char message[ERR_MESSAGE_MAX + 1];
    va_list args;
    va_start(args, format);
    /* The reason stands at the end of a message that is cut, too. */
    size_t len = err_format_bounded(message, sizeof(message) - reason_len - 2, format, args);
    va_end(args);
    len +=
        (size_t)snprintf(message + len, sizeof(message) - len, ": %.*s", (int)reason_len, reason);
    return new_node(kind_of_errno(errnum), message, len);
}

/* Puts outer, freshly made, on top of the cause. */
static struct err *chain(struct err *outer, struct err *cause)
{
    if (is_oom(outer))
        err_free(cause);
    else
        outer->cause = cause;
    return outer;
}

struct err *err_wrap(struct err *cause, const char *format, ...)
{
    if (!cause || is_oom(cause))
        return cause;
    va_list args;
    va_start(args, format);
    struct err *e = chain(err_vnew(cause->kind, format, args), cause);
    va_end(args);
    if (!is_oom(e))
        e->is_context = true;
    return e;
}

struct err *err_wrap_as(struct err *cause, const struct err_kind *kind, const char *format, ...)
{
    if (!cause)
        return NULL;
    va_list args;
    va_start(args, format);
    struct err *e = chain(err_vnew(kind, format, args), cause);
    va_end(args);
    return e;
}

void err_free(struct err *e)
{
    while (e && !is_oom(e)) {
        struct err *cause = e->cause;
        err_field_list_free(e->fields);
        free(e);
        e = cause;
    }
}

const struct err_kind *err_kind(const struct err *e)
{
    return e ? e->kind : NULL;
}

bool err_is(const struct err *e, const struct err_kind *kind)
{
    for (; e; e = e->cause)
        if (e->kind == kind)
            return true;
    return false;
}

bool err_is_retryable(const struct err *e)
{
    return e && e->kind->retryable;
}

static const char *message_of(const struct err *e)
{
    return e->fields ? err_field_summary(e->fields) : e->message;
}

const char *err_detail(const struct err *e)
{
    while (e && e->is_context)
        e = e->cause;
    return e ? message_of(e) : "";
}

const char *err_detail_of(const struct err *e, const struct err_kind *kind)
{
    while (e && e->kind != kind)
        e = e->cause;
    return err_detail(e);
}

struct err *err_set_retry_after(struct err *e, int64_t after_ms)
{
    if (e && !is_oom(e))
        e->retry_after_ms = after_ms;
    return e;
}

int64_t err_retry_after_ms(const struct err *e)
{
    for (; e; e = e->cause)
        if (e->retry_after_ms > 0)
            return e->retry_after_ms;
    return 0;
}

/* A line that counts on when its place is full. */
struct line {
    char *out;
    size_t cap;
    size_t len;
};

static void put_char(struct line *line, char c)
{
    if (line->len < line->cap)
        line->out[line->len] = c;
    line->len++;
}

static void put_text(struct line *line, const char *text)
{
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte >= 0x20 && byte != 0x7f) {
            put_char(line, *text);
            continue;
        }
        put_text(line, "\\x");
        put_char(line, "0123456789abcdef"[byte >> 4]);
        put_char(line, "0123456789abcdef"[byte & 0xf]);
    }
}

size_t err_format(const struct err *e, char *out, size_t cap)
{
    struct line line = {.out = out, .cap = cap};
    for (; e; e = e->cause) {
        const char *message = message_of(e);
        put_text(&line, message);
        if (!e->is_context) {
            put_text(&line, *message ? " [" : "[");
            put_text(&line, e->kind->slug);
            put_char(&line, ']');
        }
        if (e->cause)
            put_text(&line, ": ");
    }
    if (cap > 0)
        out[line.len < cap ? line.len : err_whole_characters(out, cap - 1)] = '\0';
    return line.len;
}
