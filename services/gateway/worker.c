#include "worker.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/secret.h>
#include <slog/slog.h>

#include "client.h"
#include "exchange.h"
#include "listener.h"

/* --- the snapshot --- */

static struct upstream *find_upstream(struct worker *worker, const char *name)
{
    size_t count = worker->snapshot ? routes_upstream_count(worker->snapshot->routes) : 0;
    for (size_t i = 0; i < count; i++)
        if (str_equal(upstream_name(worker->upstreams[i]), name))
            return worker->upstreams[i];
    return NULL;
}

/* The upstreams of the snapshot, those that stay with their connections. */
static struct err *adopt_upstreams(struct worker *worker, const struct snapshot *snapshot,
                                   struct upstream **upstreams)
{
    for (size_t i = 0; i < routes_upstream_count(snapshot->routes); i++) {
        const struct upstream_config *config = routes_upstream(snapshot->routes, i);
        struct upstream *present = find_upstream(worker, config->name);
        if (present)
            upstreams[i] = upstream_ref(present);
        else
            TRY(upstream_new(&worker->upstream_context, config->name, &upstreams[i]));
        TRY(upstream_update(upstreams[i], config, snapshot->upstreams[i].at,
                            snapshot->upstreams[i].count, worker->options->workers));
    }
    return NULL;
}

static void unref_all(struct upstream **upstreams)
{
    for (size_t i = 0; i < UPSTREAMS_MAX; i++)
        upstream_unref(upstreams[i]);
}

static bool is_among(const struct upstream *upstream, struct upstream *const *upstreams)
{
    for (size_t i = 0; i < UPSTREAMS_MAX; i++)
        if (upstreams[i] == upstream)
            return true;
    return false;
}

static struct err *adopt(struct worker *worker, struct snapshot *snapshot)
{
    struct upstream *upstreams[UPSTREAMS_MAX] = {0};
    struct err *e = adopt_upstreams(worker, snapshot, upstreams);
    if (e) {
        unref_all(upstreams);
        return e;
    }
    for (size_t i = 0; i < UPSTREAMS_MAX && worker->upstreams[i]; i++)
        if (!is_among(worker->upstreams[i], upstreams))
            upstream_retire(worker->upstreams[i]);
    unref_all(worker->upstreams);
    memcpy(worker->upstreams, upstreams, sizeof(upstreams));
    snapshot_unref(worker->snapshot);
    worker->snapshot = snapshot_ref(snapshot);
    return NULL;
}

/* --- life --- */

struct err *worker_new(const struct worker_options *options, int listen_fd,
                       struct snapshot *snapshot, struct worker **out_worker)
{
    _cleanup_(worker_free) struct worker *worker = calloc(1, sizeof(*worker));
    if (!worker) {
        close(listen_fd);
        return err_oom();
    }
    worker->options = options;
    stat_add(&worker->stats.clients_max, options->max_clients);
    worker->listener.fd = -1;
    list_node_init(&worker->idle_clients);
    list_node_init(&worker->busy_clients);
    struct err *e = loop_new(&worker->loop);
    if (e) {
        close(listen_fd);
        return e;
    }
    worker->upstream_context = (struct upstream_context){
        .loop = worker->loop, .stats = &worker->stats, .metrics = options->metrics};
    random_bytes(&worker->upstream_context.random, sizeof(worker->upstream_context.random));
    worker->upstream_context.random |= 1;
    TRY(listener_start(worker, listen_fd));
    TRY(adopt(worker, snapshot));
    *out_worker = TAKE(worker);
    return NULL;
}

static void close_clients(struct list_node *list)
{
    while (!list_is_empty(list)) {
        struct client *client = CONTAINER_OF(list->next, struct client, node);
        if (client->state == CLIENT_EXCHANGE)
            exchange_abort(client->exchange, "the gateway stops");
        else
            client_close(client, false);
    }
}

void worker_free(struct worker *worker)
{
    if (!worker)
        return;
    if (worker->loop) {
        close_clients(&worker->busy_clients);
        close_clients(&worker->idle_clients);
        if (worker->listener.fd >= 0) {
            loop_clear_timer(&worker->listener_pause);
            loop_unwatch(&worker->listener);
            close(worker->listener.fd);
        }
    }
    for (size_t i = 0; i < UPSTREAMS_MAX && worker->upstreams[i]; i++)
        upstream_retire(worker->upstreams[i]);
    unref_all(worker->upstreams);
    snapshot_unref(worker->snapshot);
    loop_free(worker->loop);
    tokens_deinit(&worker->tokens);
    slab_pool_deinit(&worker->slabs);
    exchange_free_unused(worker);
    free(worker);
}

struct err *worker_run(struct worker *worker)
{
    return loop_run(worker->loop);
}

/* --- calls from other threads --- */

struct adoption {
    struct worker *worker;
    struct snapshot *snapshot;
};

static void run_adoption(void *data)
{
    struct adoption *adoption = data;
    _cleanup_(err_free) struct err *e = adopt(adoption->worker, adoption->snapshot);
    if (e)
        slog_error("routes cannot be taken over", SLOG_ERR(e));
    snapshot_unref(adoption->snapshot);
    free(adoption);
}

struct err *worker_adopt(struct worker *worker, struct snapshot *snapshot)
{
    struct adoption *adoption = malloc(sizeof(*adoption));
    if (!adoption)
        return err_oom();
    *adoption = (struct adoption){worker, snapshot_ref(snapshot)};
    struct err *e = loop_post(worker->loop, run_adoption, adoption);
    if (e) {
        snapshot_unref(snapshot);
        free(adoption);
    }
    return e;
}

static void begin_lame_duck(void *data)
{
    struct worker *worker = data;
    worker->is_lame_duck = true;
}

struct err *worker_lame_duck(struct worker *worker)
{
    return loop_post(worker->loop, begin_lame_duck, worker);
}

static void begin_drain(void *data)
{
    struct worker *worker = data;
    worker->is_lame_duck = true;
    listener_stop(worker);
    worker->is_draining = true;
    LIST_FOREACH (node, &worker->idle_clients)
        client_drain(CONTAINER_OF(node, struct client, node));
    worker_client_gone(worker);
}

struct err *worker_drain(struct worker *worker)
{
    return loop_post(worker->loop, begin_drain, worker);
}

static void abort_all(void *data)
{
    struct worker *worker = data;
    begin_drain(worker);
    close_clients(&worker->busy_clients);
    close_clients(&worker->idle_clients);
}

struct err *worker_abort(struct worker *worker)
{
    return loop_post(worker->loop, abort_all, worker);
}

void worker_client_gone(struct worker *worker)
{
    if (!worker->is_draining)
        listener_resume(worker);
    else if (worker->clients == 0)
        loop_stop(worker->loop);
}

const char *worker_date(struct worker *worker)
{
    time_t now = (time_t)(clock_now_ms() / 1000);
    if (worker->date_s != now) {
        struct tm tm;
        gmtime_r(&now, &tm);
        strftime(worker->date, sizeof(worker->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        worker->date_s = now;
    }
    return worker->date;
}
