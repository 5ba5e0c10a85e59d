/*
 * What becomes of one event: handled, to be delivered again, or dropped. A durable consumer tells
 * the server and has it confirm that, again after a loss of the connection; an ephemeral one keeps
 * its place by itself.
 */
#include "consumer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <base/str.h>
#include <slog/slog.h>

#define NS_PER_MS  1000000LL
#define CONFIRM_MS 5000

/* An event's place, from its reply subject: $JS.ACK.<stream>.<consumer>.<deliveries>.<stream
 * sequence>.<consumer sequence>.<time>.<pending>, or with <domain>.<account> after ACK and one more
 * word at the end. */
static bool read_position(const char *reply, struct bus_event *event)
{
    enum { WORDS = 9, WORDS_WITH_DOMAIN = 11, WORDS_MAX = 13 };
    struct str words[WORDS_MAX];
    size_t count = 0;
    for (const char *word = reply; word && count < WORDS_MAX; count++) {
        const char *end = strchrnul(word, '.');
        words[count] = (struct str){word, (size_t)(end - word)};
        word = *end ? end + 1 : NULL;
    }
    if (count < WORDS || strncmp(reply, "$JS.ACK.", 8) != 0)
        return false;
    size_t first = count >= WORDS_WITH_DOMAIN ? 6 : 4;
    int64_t deliveries;
    int64_t sequence;
    if (!parse_i64_n(words[first].data, words[first].len, 1, INT64_MAX, &deliveries) ||
        !parse_i64_n(words[first + 1].data, words[first + 1].len, 1, INT64_MAX, &sequence))
        return false;
    event->deliveries = (uint64_t)deliveries;
    event->stream_sequence = (uint64_t)sequence;
    return true;
}

/* --- telling the server --- */

static struct err *tell_server(struct bus_consumer *consumer, const char *subject, const char *verb)
{
    /* Of its own: what was done is told even when the consumer is to end. */
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, NULL, CONFIRM_MS);
    const struct bus_outgoing outgoing = {.subject = subject, .bytes = verb, .len = strlen(verb)};
    _cleanup_(bus_message_free) natsMsg *reply = NULL;
    return bus_exchange(consumer->bus, &ctx, &outgoing, &reply);
}

void bus_settle_forgotten(struct bus_consumer *consumer, const struct json_value *info)
{
    const struct json_value *delivered = json_get(info, "delivered");
    int64_t pending = 0;
    int64_t sequence = 0;
    int64_t consumer_sequence = 0;
    json_i64(json_get(info, "num_ack_pending"), &pending);
    json_i64(json_get(delivered, "stream_seq"), &sequence);
    json_i64(json_get(delivered, "consumer_seq"), &consumer_sequence);
    if (pending == 0 || (uint64_t)sequence >= consumer->next_sequence)
        return;
    char subject[2 * BUS_SUBJECT_TEXT];
    snprintf(subject, sizeof(subject), "$JS.ACK.%s.%s.1.%" PRId64 ".%" PRId64 ".0.0",
             consumer->options.stream, consumer->options.durable, sequence, consumer_sequence);
    err_free(tell_server(consumer, subject, "+ACK"));
}

static struct err *ask_again_later(struct bus_consumer *consumer, natsMsg *message,
                                   int64_t delay_ms)
{
    char verb[64];
    snprintf(verb, sizeof(verb), "-NAK {\"delay\":%lld}", (long long)(delay_ms * NS_PER_MS));
    return tell_server(consumer, natsMsg_GetReply(message), verb);
}

void bus_return_event(struct bus_consumer *consumer, natsMsg *message)
{
    const char *reply = natsMsg_GetReply(message);
    if (!consumer->options.durable || !reply)
        return;
    const struct bus_outgoing outgoing = {.subject = reply, .bytes = "-NAK", .len = 4};
    _cleanup_(bus_message_free) natsMsg *refusal = NULL;
    struct err *e = bus_message_new(&outgoing, &refusal);
    if (!e)
        e = bus_send(consumer->bus, refusal);
    err_free(e); /* the server delivers it again after ack_wait_ms */
}

