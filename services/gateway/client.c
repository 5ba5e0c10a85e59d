#include "client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exchange.h"
#include "forwarded.h"

#define LINGER_MS     2000
#define DRAIN_IDLE_MS 500

static void client_ready(struct loop_source *source, unsigned events);
static void client_expired(struct loop_timer *timer);

static void set_state(struct client *client, enum client_state state)
{
    struct worker *worker = client->worker;
    bool was_idle = client->state == CLIENT_IDLE, is_idle = state == CLIENT_IDLE;
    client->state = state;
    if (was_idle == is_idle)
        return;
    list_remove(&client->node);
    list_push_back(is_idle ? &worker->idle_clients : &worker->busy_clients, &client->node);
    stat_add(&worker->stats.clients_idle, is_idle ? 1 : -1);
}

/* In a drain a connection stays for a moment: a request may be on its way. */
static void time_idle(struct client *client)
{
    struct worker *worker = client->worker;
    loop_set_timer(worker->loop, &client->timer,
                   worker->is_draining ? DRAIN_IDLE_MS : worker->options->idle_timeout_ms);
}

void client_new(struct worker *worker, int fd, const union address *peer)
{
    struct client *client = calloc(1, sizeof(*client));
    if (!client) {
        close(fd);
        return;
    }
    socket_no_delay(fd);
    client->source = (struct loop_source){.fd = fd, .events = LOOP_READ, .ready = client_ready};
    _cleanup_(err_free) struct err *e = loop_watch(worker->loop, &client->source);
    if (e) {
        close(fd);
        free(client);
        return;
    }
    client->worker = worker;
    client->timer.fire = client_expired;
    client->is_trusted = forwarded_is_trusted(worker->options, peer);
    address_format(peer, client->address);
    list_push_back(&worker->idle_clients, &client->node);
    worker->clients++;
    stat_add(&worker->stats.clients, 1);
    stat_add(&worker->stats.clients_idle, 1);
    stat_add(&worker->stats.accepted, 1);
    time_idle(client);
}

void client_drain(struct client *client)
{
    time_idle(client);
}

static void free_client(struct loop_deferred *deferred)
{
    free(CONTAINER_OF(deferred, struct client, gone));
}

static void give_slab(struct client *client)
{
    slab_give(&client->worker->slabs, TAKE(client->in));
}

void client_close(struct client *client, bool with_reset)
{
    struct worker *worker = client->worker;
    if (client->state == CLIENT_CLOSED)
        return;
    if (client->exchange)
        exchange_drop(TAKE(client->exchange));
    give_slab(client);
    set_state(client, CLIENT_CLOSED);
    list_remove(&client->node);
    loop_clear_timer(&client->timer);
    loop_unwatch(&client->source);
    if (with_reset)
        socket_reset_on_close(client->source.fd);
    close(client->source.fd);
    worker->clients--;
    stat_add(&worker->stats.clients, -1);
    client->gone.run = free_client;
    loop_defer(worker->loop, &client->gone);
    worker_client_gone(worker);
}

void client_want(struct client *client, enum loop_events event, bool wanted)
{
    unsigned events = client->source.events;
    loop_change(&client->source, wanted ? events | event : events & ~(unsigned)event);
}

ssize_t client_receive(struct client *client)
{
    struct slab *in = client->in;
    ssize_t got;
    do
        got = recv(client->source.fd, in->data + in->end, slab_room(in), 0);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        in->end += (uint32_t)got;
        stat_add(&client->worker->stats.bytes_in, got);
    }
    client->has_ended = client->has_ended || got == 0;
    return got;
}

/* --- LINGER --- */

static void linger(struct client *client)
{
    give_slab(client);
    if (client->has_ended || shutdown(client->source.fd, SHUT_WR) < 0) {
        client_close(client, false);
        return;
    }
    set_state(client, CLIENT_LINGER);
    loop_change(&client->source, LOOP_READ);
    loop_set_timer(client->worker->loop, &client->timer, LINGER_MS);
}

