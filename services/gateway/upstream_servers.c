/* An upstream's life and its servers, as the configuration and name resolution give them. */
#include "upstream_internal.h"

#include <stdlib.h>

#include <metric/metric.h>

struct err *upstream_new(struct upstream_context *context, const char *name,
                         struct upstream **out_upstream)
{
    struct upstream *upstream = calloc(1, sizeof(*upstream));
    if (!upstream)
        return err_oom();
    upstream->context = context;
    upstream->refs = 1;
    str_copy(upstream->name, sizeof(upstream->name), name);
    if (context->metrics)
        upstream->failures = metric_counter(context->metrics, "gateway_upstream_failures_total",
                                            "Upstream connections that failed, broke or timed out",
                                            METRIC_LABELS({"upstream", name}));
    list_node_init(&upstream->servers);
    list_node_init(&upstream->waiting);
    upstream->waiting_timer.fire = upstream_expire_waiting;
    *out_upstream = upstream;
    return NULL;
}

struct upstream *upstream_ref(struct upstream *upstream)
{
    upstream->refs++;
    return upstream;
}

/* Connections and users hold references: nothing is left but servers. */
void upstream_unref(struct upstream *upstream)
{
    if (!upstream || --upstream->refs > 0)
        return;
    loop_clear_timer(&upstream->waiting_timer);
    for (struct list_node *node; (node = list_pop_front(&upstream->servers));)
        free(CONTAINER_OF(node, struct upstream_server, node));
    free(upstream->chosen);
    free(upstream);
}

void upstream_count_failure(struct upstream *upstream)
{
    if (upstream->failures)
        metric_add(upstream->failures, 1);
}

const char *upstream_name(const struct upstream *upstream)
{
    return upstream->name;
}

size_t upstream_server_count(const struct upstream *upstream)
{
    return upstream->chosen_count;
}

static struct upstream_server *find_server(struct upstream *upstream, const union address *address)
{
    LIST_FOREACH (node, &upstream->servers) {
        struct upstream_server *server = CONTAINER_OF(node, struct upstream_server, node);
        if (address_equal(&server->address, address))
            return server;
    }
    return NULL;
}

static struct upstream_server *add_server(struct upstream *upstream, const union address *address)
{
    struct upstream_server *server = calloc(1, sizeof(*server));
    if (!server)
        return NULL;
    server->address = *address;
    server->is_retired = true; /* until it is chosen */
    list_node_init(&server->idle);
    list_push_back(&upstream->servers, &server->node);
    return server;
}

static void close_idle(struct upstream_server *server)
{
    LIST_FOREACH (node, &server->idle)
        upstream_close(CONTAINER_OF(node, struct upstream_conn, node));
}

/* Frees a server that takes no requests, as soon as it has no connections. */
static void retire_server(struct upstream_server *server)
{
    server->is_retired = true;
    server->connections++; /* keeps it while its connections are closed */
    close_idle(server);
    if (--server->connections > 0)
        return;
    list_remove(&server->node);
    free(server);
}

static bool is_among(struct upstream_server *server, struct upstream_server *const *some,
                     size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (some[i] == server)
            return true;
    return false;
}

/* From now on requests go to these servers and no others. Takes the array. */
static void choose_servers(struct upstream *upstream, struct upstream_server **chosen, size_t count)
{
    free(upstream->chosen);
    upstream->chosen = chosen;
    upstream->chosen_count = count;
    for (size_t i = 0; i < count; i++)
        chosen[i]->is_retired = false;
    LIST_FOREACH (node, &upstream->servers) {
        struct upstream_server *server = CONTAINER_OF(node, struct upstream_server, node);
        if (!is_among(server, chosen, count))
            retire_server(server);
    }
}

static unsigned share(int64_t total, unsigned workers)
{
    return (unsigned)((total + workers - 1) / workers);
}

struct err *upstream_update(struct upstream *upstream, const struct upstream_config *config,
                            const union address *addresses, size_t count, unsigned workers)
{
    _cleanup_(free) struct upstream_server **chosen =
        calloc(count + 1, sizeof(struct upstream_server *));
    if (!chosen)
        return err_oom();
    size_t chosen_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct upstream_server *server = find_server(upstream, &addresses[i]);
        if (!server && !(server = add_server(upstream, &addresses[i])))
            return err_oom();
        if (!is_among(server, chosen, chosen_count))
            chosen[chosen_count++] = server;
    }
    upstream->max_connections = share(config->max_connections, workers);
    upstream->max_waiting = share(config->max_waiting, workers);
    upstream->connect_timeout_ms = config->connect_timeout_ms;
    upstream->idle_timeout_ms = config->idle_timeout_ms;
    upstream->wait_timeout_ms = config->wait_timeout_ms;
    choose_servers(upstream, TAKE(chosen), chosen_count);
    upstream_serve_waiting(upstream);
    return NULL;
}

void upstream_retire(struct upstream *upstream)
{
    upstream->is_retired = true;
    LIST_FOREACH (node, &upstream->servers)
        close_idle(CONTAINER_OF(node, struct upstream_server, node));
}
