/*
 * The keeper: a thread that connects, waits until the connection is lost, and connects again.
 * nats.c could reconnect by itself, but it buffers meanwhile, gives up after two refused logins,
 * and blocks the first connect; and so that there is one way to be connected, its reconnecting is
 * off.
 */
#include "internal.h"

#include <stdio.h>
#include <string.h>

#include <base/clock.h>
#include <base/secret.h>
#include <base/str.h>
#include <conc/thread.h>
#include <slog/slog.h>

#define CONNECT_MS       2000
#define WRITE_MS         2000
#define FLUSH_MS         2000
#define PING_MS          5000
#define PINGS_UNANSWERED 2
#define BUFFER_BYTES     (16 * 1024)
#define DELAY_MIN_MS     50
#define DELAY_MAX_MS     1000
#define SERVERS_MAX      16
#define COMPLAIN_MS      1000

static const struct err_kind *kind_of(natsStatus status)
{
    switch ((int)status) {
    case NATS_TIMEOUT:
        return &ERR_UPSTREAM_TIMEOUT;
    case NATS_IO_ERROR:
    case NATS_CONNECTION_CLOSED:
    case NATS_CONNECTION_DISCONNECTED:
    case NATS_NO_SERVER:
    case NATS_STALE_CONNECTION:
    case NATS_NO_RESPONDERS:
    case NATS_CONNECTION_AUTH_FAILED:
    case NATS_DRAINING:
        return &ERR_UPSTREAM_UNAVAILABLE;
    default:
        return &BUS_FAILED;
    }
}

/* nats.c's own words say more than the status does: "(conn.c:12): what happened". */
static const char *status_text(natsStatus status)
{
    natsStatus last = NATS_OK;
    const char *text = nats_GetLastError(&last);
    if (last != status || !text || !*text)
        return natsStatus_GetText(status);
    const char *words = text[0] == '(' ? strstr(text, "): ") : NULL;
    return words ? words + 3 : text;
}

struct err *bus_error(natsStatus status, const char *format, ...)
{
    if (status == NATS_OK)
        return NULL;
    if (status == NATS_NO_MEMORY)
        return err_oom();
    char what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    return err_new(kind_of(status), "%s: %s", what, status_text(status));
}

/* --- connecting --- */

static void on_closed(natsConnection *connection, void *data)
{
    (void)connection;
    struct bus *bus = data;
    pthread_mutex_lock(&bus->lock);
    bus->is_lost = true;
    bus->is_connected = false;
    LIST_FOREACH (node, &bus->subscriptions) {
        struct bus_subscription *subscription = CONTAINER_OF(node, struct bus_subscription, node);
        if (subscription->lost)
            subscription->lost(subscription->data);
    }
    pthread_cond_broadcast(&bus->changed);
    pthread_mutex_unlock(&bus->lock);
}

/* What the server does not permit; but not for each of a thousand messages. */
static void on_error(natsConnection *connection, natsSubscription *subscription, natsStatus status,
                     void *data)
{
    (void)subscription;
    struct bus *bus = data;
    const char *text = NULL;
    int64_t now_ms = clock_mono_ms();
    pthread_mutex_lock(&bus->lock);
    bool is_due = bus->complained_ms == INT64_MIN || now_ms - bus->complained_ms >= COMPLAIN_MS;
    if (is_due)
        bus->complained_ms = now_ms;
    pthread_mutex_unlock(&bus->lock);
    if (!is_due)
        return;
    if (natsConnection_GetLastError(connection, &text) == NATS_OK || !text || !*text)
        text = natsStatus_GetText(status);
    slog_warn("message bus refuses", SLOG_STR("reason", text));
}

static natsStatus set_servers(natsOptions *options, const char *urls)
{
    _cleanup_(free) char *copy = strdup(urls);
    if (!copy)
        return NATS_NO_MEMORY;
    const char *servers[SERVERS_MAX];
    int count = 0;
    char *rest = copy;
    for (char *url; (url = strsep(&rest, ",")) && count < SERVERS_MAX;) {
        if (*url)
            servers[count++] = url;
    }
    natsStatus status = natsOptions_SetServers(options, servers, count);
    return status;
}

