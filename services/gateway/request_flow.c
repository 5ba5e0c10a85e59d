/* The request's way: from the client's slab to the upstream, piece by piece. */
#include <errno.h>
#include <sys/socket.h>

#include "exchange.h"

/* What was queued is on its way, the rest has not come. */
bool request_waits_for_client(const struct exchange *ex)
{
    bool is_moving = ex->request_flow == REQUEST_GATHERING || ex->request_flow == REQUEST_FLOWING;
    return is_moving && sendq_is_empty(&ex->to_upstream) && !ex->body_is_complete;
}

/* Takes the part of the body that stands in the slab; NULL, or what is wrong with it. */
static const char *take_piece(struct exchange *ex, struct span *out_piece)
{
    struct slab *in = ex->client->in;
    size_t len = in->end - in->start, body = 0, used = 0;
    switch (ex->request.body) {
    case BODY_LENGTH:
        body = used = (size_t)MIN((int64_t)len, ex->request_left);
        ex->request_left -= (int64_t)body;
        ex->body_is_complete = ex->request_left == 0;
        break;
    case BODY_CHUNKED: {
        enum chunk_status status =
            chunked_decode(&ex->request_chunks, in->data + in->start, len, &body, &used);
        if (status == CHUNK_BAD)
            return "the chunked body is malformed";
        ex->body_is_complete = status == CHUNK_DONE;
        break;
    }
    case BODY_NONE:
    case BODY_UNTIL_CLOSE:
        ex->body_is_complete = true;
        break;
    }
    *out_piece = (struct span){(uint16_t)in->start, (uint16_t)body};
    in->start += (uint32_t)used;
    ex->request_bytes += (int64_t)body;
    return NULL;
}

static void queue_piece(struct exchange *ex, struct span piece)
{
    const char *bytes = ex->client->in->data + piece.at;
    if (ex->request.body == BODY_CHUNKED)
        sendq_add_chunk(&ex->to_upstream, bytes, piece.len, ex->body_is_complete);
    else
        sendq_add(&ex->to_upstream, bytes, piece.len);
}

/* As take_piece(). False: the exchange is over. */
static bool take_allowed(struct exchange *ex, struct span *out_piece)
{
    const char *wrong = take_piece(ex, out_piece);
    if (wrong) {
        exchange_fail(ex, &ERR_BAD_REQUEST, wrong);
        return false;
    }
    if (ex->request_bytes > ex->max_body_bytes) {
        exchange_fail(ex, &ERR_BODY_TOO_LARGE, "the body is larger than the route takes");
        return false;
    }
    return true;
}

/* False: the exchange is over. */
static bool queue_body(struct exchange *ex)
{
    struct span piece;
    if (!take_allowed(ex, &piece))
        return false;
    if (!ex->has_first_piece) {
        ex->has_first_piece = true;
        ex->first_piece = piece;
    }
    queue_piece(ex, piece);
    return true;
}

void request_skip_body(struct exchange *ex)
{
    struct span piece;
    if (!ex->body_is_complete && ex->request_flow == REQUEST_HELD)
        if (take_piece(ex, &piece))
            ex->body_is_complete = false; /* malformed: nothing may follow it */
}

/* The gateway decides for itself whether it wants the body, so 100 (Continue) does not come from
 * the upstream (RFC 9110 section 10.1.1). False: the exchange is over. */
static bool say_continue(struct exchange *ex)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (!ex->request.expects_continue || ex->has_continued || ex->answer_flow != ANSWER_HEAD)
        return true;
    ex->has_continued = true;
    if (send(ex->client->source.fd, text, sizeof(text) - 1, MSG_NOSIGNAL) == sizeof(text) - 1)
        return true;
    exchange_abort(ex, "the client does not take 100 (Continue)");
    return false;
}

/* Reads more of the body into the slab, from this place on. False: nothing has come yet, or the
 * exchange is over. */
static bool read_body(struct exchange *ex, uint32_t place)
{
    struct slab *in = ex->client->in;
    in->start = in->end = place;
    ssize_t got = client_receive(ex->client);
    if (got > 0) {
        ex->moved += got;
        return true;
    }
    if (got == 0) {
        exchange_fail(ex, &ERR_BAD_REQUEST, "the body ended too early");
        return false;
    }
    if (errno != EAGAIN) {
        exchange_abort(ex, "the client's connection broke");
        return false;
    }
    if (!say_continue(ex))
        return false;
    client_want(ex->client, LOOP_READ, true);
    exchange_time_client(ex);
    return false;
}

