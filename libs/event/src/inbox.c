#include "inbox.h"

#include <limits.h>
#include <stdio.h>

#include <base/clock.h>
#include <slog/slog.h>
#include <slog/trace.h>

#define MAX_FAILURES   10
#define ACK_WAIT_MS    5000
#define RETRY_MIN_MS   200
#define RETRY_MAX_MS   10000
#define CHECK_MS       1000
#define PRUNE_EVERY_MS 60000
#define PRUNE_MS       5000
#define WAIT_PAUSE_MS  20

struct inbox {
    struct inbox_consumer consumer;
    struct inbox_options options;
    struct bus_consumer *bus_consumer;
    struct metric *events[INBOX_OUTCOMES], *lag_seconds; /* NULL: none */
    atomic_bool is_known; /* there was a snapshot, now or in a former life */

    /* The consumer's thread's own. */
    struct ctx *ctx;     /* of the session */
    struct place place;  /* as it was read or written last: other replicas move it, too. Empty after
                            a failure: it is read again */
    int64_t prune_at_ms; /* monotonic */
    uint64_t failed_sequence; /* of the event that failed last for a reason of its own, on this
                                 connection */
    int failures;             /* how often it did */
};

/* --- an event --- */

static bool is_next(const struct place *place, const struct bus_event *event)
{
    return *place->stream_created && event->stream_sequence == place->last_sequence + 1;
}

/* An event that is not the one behind our place: another replica was here, the stream has lost
 * events, or is another one, or the database has lost what it knew. */
static struct err *find_place(struct inbox *inbox, const struct bus_event *event)
{
    if (is_next(&inbox->place, event))
        return NULL;
    TRY(inbox_read_place(&inbox->consumer, event->ctx, &inbox->place));
    if (is_next(&inbox->place, event))
        return NULL;
    struct bus_stream_info stream;
    TRY(bus_fetch_stream_info(inbox->options.bus, event->ctx, inbox->options.stream, &stream));
    /* One at a time: those before this one were acknowledged. */
    return inbox_catch_up(&inbox->consumer, inbox->ctx, &stream, event->stream_sequence - 1,
                          &inbox->place);
}

static void observe_lag(const struct inbox *inbox, const struct event *event)
{
    if (inbox->lag_seconds && event->time_ms > 0)
        metric_observe(inbox->lag_seconds, (double)MAX(clock_now_ms() - event->time_ms, 0) / 1e3);
}

static struct err *handle_in_trace(struct inbox *inbox, const struct bus_event *event,
                                   const struct event *content, enum inbox_outcome *out_outcome)
{
    const struct trace *outer = trace_current();
    struct trace trace;
    trace_start(&trace, outer ? outer->request_id : NULL, content->traceparent);
    trace_set_current(&trace);
    struct err *e = inbox_handle(&inbox->consumer, event->ctx, content, &inbox->place,
                                 event->stream_sequence, out_outcome);
    trace_set_current(outer);
    TRY(e);
    inbox->place.last_sequence = event->stream_sequence;
    return NULL;
}

static struct err *take(struct inbox *inbox, const struct bus_event *event,
                        enum inbox_outcome *out_outcome)
{
    if (event->stream_sequence <= inbox->place.last_sequence) {
        *out_outcome = INBOX_REPEATED;
        return NULL;
    }
    _cleanup_(event_deinit) struct event content = {0};
    TRY(event_read(event->bytes, event->len, event->subject, &content));
    TRY(handle_in_trace(inbox, event, &content, out_outcome));
    if (*out_outcome == INBOX_HANDLED)
        observe_lag(inbox, &content);
    return NULL;
}

/* Deliveries that failed since something was away say nothing of the event: they do not count. */
static bool is_hopeless(struct inbox *inbox, const struct bus_event *event, const struct err *e)
{
    if (err_is(e, &EVENT_MALFORMED))
        return true;
    if (err_is_retryable(e))
        return false;
    if (inbox->failed_sequence != event->stream_sequence)
        inbox->failures = 0;
    inbox->failed_sequence = event->stream_sequence;
    return ++inbox->failures >= inbox->options.max_failures;
}

