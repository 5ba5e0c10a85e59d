#include "fields.h"

#include <string.h>

#include "chars.h"

const char FIELD_TOO_MANY[] = "too many header fields";

const struct header_field *fields_find(const struct fields *fields, enum header_id id)
{
    if (!fields_have(fields, id))
        return NULL;
    const struct header_field *field = fields->at;
    while (field->id != id)
        field++;
    return field;
}

enum line_status lines_next(struct lines *lines, const char *base, size_t len,
                            struct span *out_line)
{
    const char *end = memchr(base + lines->scanned, '\n', len - lines->scanned);
    if (!end) {
        lines->scanned = (uint16_t)len;
        return LINE_MORE;
    }
    uint16_t at = lines->line;
    size_t line_len = (size_t)(end - base) - at;
    if (line_len == 0 || end[-1] != '\r')
        return LINE_BARE_LF;
    *out_line = (struct span){at, (uint16_t)(line_len - 1)};
    lines->line = lines->scanned = (uint16_t)(at + line_len + 1);
    return LINE_FOUND;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static struct span trimmed(const char *base, size_t at, size_t end)
{
    while (at < end && is_blank(base[at]))
        at++;
    while (end > at && is_blank(base[end - 1]))
        end--;
    return (struct span){(uint16_t)at, (uint16_t)(end - at)};
}

/* Length of the name; 0 when it is none. */
static size_t name_length(const char *line, size_t len)
{
    size_t i = 0;
    while (i < len && char_is(line[i], CHAR_TOKEN))
        i++;
    return i < len && line[i] == ':' ? i : 0;
}

const char *fields_add(struct fields *fields, const char *base, struct span line)
{
    const char *text = base + line.at;
    if (is_blank(text[0]))
        return "a header line is folded";
    size_t name_len = name_length(text, line.len);
    if (name_len == 0)
        return "a header name is malformed";
    if (!chars_are(text + name_len + 1, line.len - name_len - 1, CHAR_VALUE))
        return "a header value has a control character";
    if (fields->count == FIELDS_MAX)
        return FIELD_TOO_MANY;
    const struct header *header = header_find(text, name_len);
    if (header->policy & HEADER_SINGLE && fields_have(fields, header->id))
        return "a header that may stand once stands twice";
    fields->seen |= (uint64_t)1 << header->id;
    fields->at[fields->count++] = (struct header_field){
        .name = {line.at, (uint16_t)name_len},
        .value = trimmed(base, line.at + name_len + 1, (size_t)line.at + line.len),
        .id = header->id,
        .policy = header->policy,
    };
    return NULL;
}

bool list_next(struct str list, size_t *cursor, struct str *out_element)
{
    size_t at = *cursor;
    while (at < list.len && (is_blank(list.data[at]) || list.data[at] == ','))
        at++;
    if (at == list.len)
        return false;
    size_t end = at;
    while (end < list.len && list.data[end] != ',')
        end++;
    *cursor = end;
    while (is_blank(list.data[end - 1]))
        end--;
    *out_element = (struct str){list.data + at, end - at};
    return true;
}

#define OPTIONS_MAX 16 /* in Connection; each one costs a walk over the fields */

static bool drop_named(struct fields *fields, const char *base, struct str name)
{
    for (unsigned i = 0; i < fields->count; i++) {
        struct header_field *field = &fields->at[i];
        if (!str_is(span_str(base, field->name), name))
            continue;
        if (field->policy & HEADER_SINGLE)
            return false;
        field->policy |= HEADER_HOP;
    }
    return true;
}

bool fields_apply_connection(struct fields *fields, const char *base, bool *out_close,
                             bool *out_keep_alive)
{
    bool is_close = false, is_keep_alive = false;
    int options = 0;
    for (unsigned i = 0; fields_have(fields, HEADER_CONNECTION) && i < fields->count; i++) {
        if (fields->at[i].id != HEADER_CONNECTION)
            continue;
        size_t cursor = 0;
        struct str option;
        while (list_next(span_str(base, fields->at[i].value), &cursor, &option)) {
            if (++options > OPTIONS_MAX)
                return false;
            if (str_is(option, STR("close")))
                is_close = true;
            else if (str_is(option, STR("keep-alive")))
                is_keep_alive = true;
            else if (!drop_named(fields, base, option))
                return false;
        }
    }
    *out_close = is_close;
    *out_keep_alive = is_keep_alive;
    return true;
}

bool content_length_parse(struct str value, int64_t *out_length)
{
    if (value.len == 0 || value.len > 18)
        return false;
    int64_t length = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return false;
        length = length * 10 + (value.data[i] - '0');
    }
    *out_length = length;
    return true;
}
