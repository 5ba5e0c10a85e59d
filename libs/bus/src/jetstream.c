/*
 * JetStream through its JSON API (docs.nats.io, "JetStream wire API reference"), so that each call
 * has a deadline, can be cancelled and fails as every other request here does.
 */
#include "internal.h"

#include <stdio.h>

#include <base/str.h>
#include <slog/slog.h>

#define CONFIG_MAX        ((size_t)64 * 1024)
#define MAX_BYTES_DEFAULT ((int64_t)256 * 1024 * 1024)
#define NS_PER_S          1000000000LL
#define ENSURE_MS         5000
#define ENSURE_PAUSE_MS   500

/* --- calls --- */

static struct err *read_answer(const char *subject, natsMsg *reply, struct json_doc **out_doc,
                               int64_t *out_code)
{
    _cleanup_(json_free) struct json_doc *doc = NULL;
    struct err *e = json_parse(natsMsg_GetData(reply), (size_t)natsMsg_GetDataLength(reply), &doc);
    if (e)
        return err_wrap_as(e, &BUS_FAILED, "%s did not answer with JSON", subject);
    const struct json_value *error = json_get(json_root(doc), "error");
    if (error) {
        const char *text = json_string(json_get(error, "description"));
        json_i64(json_get(error, "err_code"), out_code);
        return err_new(&BUS_FAILED, "%s: %s", subject, text ? text : "an unknown error");
    }
    if (out_doc)
        *out_doc = TAKE(doc);
    return NULL;
}

static struct err *call(struct bus *bus, struct ctx *ctx, const struct bus_outgoing *outgoing,
                        struct json_doc **out_doc, int64_t *out_code)
{
    *out_code = 0;
    _cleanup_(bus_message_free) natsMsg *reply = NULL;
    TRY(bus_exchange(bus, ctx, outgoing, &reply));
    return read_answer(outgoing->subject, reply, out_doc, out_code);
}

struct err *bus_js_call(struct bus *bus, struct ctx *ctx, const char *subject,
                        const struct buf *body, struct json_doc **out_doc, int64_t *out_code)
{
    *out_code = 0;
    char full[BUS_SUBJECT_TEXT];
    if (snprintf(full, sizeof(full), "$JS.API.%s", subject) >= (int)sizeof(full))
        return err_new(&BUS_FAILED, "the names of stream and consumer are too long: %s", subject);
    if (body && buf_status(body) != BUF_OK)
        return err_oom();
    const struct bus_outgoing outgoing = {
        .subject = full, .bytes = body ? body->data : NULL, .len = body ? body->len : 0};
    return call(bus, ctx, &outgoing, out_doc, out_code);
}

static struct bus_outgoing outgoing_of(const struct bus_message *message)
{
    return (struct bus_outgoing){.subject = message->subject,
                                 .bytes = message->bytes,
                                 .len = message->len,
                                 .msg_id = message->msg_id,
                                 .headers = message->headers,
                                 .header_count = message->header_count};
}

struct err *bus_publish_message(struct bus *bus, struct ctx *ctx, const struct bus_message *message)
{
    const struct bus_outgoing outgoing = outgoing_of(message);
    int64_t code;
    return call(bus, ctx, &outgoing, NULL, &code);
}

static struct err *await_stored(struct bus *bus, struct ctx *ctx, struct bus_pending *pending)
{
    _cleanup_(bus_message_free) natsMsg *reply = NULL;
    int64_t code;
    TRY(bus_exchange_end(bus, ctx, pending, &reply));
    return read_answer(pending->subject, reply, NULL, &code);
}

struct err *bus_publish_together(struct bus *bus, struct ctx *ctx,
                                 const struct bus_message *messages, size_t count,
                                 bool *out_is_stored)
{
    _cleanup_(ctx_deinit) struct ctx limited;
    ctx_init(&limited, ctx, BUS_TIMEOUT_MAX_MS);
    struct bus_pending pending[BUS_TOGETHER_MAX];
    struct err *e = ctx_check(&limited);
    if (!e && count > BUS_TOGETHER_MAX)
        e = err_new(&ERR_INTERNAL, "more than %d messages together", BUS_TOGETHER_MAX);
    size_t sent = 0;
    while (!e && sent < count) {
        const struct bus_outgoing outgoing = outgoing_of(&messages[sent]);
        e = bus_exchange_begin(bus, &outgoing, &pending[sent]);
        sent += !e;
    }
    struct err *first = NULL;
    for (size_t i = 0; i < count; i++) {
        struct err *failure = i < sent ? await_stored(bus, &limited, &pending[i]) : NULL;
        out_is_stored[i] = i < sent && !failure;
        if (first)
            err_free(failure);
        else
            first = failure;
    }
    if (!first)
        return e;
    err_free(e);
    return first;
}