/* --- one event --- */

static void count(struct metric *metric)
{
    if (metric)
        metric_add(metric, 1);
}

static int64_t backoff_ms(const struct bus_consumer_options *options, uint64_t deliveries)
{
    int64_t delay_ms = options->retry_min_ms;
    for (uint64_t i = 1; i < deliveries && delay_ms < options->retry_max_ms; i++)
        delay_ms *= 2;
    return MIN(delay_ms, options->retry_max_ms);
}

static void tell(const struct bus_consumer *consumer, const struct bus_event *event,
                 const struct err *e, bool is_dropped)
{
    const struct slog_pair pairs[] = {
        SLOG_STR("stream", consumer->options.stream),
        SLOG_STR("subject", event->subject),
        SLOG_STR("event_id", event->msg_id),
        SLOG_I64("sequence", (int64_t)event->stream_sequence),
        SLOG_I64("deliveries", (int64_t)event->deliveries),
        SLOG_ERR(e),
    };
    if (is_dropped)
        slog_write(SLOG_ERROR, "event dropped", pairs, ARRAY_LEN(pairs));
    else if (slog_enabled(SLOG_WARN))
        slog_write(SLOG_WARN, "event not handled, will be delivered again", pairs,
                   ARRAY_LEN(pairs));
}

static struct err *settle(struct bus_consumer *consumer, natsMsg *message,
                          const struct bus_event *event, bool is_failed, bool is_dropped)
{
    bool is_durable = consumer->options.durable;
    if (!is_failed || is_dropped) {
        /* Whether or not the server hears of it: the next session tells it again. */
        consumer->next_sequence = event->stream_sequence + 1;
        consumer->tries = 0;
        const char *verb = is_dropped ? "+TERM" : "+ACK";
        return is_durable ? tell_server(consumer, natsMsg_GetReply(message), verb) : NULL;
    }
    int64_t delay_ms = backoff_ms(&consumer->options, event->deliveries);
    if (is_durable)
        return ask_again_later(consumer, message, delay_ms);
    /* The next session begins at this event again. */
    err_free(ctx_sleep(&consumer->taking, delay_ms));
    return err_new(&ERR_UPSTREAM_UNAVAILABLE, "an event was not handled");
}

static struct err *handle_event(struct bus_consumer *consumer, natsMsg *message,
                                struct bus_event *event)
{
    struct trace trace;
    bus_message_trace(message, &trace);
    const struct trace *before = trace_set_current(&trace);
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, &consumer->ctx, consumer->options.ack_wait_ms);
    event->ctx = &ctx;
    struct err *e = consumer->handle(event);
    bool is_dropped =
        e && !err_is_retryable(e) && event->deliveries >= (uint64_t)consumer->options.max_deliver;
    if (e)
        tell(consumer, event, e, is_dropped);
    count(!e ? consumer->handled : is_dropped ? consumer->dropped : consumer->retried);
    bool is_failed = e != NULL;
    err_free(e);
    trace_set_current(before);
    return settle(consumer, message, event, is_failed, is_dropped);
}

struct err *bus_settle_event(struct bus_consumer *consumer, natsMsg *message)
{
    const char *reply = natsMsg_GetReply(message);
    const char *id = bus_message_header(message, "Nats-Msg-Id");
    struct bus_event event = {
        .subject = natsMsg_GetSubject(message),
        .msg_id = id ? id : "",
        .bytes = natsMsg_GetData(message),
        .len = (size_t)natsMsg_GetDataLength(message),
        .state = consumer->state,
    };
    if (!reply || !read_position(reply, &event))
        return err_new(&BUS_FAILED, "an event without a place: %s", reply ? reply : "no reply");
    bool is_durable = consumer->options.durable;
    if (event.stream_sequence < consumer->next_sequence)
        return is_durable ? tell_server(consumer, reply, "+ACK") : NULL;
    if (!is_durable)
        event.deliveries = ++consumer->tries;
    return handle_event(consumer, message, &event);
}
