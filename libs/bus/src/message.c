#include "internal.h"

#include <inttypes.h>
#include <stdio.h>

#define DEADLINE "Plankton-Deadline-Ms"

static natsStatus set(natsMsg *message, const char *name, const char *value)
{
    return value && *value ? natsMsgHeader_Set(message, name, value) : NATS_OK;
}

static natsStatus set_headers(natsMsg *message, const struct bus_outgoing *outgoing)
{
    const struct trace *trace = trace_current();
    char parent[TRACE_PARENT_LEN + 1] = "";
    if (trace && *trace->trace_id)
        trace_format_parent(trace, parent);
    char deadline[24] = "";
    if (outgoing->deadline_ms > 0)
        snprintf(deadline, sizeof(deadline), "%" PRId64, outgoing->deadline_ms);
    natsStatus status = set(message, "traceparent", parent);
    if (status == NATS_OK)
        status = set(message, "X-Request-Id", trace ? trace->request_id : NULL);
    if (status == NATS_OK)
        status = set(message, DEADLINE, deadline);
    if (status == NATS_OK)
        status = set(message, "Nats-Msg-Id", outgoing->msg_id);
    if (status == NATS_OK)
        status = set(message, "Plankton-Error", outgoing->error);
    for (size_t i = 0; i < outgoing->header_count && status == NATS_OK; i++)
        status = set(message, outgoing->headers[i].name, outgoing->headers[i].value);
    return status;
}

struct err *bus_message_new(const struct bus_outgoing *outgoing, natsMsg **out_message)
{
    if (outgoing->len > BUS_MESSAGE_MAX)
        return err_new(&BUS_FAILED, "a message of %zu bytes to %s; at most %zu", outgoing->len,
                       outgoing->subject, BUS_MESSAGE_MAX);
    _cleanup_(bus_message_free) natsMsg *message = NULL;
    natsStatus status = natsMsg_Create(&message, outgoing->subject, outgoing->reply,
                                       outgoing->bytes, (int)outgoing->len);
    if (status == NATS_OK)
        status = set_headers(message, outgoing);
    if (status != NATS_OK)
        return bus_error(status, "make a message to %s", outgoing->subject);
    *out_message = TAKE(message);
    return NULL;
}

const char *bus_message_header(natsMsg *message, const char *name)
{
    const char *value = NULL;
    return natsMsgHeader_Get(message, name, &value) == NATS_OK ? value : NULL;
}

void bus_message_trace(natsMsg *message, struct trace *out)
{
    trace_start(out, bus_message_header(message, "X-Request-Id"),
                bus_message_header(message, "traceparent"));
}

struct err *bus_write_body(const struct model *model, const void *object, struct buf *out)
{
    if (model) {
        struct json_writer writer = JSON_WRITER(out);
        model_write(model, object, &writer);
    } else {
        buf_append_str(out, "{}");
    }
    if (buf_status(out) == BUF_TOO_LARGE)
        return err_new(&BUS_FAILED, "a message of more than %zu bytes", BUS_MESSAGE_MAX);
    return buf_status(out) == BUF_OK ? NULL : err_oom();
}
