/*
 * Durable consumption: a thread per consumer that pulls events and settles each one before the
 * next.
 *
 * A session is what one connection gives: the consumer on the server, an inbox, and pull requests.
 * Whatever goes wrong ends the session and begins a new one. Within it, the server sends heartbeats
 * while there is nothing to send; two that are missing end it.
 */
#include "consumer.h"

#include <inttypes.h>
#include <stdio.h>

#include <base/clock.h>
#include <base/str.h>
#include <conc/thread.h>
#include <slog/slog.h>

#define CONFIG_MAX 4096
#define NS_PER_MS  1000000LL
/* Events per pull request. One at a time where they are acknowledged: nats-server 2.9 mislays an
 * event that is given back while a request of the same, gone, consumer waits. */
#define BATCH_DURABLE   1
#define BATCH_EPHEMERAL 64
#define QUEUE           256 /* a batch, and what the server says in between */
#define PULL_MS         30000
#define HEARTBEAT_MS    3000
#define SILENCE_MS      (2 * HEARTBEAT_MS + 1000)
#define IDLE_GONE_MS    60000 /* an ephemeral consumer without anyone is removed by the server */
#define END_MS          1000
#define ENSURE_MS       5000
#define PAUSE_MIN_MS    50
#define PAUSE_MAX_MS    2000
#define TELL_EVERY_MS   60000

static void drop_message(void *message)
{
    natsMsg_Destroy(message);
}

static void on_message(void *data, natsMsg *message)
{
    struct bus_consumer *consumer = data;
    if (chan_try_send(consumer->inbox, message) != CHAN_OK)
        natsMsg_Destroy(message); /* the server sends it again */
}

static void on_lost(void *data)
{
    struct bus_consumer *consumer = data;
    atomic_store(&consumer->is_lost, true);
    chan_close(consumer->inbox);
}

/* --- the consumer on the server --- */

static void write_string(struct json_writer *w, const char *name, const char *value)
{
    json_write_name(w, name);
    json_write_string(w, value);
}

static void write_i64(struct json_writer *w, const char *name, int64_t value)
{
    json_write_name(w, name);
    json_write_i64(w, value);
}

static void write_position(const struct bus_consumer *consumer, struct json_writer *w)
{
    const struct bus_consumer_options *options = &consumer->options;
    if (options->durable) {
        write_string(w, "durable_name", options->durable);
        write_string(w, "deliver_policy", "all");
        write_string(w, "ack_policy", "explicit");
        write_i64(w, "ack_wait", options->ack_wait_ms * NS_PER_MS);
        write_i64(w, "max_ack_pending", 1);
        return;
    }
    write_string(w, "deliver_policy", "by_start_sequence");
    write_i64(w, "opt_start_seq", (int64_t)consumer->next_sequence);
    write_string(w, "ack_policy", "none");
    write_i64(w, "inactive_threshold", IDLE_GONE_MS * NS_PER_MS);
}

static void write_config(const struct bus_consumer *consumer, struct buf *out)
{
    struct json_writer w = JSON_WRITER(out);
    json_begin_object(&w);
    write_string(&w, "stream_name", consumer->options.stream);
    json_write_name(&w, "config");
    json_begin_object(&w);
    write_position(consumer, &w);
    if (consumer->options.filter)
        write_string(&w, "filter_subject", consumer->options.filter);
    write_i64(&w, "max_deliver", -1);
    write_string(&w, "replay_policy", "instant");
    json_end_object(&w);
    json_end_object(&w);
}

/* A stream that was made anew begins at 1 again. */
static struct err *check_stream(struct bus_consumer *consumer, struct ctx *ctx,
                                struct bus_stream_info *out_info)
{
    struct bus_stream_info info;
    TRY(bus_fetch_stream_info(consumer->bus, ctx, consumer->options.stream, &info));
    if (!str_equal(info.created, consumer->stream_created)) {
        consumer->next_sequence = 1;
        str_copy(consumer->stream_created, sizeof(consumer->stream_created), info.created);
    }
    *out_info = info;
    return NULL;
}

