/* Dead letters: events that could not be handled, kept for a person to look at and replay. */
#include "inbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <slog/slog.h>

#define STREAM       "DEAD"
#define PREFIX       "dead."
#define SUBJECT_TEXT 256

/* As long as there is room: the oldest make way. */
const struct bus_stream inbox_dead_stream = {
    .name = STREAM, .subjects = PREFIX ">", .is_read_singly = true};

static void write_subject(const struct inbox_consumer *consumer, const struct bus_event *event,
                          char out[static SUBJECT_TEXT])
{
    const char *service = consumer->options->service;
    if (snprintf(out, SUBJECT_TEXT, PREFIX "%s.%s", service, event->subject) >= SUBJECT_TEXT)
        snprintf(out, SUBJECT_TEXT, PREFIX "%s.unnamed", service);
}

/* Whatever came finds a place, or it would hold up all that is behind it: of what is too large to
 * be an event the beginning, of a subject too long to be a type none. */
struct err *inbox_bury(const struct inbox_consumer *consumer, const struct bus_event *event,
                       const struct err *why)
{
    char subject[SUBJECT_TEXT];
    char msg_id[SUBJECT_TEXT];
    char sequence[24];
    char deliveries[24];
    char detail[ERR_LINE];
    write_subject(consumer, event, subject);
    snprintf(sequence, sizeof(sequence), "%" PRIu64, event->stream_sequence);
    snprintf(deliveries, sizeof(deliveries), "%" PRIu64, event->deliveries);
    /* Twice when it is set aside twice, as after a crash in between, is once. */
    snprintf(msg_id, sizeof(msg_id), "%s:%s", consumer->name,
             *event->msg_id ? event->msg_id : sequence);
    err_format(why, detail, sizeof(detail));
    const struct bus_header headers[] = {
        {"Plankton-Error", err_kind(why)->slug},
        {"Plankton-Error-Detail", detail},
        {"Plankton-Deliveries", deliveries},
        {"Plankton-Consumer", consumer->name},
    };
    const struct bus_message message = {.subject = subject,
                                        .msg_id = msg_id,
                                        .bytes = event->bytes,
                                        .len = MIN(event->len, EVENT_MAX),
                                        .headers = headers,
                                        .header_count = ARRAY_LEN(headers)};
    return bus_publish_message(consumer->options->bus, event->ctx, &message);
}

/* --- replay --- */

struct replay {
    struct inbox_consumer consumer;
    struct ctx *ctx;
    const char *id; /* NULL: all */
    enum inbox_replay what;
    void (*on_letter)(const struct inbox_letter *letter, const struct err *e, void *data);
    void *data;
    size_t found;
};

static struct err *handle_letter(const struct replay *replay, const struct event *event,
                                 const struct bus_stored *stored)
{
    enum inbox_outcome outcome = INBOX_FAILED;
    TRY(inbox_handle(&replay->consumer, replay->ctx, event, NULL, 0, &outcome));
    if (outcome == INBOX_IGNORED)
        return err_new(&EVENT_MALFORMED, "nothing handles events of type %s", event->type);
    return bus_delete_stored(replay->consumer.options->bus, replay->ctx, STREAM, stored->sequence);
}

/* The type of a letter of ours, dead.<service>.<type>; NULL: of another consumer. */
static const char *find_type(const struct inbox_consumer *consumer, const struct bus_stored *stored)
{
    char prefix[SUBJECT_TEXT];
    snprintf(prefix, sizeof(prefix), PREFIX "%s.", consumer->options->service);
    bool is_ours = str_starts_with(stored->subject, prefix) &&
                   str_equal(bus_stored_header(stored, "Plankton-Consumer"), consumer->name);
    return is_ours ? stored->subject + strlen(prefix) : NULL;
}

static struct err *discard_letter(const struct replay *replay, const struct inbox_letter *letter)
{
    const struct inbox_consumer *consumer = &replay->consumer;
    TRY(bus_delete_stored(consumer->options->bus, replay->ctx, STREAM, letter->sequence));
    slog_info("dead letter discarded", SLOG_STR("consumer", consumer->name),
              SLOG_STR("event_id", letter->id), SLOG_STR("event_type", letter->type),
              SLOG_I64("sequence", (int64_t)letter->sequence), SLOG_STR("reason", letter->error));
    return NULL;
}

static bool is_wanted(const struct replay *replay, const struct inbox_letter *letter)
{
    char place[32];
    snprintf(place, sizeof(place), "seq:%" PRIu64, letter->sequence);
    return !replay->id || str_equal(replay->id, place) ||
           (*letter->id && str_equal(replay->id, letter->id));
}

static void take_letter(struct replay *replay, const struct bus_stored *stored)
{
    const char *type = find_type(&replay->consumer, stored);
    if (!type)
        return;
    _cleanup_(event_deinit) struct event event = {0};
    struct err *e = event_read(stored->bytes, stored->len, type, &event);
    struct inbox_letter letter = {.sequence = stored->sequence,
                                  .time_ms = stored->time_ms,
                                  .id = e ? "" : event.id,
                                  .type = type,
                                  .error = bus_stored_header(stored, "Plankton-Error"),
                                  .detail = bus_stored_header(stored, "Plankton-Error-Detail")};
    parse_i64(bus_stored_header(stored, "Plankton-Deliveries"), 0, INT64_MAX, &letter.deliveries);
    if (!is_wanted(replay, &letter)) {
        err_free(e);
        return;
    }
    replay->found++;
    if (replay->what != INBOX_HANDLE)
        err_free(TAKE(e));
    if (replay->what == INBOX_DISCARD)
        e = discard_letter(replay, &letter);
    else if (replay->what == INBOX_HANDLE && !e)
        e = handle_letter(replay, &event, stored);
    if (replay->on_letter)
        replay->on_letter(&letter, e, replay->data);
    err_free(e);
}

static struct err *take_letters(struct replay *replay)
{
    const struct inbox_options *options = replay->consumer.options;
    for (uint64_t sequence = 1;;) {
        TRY(ctx_check(replay->ctx));
        _cleanup_(bus_stored_deinit) struct bus_stored stored = {0};
        struct err *e = bus_fetch_stored(options->bus, replay->ctx, STREAM, sequence, &stored);
        if (err_is(e, &ERR_NOT_FOUND)) {
            err_free(e);
            return NULL;
        }
        TRY(e);
        take_letter(replay, &stored);
        sequence = stored.sequence + 1;
    }
}

struct err *inbox_replay(const struct inbox_options *options, struct ctx *ctx, const char *id,
                         enum inbox_replay what,
                         void (*on_letter)(const struct inbox_letter *letter, const struct err *e,
                                           void *data),
                         void *data)
{
    struct replay replay = {
        .ctx = ctx, .id = id, .what = what, .on_letter = on_letter, .data = data};
    if (what == INBOX_DISCARD && !id)
        return err_new(&ERR_INTERNAL, "all dead letters at once are not discarded");
    TRY(inbox_consumer_init(&replay.consumer, options));
    TRY(bus_wait(options->bus, ctx));
    TRY(bus_ensure_stream(options->bus, ctx, &inbox_dead_stream));
    TRY(take_letters(&replay));
    if (id && replay.found == 0)
        return err_new(&ERR_NOT_FOUND, "there is no dead letter with the id %s", id);
    return NULL;
}
