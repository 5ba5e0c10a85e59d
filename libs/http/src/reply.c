/* The answers that a handler makes. They are composed here and sent by send.c at the end. */
#include <stdarg.h>
#include <stdio.h>

#include <base/str.h>
#include <model/problem.h>

#include "exchange.h"
#include "framing.h"

int http_status(const struct http_res *res)
{
    return res->status;
}

static bool adds_up(const char *name)
{
    return str_equal_nocase(name, "Vary") || str_equal_nocase(name, "Set-Cookie") ||
           str_equal_nocase(name, "Link");
}

bool http_add_header(struct http_res *res, const char *name, const char *value)
{
    size_t at = res->header_count;
    if (!adds_up(name))
        for (at = 0; at < res->header_count; at++)
            if (str_equal_nocase(res->headers[at].name, name))
                break;
    if (at == EXCHANGE_ANSWER_MAX)
        return false;
    res->headers[at] = (struct http_header_pair){name, value};
    res->header_count = MAX(res->header_count, at + 1);
    return true;
}

/* Those that the library writes itself. */
static bool is_framing(const char *name)
{
    static const char *const framing[] = {"Connection", "Content-Length", "Content-Type",
                                          "Date",       "Keep-Alive",     "Transfer-Encoding",
                                          "Trailer",    "Upgrade"};
    for (size_t i = 0; i < ARRAY_LEN(framing); i++)
        if (str_equal_nocase(framing[i], name))
            return true;
    return false;
}

struct err *http_set_header(struct http_res *res, const char *name, const char *format, ...)
{
    if (!http_is_token(name) || is_framing(name))
        return err_new(&ERR_INTERNAL, "the header '%s' cannot be set", name);
    char text[1024];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof(text))
        return err_new(&ERR_INTERNAL, "the header %s is longer than %zu bytes", name,
                       sizeof(text) - 1);
    for (int i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return err_new(&ERR_INTERNAL, "the header %s has a control character", name);
    struct arena *arena = &res->req->arena;
    const char *own_name = arena_strdup(arena, name);
    const char *value = arena_strndup(arena, text, (size_t)len);
    if (!own_name || !value)
        return err_oom();
    if (res->state != ANSWER_NONE)
        return err_new(&ERR_INTERNAL, "the header %s comes after the reply", name);
    return http_add_header(res, own_name, value)
               ? NULL
               : err_new(&ERR_INTERNAL, "more than %d headers", EXCHANGE_ANSWER_MAX);
}

static struct err *begin(struct http_res *res, int status, const char *content_type)
{
    if (res->state != ANSWER_NONE)
        return err_new(&ERR_INTERNAL, "a second reply, %d after %d", status, res->status);
    if (status < 200 || status > 599)
        return err_new(&ERR_INTERNAL, "a reply with the status %d", status);
    buf_reset(&res->body);
    res->status = status;
    res->content_type = content_type;
    return NULL;
}

/* The reply counts once its body is whole. */
static struct err *finish(struct http_res *res)
{
    enum buf_status failure = buf_status(&res->body);
    if (failure == BUF_OK) {
        res->state = ANSWER_READY;
        return NULL;
    }
    res->status = 0;
    return failure == BUF_NO_MEMORY
               ? err_oom()
               : err_new(&ERR_INTERNAL, "an answer of more than %zu bytes", EXCHANGE_BODY_MAX);
}

struct err *http_reply(struct http_res *res, int status, const struct model *model,
                       const void *object)
{
    TRY(begin(res, status, "application/json"));
    struct json_writer writer = JSON_WRITER(&res->body);
    model_write(model, object, &writer);
    return finish(res);
}

struct err *http_reply_list(struct http_res *res, const struct model *model, const void *items,
                            size_t count, const char *next_cursor)
{
    TRY(begin(res, 200, "application/json"));
    struct json_writer writer = JSON_WRITER(&res->body);
    json_begin_object(&writer);
    json_write_name(&writer, "items");
    json_begin_array(&writer);
    for (size_t i = 0; i < count; i++)
        model_write(model, (const char *)items + i * model->size, &writer);
    json_end_array(&writer);
    json_write_name(&writer, "next_cursor");
    json_write_string(&writer, next_cursor);
    json_end_object(&writer);
    return finish(res);
}

struct err *http_reply_empty(struct http_res *res, int status)
{
    TRY(begin(res, status, NULL));
    return finish(res);
}

struct err *http_reply_bytes(struct http_res *res, int status, const char *content_type,
                             const void *bytes, size_t len)
{
    TRY(begin(res, status, NULL));
    res->content_type = arena_strdup(&res->req->arena, content_type);
    if (!res->content_type)
        return err_oom();
    buf_append(&res->body, bytes, len);
    return finish(res);
}

static void add_error_headers(struct http_res *res, const struct err *e)
{
    struct http_req *req = res->req;
    int status = res->status;
    if (status == 401) {
        bool was_wrong = req->known[KNOWN_AUTHORIZATION] && err_kind(e) == &ERR_UNAUTHENTICATED;
        http_add_header(res, "WWW-Authenticate",
                        was_wrong ? "Bearer realm=\"plankton\", error=\"invalid_token\""
                                  : "Bearer realm=\"plankton\"");
    }
    if (status == 405) {
        const char *allow = http_allow_text(&req->arena, req->allowed);
        if (allow)
            http_add_header(res, "Allow", allow);
    }
    int64_t retry_after_ms = err_retry_after_ms(e);
    if (retry_after_ms > 0) {
        char *seconds =
            arena_printf(&req->arena, "%lld", (long long)((retry_after_ms + 999) / 1000));
        if (seconds)
            http_add_header(res, "Retry-After", seconds);
    }
}

void http_reply_error(struct http_res *res, const struct err *e, size_t header_count)
{
    if (res->state == ANSWER_STREAMING || res->state == ANSWER_SENT) {
        res->close = true;
        return;
    }
    res->state = ANSWER_READY;
    res->status = err_kind(e)->status;
    res->content_type = PROBLEM_MEDIA_TYPE;
    res->header_count = MIN(res->header_count, header_count);
    buf_reset(&res->body);
    const char *request_id = res->req->trace.request_id;
    problem_write(e, request_id[0] != '\0' ? request_id : NULL, &res->body);
    add_error_headers(res, e);
}
