/* CloudEvents 1.0 in the JSON format (https://github.com/cloudevents/spec, v1.0.2). */
#ifndef EVENT_EVENT_H
#define EVENT_EVENT_H

#include <base/buf.h>
#include <model/model.h>

#define X ERR_DECLARE_KIND
#include <event/kinds.def>
#undef X

/* Bytes of one event. */
#define EVENT_MAX ((size_t)256 * 1024)
/* Of a type, which is a subject of NATS. */
#define EVENT_TYPE_MAX 200
/* Of an id, which must fit into an index of PostgreSQL. */
#define EVENT_ID_MAX 255

struct event {
    const char *id, *source, *type;
    const char *about;       /* "subject"; "": none */
    const char *traceparent; /* the extension of that name; "": none */
    int64_t time_ms;         /* 0: none */
    const struct json_value *data;
    struct json_doc *doc; /* owns all of the above */
};

/* data is taken from *object. */
struct err *event_write(const struct event *event, const struct model *model, const void *object,
                        struct buf *out) MUST_CHECK;
/* EVENT_MALFORMED for what is none, or one of another type than the subject it came by. */
struct err *event_read(const char *bytes, size_t len, const char *subject, struct event *out_event)
    MUST_CHECK;
void event_deinit(struct event *event);
DEFINE_CLEANUP_VALUE(struct event, event_deinit);

#endif
