/* Single messages of a stream (ADR-31 of nats-architecture-and-design, "JetStream Direct Get"). */
#include "internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <base/clock.h>
#include <base/str.h>

#define REQUEST_MAX    128
#define NOT_FOUND      "404"
#define JS_NO_MESSAGE  10037
#define JS_NOT_DELETED 10057 /* what 2.9 says of a message that is gone */

static struct err *read_stored(natsMsg *message, struct bus_stored *out_stored)
{
    const char *status = bus_message_header(message, "Status");
    if (status && str_equal(status, NOT_FOUND))
        return err_new(&ERR_NOT_FOUND, "the stream has no further message");
    const char *subject = bus_message_header(message, "Nats-Subject");
    const char *number = bus_message_header(message, "Nats-Sequence");
    int64_t sequence = 0;
    if (!subject || !number || !parse_i64(number, 1, INT64_MAX, &sequence))
        return err_new(&BUS_FAILED, "a stored message without subject or sequence: %s",
                       status ? status : "no status");
    const char *time = bus_message_header(message, "Nats-Time-Stamp");
    int64_t time_ms = 0;
    if (time)
        clock_parse(time, strlen(time), &time_ms);
    *out_stored = (struct bus_stored){.sequence = (uint64_t)sequence,
                                      .time_ms = time_ms,
                                      .subject = subject,
                                      .bytes = natsMsg_GetData(message),
                                      .len = (size_t)natsMsg_GetDataLength(message),
                                      .owner = message};
    return NULL;
}

struct err *bus_fetch_stored(struct bus *bus, struct ctx *ctx, const char *stream,
                             uint64_t from_sequence, struct bus_stored *out_stored)
{
    char subject[BUS_SUBJECT_TEXT];
    if (snprintf(subject, sizeof(subject), "$JS.API.DIRECT.GET.%s", stream) >= (int)sizeof(subject))
        return err_new(&BUS_FAILED, "the name is too long: %s", stream);
    /* Any subject: with another wildcard, nats-server 2.9 overlooks messages once some are deleted.
     */
    char body[REQUEST_MAX];
    int len =
        snprintf(body, sizeof(body), "{\"seq\":%" PRIu64 ",\"next_by_subj\":\">\"}", from_sequence);
    const struct bus_outgoing outgoing = {.subject = subject, .bytes = body, .len = (size_t)len};
    _cleanup_(bus_message_free) natsMsg *reply = NULL;
    TRY(bus_exchange(bus, ctx, &outgoing, &reply));
    TRY(read_stored(reply, out_stored));
    TAKE(reply);
    return NULL;
}

const char *bus_stored_header(const struct bus_stored *stored, const char *name)
{
    const char *value = bus_message_header(stored->owner, name);
    return value ? value : "";
}

void bus_stored_deinit(struct bus_stored *stored)
{
    if (stored->owner)
        natsMsg_Destroy(TAKE(stored->owner));
}

struct err *bus_delete_stored(struct bus *bus, struct ctx *ctx, const char *stream,
                              uint64_t sequence)
{
    char subject[BUS_SUBJECT_TEXT];
    snprintf(subject, sizeof(subject), "STREAM.MSG.DELETE.%s", stream);
    _cleanup_(buf_deinit) struct buf body = BUF_INIT(REQUEST_MAX);
    buf_printf(&body, "{\"seq\":%" PRIu64 ",\"no_erase\":true}", sequence);
    int64_t code;
    struct err *e = bus_js_call(bus, ctx, subject, &body, NULL, &code);
    if (code != JS_NO_MESSAGE && code != JS_NOT_DELETED)
        return e;
    err_free(e);
    return NULL;
}
