#include "event.h"

#include <string.h>

#include <base/str.h>

#include "key.h"

const char *const slog_level_names[] = {"debug", "info", "warn", "error", "off", NULL};

/* How a format writes text: in quotes, or bare where it is not mistaken for something else. */
typedef bool put_text(struct line *line, const char *bytes, size_t count);

static bool put_err(struct line *line, const struct err *err, put_text *put)
{
    char text[ERR_LINE];
    size_t len = err_format(err, text, sizeof(text));
    if (len >= sizeof(text)) {
        line->truncated = true;
        len = strlen(text);
    }
    return put(line, text, len);
}

static bool put_value(struct line *line, const struct slog_pair *pair, put_text *put)
{
    if (slog_key_is_secret(pair->key))
        return put(line, "***", 3);
    switch (pair->type) {
    case SLOG_TYPE_STR:
        if (pair->as.str.data)
            return put(line, pair->as.str.data, pair->as.str.len);
        break;
    case SLOG_TYPE_I64:
        return slog_line_put_i64(line, pair->as.i64);
    case SLOG_TYPE_F64:
        return slog_line_put_f64(line, pair->as.f64);
    case SLOG_TYPE_BOOL:
        return pair->as.boolean ? SLOG_LINE_PUT(line, "true") : SLOG_LINE_PUT(line, "false");
    case SLOG_TYPE_ERR:
        if (pair->as.err)
            return put_err(line, pair->as.err, put);
        break;
    }
    return SLOG_LINE_PUT(line, "null");
}

/* A key is written whole or its pair not at all. */
static bool put_key(struct line *line, const char *key, put_text *put)
{
    char prefixed[16] = "_";
    if (slog_key_is_reserved(key) && str_copy(prefixed + 1, sizeof(prefixed) - 1, key))
        key = prefixed;
    bool former = line->truncated;
    line->truncated = false;
    bool whole = put(line, key, strlen(key)) && !line->truncated;
    line->truncated = former;
    return whole;
}

static void put_json_pair(struct line *line, const struct slog_pair *pair)
{
    size_t mark = line->len;
    if (!SLOG_LINE_PUT(line, ",") || !put_key(line, pair->key, slog_line_put_quoted) ||
        !SLOG_LINE_PUT(line, ":") || !put_value(line, pair, slog_line_put_quoted))
        slog_line_give_up(line, mark);
}

static void put_json_field(struct line *line, const char *start, const char *text, size_t max)
{
    size_t len = strnlen(text, max);
    size_t mark = line->len;
    if (len > 0 &&
        (!slog_line_put(line, start, strlen(start)) || !slog_line_put_quoted(line, text, len)))
        slog_line_give_up(line, mark);
}

void slog_event_put_json(struct line *line, const struct event *event)
{
    SLOG_LINE_PUT(line, "{\"time\":");
    slog_line_put_quoted(line, event->time, strlen(event->time));
    put_json_field(line, ",\"level\":", slog_level_names[event->level], SIZE_MAX);
    put_json_field(line, ",\"service\":", event->service, SIZE_MAX);
    if (event->trace) {
        put_json_field(line, ",\"request_id\":", event->trace->request_id, TRACE_REQUEST_ID);
        put_json_field(line, ",\"trace_id\":", event->trace->trace_id, TRACE_ID_TEXT);
        put_json_field(line, ",\"span_id\":", event->trace->span_id, TRACE_SPAN_TEXT);
    }
    SLOG_LINE_PUT(line, ",\"msg\":");
    slog_line_put_quoted(line, event->message, strlen(event->message));
    for (size_t i = 0; i < event->count; i++)
        if (event->pairs[i].key)
            put_json_pair(line, &event->pairs[i]);
    slog_line_end(line, line->truncated ? ",\"truncated\":true}\n" : "}\n");
}

/* Whether text that stands without quotes is still read as one text. */
static bool is_bare(const char *bytes, size_t count, bool with_spaces)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] == ' ' ? !with_spaces : bytes[i] < '!' || bytes[i] > '~')
            return false;
        if (strchr("\"\\=", bytes[i]))
            return false;
    }
    return count > 0;
}

static bool put_bare_if(bool bare, struct line *line, const char *bytes, size_t count)
{
    if (!bare || line->limit - line->len < 2)
        return slog_line_put_quoted(line, bytes, count);
    slog_line_put_escaped(line, bytes, count);
    return true;
}

static bool put_word(struct line *line, const char *bytes, size_t count)
{
    return put_bare_if(is_bare(bytes, count, false), line, bytes, count);
}

static void put_text_pair(struct line *line, const struct slog_pair *pair)
{
    size_t mark = line->len;
    if (!SLOG_LINE_PUT(line, " ") || !put_key(line, pair->key, put_word) ||
        !SLOG_LINE_PUT(line, "=") || !put_value(line, pair, put_word))
        slog_line_give_up(line, mark);
}

static void put_text_field(struct line *line, const char *start, const char *text, size_t max)
{
    size_t len = strnlen(text, max);
    size_t mark = line->len;
    if (len > 0 && (!slog_line_put(line, start, strlen(start)) || !put_word(line, text, len)))
        slog_line_give_up(line, mark);
}

/* The ids that only machines follow stand last, so that a person finds the message. */
void slog_event_put_text(struct line *line, const struct event *event)
{
    static const char *const levels[] = {" DEBUG", " INFO ", " WARN ", " ERROR"};
    size_t message_len = strlen(event->message);
    put_text_field(line, "", event->time, SIZE_MAX);
    slog_line_put(line, levels[event->level], 6);
    put_text_field(line, " ", event->service, SIZE_MAX);
    if (event->trace)
        put_text_field(line, " request_id=", event->trace->request_id, TRACE_REQUEST_ID);
    SLOG_LINE_PUT(line, " ");
    put_bare_if(is_bare(event->message, message_len, true), line, event->message, message_len);
    for (size_t i = 0; i < event->count; i++)
        if (event->pairs[i].key)
            put_text_pair(line, &event->pairs[i]);
    if (event->trace) {
        put_text_field(line, " trace_id=", event->trace->trace_id, TRACE_ID_TEXT);
        put_text_field(line, " span_id=", event->trace->span_id, TRACE_SPAN_TEXT);
    }
    slog_line_end(line, line->truncated ? " truncated=true\n" : "\n");
}
