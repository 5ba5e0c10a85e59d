/* The small links of the standard chain. */
#include <slog/slog.h>

#include "core.h"
#include "exchange.h"

static struct err *run_request_id(struct http_req *req, struct http_res *res,
                                  struct http_next *next)
{
    trace_start(&req->trace, req->known[KNOWN_X_REQUEST_ID], req->known[KNOWN_TRACEPARENT]);
    const struct trace *outer = trace_set_current(&req->trace);
    http_add_header(res, "X-Request-Id", req->trace.request_id);
    struct err *e = http_next(next, req, res);
    trace_set_current(outer);
    return e;
}
const struct http_middleware HTTP_REQUEST_ID = {"request_id", run_request_id};

/* The links above HTTP_RECOVER see an error only where a service has put one there of its own, or
 * left it out. */
static void settle(struct http_res *res, struct err *e)
{
    if (e)
        http_reply_error(res, e, res->header_count);
    err_free(e);
    http_send(res);
}

static struct err *run_metrics(struct http_req *req, struct http_res *res, struct http_next *next)
{
    struct http_server *server = req->server;
    if (!server->options.metrics)
        return http_next(next, req, res);
    metric_add(server->in_flight, 1);
    settle(res, http_next(next, req, res));
    struct measure *measure =
        req->endpoint ? &req->endpoint->measure : &server->unmatched[req->method];
    http_measure_observe(measure, res->status, res->sent_ns - req->start_ns);
    metric_add(server->in_flight, -1);
    return NULL;
}
const struct http_middleware HTTP_METRICS = {"metrics", run_metrics};

static struct err *run_access_log(struct http_req *req, struct http_res *res,
                                  struct http_next *next)
{
    if (!req->server->options.access_log || !slog_enabled(SLOG_INFO))
        return http_next(next, req, res);
    settle(res, http_next(next, req, res));
    const struct route *route = http_route(req);
    slog_info("request", SLOG_STR("method", req->method_text), SLOG_STR("path", req->path),
              SLOG_STR("route", route ? route->path : NULL), SLOG_I64("status", res->status),
              SLOG_I64("bytes", res->bytes),
              SLOG_I64("duration_us", (res->sent_ns - req->start_ns) / 1000),
              SLOG_STR("client", req->client_address),
              SLOG_STR("user_id", req->has_identity ? req->identity.subject : NULL),
              SLOG_BOOL("aborted", res->has_failed));
    return NULL;
}
const struct http_middleware HTTP_ACCESS_LOG = {"access_log", run_access_log};

/* ERR_CANCELLED is for callers; a client is told what it can do. */
static struct err *for_client(struct err *e)
{
    if (err_kind(e)->status != 499)
        return e;
    return err_wrap_as(e, &ERR_UPSTREAM_UNAVAILABLE, "the server is stopping");
}

/* 501 and 505 tell what the client did: no one here has to see to it. */
static bool is_fault(int status)
{
    return status >= 500 && status != 501 && status != 505;
}

static struct err *run_recover(struct http_req *req, struct http_res *res, struct http_next *next)
{
    size_t header_count = res->header_count;
    struct err *e = http_next(next, req, res);
    if (!e)
        return NULL;
    if (!res->has_failed) {
        e = for_client(e);
        const struct route *route = http_route(req);
        int status = err_kind(e)->status;
        if (is_fault(status))
            SLOG_AT(err_is_retryable(e) ? SLOG_WARN : SLOG_ERROR, "request failed",
                    SLOG_STR("method", req->method_text),
                    SLOG_STR("route", route ? route->path : NULL), SLOG_I64("status", status),
                    SLOG_ERR(e));
    }
    http_reply_error(res, e, header_count);
    err_free(e);
    return NULL;
}
const struct http_middleware HTTP_RECOVER = {"recover", run_recover};