/* Takes what stands in the slab as a part of the first piece. False: the exchange is over. */
static bool keep_piece(struct exchange *ex)
{
    struct span piece;
    if (!take_allowed(ex, &piece))
        return false;
    if (!ex->has_first_piece)
        ex->first_piece.at = piece.at;
    ex->has_first_piece = true;
    ex->first_piece.len = (uint16_t)(ex->first_piece.len + piece.len);
    return true;
}

static void gather(struct exchange *ex)
{
    while (keep_piece(ex)) {
        uint32_t end = (uint32_t)ex->first_piece.at + ex->first_piece.len;
        if (ex->body_is_complete || end == SLAB_BYTES) {
            ex->request_flow = REQUEST_HELD;
            ex->client_is_timed = false;
            upstream_acquire(ex->upstream, &ex->user, false);
            return;
        }
        if (!read_body(ex, end))
            return;
    }
}

void request_begin(struct exchange *ex)
{
    if (ex->body_is_complete || !upstream_is_scarce(ex->upstream)) {
        upstream_acquire(ex->upstream, &ex->user, false);
        return;
    }
    ex->request_flow = REQUEST_GATHERING;
    gather(ex);
}

static void upstream_want(struct exchange *ex, enum loop_events event, bool wanted)
{
    struct loop_source *source = &ex->user.conn->source;
    loop_change(source, wanted ? source->events | event : source->events & ~(unsigned)event);
}

/* False: the socket is full, or closed, or the exchange is over. */
static bool flush(struct exchange *ex)
{
    size_t sent = 0;
    struct upstream_conn *conn = ex->user.conn;
    bool was_blocked = conn->source.events & LOOP_WRITE;
    enum send_status status =
        sendq_flush(&ex->to_upstream, conn->source.fd, &ex->worker->slabs, &sent);
    ex->sent_upstream += sent;
    if (status == SEND_FAILED) {
        /* It may have answered before it stopped to listen: the answer flow finds out. */
        sendq_clear(&ex->to_upstream, &ex->worker->slabs);
        ex->request_flow = REQUEST_CUT;
        upstream_want(ex, LOOP_WRITE, false);
        answer_pump(ex, 0);
        return false;
    }
    if (sent > 0)
        upstream_expect(conn, ex->timeout_ms);
    if (status == SEND_BLOCKED || was_blocked)
        upstream_want(ex, LOOP_WRITE, status == SEND_BLOCKED);
    if (was_blocked)
        ex->client_is_timed = false; /* the waiting so far was not the client's fault */
    return status == SEND_DONE;
}

void request_pump(struct exchange *ex)
{
    if (ex->request_flow == REQUEST_GATHERING) {
        gather(ex);
        return;
    }
    for (int reads = 0; ex->request_flow == REQUEST_FLOWING; reads++) {
        if (!flush(ex))
            return;
        if (ex->body_is_complete) {
            ex->request_flow = REQUEST_SENT;
            ex->client_is_timed = false;
            return;
        }
        if (reads == READS_PER_ROUND) {
            client_want(ex->client, LOOP_READ, true);
            return;
        }
        if (!read_body(ex, ex->request.head_len))
            return;
        ex->cannot_replay = true; /* the first piece is gone */
        if (!queue_body(ex))
            return;
    }
}

void request_send(struct exchange *ex)
{
    size_t head_len = write_request_head(ex);
    if (head_len == 0) {
        exchange_fail(ex, &ERR_HEADERS_TOO_LARGE, "the header section is too large");
        return;
    }
    sendq_add_scratch(&ex->to_upstream, ex->worker->scratch, head_len, SLAB_BYTES - head_len);
    ex->sent_upstream = 0;
    ex->request_flow = REQUEST_FLOWING;
    upstream_expect(ex->user.conn, ex->timeout_ms);
    if (ex->has_first_piece)
        queue_piece(ex, ex->first_piece);
    else if (!queue_body(ex))
        return;
    request_pump(ex);
}