struct passing {
    const struct inbox *inbox;
    uint64_t sequence;
};

static struct err *pass_over(struct sql_conn *conn, struct ctx *ctx, void *data)
{
    const struct passing *passing = data;
    const struct inbox *inbox = passing->inbox;
    return inbox_move_place(&inbox->consumer, conn, ctx, &inbox->place, passing->sequence);
}

/* Frees why when it is told of. */
static struct err *set_aside(struct inbox *inbox, const struct bus_event *event, struct err *why)
{
    struct err *e = inbox_bury(&inbox->consumer, event, why);
    if (e) {
        err_free(e);
        return why;
    }
    slog_error("event set aside", SLOG_STR("consumer", inbox->consumer.name),
               SLOG_STR("subject", event->subject), SLOG_STR("event_id", event->msg_id),
               SLOG_I64("deliveries", (int64_t)event->deliveries), SLOG_ERR(why));
    err_free(why);
    struct passing passing = {inbox, event->stream_sequence};
    TRY(sql_transact(inbox->options.db, event->ctx, pass_over, &passing));
    inbox->place.last_sequence = event->stream_sequence;
    return NULL;
}

static void prune(struct inbox *inbox, struct ctx *parent)
{
    if (clock_mono_ms() < inbox->prune_at_ms)
        return;
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, parent, PRUNE_MS);
    bool is_done = true;
    err_free(inbox_prune(&inbox->consumer, &ctx, &is_done)); /* there is a next time */
    if (is_done)
        inbox->prune_at_ms = clock_mono_ms() + PRUNE_EVERY_MS;
}

static struct err *take_or_set_aside(struct inbox *inbox, const struct bus_event *event,
                                     enum inbox_outcome *out_outcome)
{
    struct err *e = take(inbox, event, out_outcome);
    if (!e || !is_hopeless(inbox, event, e))
        return e;
    TRY(set_aside(inbox, event, e));
    *out_outcome = INBOX_DEAD;
    return NULL;
}

static struct err *on_event(const struct bus_event *event)
{
    struct inbox *inbox = event->state;
    enum inbox_outcome outcome = INBOX_FAILED;
    struct err *e = find_place(inbox, event);
    if (!e) /* what fails from here on is the event's fault; a snapshot that fails is not */
        e = take_or_set_aside(inbox, event, &outcome);
    if (e)
        inbox->place = (struct place){0};
    if (inbox->events[outcome])
        metric_add(inbox->events[outcome], 1);
    if (!e)
        prune(inbox, event->ctx);
    return e;
}

static struct err *on_session(const struct bus_session *session)
{
    struct inbox *inbox = session->state;
    inbox->ctx = session->ctx;
    inbox->failures = 0; /* the stream may be another one */
    TRY(inbox_read_place(&inbox->consumer, session->ctx, &inbox->place));
    TRY(inbox_catch_up(&inbox->consumer, session->ctx, &session->stream, session->acknowledged,
                       &inbox->place));
    atomic_store(&inbox->is_known, true);
    return NULL;
}

/* --- start and stop --- */

struct err *inbox_consumer_init(struct inbox_consumer *out_consumer,
                                const struct inbox_options *options)
{
    struct inbox_consumer consumer = {.options = options};
    int len =
        snprintf(consumer.name, sizeof(consumer.name), "%s-%s", options->service, options->stream);
    if (len >= (int)sizeof(consumer.name))
        return err_new(&ERR_INTERNAL, "the names of service and stream are too long");
    str_lower(consumer.name);
    *out_consumer = consumer;
    return NULL;
}