struct err *bus_publish(struct bus *bus, struct ctx *ctx, const char *subject, const char *msg_id,
                        const void *bytes, size_t len)
{
    const struct bus_message message = {
        .subject = subject, .bytes = bytes, .len = len, .msg_id = msg_id};
    return bus_publish_message(bus, ctx, &message);
}

/* --- streams --- */

struct err *bus_js_stream(struct bus *bus, struct ctx *ctx, const char *name,
                          struct json_doc **out_doc, int64_t *out_code)
{
    char subject[BUS_SUBJECT_TEXT];
    snprintf(subject, sizeof(subject), "STREAM.INFO.%s", name);
    return bus_js_call(bus, ctx, subject, NULL, out_doc, out_code);
}

struct err *bus_js_stream_info(const struct json_value *description,
                               struct bus_stream_info *out_info)
{
    const struct json_value *state = json_get(description, "state");
    const char *created = json_string(json_get(description, "created"));
    int64_t first = -1;
    int64_t last = -1;
    json_i64(json_get(state, "first_seq"), &first);
    json_i64(json_get(state, "last_seq"), &last);
    struct bus_stream_info info = {0};
    if (first < 0 || last < 0 || !created || !str_copy(info.created, sizeof(info.created), created))
        return err_new(&BUS_FAILED, "a stream without time or sequences");
    info.last_sequence = (uint64_t)last;
    /* A stream that was always empty has 0 here. */
    info.first_sequence = first == 0 ? (uint64_t)last + 1 : (uint64_t)first;
    *out_info = info;
    return NULL;
}

struct err *bus_fetch_stream_info(struct bus *bus, struct ctx *ctx, const char *name,
                                  struct bus_stream_info *out_info)
{
    _cleanup_(json_free) struct json_doc *doc = NULL;
    int64_t code;
    TRY(bus_js_stream(bus, ctx, name, &doc, &code));
    return bus_js_stream_info(json_root(doc), out_info);
}

static int64_t max_age_ns(const struct bus_stream *stream)
{
    return stream->max_age_s * NS_PER_S;
}

static int64_t max_bytes(const struct bus_stream *stream)
{
    return stream->max_bytes ? stream->max_bytes : MAX_BYTES_DEFAULT;
}

static void write_own_config(const struct bus *bus, const struct bus_stream *stream,
                             struct json_writer *w)
{
    json_write_name(w, "name");
    json_write_string(w, stream->name);
    json_write_name(w, "subjects");
    json_begin_array(w);
    json_write_string(w, stream->subjects);
    json_end_array(w);
    json_write_name(w, "max_age");
    json_write_i64(w, max_age_ns(stream));
    json_write_name(w, "max_bytes");
    json_write_i64(w, max_bytes(stream));
    if (stream->is_read_singly) {
        json_write_name(w, "allow_direct");
        json_write_bool(w, true);
    }
    if (bus->stream_replicas > 0) {
        json_write_name(w, "num_replicas");
        json_write_i64(w, bus->stream_replicas);
    }
}

static bool is_own_config(const struct bus *bus, const struct bus_stream *stream, const char *name)
{
    static const char *const own[] = {"name", "subjects", "max_age", "max_bytes"};
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        if (str_equal(own[i], name))
            return true;
    }
    return (stream->is_read_singly && str_equal(name, "allow_direct")) ||
           (bus->stream_replicas > 0 && str_equal(name, "num_replicas"));
}

static bool has_own_config(const struct bus *bus, const struct bus_stream *stream,
                           const struct json_value *config)
{
    const struct json_value *subjects = json_get(config, "subjects");
    const char *subject = json_string(json_first(subjects));
    int64_t age = -1;
    int64_t bytes = -1;
    int64_t replicas = -1;
    bool is_direct = false; /* left out when it is not set */
    json_i64(json_get(config, "max_age"), &age);
    json_i64(json_get(config, "max_bytes"), &bytes);
    json_bool(json_get(config, "allow_direct"), &is_direct);
    json_i64(json_get(config, "num_replicas"), &replicas);
    if (bus->stream_replicas > 0 && replicas != bus->stream_replicas)
        return false;
    return is_direct >= stream->is_read_singly && json_count(subjects) == 1 && subject &&
           str_equal(subject, stream->subjects) && age == max_age_ns(stream) &&
           bytes == max_bytes(stream);
}

