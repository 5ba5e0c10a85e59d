#include "internal.h"

#include <stdio.h>
#include <string.h>

#include <base/uuid.h>
#include <conc/wait.h>

#define X ERR_DEFINE_KIND
#include <bus/kinds.def>
#undef X

#define FLUSH_MS 2000

static struct err *copy(const char *text, char **out_copy)
{
    if (text && *text && !(*out_copy = strdup(text)))
        return err_oom();
    return NULL;
}

static struct err *init(struct bus *bus, const struct bus_options *options)
{
    list_node_init(&bus->subscriptions);
    list_node_init(&bus->served);
    list_node_init(&bus->consumers);
    pthread_mutex_init(&bus->lock, NULL);
    ctx_cond_init(&bus->changed);
    ctx_init(&bus->ctx, NULL, CTX_NO_TIMEOUT);
    ctx_init(&bus->work, NULL, CTX_NO_TIMEOUT);
    ctx_init(&bus->taking, NULL, CTX_NO_TIMEOUT);
    snprintf(bus->reason, sizeof(bus->reason), "not yet connected");
    char id[UUID_TEXT];
    uuid_new(id);
    /* By name, so that permissions can keep one service from another's replies. */
    if (snprintf(bus->inbox, sizeof(bus->inbox), "_INBOX.%s.%s", options->name, id) >=
        (int)sizeof(bus->inbox))
        return err_new(&BUS_FAILED, "the name is too long: %s", options->name);
    bus->handler_threads = options->handler_threads;
    bus->handler_queue = options->handler_queue;
    bus->stream_replicas = options->stream_replicas;
    bus->complained_ms = INT64_MIN;
    bus->metrics = options->metrics;
    if (bus->metrics)
        bus->connected = metric_gauge(bus->metrics, "bus_connected",
                                      "Whether there is a connection to NATS", NULL);
    TRY(copy(options->url, &bus->url));
    TRY(copy(options->creds_file, &bus->creds_file));
    TRY(copy(options->ca_file, &bus->ca_file));
    TRY(copy(options->cert_file, &bus->cert_file));
    TRY(copy(options->key_file, &bus->key_file));
    TRY(copy(options->name, &bus->name));
    return bus_calls_open(bus);
}

static void deinit(struct bus *bus)
{
    bus_calls_close(bus);
    ctx_deinit(&bus->taking);
    ctx_deinit(&bus->work);
    ctx_deinit(&bus->ctx);
    pthread_cond_destroy(&bus->changed);
    pthread_mutex_destroy(&bus->lock);
    free(bus->url);
    free(bus->creds_file);
    free(bus->ca_file);
    free(bus->cert_file);
    free(bus->key_file);
    free(bus->name);
    free(bus);
}

struct err *bus_open(const struct bus_options *options, struct bus **out_bus)
{
    struct bus *bus = calloc(1, sizeof(*bus));
    if (!bus)
        return err_oom();
    struct err *e = init(bus, options);
    if (!e)
        e = bus_start_keeper(bus);
    if (e) {
        deinit(bus);
        return e;
    }
    *out_bus = bus;
    return NULL;
}

bool bus_is_connected(struct bus *bus)
{
    pthread_mutex_lock(&bus->lock);
    bool is_connected = bus->is_connected;
    pthread_mutex_unlock(&bus->lock);
    return is_connected;
}

struct err *bus_check(struct bus *bus)
{
    pthread_mutex_lock(&bus->lock);
    struct err *e = bus->is_connected ? NULL : bus_unavailable(bus);
    pthread_mutex_unlock(&bus->lock);
    return e;
}

struct err *bus_wait(struct bus *bus, struct ctx *ctx)
{
    struct ctx_wait wait;
    ctx_wait_begin(&wait, ctx, &bus->lock, &bus->changed);
    pthread_mutex_lock(&bus->lock);
    while (!bus->is_connected && ctx_wait(&wait))
        ;
    bool is_connected = bus->is_connected;
    pthread_mutex_unlock(&bus->lock);
    ctx_wait_end(&wait);
    return is_connected ? NULL : err_wrap(ctx_check(ctx), "wait for the message bus");
}

static bool wait_until_idle(struct bus *bus, int64_t timeout_ms)
{
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, NULL, timeout_ms);
    struct ctx_wait wait;
    ctx_wait_begin(&wait, &ctx, &bus->lock, &bus->changed);
    pthread_mutex_lock(&bus->lock);
    bool is_idle;
    while (!(is_idle = bus_served_is_idle(bus) && bus_consumers_are_idle(bus)) && ctx_wait(&wait))
        ;
    pthread_mutex_unlock(&bus->lock);
    ctx_wait_end(&wait);
    return is_idle;
}

struct err *bus_drain(struct bus *bus, int64_t timeout_ms)
{
    bus_consumers_drain(bus);
    bus_served_drain(bus, timeout_ms);
    bool is_idle = wait_until_idle(bus, timeout_ms);
    if (!is_idle)
        ctx_cancel(&bus->work);
    if (bus_is_connected(bus))
        TRY(bus_flush(bus, FLUSH_MS));
    return is_idle ? NULL
                   : err_new(&ERR_UPSTREAM_TIMEOUT, "not everything was finished in %lld ms",
                             (long long)timeout_ms);
}

void bus_close(struct bus *bus)
{
    if (!bus)
        return;
    ctx_cancel(&bus->work);
    bus_served_close(bus);
    ctx_cancel(&bus->ctx);
    bus_stop_keeper(bus);
    deinit(bus);
}
