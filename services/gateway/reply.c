/* Answers that the gateway gives itself: problem documents. */
#include <model/problem.h>
#include <slog/slog.h>

#include "exchange.h"
#include "writer.h"

#define PROBLEM_MAX 4096

static void write_head(struct exchange *ex, const struct err *e, const char *extra, size_t body_len,
                       struct writer *w)
{
    const struct err_kind *kind = err_kind(e);
    WRITE_LITERAL(w, "HTTP/1.1 ");
    write_number(w, kind->status);
    WRITE_LITERAL(w, " ");
    write_text(w, kind->title);
    WRITE_LITERAL(w, "\r\nContent-Type: " PROBLEM_MEDIA_TYPE "\r\nContent-Length: ");
    write_number(w, (int64_t)body_len);
    WRITE_LITERAL(w, "\r\nCache-Control: no-store\r\nDate: ");
    write_text(w, worker_date(ex->worker));
    WRITE_LITERAL(w, "\r\nX-Request-Id: ");
    write_text(w, ex->trace.request_id);
    WRITE_LITERAL(w, "\r\n");
    write_text(w, extra);
    if (kind->status == 503)
        WRITE_LITERAL(w, "Retry-After: 1\r\n");
    if (!ex->keep_alive)
        WRITE_LITERAL(w, "Connection: close\r\n");
    else if (ex->request.minor == 0)
        WRITE_LITERAL(w, "Connection: keep-alive\r\n");
    WRITE_LITERAL(w, "\r\n");
}

/* The edge logs a failure once, with its whole chain. */
static void log_failure(const struct exchange *ex, const struct err *e)
{
    const struct trace *outer = trace_set_current(&ex->trace);
    slog_warn("request failed",
              SLOG_STR("upstream", ex->upstream ? upstream_name(ex->upstream) : NULL), SLOG_ERR(e));
    trace_set_current(outer);
}

void reply_error(struct exchange *ex, struct err *e, const char *extra)
{
    _cleanup_(err_free) struct err *error = e;
    _cleanup_(buf_deinit) struct buf body = BUF_INIT(PROBLEM_MAX);
    if (err_kind(error)->status >= 500)
        log_failure(ex, error);
    if (ex->upstream)
        upstream_abandon(ex->upstream, &ex->user);
    request_skip_body(ex);
    ex->keep_alive = answer_may_keep_alive(ex);
    ex->status = err_kind(error)->status;
    ex->answer_flow = ANSWER_COMPLETE;
    problem_write(error, ex->trace.request_id, &body);
    bool is_head = request_method_is(&ex->request, ex->client->in->data, STR("HEAD"));
    struct writer w = WRITER(ex->worker->scratch, sizeof(ex->worker->scratch));
    write_head(ex, error, extra, body.len, &w);
    if (!is_head) {
        write_bytes(&w, buf_text(&body), body.len);
        ex->answer_bytes = (int64_t)body.len;
    }
    sendq_add_scratch(&ex->to_client, w.begin, written(&w), 0);
    answer_flush(ex);
}
