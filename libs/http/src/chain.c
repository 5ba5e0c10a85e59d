/* The chain of middleware, what stands at its end, and the life of an exchange around it. */
#include <string.h>

#include <base/clock.h>
#include <base/secret.h>

#include "core.h"
#include "exchange.h"
#include "framing.h"

#define ARENA_MAX ((size_t)32 << 20)
#define HEAD_MAX  ((size_t)256 << 10)

struct http_next {
    const struct http_middleware *const *rest;
};

const struct http_middleware *const HTTP_STANDARD_CHAIN[] = {
    &HTTP_REQUEST_ID,   &HTTP_METRICS,  &HTTP_ACCESS_LOG,
    &HTTP_CORS,         &HTTP_RECOVER,  &HTTP_RATE_LIMIT,
    &HTTP_AUTHENTICATE, &HTTP_DEADLINE, &HTTP_BODY,
    &HTTP_IDEMPOTENCY,  NULL,
};

/* OPTIONS of a path that exists. */
static struct err *reply_options(struct http_req *req, struct http_res *res)
{
    const char *allow = http_allow_text(&req->arena, req->allowed);
    if (!allow || !http_add_header(res, "Allow", allow))
        return err_oom();
    return http_reply_empty(res, 204);
}

static struct err *run_endpoint(struct http_req *req, struct http_res *res)
{
    if (req->refusal)
        return TAKE(req->refusal);
    if (!req->endpoint)
        return reply_options(req, res);
    TRY(req->endpoint->route->handler(req, res));
    if (res->state == ANSWER_STREAMING)
        return http_stream_end(res);
    if (res->state == ANSWER_NONE)
        return err_new(&ERR_INTERNAL, "the handler of %s has not replied",
                       req->endpoint->route->path);
    return NULL;
}

struct err *http_next(struct http_next *next, struct http_req *req, struct http_res *res)
{
    const struct http_middleware *link = *next->rest;
    if (!link)
        return run_endpoint(req, res);
    struct http_next deeper = {next->rest + 1};
    return link->run(req, res, &deeper);
}

static struct err *run_deadline(struct http_req *req, struct http_res *res, struct http_next *next)
{
    const struct route *route = http_route(req);
    int64_t own_ms = route ? route->timeout_ms : 0;
    req->timeout_ms = own_ms > 0 ? own_ms : req->server->options.timeout_ms;
    return http_next(next, req, res);
}
const struct http_middleware HTTP_DEADLINE = {"deadline", run_deadline};

/* --- routing --- */

static struct err *copy_params(struct http_req *req, const struct path *path,
                               const struct router_match *match)
{
    const struct endpoint *endpoint = match->endpoint;
    for (size_t i = 0; i < endpoint->param_count; i++) {
        bool is_rest = endpoint->takes_rest && i + 1 == endpoint->param_count;
        size_t first = match->starts[i];
        size_t end = is_rest ? path->count : first + 1;
        size_t len = end - first - 1; /* slashes */
        for (size_t s = first; s < end; s++)
            len += path->segments[s].len;
        char *text = arena_alloc(&req->arena, len + 1);
        if (!text)
            return err_oom();
        req->params[i] = text;
        for (size_t s = first; s < end; s++) {
            text = mempcpy(text, path->segments[s].data, path->segments[s].len);
            *text++ = s + 1 < end ? '/' : '\0';
        }
    }
    return NULL;
}

struct err *http_route_request(struct http_req *req)
{
    struct path path;
    struct router_match match;
    TRY(http_path_split(req->path, &req->arena, &path));
    http_router_match(&req->server->router, req->method, &path, &match);
    req->allowed = match.methods;
    if (match.endpoint) {
        req->endpoint = match.endpoint;
        return copy_params(req, &path, &match);
    }
    if (match.methods == 0)
        return err_new(&ERR_ROUTE_NOT_FOUND, "there is nothing at this path");
    if (req->method == OPTIONS)
        return NULL;
    return err_new(&ERR_METHOD_NOT_ALLOWED, "the method is not allowed at this path");
}

/* --- the exchange --- */

void http_exchange_init(struct exchange *exchange, struct http_server *server)
{
    *exchange = (struct exchange){0};
    exchange->req.server = server;
    exchange->req.res = &exchange->res;
    exchange->req.arena = ARENA_INIT(ARENA_MAX);
    exchange->res.req = &exchange->req;
    exchange->res.body = BUF_INIT(EXCHANGE_BODY_MAX);
    exchange->res.out = BUF_INIT(HEAD_MAX);
}

void http_exchange_deinit(struct exchange *exchange)
{
    arena_deinit(&exchange->req.arena);
    buf_deinit(&exchange->req.in);
    buf_deinit(&exchange->res.body);
    buf_deinit(&exchange->res.out);
}

static void empty(struct buf *buf)
{
    buf_reset(buf);
    if (buf->cap > EXCHANGE_KEPT_BYTES)
        buf_deinit(buf);
}

void http_exchange_begin(struct exchange *exchange)
{
    struct http_req *req = &exchange->req;
    struct http_res *res = &exchange->res;
    /* Field by field: clearing the whole, tables included, would cost more than routing. */
    for (size_t i = 0; i < KNOWN_COUNT; i++)
        req->known[i] = NULL;
    req->header_count = 0;
    req->keep_alive = false;
    req->body_length = 0;
    req->body_state = BODY_UNREAD;
    req->refusal = NULL;
    req->endpoint = NULL;
    req->allowed = 0;
    req->trace = (struct trace){0};
    req->has_identity = false;
    req->timeout_ms = CTX_NO_TIMEOUT;
    req->body = req->query = NULL;
    req->raw_body = NULL;
    req->raw_len = 0;
    res->state = ANSWER_NONE;
    res->status = 0;
    res->header_count = 0;
    res->close = res->has_failed = res->is_chunked = false;
    res->bytes = res->sent_ns = 0;
    req->start_ns = clock_mono_ns();
}

static void end(struct exchange *exchange)
{
    struct http_req *req = &exchange->req;
    if (req->has_ctx) {
        ctx_deinit(&req->ctx);
        req->has_ctx = false;
    }
    err_free(TAKE(req->refusal));
    /* Passwords come in bodies, and are in the structs that were made of them. */
    if (req->in.len > 0) {
        secret_wipe(req->in.data, req->in.len);
        arena_wipe(&req->arena);
    }
    arena_reset(&req->arena);
    empty(&req->in);
    empty(&exchange->res.body);
    empty(&exchange->res.out);
}

void http_exchange_serve(struct exchange *exchange)
{
    struct http_req *req = &exchange->req;
    struct http_res *res = &exchange->res;
    req->method = http_method_parse(req->method_text);
    if (!req->refusal)
        req->refusal = http_framing_check(req);
    if (req->refusal)
        req->body_state = BODY_BROKEN;
    else
        req->refusal = http_route_request(req);
    struct http_next all = {req->server->options.chain};
    struct err *e = http_next(&all, req, res);
    if (!e && res->state == ANSWER_NONE)
        e = err_new(&ERR_INTERNAL, "nothing on the way has replied");
    if (e)
        http_reply_error(res, e, 0);
    err_free(e);
    http_send(res);
    end(exchange);
}
