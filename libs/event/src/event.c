#include "event.h"

#include <string.h>

#include <base/clock.h>
#include <base/str.h>

#define X ERR_DEFINE_KIND
#include <event/kinds.def>
#undef X

static void write_member(struct json_writer *w, const char *name, const char *value)
{
    json_write_name(w, name);
    json_write_string(w, value);
}

struct err *event_write(const struct event *event, const struct model *model, const void *object,
                        struct buf *out)
{
    char time[CLOCK_TEXT];
    clock_format(event->time_ms, time);
    struct json_writer w = JSON_WRITER(out);
    json_begin_object(&w);
    write_member(&w, "specversion", "1.0");
    write_member(&w, "id", event->id);
    write_member(&w, "source", event->source);
    write_member(&w, "type", event->type);
    write_member(&w, "subject", event->about);
    write_member(&w, "time", time);
    if (*event->traceparent)
        write_member(&w, "traceparent", event->traceparent);
    write_member(&w, "datacontenttype", "application/json");
    json_write_name(&w, "data");
    model_write(model, object, &w);
    json_end_object(&w);
    if (buf_status(out) == BUF_TOO_LARGE)
        return err_new(&ERR_INTERNAL, "an event %s of more than %zu bytes", event->type, out->max);
    return buf_status(out) == BUF_OK ? NULL : err_oom();
}

static struct err *read_time(const struct json_value *root, int64_t *out_time_ms)
{
    const struct json_value *value = json_get(root, "time");
    const char *text = json_string(value);
    if (value && (!text || !clock_parse(text, strlen(text), out_time_ms)))
        return err_new(&EVENT_MALFORMED, "its time is none");
    return NULL;
}

/* required: a text that is not empty. */
static struct err *read_text(const struct json_value *root, const char *name, bool is_required,
                             const char **out_text)
{
    const struct json_value *value = json_get(root, name);
    const char *text = value ? json_string(value) : "";
    if (!text || (is_required && !*text))
        return err_new(&EVENT_MALFORMED, "its %s is %s", name, value ? "none" : "missing");
    *out_text = text;
    return NULL;
}

static struct err *read_members(const struct json_value *root, struct event *out)
{
    const char *version = NULL;
    TRY(read_text(root, "specversion", true, &version));
    if (!str_equal(version, "1.0"))
        return err_new(&EVENT_MALFORMED, "its specversion is not 1.0");
    TRY(read_text(root, "id", true, &out->id));
    if (strlen(out->id) > EVENT_ID_MAX)
        return err_new(&EVENT_MALFORMED, "its id is longer than %d bytes", EVENT_ID_MAX);
    TRY(read_text(root, "source", true, &out->source));
    TRY(read_text(root, "type", true, &out->type));
    TRY(read_text(root, "subject", false, &out->about));
    TRY(read_text(root, "traceparent", false, &out->traceparent));
    out->data = json_get(root, "data");
    return read_time(root, &out->time_ms);
}

struct err *event_read(const char *bytes, size_t len, const char *subject, struct event *out_event)
{
    if (len > EVENT_MAX)
        return err_new(&EVENT_MALFORMED, "%zu bytes, and at most %zu may be", len, EVENT_MAX);
    _cleanup_(json_free) struct json_doc *doc = NULL;
    struct err *e = json_parse(bytes, len, &doc);
    if (err_is(e, &ERR_MALFORMED_JSON))
        return err_wrap_as(e, &EVENT_MALFORMED, "not JSON");
    TRY(e);
    struct event event = {0};
    TRY(read_members(json_root(doc), &event));
    if (!str_equal(event.type, subject))
        return err_new(&EVENT_MALFORMED, "its type is not its subject");
    event.doc = TAKE(doc);
    *out_event = event;
    return NULL;
}

void event_deinit(struct event *event)
{
    json_free(event->doc);
    *event = (struct event){0};
}