/* present NULL: there is no such stream yet. */
static struct err *put_stream(struct bus *bus, struct ctx *ctx, const struct bus_stream *stream,
                              const struct json_value *present)
{
    _cleanup_(buf_deinit) struct buf body = BUF_INIT(CONFIG_MAX);
    struct json_writer w = JSON_WRITER(&body);
    json_begin_object(&w);
    write_own_config(bus, stream, &w);
    json_foreach (member, present) {
        if (is_own_config(bus, stream, json_name(member)))
            continue;
        json_write_name(&w, json_name(member));
        json_write_value(&w, member);
    }
    if (!present) {
        json_write_name(&w, "storage");
        json_write_string(&w, "file");
    }
    json_end_object(&w);
    char subject[BUS_SUBJECT_TEXT];
    snprintf(subject, sizeof(subject), "STREAM.%s.%s", present ? "UPDATE" : "CREATE", stream->name);
    int64_t code;
    return bus_js_call(bus, ctx, subject, &body, NULL, &code);
}

static struct err *find_config(struct bus *bus, struct ctx *ctx, const char *name,
                               struct json_doc **out_info, const struct json_value **out_config)
{
    int64_t code;
    struct err *e = bus_js_stream(bus, ctx, name, out_info, &code);
    if (e && code != BUS_JS_STREAM_NOT_FOUND)
        return e;
    *out_config = e ? NULL : json_get(json_root(*out_info), "config");
    err_free(e);
    return NULL;
}

struct err *bus_ensure_stream(struct bus *bus, struct ctx *ctx, const struct bus_stream *stream)
{
    _cleanup_(json_free) struct json_doc *before = NULL, *after = NULL;
    const struct json_value *config = NULL;
    TRY(find_config(bus, ctx, stream->name, &before, &config));
    if (config && has_own_config(bus, stream, config))
        return NULL;
    bool is_change = config;
    TRY(put_stream(bus, ctx, stream, config));
    if (!is_change)
        return NULL;
    /* A cluster that has just made the stream may agree, and change nothing. */
    TRY(find_config(bus, ctx, stream->name, &after, &config));
    if (config && has_own_config(bus, stream, config))
        return NULL;
    return err_new(&ERR_UPSTREAM_UNAVAILABLE, "the server has not changed stream %s", stream->name);
}

/* --- declared streams --- */

struct err *bus_declare_stream(struct bus *bus, const struct bus_stream *stream)
{
    struct err *e = NULL;
    pthread_mutex_lock(&bus->lock);
    bool is_known = false;
    for (size_t i = 0; i < bus->stream_count; i++)
        is_known = is_known || bus->streams[i] == stream;
    if (is_known) {
        /* its turn comes, or has come */
    } else if (bus->stream_count == BUS_STREAMS_MAX) {
        e = err_new(&ERR_INTERNAL, "more than %d streams", BUS_STREAMS_MAX);
    } else {
        bus->streams[bus->stream_count++] = stream;
        bus->streams_are_due = true;
        pthread_cond_broadcast(&bus->changed);
    }
    pthread_mutex_unlock(&bus->lock);
    return e;
}

static struct err *ensure_each(struct bus *bus, struct ctx *ctx)
{
    /* Rows are only ever added, and this thread has seen the count under the lock. */
    pthread_mutex_lock(&bus->lock);
    size_t count = bus->stream_count;
    bus->streams_are_due = false;
    pthread_mutex_unlock(&bus->lock);
    struct err *first = NULL;
    for (size_t i = 0; i < count; i++) {
        struct err *e = err_wrap(bus_ensure_stream(bus, ctx, bus->streams[i]), "stream %s",
                                 bus->streams[i]->name);
        if (first)
            err_free(e);
        else
            first = e;
    }
    return first;
}

void bus_ensure_declared(struct bus *bus)
{
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, &bus->ctx, ENSURE_MS);
    struct err *e = ensure_each(bus, &ctx);
    if (!e)
        return;
    pthread_mutex_lock(&bus->lock);
    bus->streams_are_due = true;
    bool is_news = !bus->is_lost && !bus->streams_failed;
    bus->streams_failed = true;
    pthread_mutex_unlock(&bus->lock);
    if (is_news)
        slog_warn("streams not ready", SLOG_ERR(e));
    err_free(e);
    err_free(ctx_sleep(&bus->ctx, ENSURE_PAUSE_MS));
}
