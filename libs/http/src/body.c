/* Reading the body of a request, within its limits. */
#include <base/str.h>

#include "exchange.h"

#define READ_PIECE ((size_t)16 << 10)
#define DRAIN_MAX  ((size_t)64 << 10)

static bool expects_continue(const struct http_req *req)
{
    const char *expect = req->known[KNOWN_EXPECT];
    return expect && req->minor_version >= 1 && str_equal_nocase(expect, "100-continue");
}

static struct err *broken(struct http_req *req, ssize_t result)
{
    req->body_state = BODY_BROKEN;
    if (result == READ_LATE)
        return err_new(&ERR_REQUEST_TIMEOUT, "the body did not arrive in time");
    return err_new(&ERR_BAD_REQUEST, "the body is incomplete or its chunks are malformed");
}

static struct err *too_large(struct http_req *req, size_t max)
{
    req->body_state = BODY_BROKEN;
    return err_new(&ERR_BODY_TOO_LARGE, "the body has more than %zu bytes", max);
}

struct err *http_read_body(struct http_req *req, size_t max)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (req->body_length > 0 && (uint64_t)req->body_length > max)
        return too_large(req, max);
    if (req->body_length != 0 && expects_continue(req) &&
        !req->transport->write(req->transport_data, go_on, sizeof(go_on) - 1))
        return broken(req, READ_BROKEN);
    struct buf *in = &req->in;
    in->max = max + READ_PIECE;
    while (req->body_length < 0 || in->len < (size_t)req->body_length) {
        size_t want = req->body_length < 0 ? READ_PIECE : (size_t)req->body_length - in->len;
        char *place = buf_reserve(in, want);
        if (!place)
            return err_oom();
        ssize_t got = req->transport->read(req->transport_data, place, want);
        if (got == 0 && req->body_length < 0)
            break;
        if (got <= 0)
            return broken(req, got);
        buf_commit(in, (size_t)got);
        if (in->len > max)
            return too_large(req, max);
    }
    req->body_state = BODY_READ;
    req->raw_body = buf_text(in);
    req->raw_len = in->len;
    return NULL;
}

/* A frame of its own: its stack would be touched for each request else. */
static __attribute__((noinline)) void drain(struct http_req *req)
{
    char sink[4096];
    size_t drained = 0;
    while (drained <= DRAIN_MAX) {
        bool has_length = req->body_length > 0;
        if (has_length && drained == (size_t)req->body_length)
            break;
        ssize_t got = req->transport->read(req->transport_data, sink, sizeof(sink));
        if (got < 0 || (got == 0 && has_length))
            return;
        if (got == 0)
            break;
        drained += (size_t)got;
    }
    if (drained <= DRAIN_MAX)
        req->body_state = BODY_READ;
}

void http_drain_body(struct http_req *req)
{
    if (req->body_length == 0)
        req->body_state = BODY_READ;
    if (req->body_state != BODY_UNREAD)
        return;
    req->body_state = BODY_BROKEN;
    if (!expects_continue(req) && req->body_length <= (int64_t)DRAIN_MAX)
        drain(req);
}