static natsStatus set_tls(struct bus *bus, natsOptions *options)
{
    if (!bus->ca_file && !strstr(bus->url, "tls://"))
        return NATS_OK;
    natsStatus status = natsOptions_SetSecure(options, true);
    if (status == NATS_OK && bus->ca_file)
        status = natsOptions_LoadCATrustedCertificates(options, bus->ca_file);
    if (status == NATS_OK && bus->cert_file)
        status = natsOptions_LoadCertificatesChain(options, bus->cert_file, bus->key_file);
    return status;
}

static natsStatus set_options(struct bus *bus, natsOptions *options)
{
    natsStatus status = set_servers(options, bus->url);
    if (status == NATS_OK)
        status = set_tls(bus, options);
    if (status == NATS_OK && bus->creds_file)
        status = natsOptions_SetUserCredentialsFromFiles(options, bus->creds_file, NULL);
    if (status == NATS_OK)
        status = natsOptions_SetName(options, bus->name);
    if (status == NATS_OK)
        status = natsOptions_SetAllowReconnect(options, false);
    if (status == NATS_OK)
        status = natsOptions_SetTimeout(options, CONNECT_MS);
    if (status == NATS_OK)
        status = natsOptions_SetWriteDeadline(options, WRITE_MS);
    if (status == NATS_OK)
        status = natsOptions_SetPingInterval(options, PING_MS);
    if (status == NATS_OK)
        status = natsOptions_SetMaxPingsOut(options, PINGS_UNANSWERED);
    if (status == NATS_OK)
        status = natsOptions_SetIOBufSize(options, BUFFER_BYTES);
    if (status == NATS_OK)
        status = natsOptions_UseGlobalMessageDelivery(options, true);
    if (status == NATS_OK) /* no flusher thread, and no wait for one */
        status = natsOptions_SetSendAsap(options, true);
    if (status == NATS_OK)
        status = natsOptions_SetClosedCB(options, on_closed, bus);
    if (status == NATS_OK)
        status = natsOptions_SetErrorHandler(options, on_error, bus);
    return status;
}

static natsStatus dial(struct bus *bus, natsConnection **out_connection)
{
    natsOptions *options = NULL;
    natsStatus status = natsOptions_Create(&options);
    if (status == NATS_OK)
        status = set_options(bus, options);
    if (status == NATS_OK)
        status = natsConnection_Connect(out_connection, options);
    natsOptions_Destroy(options);
    return status;
}

static natsStatus attach(struct bus *bus, natsConnection *connection)
{
    pthread_mutex_lock(&bus->lock);
    natsStatus status = bus_subscribe_all(bus, connection);
    if (status == NATS_OK)
        bus->connection = connection; /* a request that comes at once can be answered */
    pthread_mutex_unlock(&bus->lock);
    if (status == NATS_OK)
        status = natsConnection_FlushTimeout(connection, FLUSH_MS);
    if (status != NATS_OK)
        return status;
    pthread_mutex_lock(&bus->lock);
    bus->is_connected = !bus->is_lost;
    bus->streams_are_due = bus->stream_count > 0;
    bus->streams_failed = false;
    pthread_cond_broadcast(&bus->changed);
    pthread_mutex_unlock(&bus->lock);
    return NATS_OK;
}

static void hold(struct bus *bus)
{
    pthread_mutex_lock(&bus->lock);
    while (!bus->is_lost && !bus->is_stopping) {
        if (!bus->streams_are_due) {
            pthread_cond_wait(&bus->changed, &bus->lock);
            continue;
        }
        pthread_mutex_unlock(&bus->lock);
        bus_ensure_declared(bus);
        pthread_mutex_lock(&bus->lock);
    }
    pthread_mutex_unlock(&bus->lock);
}

/* Ends with no callback of this connection running and none to come. */
static void detach(struct bus *bus, natsConnection *connection)
{
    natsConnection_Close(connection);
    pthread_mutex_lock(&bus->lock);
    while (!bus->is_lost || bus->senders > 0)
        pthread_cond_wait(&bus->changed, &bus->lock);
    bus->connection = NULL;
    bus_forget_handles(bus);
    pthread_mutex_unlock(&bus->lock);
    natsConnection_Destroy(connection);
}

