/* Request and reply: one subscription for all replies of this bus, a channel for each who waits. */
#include "internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <base/clock.h>
#include <conc/chan.h>
#include <model/problem.h>

#define CALLS_MAX 4096

static void drop_message(void *message)
{
    natsMsg_Destroy(message);
}

static void on_reply(void *data, natsMsg *message)
{
    struct bus *bus = data;
    const char *dot = strrchr(natsMsg_GetSubject(message), '.');
    const char *token = dot ? dot + 1 : "";
    pthread_mutex_lock(&bus->lock);
    struct chan *waiting = map_get(&bus->calls, token, strlen(token));
    /* A second reply finds the channel full, and one that is late finds no channel. */
    bool is_taken = waiting && chan_try_send(waiting, message) == CHAN_OK;
    pthread_mutex_unlock(&bus->lock);
    if (!is_taken)
        natsMsg_Destroy(message);
}

static void on_lost(void *data)
{
    struct bus *bus = data;
    size_t cursor = 0;
    const char *token;
    size_t len;
    void *waiting;
    while (map_next(&bus->calls, &cursor, &token, &len, &waiting))
        chan_close(waiting);
}

struct err *bus_calls_open(struct bus *bus)
{
    bus->calls = MAP_INIT(CALLS_MAX);
    snprintf(bus->reply_subjects, sizeof(bus->reply_subjects), "%s.reply.*", bus->inbox);
    bus->replies = (struct bus_subscription){
        .subject = bus->reply_subjects, .deliver = on_reply, .lost = on_lost, .data = bus};
    return bus_subscription_add(bus, &bus->replies);
}

void bus_calls_close(struct bus *bus)
{
    map_deinit(&bus->calls);
}

/* --- one exchange --- */

static struct err *expect_reply(struct bus *bus, struct chan *waiting, char token[BUS_TOKEN_TEXT])
{
    pthread_mutex_lock(&bus->lock);
    int len = snprintf(token, BUS_TOKEN_TEXT, "%" PRIu64, ++bus->next_call);
    struct err *e = NULL;
    if (!bus->connection || bus->is_lost) {
        e = bus_unavailable(bus);
    } else {
        switch (map_put(&bus->calls, token, (size_t)len, waiting, NULL)) {
        case MAP_PUT_FULL:
            e = err_new(&ERR_OVERLOADED, "%d requests are under way", CALLS_MAX);
            break;
        case MAP_PUT_NO_MEMORY:
            e = err_oom();
            break;
        case MAP_PUT_NEW:
        case MAP_PUT_REPLACED:
            break;
        }
    }
    pthread_mutex_unlock(&bus->lock);
    return e;
}

static void expect_no_more(struct bus *bus, const char *token)
{
    pthread_mutex_lock(&bus->lock);
    map_remove(&bus->calls, token, strlen(token));
    pthread_mutex_unlock(&bus->lock);
}

static struct err *receive(const struct bus_pending *pending, struct ctx *ctx, natsMsg **out_reply)
{
    void *item = NULL;
    enum chan_status status = chan_receive(pending->waiting, ctx, &item);
    /* One that is there counts, even if the time went to waiting for another. */
    if (status != CHAN_OK && chan_try_receive(pending->waiting, &item) == CHAN_OK)
        status = CHAN_OK;
    if (status == CHAN_CLOSED)
        return err_new(&ERR_UPSTREAM_UNAVAILABLE, "the connection was lost before %s answered",
                       pending->subject);
    if (status != CHAN_OK)
        return err_wrap(ctx_check(ctx), "wait for the answer of %s", pending->subject);
    _cleanup_(bus_message_free) natsMsg *reply = item;
    if (natsMsg_IsNoResponders(reply))
        return err_new(&ERR_UPSTREAM_UNAVAILABLE, "no one listens on %s", pending->subject);
    *out_reply = TAKE(reply);
    return NULL;
}

