/* What happens to a request whose head is complete: route, limits, access token, upstream. */
#include <stdio.h>
#include <string.h>

#include <base/clock.h>

#include "exchange.h"
#include "kinds.h"

#define BEARER_REALM "Bearer realm=\"plankton\""

/* A header as C string; NULL when it is absent or longer than any sensible one. */
static const char *copy_header(const struct exchange *ex, enum header_id id, char *out, size_t cap)
{
    const struct header_field *field = fields_find(&ex->request.fields, id);
    if (!field)
        return NULL;
    struct str value = span_str(ex->client->in->data, field->value);
    return str_copy_n(out, cap, value.data, value.len) ? out : NULL;
}

static void start_trace(struct exchange *ex)
{
    char request_id[TRACE_REQUEST_ID], parent[2 * TRACE_PARENT_LEN];
    ex->started_ns = clock_mono_ns();
    trace_start(&ex->trace, copy_header(ex, HEADER_X_REQUEST_ID, request_id, sizeof(request_id)),
                copy_header(ex, HEADER_TRACEPARENT, parent, sizeof(parent)));
}

void exchange_refuse(struct exchange *ex, const struct err_kind *kind, const char *detail)
{
    start_trace(ex);
    ex->request.keep_alive = false; /* where the next request would begin is anyone's guess */
    reply_error(ex, err_new(kind, "%s", detail), "");
}

/* The token of "Authorization: Bearer <token>"; empty for no or another authorization. */
static struct str bearer_token(const struct exchange *ex)
{
    static const struct str scheme = {"bearer ", 7};
    const struct header_field *field = fields_find(&ex->request.fields, HEADER_AUTHORIZATION);
    if (!field)
        return (struct str){0};
    struct str value = span_str(ex->client->in->data, field->value);
    if (value.len <= scheme.len || !str_equal_nocase_n(value.data, scheme.data, scheme.len))
        return (struct str){0};
    size_t at = scheme.len;
    while (value.data[at] == ' ')
        at++;
    return (struct str){value.data + at, value.len - at};
}

/* NULL: the request may pass. While there are no keys, optional tokens pass unseen: services check
 * them for themselves. */
static struct err *check_token(struct exchange *ex, const struct path_route *route)
{
    const struct token_checker *checker = ex->worker->options->checker;
    if (route->auth == AUTH_NONE || !checker)
        return NULL;
    struct str token = bearer_token(ex);
    if (token.len == 0)
        return route->auth == AUTH_REQUIRED
                   ? err_new(&ERR_UNAUTHENTICATED, "an access token is needed")
                   : NULL;
    struct err *e = tokens_check(&ex->worker->tokens, checker, token, clock_now_ms() / 1000,
                                 &ex->worker->stats);
    if (err_is(e, &ERR_UPSTREAM_UNAVAILABLE) && route->auth == AUTH_OPTIONAL) {
        err_free(e);
        return NULL;
    }
    return e;
}

static void refuse_token(struct exchange *ex, struct err *e)
{
    if (err_kind(e)->status != 401) {
        reply_error(ex, e, "");
        return;
    }
    bool is_missing = bearer_token(ex).len == 0;
    char detail[ERR_LINE];
    str_copy_n(detail, sizeof(detail), err_detail(e), strnlen(err_detail(e), ERR_LINE - 1));
    stat_add(&ex->worker->stats.tokens_refused, 1);
    reply_error(ex, err_wrap_as(e, &ERR_UNAUTHENTICATED, "%s", detail),
                is_missing ? "WWW-Authenticate: " BEARER_REALM "\r\n"
                           : "WWW-Authenticate: " BEARER_REALM ", error=\"invalid_token\"\r\n");
}

static void refuse_method(struct exchange *ex, const struct path_route *route)
{
    char allowed[512], extra[sizeof(allowed) + 16];
    routes_allowed(ex->worker->snapshot->routes, route, allowed, sizeof(allowed));
    snprintf(extra, sizeof(extra), "Allow: %s\r\n", allowed);
    reply_error(ex, err_new(&ERR_METHOD_NOT_ALLOWED, "this path has other methods"), extra);
}

/* NULL: an answer is on its way already. */
static const struct path_route *find_route(struct exchange *ex)
{
    const char *base = ex->client->in->data;
    const struct path_route *route = NULL;
    switch (routes_match(ex->worker->snapshot->routes, span_str(base, ex->request.target.path),
                         span_str(base, ex->request.method), &route)) {
    case ROUTE_FOUND:
        return route;
    case ROUTE_OTHER_METHODS:
        refuse_method(ex, route);
        return NULL;
    case ROUTE_UNKNOWN_PATH:
        break;
    }
    reply_error(ex, err_new(&ERR_ROUTE_NOT_FOUND, "no route has this path"), "");
    return NULL;
}

void exchange_begin(struct exchange *ex)
{
    start_trace(ex);
    ex->request_left = ex->request.content_length;
    ex->body_is_complete = ex->request.body == BODY_NONE;
    const struct path_route *route = find_route(ex);
    if (!route)
        return;
    ex->max_body_bytes = route->max_body_bytes;
    ex->timeout_ms = route->timeout_ms;
    ex->upstream = upstream_ref(ex->worker->upstreams[route->upstream]);
    if (ex->request_left > ex->max_body_bytes) {
        reply_error(ex,
                    err_new(&ERR_BODY_TOO_LARGE, "the body has more than %lld bytes",
                            (long long)ex->max_body_bytes),
                    "");
        return;
    }
    struct err *e = check_token(ex, route);
    if (e)
        refuse_token(ex, e);
    else
        request_begin(ex);
}
