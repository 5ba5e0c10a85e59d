/* The way of an answer to the transport: one write for a small one, pieces for a stream. */
#include <string.h>
#include <time.h>

#include <base/clock.h>

#include "core.h"
#include "exchange.h"

/* Up to here head and body are copied together, so that they leave in one write. */
#define ONE_WRITE_MAX ((size_t)64 << 10)

static const char *status_line_of(int status)
{
    switch (status) {
#define REASON(code, text)                                                                         \
    case code:                                                                                     \
        return "HTTP/1.1 " #code " " text "\r\n"
        REASON(200, "OK");
        REASON(201, "Created");
        REASON(202, "Accepted");
        REASON(204, "No Content");
        REASON(206, "Partial Content");
        REASON(301, "Moved Permanently");
        REASON(302, "Found");
        REASON(303, "See Other");
        REASON(304, "Not Modified");
        REASON(307, "Temporary Redirect");
        REASON(308, "Permanent Redirect");
        REASON(400, "Bad Request");
        REASON(401, "Unauthorized");
        REASON(403, "Forbidden");
        REASON(404, "Not Found");
        REASON(405, "Method Not Allowed");
        REASON(406, "Not Acceptable");
        REASON(408, "Request Timeout");
        REASON(409, "Conflict");
        REASON(410, "Gone");
        REASON(412, "Precondition Failed");
        REASON(413, "Content Too Large");
        REASON(414, "URI Too Long");
        REASON(415, "Unsupported Media Type");
        REASON(422, "Unprocessable Content");
        REASON(429, "Too Many Requests");
        REASON(431, "Request Header Fields Too Large");
        REASON(500, "Internal Server Error");
        REASON(501, "Not Implemented");
        REASON(502, "Bad Gateway");
        REASON(503, "Service Unavailable");
        REASON(504, "Gateway Timeout");
        REASON(505, "HTTP Version Not Supported");
#undef REASON
    default:
        return NULL;
    }
}

static void append_header(struct buf *out, const char *name, const char *value)
{
    size_t name_len = strlen(name), value_len = strlen(value);
    size_t len = name_len + 2 + value_len + 2;
    char *place = buf_reserve(out, len);
    if (!place)
        return;
    place = mempcpy(mempcpy(place, name, name_len), ": ", 2);
    mempcpy(mempcpy(place, value, value_len), "\r\n", 2);
    buf_commit(out, len);
}

/* Formatting a date costs more than the rest of the head, and it is good for a second. */
static const char *date_of(struct http_res *res)
{
    time_t now = time(NULL);
    if (now != res->date_s) {
        struct tm parts;
        gmtime_r(&now, &parts);
        strftime(res->date, sizeof(res->date), "%a, %d %b %Y %H:%M:%S GMT", &parts);
        res->date_s = now;
    }
    return res->date;
}

/* Everything but the header that says where the body ends. */
static void compose_head(struct http_res *res)
{
    const struct http_req *req = res->req;
    struct buf *out = &res->out;
    buf_reset(out);
    const char *status_line = status_line_of(res->status);
    if (status_line)
        buf_append_str(out, status_line);
    else
        buf_printf(out, "HTTP/1.1 %d \r\n", res->status);
    append_header(out, "Date", date_of(res));
    if (res->content_type)
        append_header(out, "Content-Type", res->content_type);
    for (size_t i = 0; i < res->header_count; i++)
        append_header(out, res->headers[i].name, res->headers[i].value);
    if (res->close)
        append_header(out, "Connection", "close");
    else if (req->minor_version == 0)
        append_header(out, "Connection", "keep-alive");
}

static void decide_connection(struct http_res *res)
{
    struct http_req *req = res->req;
    http_drain_body(req);
    res->close = res->close || !req->keep_alive || req->body_state != BODY_READ ||
                 atomic_load_explicit(&req->server->is_closing, memory_order_relaxed);
}

static bool put(struct http_res *res, const void *bytes, size_t len)
{
    struct http_req *req = res->req;
    if (!res->has_failed && !req->transport->write(req->transport_data, bytes, len))
        res->has_failed = true;
    res->close = res->close || res->has_failed;
    return !res->has_failed;
}

