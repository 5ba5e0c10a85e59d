#include <slog/trace.h>

#include <string.h>

#include <base/encode.h>
#include <base/secret.h>
#include <base/uuid.h>

/* Where the parts of a traceparent stand: 00-<32 hex>-<16 hex>-<2 hex> */
enum { VERSION_AT = 0, TRACE_AT = 3, SPAN_AT = 36, FLAGS_AT = 53 };
enum { TRACE_DIGITS = 32, SPAN_DIGITS = 16, SAMPLED = 1 };

static _Thread_local const struct trace *current;

const struct trace *trace_set_current(const struct trace *trace)
{
    const struct trace *former = current;
    current = trace;
    return former;
}

const struct trace *trace_current(void)
{
    return current;
}

bool trace_request_id_is_sane(const char *id, size_t len)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    if (len == 0 || len >= TRACE_REQUEST_ID)
        return false;
    for (size_t i = 0; i < len; i++)
        if (id[i] == '\0' || !strchr(allowed, id[i]))
            return false;
    return true;
}

static bool is_hex(const char *text, size_t count)
{
    return strspn(text, "0123456789abcdef") >= count;
}

static bool is_id(const char *text, size_t count)
{
    return is_hex(text, count) && strspn(text, "0") < count;
}

static bool is_parent(const char *text)
{
    if (strnlen(text, TRACE_PARENT_LEN) < TRACE_PARENT_LEN)
        return false;
    if (!is_hex(text + VERSION_AT, 2) || memcmp(text + VERSION_AT, "ff", 2) == 0)
        return false;
    if (text[TRACE_AT - 1] != '-' || text[SPAN_AT - 1] != '-' || text[FLAGS_AT - 1] != '-')
        return false;
    if (!is_id(text + TRACE_AT, TRACE_DIGITS) || !is_id(text + SPAN_AT, SPAN_DIGITS) ||
        !is_hex(text + FLAGS_AT, 2))
        return false;
    char after = text[TRACE_PARENT_LEN];
    return after == '\0' || (after == '-' && memcmp(text + VERSION_AT, "00", 2) != 0);
}

static bool sampled_flag(const char *parent)
{
    char digit = parent[FLAGS_AT + 1];
    return ((digit <= '9' ? digit - '0' : digit - 'a' + 10) & SAMPLED) != 0;
}

void trace_start(struct trace *out_trace, const char *request_id, const char *traceparent)
{
    struct trace trace = {.sampled = true};
    unsigned char random[TRACE_DIGITS / 2 + SPAN_DIGITS / 2];
    random_bytes(random, sizeof(random));
    hex_encode(trace.span_id, random, SPAN_DIGITS / 2);
    if (traceparent && is_parent(traceparent)) {
        memcpy(trace.trace_id, traceparent + TRACE_AT, TRACE_DIGITS);
        memcpy(trace.parent_span_id, traceparent + SPAN_AT, SPAN_DIGITS);
        trace.sampled = sampled_flag(traceparent);
    } else {
        hex_encode(trace.trace_id, random + SPAN_DIGITS / 2, TRACE_DIGITS / 2);
    }
    size_t id_len = request_id ? strlen(request_id) : 0;
    if (request_id && trace_request_id_is_sane(request_id, id_len))
        memcpy(trace.request_id, request_id, id_len);
    else
        uuid_new(trace.request_id);
    *out_trace = trace;
}

void trace_format_parent(const struct trace *trace, char out[static TRACE_PARENT_LEN + 1])
{
    out[0] = '\0';
    if (trace->trace_id[0] == '\0' || trace->span_id[0] == '\0')
        return;
    memcpy(out, "00-", TRACE_AT);
    memcpy(out + TRACE_AT, trace->trace_id, TRACE_DIGITS);
    out[SPAN_AT - 1] = '-';
    memcpy(out + SPAN_AT, trace->span_id, SPAN_DIGITS);
    memcpy(out + FLAGS_AT - 1, trace->sampled ? "-01" : "-00", 4);
}
