/* What a handler may ask of its request. */
#include <string.h>

#include <base/clock.h>
#include <base/str.h>

#include "core.h"
#include "exchange.h"

enum http_method http_method(const struct http_req *req)
{
    return req->method;
}

const char *http_path(const struct http_req *req)
{
    return req->path;
}

const struct route *http_route(const struct http_req *req)
{
    return req->endpoint ? req->endpoint->route : NULL;
}

const char *http_param(const struct http_req *req, const char *name)
{
    if (!req->endpoint)
        return NULL;
    size_t len = strlen(name);
    for (size_t i = 0; i < req->endpoint->param_count; i++) {
        const struct str *param = &req->endpoint->params[i];
        if (param->len == len && memcmp(param->data, name, len) == 0)
            return req->params[i];
    }
    return NULL;
}

const char *http_header(const struct http_req *req, const char *name)
{
    for (size_t i = 0; i < req->header_count; i++)
        if (str_equal_nocase(req->headers[i].name, name))
            return req->headers[i].value;
    return NULL;
}

const void *http_body(const struct http_req *req)
{
    return req->body;
}

const void *http_query(const struct http_req *req)
{
    return req->query;
}

const char *http_raw_body(const struct http_req *req, size_t *out_len)
{
    *out_len = req->raw_len;
    return req->raw_body ? req->raw_body : "";
}

struct err *http_merge(struct http_req *req, void *object)
{
    const struct route *route = http_route(req);
    if (!route || !route->in)
        return err_new(&ERR_INTERNAL, "http_merge on a route that takes no model");
    return http_read_model(req, route, MODEL_PATCH, object);
}

const struct http_identity *http_identity(const struct http_req *req)
{
    return req->has_identity ? &req->identity : NULL;
}

const char *http_client_address(const struct http_req *req)
{
    return req->client_address;
}

struct ctx *http_ctx(struct http_req *req)
{
    if (!req->has_ctx) {
        int64_t spent_ms = (clock_mono_ns() - req->start_ns) / 1000000;
        int64_t left_ms = req->timeout_ms < 0 ? CTX_NO_TIMEOUT : MAX(req->timeout_ms - spent_ms, 0);
        ctx_init(&req->ctx, &req->server->ctx, left_ms);
        req->has_ctx = true;
    }
    return &req->ctx;
}

struct arena *http_arena(struct http_req *req)
{
    return &req->arena;
}

void *http_state(const struct http_req *req)
{
    return req->server->options.state;
}

const struct trace *http_trace(const struct http_req *req)
{
    return &req->trace;
}