/* Creates the consumer, changes it, or finds it as it should be. */
static struct err *create_consumer(struct bus_consumer *consumer, struct ctx *ctx,
                                   struct json_doc **out_doc, char name[BUS_SUBJECT_TEXT])
{
    const struct bus_consumer_options *options = &consumer->options;
    char subject[BUS_SUBJECT_TEXT];
    if (options->durable)
        snprintf(subject, sizeof(subject), "CONSUMER.DURABLE.CREATE.%s.%s", options->stream,
                 options->durable);
    else
        snprintf(subject, sizeof(subject), "CONSUMER.CREATE.%s", options->stream);
    _cleanup_(buf_deinit) struct buf body = BUF_INIT(CONFIG_MAX);
    write_config(consumer, &body);
    _cleanup_(json_free) struct json_doc *doc = NULL;
    int64_t code;
    TRY(bus_js_call(consumer->bus, ctx, subject, &body, &doc, &code));
    const char *given = json_string(json_get(json_root(doc), "name"));
    if (!given || !str_copy(name, BUS_SUBJECT_TEXT, given))
        return err_new(&BUS_FAILED, "the server did not name the consumer");
    *out_doc = TAKE(doc);
    return NULL;
}

/* The stream is looked at when the consumer is there: if it is made anew after that, the consumer
 * is gone, and the session ends. */
static struct err *ensure_consumer(struct bus_consumer *consumer, char name[BUS_SUBJECT_TEXT],
                                   struct bus_session *out_session)
{
    bool is_durable = consumer->options.durable;
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, &consumer->taking, ENSURE_MS);
    if (!is_durable) /* where it begins depends on it */
        TRY(check_stream(consumer, &ctx, &out_session->stream));
    _cleanup_(json_free) struct json_doc *doc = NULL;
    TRY(create_consumer(consumer, &ctx, &doc, name));
    if (!is_durable)
        return NULL;
    TRY(check_stream(consumer, &ctx, &out_session->stream));
    bus_settle_forgotten(consumer, json_root(doc));
    int64_t floor = 0;
    json_i64(json_get(json_get(json_root(doc), "ack_floor"), "stream_seq"), &floor);
    out_session->acknowledged = (uint64_t)floor;
    return NULL;
}

/* --- what the operator sees --- */

static void set_waiting(const struct bus_consumer *consumer, int64_t value)
{
    if (consumer->waiting)
        metric_set(consumer->waiting, value);
}

/* A reason is told of when it comes, and every minute for as long as nothing mends itself. */
static void tell_waits(struct bus_consumer *consumer, const struct err *e)
{
    int64_t now_ms = clock_mono_ms();
    if (ctx_is_done(&consumer->taking))
        return;
    if (!consumer->told)
        consumer->waits_since_ms = now_ms;
    set_waiting(consumer, 1);
    if (err_kind(e) == consumer->told && now_ms < consumer->tell_at_ms)
        return;
    consumer->told = err_kind(e);
    consumer->tell_at_ms = now_ms + TELL_EVERY_MS;
    int64_t waits_ms = now_ms - consumer->waits_since_ms;
    SLOG_AT(waits_ms < TELL_EVERY_MS ? SLOG_WARN : SLOG_ERROR, "consumer waits",
            SLOG_STR("stream", consumer->options.stream),
            SLOG_STR("consumer", consumer->options.durable), SLOG_I64("waits_s", waits_ms / 1000),
            SLOG_ERR(e));
}

static void tell_goes_on(struct bus_consumer *consumer)
{
    set_waiting(consumer, 0);
    if (TAKE(consumer->told))
        slog_info("consumer goes on", SLOG_STR("stream", consumer->options.stream),
                  SLOG_STR("consumer", consumer->options.durable));
}

/* --- a session --- */

struct session {
    struct bus_consumer *consumer;
    char name[BUS_SUBJECT_TEXT]; /* of the consumer on the server */
    int due;                     /* events that the present pull request may still bring */
};

