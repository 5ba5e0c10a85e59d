/* The answer's way: from the upstream to the client, piece by piece. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "exchange.h"
#include "kinds.h"

bool answer_may_keep_alive(const struct exchange *ex)
{
    return ex->request.keep_alive && ex->body_is_complete && !ex->worker->is_lame_duck &&
           !ex->client->has_ended;
}

/* The upstream has said all that it had to say. */
static void give_connection_back(struct exchange *ex)
{
    struct upstream_conn *conn = ex->user.conn;
    if (!conn)
        return;
    bool is_clean = ex->request_flow == REQUEST_SENT && ex->response.keep_alive &&
                    ex->answer->start == ex->answer->end;
    bool is_read = ex->request_flow == REQUEST_SENT;
    if (!is_read)
        ex->request_flow = REQUEST_CUT; /* answered before it was read to the end */
    if (is_clean)
        upstream_release(conn);
    else
        upstream_discard(conn, !is_read);
}

/* --- reading --- */

/* An answer without length goes on as chunks, or until the close for those who know no chunks. */
static void begin_body(struct exchange *ex)
{
    const struct response *response = &ex->response;
    bool has_length = response->body == BODY_LENGTH || response->body == BODY_NONE;
    ex->answer_left = response->body == BODY_LENGTH ? response->content_length : 0;
    ex->is_chunked_answer = !has_length && ex->request.minor == 1;
    ex->keep_alive = answer_may_keep_alive(ex) && (has_length || ex->is_chunked_answer);
    ex->status = response->status;
    ex->answer_flow = ANSWER_BODY;
    upstream_expect(ex->user.conn, ex->timeout_ms);
}

enum progress { GOES_ON, NEEDS_MORE, IS_OVER };

/* IS_OVER: the exchange has ended. */
static enum progress read_head(struct exchange *ex)
{
    struct slab *answer = ex->answer;
    bool to_head = request_method_is(&ex->request, ex->client->in->data, STR("HEAD"));
    enum parse_status status = response_parse(&ex->response, answer->data, answer->end, to_head);
    if (status == PARSE_MORE)
        return NEEDS_MORE;
    if (status == PARSE_BAD) {
        exchange_fail(ex, &GATEWAY_BAD_ANSWER, ex->response.bad_detail);
        return IS_OVER;
    }
    answer->start = ex->response.head_len;
    if (ex->response.status < 200) {
        /* Interim answers are not passed on; the gateway says 100 (Continue) itself. */
        answer->end -= answer->start;
        memmove(answer->data, answer->data + answer->start, answer->end);
        answer->start = 0;
        ex->response = (struct response){0};
        return GOES_ON;
    }
    begin_body(ex);
    size_t head_len = write_answer_head(ex);
    if (head_len == 0) {
        ex->answer_flow = ANSWER_HEAD;
        exchange_fail(ex, &GATEWAY_BAD_ANSWER, "its header section is too large");
        return IS_OVER;
    }
    sendq_add_scratch(&ex->to_client, ex->worker->scratch, head_len, SLAB_BYTES - head_len);
    return GOES_ON;
}

/* Queues what stands in the slab. False: it is malformed, and the exchange has ended. */
static bool queue_body(struct exchange *ex)
{
    struct slab *answer = ex->answer;
    char *bytes = answer->data + answer->start;
    size_t len = answer->end - answer->start, body = 0, used = 0;
    bool is_last = false;
    switch (ex->response.body) {
    case BODY_NONE:
        is_last = true;
        break;
    case BODY_LENGTH:
        body = used = (size_t)MIN((int64_t)len, ex->answer_left);
        ex->answer_left -= (int64_t)body;
        is_last = ex->answer_left == 0;
        break;
    case BODY_CHUNKED: {
        enum chunk_status status = chunked_decode(&ex->answer_chunks, bytes, len, &body, &used);
        if (status == CHUNK_BAD) {
            exchange_abort(ex, "the upstream's chunks are malformed");
            return false;
        }
        is_last = status == CHUNK_DONE;
        break;
    }
    case BODY_UNTIL_CLOSE:
        body = used = len;
        break;
    }
    answer->start += (uint32_t)used;
    ex->answer_bytes += (int64_t)body;
    if (is_last)
        ex->answer_flow = ANSWER_COMPLETE;
    if (ex->is_chunked_answer)
        sendq_add_chunk(&ex->to_client, bytes, body, is_last);
    else
        sendq_add(&ex->to_client, bytes, body);
    return true;
}