static void discard_input(struct client *client)
{
    char *waste = client->worker->scratch;
    ssize_t got = recv(client->source.fd, waste, sizeof(client->worker->scratch), 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        client_close(client, false);
}

/* --- HEAD --- */

/* Several requests may stand in the slab; an exchange that ends at once comes back here. */
static void process(struct client *client)
{
    if (client->is_processing)
        return;
    client->is_processing = true;
    while (client->state == CLIENT_HEAD) {
        struct exchange *ex = client->exchange;
        struct slab *in = client->in;
        enum parse_status status = request_parse(&ex->request, in->data, in->end);
        if (status == PARSE_MORE)
            break;
        set_state(client, CLIENT_EXCHANGE);
        if (status == PARSE_DONE) {
            in->start = ex->request.head_len;
            exchange_begin(ex);
        } else {
            exchange_refuse(ex, ex->request.bad_kind, ex->request.bad_detail);
        }
    }
    client->is_processing = false;
}

/* False: out of memory, and the connection is closed. */
static bool begin_head(struct client *client)
{
    client->exchange = exchange_new(client);
    if (!client->exchange) {
        client_close(client, false);
        return false;
    }
    set_state(client, CLIENT_HEAD);
    return true;
}

static void time_head(struct client *client)
{
    loop_set_timer(client->worker->loop, &client->timer,
                   client->worker->options->header_timeout_ms);
}

static void refuse_head(struct client *client, const struct err_kind *kind, const char *detail)
{
    set_state(client, CLIENT_EXCHANGE);
    exchange_refuse(client->exchange, kind, detail);
}

static void read_head(struct client *client)
{
    ssize_t got = client_receive(client);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got > 0)
        process(client);
    else if (got < 0)
        client_close(client, false);
    else
        refuse_head(client, &ERR_BAD_REQUEST, "the request ended too early");
}

/* A connection that only closes, as most do in the end, needs no exchange. */
static void read_first(struct client *client)
{
    client->in = slab_take(&client->worker->slabs);
    if (!client->in) {
        client_close(client, false);
        return;
    }
    ssize_t got = client_receive(client);
    if (got > 0) {
        if (begin_head(client))
            process(client);
        if (client->state == CLIENT_HEAD)
            time_head(client);
        return;
    }
    bool is_spurious = got < 0 && errno == EAGAIN;
    give_slab(client);
    if (!is_spurious)
        client_close(client, false);
}

/* --- IDLE --- */

static void become_idle(struct client *client)
{
    give_slab(client);
    set_state(client, CLIENT_IDLE);
    loop_change(&client->source, LOOP_READ);
    time_idle(client);
}

void client_answered(struct client *client, bool keep_alive)
{
    client->exchange = NULL;
    struct slab *in = client->in;
    uint32_t left = in->end - in->start;
    if (!keep_alive) {
        linger(client);
        return;
    }
    if (left == 0) {
        become_idle(client);
        return;
    }
    memmove(in->data, in->data + in->start, left);
    in->start = 0;
    in->end = left;
    if (!begin_head(client))
        return;
    loop_change(&client->source, LOOP_READ);
    time_head(client);
    process(client);
}

/* --- events --- */

static void client_ready(struct loop_source *source, unsigned events)
{
    struct client *client = CONTAINER_OF(source, struct client, source);
    switch (client->state) {
    case CLIENT_IDLE:
        read_first(client);
        break;
    case CLIENT_HEAD:
        read_head(client);
        break;
    case CLIENT_EXCHANGE:
        exchange_client_ready(client->exchange, events);
        break;
    case CLIENT_LINGER:
        discard_input(client);
        break;
    case CLIENT_CLOSED:
        break;
    }
}

static void client_expired(struct loop_timer *timer)
{
    struct client *client = CONTAINER_OF(timer, struct client, timer);
    switch (client->state) {
    case CLIENT_HEAD:
        stat_add(&client->worker->stats.client_timeouts, 1);
        refuse_head(client, &ERR_REQUEST_TIMEOUT, "the header section did not arrive in time");
        break;
    case CLIENT_EXCHANGE:
        exchange_client_expired(client->exchange);
        break;
    case CLIENT_IDLE:
    case CLIENT_LINGER:
    case CLIENT_CLOSED:
        client_close(client, false);
        break;
    }
}
