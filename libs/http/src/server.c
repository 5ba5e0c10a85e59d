/* Starting and stopping a server: its options and tables are checked, all mistakes at once. */
#include <stdlib.h>
#include <string.h>

#include <conc/ctx.h>

#include "core.h"
#include "exchange.h"
#include "openapi.h"

#define MISTAKES_MAX ((size_t)64 << 10)
#define CANCELLED_MS 1000 /* for requests that were cancelled at the end of the drain to answer */

static struct err *serve_openapi(struct http_req *req, struct http_res *res)
{
    _cleanup_(buf_deinit) struct buf document = BUF_INIT(EXCHANGE_BODY_MAX);
    TRY(http_server_openapi(req->server, &document));
    return http_reply_bytes(res, 200, "application/json", document.data, document.len);
}

static const struct route own_routes[] = {
    {GET, "/openapi.json", serve_openapi, .summary = "This document", .allow = ANYONE},
};

static void set_defaults(struct http_server_options *options)
{
    if (options->threads <= 0)
        options->threads = SERVER_THREADS;
    if (options->max_body == 0)
        options->max_body = SERVER_MAX_BODY;
    if (options->timeout_ms <= 0)
        options->timeout_ms = SERVER_TIMEOUT_MS;
    if (options->read_timeout_ms <= 0)
        options->read_timeout_ms = SERVER_READ_TIMEOUT_MS;
    if (options->idle_timeout_ms <= 0)
        options->idle_timeout_ms = SERVER_IDLE_TIMEOUT_MS;
    if (!options->chain)
        options->chain = HTTP_STANDARD_CHAIN;
}

static void check_model(const struct route *route, const char *what, const struct model *model,
                        struct buf *mistakes)
{
    struct err *e = model ? model_check(model) : NULL;
    if (e)
        buf_printf(mistakes, "%s: its %s: %s; ", route->path, what, err_detail(e));
    err_free(e);
}

static bool has_id(const struct endpoint *endpoint)
{
    for (size_t i = 0; i < endpoint->param_count; i++)
        if (endpoint->params[i].len == 2 && memcmp(endpoint->params[i].data, "id", 2) == 0)
            return true;
    return false;
}

/* What is wrong with a row beside its path; NULL if nothing. */
static const char *wrong_with(const struct http_server_options *options, const struct route *route)
{
    bool is_own_method = route->method >= GET && route->method < HTTP_METHOD_COUNT &&
                         route->method != HEAD && route->method != OPTIONS;
    if (!is_own_method)
        return "its method is not one that a row can have";
    if (!route->path)
        return "it has no path";
    if (!route->handler)
        return "it has no handler";
    if (route->allow < ANYONE || route->allow > ADMIN)
        return "it does not say who is allowed";
    if (route->allow != ANYONE && !options->authenticator)
        return "it needs an authenticator";
    if (route->in && route->takes)
        return "it has both .in and .takes";
    if (route->method == GET && (route->in || route->takes))
        return "a GET takes no body";
    if (route->status != 0 && (route->status < 200 || route->status > 399))
        return "its .status is not one of success";
    if (route->list && !route->out)
        return "a .list needs .out";
    if (route->idempotent && route->method != POST && route->method != PATCH)
        return "its method is .idempotent as it is";
    if (route->idempotent && !options->idempotency)
        return "it needs a place for the answers to an Idempotency-Key";
    return NULL;
}

static struct err *add_route(struct http_server *server, const struct route *route,
                             struct buf *mistakes)
{
    const char *wrong = wrong_with(&server->options, route);
    if (wrong) {
        buf_printf(mistakes, "%s: %s; ", route->path ? route->path : "(no path)", wrong);
        return NULL;
    }
    check_model(route, "in", route->in, mistakes);
    check_model(route, "query", route->query, mistakes);
    check_model(route, "out", route->out, mistakes);
    struct endpoint *endpoint = NULL;
    TRY(http_router_add(&server->router, route, mistakes, &endpoint));
    if (!endpoint)
        return NULL;
    if (route->allow == SELF_OR_ADMIN && !has_id(endpoint))
        buf_printf(mistakes, "%s: SELF_OR_ADMIN needs the parameter {id}; ", route->path);
    http_measure_init(&endpoint->measure, server->options.metrics, http_method_name(route->method),
                      route->path);
    return NULL;
}

static struct err *add_routes(struct http_server *server)
{
    _cleanup_(buf_deinit) struct buf mistakes = BUF_INIT(MISTAKES_MAX);
    for (const struct route_table *table = server->options.tables; table && table->count > 0;
         table++)
        for (size_t i = 0; i < table->count; i++)
            TRY(add_route(server, &table->routes[i], &mistakes));
    for (size_t i = 0; i < ARRAY_LEN(own_routes); i++)
        TRY(add_route(server, &own_routes[i], &mistakes));
    if (buf_status(&mistakes) == BUF_NO_MEMORY)
        return err_oom();
    if (mistakes.len == 0)
        return NULL;
    buf_truncate(&mistakes, mistakes.len - 2);
    return err_new(&ERR_INTERNAL, "routes: %s", buf_text(&mistakes));
}

static void free_server(struct http_server *server)
{
    http_router_deinit(&server->router);
    http_rate_free(server->rates);
    ctx_deinit(&server->ctx);
    free(server);
}
DEFINE_CLEANUP(struct http_server *, free_server);

static void prepare_metrics(struct http_server *server)
{
    struct metrics *metrics = server->options.metrics;
    for (size_t i = 0; i < HTTP_METHOD_COUNT; i++)
        http_measure_init(&server->unmatched[i], metrics, http_method_name((enum http_method)i),
                          "");
    if (metrics)
        server->in_flight = metric_gauge(metrics, "http_server_requests_in_flight",
                                         "Requests that are being served", NULL);
}

struct err *http_server_start(const struct http_server_options *options,
                              struct http_server **out_server)
{
    _cleanup_(free_server) struct http_server *server = calloc(1, sizeof(*server));
    if (!server)
        return err_oom();
    server->options = *options;
    set_defaults(&server->options);
    ctx_init(&server->ctx, NULL, CTX_NO_TIMEOUT);
    TRY(http_router_init(&server->router));
    TRY(add_routes(server));
    prepare_metrics(server);
    if (options->rate_limit.per_second > 0)
        TRY(http_rate_new(&options->rate_limit, &server->rates));
    if (options->address)
        TRY(http_civet_start(server, &server->civet));
    *out_server = TAKE(server);
    return NULL;
}

const char *http_server_address(const struct http_server *server)
{
    return server->civet ? http_civet_address(server->civet) : "";
}

void http_server_lame_duck(struct http_server *server)
{
    atomic_store(&server->is_closing, true);
}

void http_server_stop(struct http_server *server, int64_t drain_ms)
{
    if (!server)
        return;
    http_server_lame_duck(server);
    if (server->civet)
        http_civet_drain(server->civet, drain_ms);
    ctx_cancel(&server->ctx);
    if (server->civet) {
        http_civet_drain(server->civet, CANCELLED_MS);
        http_civet_stop(server->civet);
    }
    free_server(server);
}

struct err *http_server_openapi(const struct http_server *server, struct buf *out)
{
    return http_openapi_write(server, out);
}