static struct err *pull(struct session *session)
{
    struct bus_consumer *consumer = session->consumer;
    char subject[2 * BUS_SUBJECT_TEXT];
    snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.MSG.NEXT.%s.%s", consumer->options.stream,
             session->name);
    int batch = consumer->options.durable ? BATCH_DURABLE : BATCH_EPHEMERAL;
    char body[128];
    int len =
        snprintf(body, sizeof(body), "{\"batch\":%d,\"expires\":%lld,\"idle_heartbeat\":%lld}",
                 batch, PULL_MS * NS_PER_MS, HEARTBEAT_MS * NS_PER_MS);
    const struct bus_outgoing outgoing = {
        .subject = subject, .reply = consumer->inbox_subject, .bytes = body, .len = (size_t)len};
    _cleanup_(bus_message_free) natsMsg *message = NULL;
    TRY(bus_message_new(&outgoing, &message));
    TRY(bus_send(consumer->bus, message));
    session->due = batch;
    return NULL;
}

/* What is no event: a heartbeat, the end of a pull request, or the end of the session. */
static struct err *take_status(struct session *session, natsMsg *message, const char *status)
{
    if (str_equal(status, "100"))
        return NULL;
    session->due = 0;
    if (str_equal(status, "404") || str_equal(status, "408"))
        return NULL;
    const char *text = bus_message_header(message, "Description");
    return err_new(&ERR_UPSTREAM_UNAVAILABLE, "%s %s", status, text ? text : "");
}

static struct err *take(struct session *session, natsMsg *message)
{
    const char *status = bus_message_header(message, "Status");
    if (status && natsMsg_GetDataLength(message) == 0)
        return take_status(session, message, status);
    session->due--;
    return bus_settle_event(session->consumer, message);
}

/* NULL: the connection was lost, or the consumer is to end. */
static struct err *take_all(struct session *session)
{
    struct bus_consumer *consumer = session->consumer;
    for (;;) {
        if (session->due == 0 && !atomic_load(&consumer->is_lost))
            TRY(pull(session));
        struct ctx silence;
        ctx_init(&silence, &consumer->taking, SILENCE_MS);
        void *item = NULL;
        enum chan_status status = chan_receive(consumer->inbox, &silence, &item);
        ctx_deinit(&silence);
        if (status == CHAN_TIMEOUT)
            return err_new(&ERR_UPSTREAM_TIMEOUT, "the server has fallen silent");
        if (status != CHAN_OK)
            return NULL;
        _cleanup_(bus_message_free) natsMsg *message = item;
        TRY(take(session, message));
    }
}

static void return_rest(struct bus_consumer *consumer)
{
    void *item = NULL;
    while (chan_try_receive(consumer->inbox, &item) == CHAN_OK) {
        bus_return_event(consumer, item);
        natsMsg_Destroy(item);
    }
}

static struct err *begin_session(struct session *session)
{
    struct bus_consumer *consumer = session->consumer;
    struct bus_session found = {.ctx = &consumer->taking, .state = consumer->state};
    TRY(ensure_consumer(consumer, session->name, &found));
    if (consumer->options.begin)
        TRY(consumer->options.begin(&found));
    tell_goes_on(consumer);
    return NULL;
}

static struct err *run_session(struct bus_consumer *consumer)
{
    struct session session = {.consumer = consumer};
    TRY(chan_new(QUEUE, drop_message, &consumer->inbox));
    atomic_store(&consumer->is_lost, false);
    /* First of all: when this connection is lost, what was found on it is worth nothing. */
    struct err *e = bus_subscription_add(consumer->bus, &consumer->subscription);
    if (!e) {
        e = begin_session(&session);
        if (!e)
            e = take_all(&session);
        bus_subscription_end(&consumer->subscription, END_MS); /* with what is on its way */
        return_rest(consumer);
    }
    chan_free(TAKE(consumer->inbox));
    return e;
}

/* --- the thread --- */

static void *consume(void *data)
{
    struct bus_consumer *consumer = data;
    int64_t pause_ms = PAUSE_MIN_MS;
    while (!ctx_is_done(&consumer->taking)) {
        struct err *e = bus_wait(consumer->bus, &consumer->taking);
        if (!e)
            e = run_session(consumer);
        if (e)
            tell_waits(consumer, e);
        pause_ms = e ? MIN(pause_ms * 2, PAUSE_MAX_MS) : PAUSE_MIN_MS;
        err_free(e);
        err_free(ctx_sleep(&consumer->taking, pause_ms));
    }
    struct bus *bus = consumer->bus;
    pthread_mutex_lock(&bus->lock);
    list_remove(&consumer->node);
    pthread_cond_broadcast(&bus->changed);
    pthread_mutex_unlock(&bus->lock);
    return NULL;
}