static void note(struct bus *bus, const char *reason)
{
    pthread_mutex_lock(&bus->lock);
    str_copy_n(bus->reason, sizeof(bus->reason), reason,
               MIN(strlen(reason), sizeof(bus->reason) - 1));
    pthread_mutex_unlock(&bus->lock);
}

static void set_connected(struct bus *bus, bool is_connected)
{
    if (bus->connected)
        metric_set(bus->connected, is_connected);
}

/* True when it was connected in between. */
static bool connect_once(struct bus *bus, bool is_known_to_be_away)
{
    pthread_mutex_lock(&bus->lock);
    bus->is_lost = false;
    pthread_mutex_unlock(&bus->lock);
    natsConnection *connection = NULL;
    natsStatus status = dial(bus, &connection);
    if (status == NATS_OK)
        status = attach(bus, connection);
    if (status == NATS_OK) {
        slog_info("message bus connected");
        set_connected(bus, true);
        hold(bus);
        set_connected(bus, false);
        note(bus, "the connection was lost");
        if (!ctx_is_done(&bus->ctx))
            slog_warn("message bus lost");
    } else {
        note(bus, status_text(status));
        if (!is_known_to_be_away)
            slog_warn("message bus is away", SLOG_STR("reason", bus->reason));
    }
    if (connection)
        detach(bus, connection);
    return status == NATS_OK;
}

static void *keep_connected(void *data)
{
    struct bus *bus = data;
    /* Here and not in bus_open(): its threads inherit this one's blocked signals. No spinning. */
    nats_Open(0);
    bool is_known_to_be_away = false;
    int64_t delay_ms = DELAY_MIN_MS;
    while (!ctx_is_done(&bus->ctx)) {
        bool was_connected = connect_once(bus, is_known_to_be_away);
        is_known_to_be_away = !was_connected;
        delay_ms = was_connected ? DELAY_MIN_MS : MIN(delay_ms * 2, DELAY_MAX_MS);
        int64_t jittered_ms = delay_ms / 2 + random_below((uint32_t)delay_ms / 2 + 1);
        err_free(ctx_sleep(&bus->ctx, jittered_ms));
    }
    return NULL;
}

struct err *bus_start_keeper(struct bus *bus)
{
    return thread_start("bus", 0, keep_connected, bus, &bus->keeper);
}

void bus_stop_keeper(struct bus *bus)
{
    pthread_mutex_lock(&bus->lock);
    bus->is_stopping = true;
    pthread_cond_broadcast(&bus->changed);
    pthread_mutex_unlock(&bus->lock);
    pthread_join(bus->keeper, NULL);
}

/* --- using the connection --- */

struct err *bus_unavailable(struct bus *bus)
{
    return err_new(&ERR_UPSTREAM_UNAVAILABLE, "the message bus is not connected: %s", bus->reason);
}

static struct err *borrow(struct bus *bus, natsConnection **out_connection)
{
    pthread_mutex_lock(&bus->lock);
    struct err *e = NULL;
    if (!bus->connection || bus->is_lost) {
        e = bus_unavailable(bus);
    } else {
        bus->senders++;
        *out_connection = bus->connection;
    }
    pthread_mutex_unlock(&bus->lock);
    return e;
}

static void give_back(struct bus *bus)
{
    pthread_mutex_lock(&bus->lock);
    if (--bus->senders == 0 && bus->is_lost)
        pthread_cond_broadcast(&bus->changed);
    pthread_mutex_unlock(&bus->lock);
}

struct err *bus_send(struct bus *bus, natsMsg *message)
{
    natsConnection *connection = NULL;
    TRY(borrow(bus, &connection));
    natsStatus status = natsConnection_PublishMsg(connection, message);
    give_back(bus);
    return bus_error(status, "send to %s", natsMsg_GetSubject(message));
}

struct err *bus_flush(struct bus *bus, int64_t timeout_ms)
{
    natsConnection *connection = NULL;
    TRY(borrow(bus, &connection));
    natsStatus status = natsConnection_FlushTimeout(connection, MAX(timeout_ms, 1));
    give_back(bus);
    return bus_error(status, "flush");
}
