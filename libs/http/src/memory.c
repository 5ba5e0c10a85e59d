/* The in-memory transport of <http/test.h>. */
#include <string.h>

#include <base/str.h>
#include <http/test.h>

#include "core.h"
#include "exchange.h"
#include "wire.h"

#define ANSWER_MAX ((size_t)256 << 20)

struct memory {
    const char *body;
    size_t body_len, body_read;
    struct buf answer;
};

static ssize_t read_memory(void *data, void *out, size_t len)
{
    struct memory *memory = data;
    size_t count = MIN(len, memory->body_len - memory->body_read);
    if (count > 0)
        memcpy(out, memory->body + memory->body_read, count);
    memory->body_read += count;
    return (ssize_t)count;
}

static bool write_memory(void *data, const void *bytes, size_t len)
{
    struct memory *memory = data;
    return buf_append(&memory->answer, bytes, len);
}

static const struct http_transport transport = {read_memory, write_memory};

static struct err *add_header(struct http_req *req, const char *name, const char *value)
{
    if (strpbrk(value, "\r\n") || req->header_count == EXCHANGE_HEADERS_MAX)
        return err_new(&ERR_INTERNAL, "the header %s cannot be sent", name);
    req->headers[req->header_count++] = (struct http_header_pair){name, value};
    return NULL;
}

static struct err *fill_in(struct http_req *req, const char *target,
                           const struct http_header_pair *headers, const struct memory *memory)
{
    size_t path_len = strcspn(target, "?");
    req->path = arena_strndup(&req->arena, target, path_len);
    req->query_text = target[path_len] == '?' ? target + path_len + 1 : NULL;
    req->client_address = "127.0.0.1";
    req->minor_version = 1;
    TRY(add_header(req, "Host", "test"));
    bool has_type = false;
    for (; headers && headers->name; headers++) {
        TRY(add_header(req, headers->name, headers->value));
        has_type = has_type || str_equal_nocase(headers->name, "Content-Type");
    }
    if (memory->body) {
        const char *length = arena_printf(&req->arena, "%zu", memory->body_len);
        if (!length)
            return err_oom();
        TRY(add_header(req, "Content-Length", length));
        if (!has_type)
            TRY(add_header(req, "Content-Type", "application/json"));
    }
    return req->path ? NULL : err_oom();
}

static struct err *take_body(const struct wire_head *head, struct buf *in, struct buf *body)
{
    struct wire_chunks chunks = {0};
    if (head->body == WIRE_CHUNKED)
        TRY(http_wire_chunks(&chunks, in, body));
    else if (head->body != WIRE_NONE && !buf_append(body, buf_text(in), in->len))
        return err_oom();
    bool is_whole = head->body == WIRE_CHUNKED  ? chunks.place == WIRE_END && in->len == 0
                    : head->body == WIRE_LENGTH ? in->len == head->length
                                                : head->body != WIRE_NONE || in->len == 0;
    return is_whole ? NULL : err_new(&ERR_UPSTREAM_UNAVAILABLE, "the answer is not whole");
}

/* What came out, read as a client would read it. */
static struct err *read_answer(struct buf *bytes, bool is_head, struct http_answer *out_answer)
{
    _cleanup_(http_answer_deinit) struct http_answer answer = {.arena = ARENA_INIT(2 * ANSWER_MAX)};
    _cleanup_(buf_deinit) struct buf body = BUF_INIT(ANSWER_MAX);
    struct wire_head head = {0};
    do {
        size_t size = http_wire_head_size(buf_text(bytes), bytes->len);
        TRY(http_wire_head_parse(buf_text(bytes), size, is_head, &answer.arena, &head));
        buf_consume(bytes, size);
    } while (head.status < 200);
    TRY(take_body(&head, bytes, &body));
    answer.status = head.status;
    answer.headers = head.headers;
    answer.header_count = head.header_count;
    answer.body_len = body.len;
    answer.body = arena_strndup(&answer.arena, buf_text(&body), body.len);
    if (!answer.body)
        return err_oom();
    http_answer_deinit(out_answer);
    http_answer_move(&answer, out_answer);
    return NULL;
}

struct err *http_test_call(struct http_server *server, enum http_method method, const char *target,
                           const struct http_header_pair *headers, const char *body,
                           struct http_answer *out_answer)
{
    _cleanup_(http_exchange_deinit) struct exchange exchange;
    http_exchange_init(&exchange, server);
    http_exchange_begin(&exchange);
    struct memory memory = {.body = body, .body_len = body ? strlen(body) : 0};
    memory.answer = BUF_INIT(ANSWER_MAX);
    exchange.req.transport = &transport;
    exchange.req.transport_data = &memory;
    exchange.req.method_text = http_method_name(method);
    struct err *e = fill_in(&exchange.req, target, headers, &memory);
    if (!e) {
        http_exchange_serve(&exchange);
        e = read_answer(&memory.answer, method == HEAD, out_answer);
    }
    buf_deinit(&memory.answer);
    return e;
}