static void set_defaults(struct bus_consumer_options *options)
{
    if (!options->ack_wait_ms)
        options->ack_wait_ms = 30000;
    if (!options->retry_min_ms)
        options->retry_min_ms = 1000;
    if (!options->retry_max_ms)
        options->retry_max_ms = 60000;
    if (!options->max_deliver)
        options->max_deliver = 10;
}

static struct metric *make_counter(const struct bus_consumer *consumer, const char *outcome)
{
    const struct bus_consumer_options *options = &consumer->options;
    if (!consumer->bus->metrics)
        return NULL;
    return metric_counter(consumer->bus->metrics, "bus_events_total",
                          "Events, by what became of them",
                          METRIC_LABELS({"stream", options->stream},
                                        {"consumer", options->durable ? options->durable : ""},
                                        {"outcome", outcome}));
}

static struct metric *make_waiting(const struct bus_consumer *consumer)
{
    const struct bus_consumer_options *options = &consumer->options;
    if (!consumer->bus->metrics)
        return NULL;
    return metric_gauge(consumer->bus->metrics, "bus_consumer_waiting",
                        "1 while events cannot be taken: no stream, not permitted, no snapshot",
                        METRIC_LABELS({"stream", options->stream},
                                      {"consumer", options->durable ? options->durable : ""}));
}

static void init_consumer(struct bus_consumer *consumer)
{
    static atomic_uint_fast64_t made;
    snprintf(consumer->inbox_subject, sizeof(consumer->inbox_subject), "%s.events.%" PRIuFAST64,
             consumer->bus->inbox, atomic_fetch_add(&made, 1));
    consumer->subscription = (struct bus_subscription){.subject = consumer->inbox_subject,
                                                       .deliver = on_message,
                                                       .lost = on_lost,
                                                       .is_for_one_connection = true,
                                                       .data = consumer};
    consumer->next_sequence = 1;
    consumer->handled = make_counter(consumer, "handled");
    consumer->retried = make_counter(consumer, "retried");
    consumer->dropped = make_counter(consumer, "dropped");
    consumer->waiting = make_waiting(consumer);
    ctx_init(&consumer->ctx, &consumer->bus->work, CTX_NO_TIMEOUT);
    ctx_init(&consumer->taking, &consumer->bus->taking, CTX_NO_TIMEOUT);
    list_node_init(&consumer->node);
}

static void free_consumer(struct bus_consumer *consumer)
{
    ctx_deinit(&consumer->taking);
    ctx_deinit(&consumer->ctx);
    free(consumer);
}

struct err *bus_consume(struct bus *bus, const struct bus_consumer_options *options,
                        struct err *(*handle)(const struct bus_event *event), void *state,
                        struct bus_consumer **out_consumer)
{
    struct bus_consumer *consumer = calloc(1, sizeof(*consumer));
    if (!consumer)
        return err_oom();
    consumer->bus = bus;
    consumer->options = *options;
    consumer->handle = handle;
    consumer->state = state;
    set_defaults(&consumer->options);
    init_consumer(consumer);
    pthread_mutex_lock(&bus->lock);
    list_push_back(&bus->consumers, &consumer->node);
    pthread_mutex_unlock(&bus->lock);
    struct err *e = thread_start("bus-consumer", 0, consume, consumer, &consumer->thread);
    if (e) {
        pthread_mutex_lock(&bus->lock);
        list_remove(&consumer->node);
        pthread_mutex_unlock(&bus->lock);
        free_consumer(consumer);
        return e;
    }
    *out_consumer = consumer;
    return NULL;
}

void bus_consumer_stop(struct bus_consumer *consumer)
{
    if (!consumer)
        return;
    ctx_cancel(&consumer->taking);
    ctx_cancel(&consumer->ctx);
    pthread_join(consumer->thread, NULL);
    free_consumer(consumer);
}

void bus_consumers_drain(struct bus *bus)
{
    ctx_cancel(&bus->taking);
}

bool bus_consumers_are_idle(struct bus *bus)
{
    return list_is_empty(&bus->consumers);
}