static struct err *send_request(struct bus *bus, const char *token,
                                const struct bus_outgoing *outgoing)
{
    char reply[BUS_SUBJECT_TEXT];
    snprintf(reply, sizeof(reply), "%s.reply.%s", bus->inbox, token);
    struct bus_outgoing request = *outgoing;
    request.reply = reply;
    _cleanup_(bus_message_free) natsMsg *message = NULL;
    TRY(bus_message_new(&request, &message));
    return bus_send(bus, message);
}

struct err *bus_exchange_begin(struct bus *bus, const struct bus_outgoing *outgoing,
                               struct bus_pending *out_pending)
{
    struct bus_pending pending = {.subject = outgoing->subject};
    TRY(chan_new(1, drop_message, &pending.waiting));
    struct err *e = expect_reply(bus, pending.waiting, pending.token);
    if (!e) {
        e = send_request(bus, pending.token, outgoing);
        if (e)
            expect_no_more(bus, pending.token);
    }
    if (e)
        chan_free(pending.waiting);
    else
        *out_pending = pending;
    return e;
}

struct err *bus_exchange_end(struct bus *bus, struct ctx *ctx, struct bus_pending *pending,
                             natsMsg **out_reply)
{
    struct err *e = receive(pending, ctx, out_reply);
    expect_no_more(bus, pending->token);
    chan_free(pending->waiting);
    return e;
}

struct err *bus_exchange(struct bus *bus, struct ctx *ctx, const struct bus_outgoing *outgoing,
                         natsMsg **out_reply)
{
    _cleanup_(ctx_deinit) struct ctx limited;
    ctx_init(&limited, ctx, BUS_TIMEOUT_MAX_MS);
    TRY(ctx_check(&limited));
    struct bus_pending pending;
    TRY(bus_exchange_begin(bus, outgoing, &pending));
    return bus_exchange_end(bus, &limited, &pending, out_reply);
}

/* --- bus_request() --- */

static struct err *read_reply(const char *subject, natsMsg *reply, const struct model *out_model,
                              struct arena *arena, void *out, const struct err_kind *const *kinds)
{
    const char *text = natsMsg_GetData(reply);
    size_t len = (size_t)natsMsg_GetDataLength(reply);
    if (bus_message_header(reply, "Plankton-Error"))
        return err_wrap(problem_read(text, len, kinds), "%s", subject);
    if (!out_model)
        return NULL;
    return err_wrap_as(model_read(out_model, MODEL_READ_TRUSTED, text, len, arena, out),
                       &BUS_FAILED, "%s answered something else than was agreed", subject);
}

static struct err *request(struct bus *bus, struct ctx *ctx, const char *subject,
                           const struct buf *body, const struct model *out_model,
                           struct arena *arena, void *out, const struct err_kind *const *kinds)
{
    const struct bus_outgoing outgoing = {
        .subject = subject,
        .bytes = body->data,
        .len = body->len,
        .deadline_ms = ctx_remaining_ms(ctx, BUS_TIMEOUT_MAX_MS),
    };
    _cleanup_(bus_message_free) natsMsg *reply = NULL;
    TRY(bus_exchange(bus, ctx, &outgoing, &reply));
    return read_reply(subject, reply, out_model, arena, out, kinds);
}

struct err *bus_request(struct bus *bus, struct ctx *ctx, const char *subject,
                        const struct model *in_model, const void *in, const struct model *out_model,
                        struct arena *arena, void *out, const struct err_kind *const *kinds)
{
    _cleanup_(buf_deinit) struct buf body = BUF_INIT(BUS_MESSAGE_MAX);
    TRY(bus_write_body(in_model, in, &body));
    int64_t began_ns = clock_mono_ns();
    struct err *e = request(bus, ctx, subject, &body, out_model, arena, out, kinds);
    if (bus->metrics) {
        const struct metric_label *labels =
            METRIC_LABELS({"subject", subject}, {"code", e ? err_kind(e)->slug : "ok"});
        metric_observe(metric_histogram(bus->metrics, "bus_request_duration_seconds",
                                        "Time until a request over NATS was answered", labels, NULL,
                                        0),
                       (double)(clock_mono_ns() - began_ns) / 1e9);
    }
    return e;
}
