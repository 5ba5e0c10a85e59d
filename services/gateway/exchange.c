/* The life of an exchange, and what happens when something goes wrong. */
#include "exchange.h"

#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <metric/metric.h>

#define UNUSED_KEPT 64

static void user_connected(struct upstream_user *user, struct upstream_conn *conn);
static void user_failed(struct upstream_user *user, const struct err_kind *kind,
                        const char *detail);
static void user_ready(struct upstream_user *user, unsigned events);
static void user_expired(struct upstream_user *user);

struct exchange *exchange_new(struct client *client)
{
    struct worker *worker = client->worker;
    struct exchange *ex = worker->unused_exchanges;
    if (ex) {
        worker->unused_exchanges = ex->next;
        worker->unused_exchange_count--;
    } else {
        ex = malloc(sizeof(*ex));
        if (!ex)
            return NULL;
    }
    memset(ex, 0, sizeof(*ex));
    ex->client = client;
    ex->worker = worker;
    ex->user = (struct upstream_user){.connected = user_connected,
                                      .failed = user_failed,
                                      .ready = user_ready,
                                      .expired = user_expired};
    list_node_init(&ex->user.node);
    return ex;
}

void exchange_drop(struct exchange *ex)
{
    struct worker *worker = ex->worker;
    if (ex->upstream)
        upstream_abandon(ex->upstream, &ex->user);
    upstream_unref(ex->upstream);
    sendq_clear(&ex->to_upstream, &worker->slabs);
    sendq_clear(&ex->to_client, &worker->slabs);
    slab_give(&worker->slabs, ex->answer);
    if (worker->unused_exchange_count == UNUSED_KEPT) {
        free(ex);
        return;
    }
    ex->next = worker->unused_exchanges;
    worker->unused_exchanges = ex;
    worker->unused_exchange_count++;
}

void exchange_free_unused(struct worker *worker)
{
    while (worker->unused_exchanges) {
        struct exchange *ex = worker->unused_exchanges;
        worker->unused_exchanges = ex->next;
        free(ex);
    }
}

static void count_answer(const struct exchange *ex)
{
    struct worker *worker = ex->worker;
    if (ex->status == 0)
        return;
    stat_add(&worker->stats.answers[ex->status / 100], 1);
    if (worker->durations)
        metric_observe(worker->durations, (double)(clock_mono_ns() - ex->started_ns) * 1e-9);
}

void exchange_finish(struct exchange *ex)
{
    struct client *client = ex->client;
    bool keep_alive = ex->keep_alive && ex->body_is_complete;
    count_answer(ex);
    access_log(ex, NULL);
    exchange_drop(ex);
    client_answered(client, keep_alive);
}

void exchange_abort(struct exchange *ex, const char *why)
{
    struct client *client = ex->client;
    stat_add(&ex->worker->stats.client_aborts, 1);
    count_answer(ex);
    access_log(ex, why);
    exchange_drop(ex);
    client->exchange = NULL;
    client_close(client, true);
}

void exchange_fail(struct exchange *ex, const struct err_kind *kind, const char *detail)
{
    if (ex->answer_flow != ANSWER_HEAD) {
        exchange_abort(ex, detail);
        return;
    }
    reply_error(ex, err_new(kind, "%s", detail), "");
}

/* --- the upstream's side --- */

static struct exchange *of_user(struct upstream_user *user)
{
    return CONTAINER_OF(user, struct exchange, user);
}

static void user_connected(struct upstream_user *user, struct upstream_conn *conn)
{
    (void)conn; /* user->conn */
    request_send(of_user(user));
}

static void user_ready(struct upstream_user *user, unsigned events)
{
    struct exchange *ex = of_user(user);
    if (events & LOOP_WRITE && !sendq_is_empty(&ex->to_upstream))
        request_pump(ex); /* what there is to read is reported again */
    else
        answer_pump(ex, events);
}

static void user_expired(struct upstream_user *user)
{
    struct exchange *ex = of_user(user);
    if (request_waits_for_client(ex) || !sendq_is_empty(&ex->to_client)) {
        upstream_expect(user->conn, ex->timeout_ms); /* it is not the upstream that is slow */
        return;
    }
    upstream_count_failure(ex->upstream);
    exchange_fail(ex, &ERR_UPSTREAM_TIMEOUT, "the upstream did not answer in time");
}

/* Sending it twice does what sending it once does (RFC 9110 section 9.2.2). */
static bool is_idempotent(const struct exchange *ex)
{
    static const struct str methods[] = {
        {"GET", 3}, {"HEAD", 4}, {"PUT", 3}, {"DELETE", 6}, {"OPTIONS", 7}};
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (request_method_is(&ex->request, ex->client->in->data, methods[i]))
            return true;
    return false;
}

static void retry(struct exchange *ex)
{
    stat_add(&ex->worker->stats.upstream_retries, 1);
    ex->has_retried = true;
    ex->request_flow = REQUEST_HELD;
    sendq_clear(&ex->to_upstream, &ex->worker->slabs);
    upstream_abandon(ex->upstream, &ex->user);
    upstream_acquire(ex->upstream, &ex->user, true);
}

void exchange_connection_lost(struct exchange *ex, const char *detail)
{
    bool is_safe = ex->sent_upstream == 0 || is_idempotent(ex);
    if (ex->user.conn->is_reused && is_safe && !ex->has_retried && !ex->cannot_replay) {
        retry(ex);
        return;
    }
    upstream_count_failure(ex->upstream);
    exchange_fail(ex, &ERR_UPSTREAM_UNAVAILABLE, detail);
}

/* No connection was to be had: another server may be better. */
static void user_failed(struct upstream_user *user, const struct err_kind *kind, const char *detail)
{
    struct exchange *ex = of_user(user);
    bool may_help = kind != &ERR_OVERLOADED && upstream_server_count(ex->upstream) > 1;
    if (may_help && !ex->has_retried) {
        retry(ex);
        return;
    }
    exchange_fail(ex, kind, detail);
}

/* --- the client's side --- */

void exchange_time_client(struct exchange *ex)
{
    if (ex->client_is_timed)
        return;
    ex->client_is_timed = true;
    ex->moved = 0;
    loop_set_timer(ex->worker->loop, &ex->client->timer, ex->worker->options->body_timeout_ms);
}

void exchange_client_expired(struct exchange *ex)
{
    bool is_waiting = request_waits_for_client(ex) || !sendq_is_empty(&ex->to_client);
    if (!ex->client_is_timed || !is_waiting || ex->moved >= RATE_BYTES) {
        ex->client_is_timed = false;
        if (is_waiting)
            exchange_time_client(ex);
        return;
    }
    stat_add(&ex->worker->stats.client_timeouts, 1);
    if (sendq_is_empty(&ex->to_client))
        exchange_fail(ex, &ERR_REQUEST_TIMEOUT, "the body did not arrive in time");
    else
        exchange_abort(ex, "the client did not take the answer in time");
}

void exchange_client_ready(struct exchange *ex, unsigned events)
{
    if (events & LOOP_HANGUP)
        exchange_abort(ex, "the client went away");
    else if (events & LOOP_WRITE)
        answer_flush(ex);
    else if (request_waits_for_client(ex))
        request_pump(ex);
    else
        client_want(ex->client, LOOP_READ, false); /* until the present request is answered */
}