/* What is said when there is no memory to say it. */
static void put_out_of_memory(struct http_res *res)
{
    static const char answer[] =
        "HTTP/1.1 503 Service Unavailable\r\n"
        "Content-Type: application/problem+json\r\nContent-Length: 62\r\nConnection: close\r\n\r\n"
        "{\"title\":\"Out of memory\",\"status\":503,\"code\":\"out_of_memory\"}\n";
    res->status = 503;
    res->close = true;
    put(res, answer, sizeof(answer) - 1);
}

static void send_ready(struct http_res *res)
{
    struct buf *out = &res->out;
    const struct buf *body = &res->body;
    bool may_have_body = res->status != 204 && res->status != 304;
    bool is_written = may_have_body && res->req->method != HEAD;
    decide_connection(res);
    compose_head(res);
    if (may_have_body) {
        buf_append_str(out, "Content-Length: ");
        buf_append_i64(out, (int64_t)body->len);
        buf_append(out, "\r\n", 2);
    }
    buf_append(out, "\r\n", 2);
    bool is_small = body->len <= ONE_WRITE_MAX;
    if (is_written && is_small)
        buf_append(out, body->data, body->len);
    if (buf_status(out) != BUF_OK || buf_status(body) != BUF_OK) {
        put_out_of_memory(res);
        return;
    }
    if (put(res, out->data, out->len) && is_written) {
        if (is_small || put(res, body->data, body->len))
            res->bytes = (int64_t)body->len;
    }
}

void http_send(struct http_res *res)
{
    if (res->state == ANSWER_READY) {
        res->state = ANSWER_SENT;
        send_ready(res);
    } else if (res->state == ANSWER_STREAMING) {
        /* The handler failed half-way: the missing end tells the client. */
        res->state = ANSWER_SENT;
        res->close = true;
    }
    if (res->sent_ns == 0)
        res->sent_ns = clock_mono_ns();
}

struct err *http_stream_begin(struct http_res *res, int status, const char *content_type)
{
    TRY(http_reply_bytes(res, status, content_type, NULL, 0));
    struct http_req *req = res->req;
    res->state = ANSWER_STREAMING;
    decide_connection(res);
    res->is_chunked = req->minor_version >= 1;
    res->close = res->close || !res->is_chunked;
    compose_head(res);
    if (res->is_chunked)
        append_header(&res->out, "Transfer-Encoding", "chunked");
    buf_append(&res->out, "\r\n", 2);
    return buf_status(&res->out) == BUF_OK ? NULL : err_oom();
}

static struct err *flush(struct http_res *res)
{
    if (buf_status(&res->out) != BUF_OK)
        return err_oom();
    bool is_fine = put(res, res->out.data, res->out.len);
    buf_reset(&res->out);
    return is_fine ? NULL : err_new(&ERR_CANCELLED, "the client is gone");
}

static void append_piece(struct http_res *res, const char *bytes, size_t len)
{
    if (res->is_chunked)
        buf_printf(&res->out, "%zx\r\n", len);
    buf_append(&res->out, bytes, len);
    if (res->is_chunked)
        buf_append(&res->out, "\r\n", 2);
}

struct err *http_stream_write(struct http_res *res, const void *bytes, size_t len)
{
    if (res->state != ANSWER_STREAMING)
        return err_new(&ERR_INTERNAL, "a stream that has not begun");
    const char *from = bytes;
    while (len > 0 && res->req->method != HEAD) {
        size_t piece = MIN(len, EXCHANGE_STREAM_PIECE);
        append_piece(res, from, piece);
        if (res->out.len >= EXCHANGE_STREAM_PIECE)
            TRY(flush(res));
        res->bytes += (int64_t)piece;
        from += piece;
        len -= piece;
    }
    return NULL;
}

struct err *http_stream_end(struct http_res *res)
{
    if (res->state != ANSWER_STREAMING)
        return err_new(&ERR_INTERNAL, "a stream that has not begun");
    res->state = ANSWER_SENT;
    if (res->is_chunked && res->req->method != HEAD)
        buf_append_str(&res->out, "0\r\n\r\n");
    struct err *e = flush(res);
    res->close = res->close || e;
    return e;
}