/* False: nothing more to do now, or the exchange is over. */
static bool take_bytes(struct exchange *ex)
{
    while (ex->answer_flow == ANSWER_HEAD) {
        enum progress progress = read_head(ex);
        if (progress != GOES_ON)
            return progress == NEEDS_MORE;
    }
    return queue_body(ex) && answer_flush(ex);
}

/* The upstream ended its side, or broke. */
static void upstream_ended(struct exchange *ex, bool is_clean)
{
    if (ex->answer_flow == ANSWER_HEAD) {
        bool has_begun = ex->answer && ex->answer->end > 0;
        if (has_begun)
            exchange_fail(ex, &ERR_UPSTREAM_UNAVAILABLE, "the upstream broke off its answer");
        else
            exchange_connection_lost(ex, "the upstream closed the connection without an answer");
        return;
    }
    if (ex->response.body != BODY_UNTIL_CLOSE || !is_clean) {
        exchange_abort(ex, "the upstream broke off its answer");
        return;
    }
    ex->answer_flow = ANSWER_COMPLETE;
    if (ex->is_chunked_answer)
        sendq_add_chunk(&ex->to_client, NULL, 0, true);
    answer_flush(ex);
}

/* Bytes read; 0 when there is nothing now, or the exchange has gone on without. */
static size_t receive(struct exchange *ex)
{
    struct slab *answer = ex->answer;
    ssize_t got;
    do
        got = recv(ex->user.conn->source.fd, answer->data + answer->end, slab_room(answer), 0);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        answer->end += (uint32_t)got;
        if (ex->answer_flow != ANSWER_HEAD) /* whose time interim answers do not prolong */
            upstream_expect(ex->user.conn, ex->timeout_ms);
        return (size_t)got;
    }
    if (got == 0 || errno != EAGAIN)
        upstream_ended(ex, got == 0);
    return 0;
}

/* The client does not take what has been read: the upstream must wait. A hang-up would be reported
 * again and again meanwhile. */
static void pause_upstream(struct exchange *ex, unsigned events)
{
    struct loop_source *source = &ex->user.conn->source;
    loop_change(source, source->events & ~(unsigned)LOOP_READ);
    if (events & LOOP_HANGUP)
        loop_unwatch(source);
}

/* False: the exchange is over. */
static bool resume_upstream(struct exchange *ex)
{
    struct loop_source *source = &ex->user.conn->source;
    if (source->loop) {
        loop_change(source, source->events | LOOP_READ);
        return true;
    }
    source->events = LOOP_READ;
    _cleanup_(err_free) struct err *e = loop_watch(ex->worker->loop, source);
    if (e)
        exchange_abort(ex, "the upstream connection cannot be watched");
    return !e;
}

void answer_pump(struct exchange *ex, unsigned events)
{
    if (!sendq_is_empty(&ex->to_client)) {
        pause_upstream(ex, events);
        return;
    }
    if (!ex->answer && !(ex->answer = slab_take(&ex->worker->slabs))) {
        exchange_fail(ex, &ERR_OUT_OF_MEMORY, "no buffer for the answer");
        return;
    }
    for (int reads = 0; reads < READS_PER_ROUND; reads++) {
        size_t room = slab_room(ex->answer);
        size_t got = receive(ex);
        if (got == 0 || !take_bytes(ex) || got < room)
            return;
    }
}

/* --- writing --- */

/* All that was queued is sent. */
static bool client_took_all(struct exchange *ex)
{
    ex->client_is_timed = false;
    if (ex->answer_flow == ANSWER_COMPLETE) {
        give_connection_back(ex);
        exchange_finish(ex);
        return false;
    }
    ex->answer->start = ex->answer->end = 0;
    return resume_upstream(ex);
}

bool answer_flush(struct exchange *ex)
{
    size_t sent = 0;
    enum send_status status =
        sendq_flush(&ex->to_client, ex->client->source.fd, &ex->worker->slabs, &sent);
    ex->moved += (int64_t)sent;
    stat_add(&ex->worker->stats.bytes_out, (int64_t)sent);
    if (status == SEND_FAILED) {
        exchange_abort(ex, "the client went away");
        return false;
    }
    client_want(ex->client, LOOP_WRITE, status == SEND_BLOCKED);
    if (status == SEND_DONE)
        return client_took_all(ex);
    exchange_time_client(ex);
    if (ex->answer_flow == ANSWER_COMPLETE)
        give_connection_back(ex);
    return false;
}
