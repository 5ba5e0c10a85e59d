/*
 * Heads, written anew from the parsed parts: nothing that the parser did not understand is passed
 * on, so both sides see one message, with one length.
 */
#include "forwarded.h"

#define NOT_PASSED_UP   (HEADER_HOP | HEADER_OWN | HEADER_FORGED)
#define NOT_PASSED_DOWN (HEADER_HOP)

static void write_request_fields(const struct exchange *ex, struct writer *w)
{
    const char *base = ex->client->in->data;
    bool has_parent = ex->trace.parent_span_id[0] != '\0';
    for (unsigned i = 0; i < ex->request.fields.count; i++) {
        const struct header_field *field = &ex->request.fields.at[i];
        bool is_orphan = field->id == HEADER_TRACESTATE && !has_parent;
        if (!(field->policy & NOT_PASSED_UP) && !is_orphan)
            write_field(w, span_str(base, field->name), span_str(base, field->value));
    }
}

static void write_trace(const struct exchange *ex, struct writer *w)
{
    char parent[TRACE_PARENT_LEN + 1];
    trace_format_parent(&ex->trace, parent);
    WRITE_LITERAL(w, "X-Request-Id: ");
    write_text(w, ex->trace.request_id);
    WRITE_LITERAL(w, "\r\ntraceparent: ");
    write_text(w, parent);
    WRITE_LITERAL(w, "\r\n");
}

static void write_length(struct writer *w, int64_t length)
{
    WRITE_LITERAL(w, "Content-Length: ");
    write_number(w, length);
    WRITE_LITERAL(w, "\r\n");
}

size_t write_request_head(struct exchange *ex)
{
    const char *base = ex->client->in->data;
    const struct request *request = &ex->request;
    struct writer w = WRITER(ex->worker->scratch, sizeof(ex->worker->scratch));
    write_str(&w, span_str(base, request->method));
    WRITE_LITERAL(&w, " ");
    write_str(&w, span_str(base, request->target.path));
    write_str(&w, span_str(base, request->target.query));
    WRITE_LITERAL(&w, " HTTP/1.1\r\nHost: ");
    if (request->host.len > 0)
        write_str(&w, span_str(base, request->host));
    else
        write_text(&w, upstream_name(ex->upstream));
    WRITE_LITERAL(&w, "\r\n");
    write_request_fields(ex, &w);
    forwarded_write(ex, &w);
    write_trace(ex, &w);
    WRITE_LITERAL(&w, "Via: 1.1 plankton\r\n");
    if (request->body == BODY_LENGTH)
        write_length(&w, request->content_length);
    else if (request->body == BODY_CHUNKED)
        WRITE_LITERAL(&w, "Transfer-Encoding: chunked\r\n");
    WRITE_LITERAL(&w, "\r\n");
    return w.is_full ? 0 : written(&w);
}

static void write_answer_fields(const struct exchange *ex, struct writer *w)
{
    const char *base = ex->answer->data;
    const struct fields *fields = &ex->response.fields;
    for (unsigned i = 0; i < fields->count; i++) {
        const struct header_field *field = &fields->at[i];
        bool is_own = field->id == HEADER_CONTENT_LENGTH || field->id == HEADER_X_REQUEST_ID;
        if (!(field->policy & NOT_PASSED_DOWN) && !is_own)
            write_field(w, span_str(base, field->name), span_str(base, field->value));
    }
    if (!fields_have(fields, HEADER_DATE)) {
        WRITE_LITERAL(w, "Date: ");
        write_text(w, worker_date(ex->worker));
        WRITE_LITERAL(w, "\r\n");
    }
}

size_t write_answer_head(struct exchange *ex)
{
    const struct response *response = &ex->response;
    struct writer w = WRITER(ex->worker->scratch, sizeof(ex->worker->scratch));
    WRITE_LITERAL(&w, "HTTP/1.1 ");
    write_number(&w, response->status);
    WRITE_LITERAL(&w, " ");
    write_str(&w, span_str(ex->answer->data, response->reason));
    WRITE_LITERAL(&w, "\r\n");
    write_answer_fields(ex, &w);
    WRITE_LITERAL(&w, "X-Request-Id: ");
    write_text(&w, ex->trace.request_id);
    WRITE_LITERAL(&w, "\r\n");
    bool may_have_length = response->status != 204 && response->body != BODY_CHUNKED;
    if (response->content_length >= 0 && may_have_length)
        write_length(&w, response->content_length);
    if (ex->is_chunked_answer)
        WRITE_LITERAL(&w, "Transfer-Encoding: chunked\r\n");
    if (!ex->keep_alive)
        WRITE_LITERAL(&w, "Connection: close\r\n");
    else if (ex->request.minor == 0)
        WRITE_LITERAL(&w, "Connection: keep-alive\r\n");
    WRITE_LITERAL(&w, "\r\n");
    return w.is_full ? 0 : written(&w);
}