static void make_metrics(struct inbox *inbox)
{
    static const char *const names[] = {[INBOX_HANDLED] = "handled",
                                        [INBOX_REPEATED] = "repeated",
                                        [INBOX_IGNORED] = "ignored",
                                        [INBOX_FAILED] = "failed",
                                        [INBOX_DEAD] = "dead"};
    struct metrics *metrics = inbox->options.metrics;
    if (!metrics)
        return;
    const char *consumer = inbox->consumer.name;
    for (size_t i = 0; i < INBOX_OUTCOMES; i++)
        inbox->events[i] =
            metric_counter(metrics, "inbox_events_total", "Events, by what became of them",
                           METRIC_LABELS({"consumer", consumer}, {"outcome", names[i]}));
    inbox->lag_seconds =
        metric_histogram(metrics, "inbox_lag_seconds", "From an event to its effect",
                         METRIC_LABELS({"consumer", consumer}), NULL, 0);
}

static void set_defaults(struct inbox_options *options)
{
    if (!options->max_failures)
        options->max_failures = MAX_FAILURES;
    if (!options->ack_wait_ms)
        options->ack_wait_ms = ACK_WAIT_MS;
    if (!options->retry_min_ms)
        options->retry_min_ms = RETRY_MIN_MS;
    if (!options->retry_max_ms)
        options->retry_max_ms = RETRY_MAX_MS;
}

static struct err *consume(struct inbox *inbox)
{
    TRY(inbox_consumer_init(&inbox->consumer, &inbox->options));
    make_metrics(inbox);
    TRY(bus_declare_stream(inbox->options.bus, &inbox_dead_stream));
    /* Who fails too often is dealt with here. */
    const struct bus_consumer_options options = {.stream = inbox->options.stream,
                                                 .durable = inbox->consumer.name,
                                                 .filter = inbox->options.filter,
                                                 .ack_wait_ms = inbox->options.ack_wait_ms,
                                                 .retry_min_ms = inbox->options.retry_min_ms,
                                                 .retry_max_ms = inbox->options.retry_max_ms,
                                                 .max_deliver = INT_MAX,
                                                 .begin = on_session};
    return bus_consume(inbox->options.bus, &options, on_event, inbox, &inbox->bus_consumer);
}

struct err *inbox_start(const struct inbox_options *options, struct inbox **out_inbox)
{
    _cleanup_(free) struct inbox *inbox = calloc(1, sizeof(*inbox));
    if (!inbox)
        return err_oom();
    inbox->options = *options;
    set_defaults(&inbox->options);
    TRY(consume(inbox));
    *out_inbox = TAKE(inbox);
    return NULL;
}

struct err *inbox_check(struct inbox *inbox)
{
    if (atomic_load(&inbox->is_known))
        return NULL;
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, NULL, CHECK_MS);
    struct place place;
    TRY_WRAP(inbox_read_place(&inbox->consumer, &ctx, &place), "look up what is known");
    if (!*place.stream_created)
        return err_new(&ERR_UPSTREAM_UNAVAILABLE, "the events of stream %s are not known yet",
                       inbox->options.stream);
    atomic_store(&inbox->is_known, true);
    return NULL;
}

struct err *inbox_wait(const struct inbox_options *options, struct ctx *ctx)
{
    struct inbox_consumer consumer;
    struct bus_stream_info stream;
    struct place place;
    TRY(inbox_consumer_init(&consumer, options));
    TRY(bus_fetch_stream_info(options->bus, ctx, options->stream, &stream));
    for (;;) {
        TRY(inbox_read_place(&consumer, ctx, &place));
        if (str_equal(place.stream_created, stream.created) &&
            place.last_sequence >= stream.last_sequence)
            return NULL;
        TRY(ctx_sleep(ctx, WAIT_PAUSE_MS));
    }
}

void inbox_stop(struct inbox *inbox)
{
    if (!inbox)
        return;
    bus_consumer_stop(inbox->bus_consumer);
    free(inbox);
}
