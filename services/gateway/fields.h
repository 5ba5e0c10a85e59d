/*
 * The lines of a message's head: finding them as bytes arrive, and taking header fields apart
 * (RFC 9112 sections 2.2 and 5). Shared by the request and the response parser.
 *
 * Everything is a span: an offset into the buffer in which the message begins at 0. Nothing is
 * copied, and each byte is searched once, however the head is cut into reads.
 */
#ifndef GATEWAY_FIELDS_H
#define GATEWAY_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/str.h>

#include "headers.h"

#define HEAD_MAX   16384 /* bytes of the head, its last empty line included */
#define FIELDS_MAX 128

struct span {
    uint16_t at, len;
};

static inline struct str span_str(const char *base, struct span span)
{
    return (struct str){base + span.at, span.len};
}

struct header_field {
    struct span name, value; /* value without the white space around it */
    uint8_t id, policy;      /* as in struct header */
};

struct fields {
    struct header_field at[FIELDS_MAX];
    unsigned count;
    uint64_t seen; /* a bit per enum header_id */
};

static inline bool fields_have(const struct fields *fields, enum header_id id)
{
    return fields->seen & (uint64_t)1 << id;
}

/* The first field of this id; NULL when there is none. */
const struct header_field *fields_find(const struct fields *fields, enum header_id id);

/* Progress through the lines of a head. */
struct lines {
    uint16_t line;    /* where the present line begins */
    uint16_t scanned; /* no line end before this offset */
};

enum line_status {
    LINE_MORE,    /* its end has not arrived */
    LINE_FOUND,   /* *out_line, without CR LF */
    LINE_BARE_LF, /* ends with LF alone: refused, since others may read it differently */
};

/* len: bytes of the message that are there (at most UINT16_MAX). */
enum line_status lines_next(struct lines *lines, const char *base, size_t len,
                            struct span *out_line);

/* Takes one line apart and appends it to fields. NULL, or what is wrong with it (static text):
 * FIELD_TOO_MANY is told apart by address. */
extern const char FIELD_TOO_MANY[];
const char *fields_add(struct fields *fields, const char *base, struct span line);

/* Whether two texts are equal in any case of ASCII letters. */
static inline bool str_is(struct str text, struct str other)
{
    return text.len == other.len && str_equal_nocase_n(text.data, other.data, other.len);
}

/* The next element of a comma-separated list (RFC 9110 section 5.6.1); empty ones are skipped. Set
 * *cursor to 0 first; false at the end. */
bool list_next(struct str list, size_t *cursor, struct str *out_element);

/* Marks the fields that Connection names as HEADER_HOP. False when it names one that is meant for
 * the other end (RFC 9110 section 7.6.1), or absurdly many. out_close, out_keep_alive: whether it
 * has those options.
 */
bool fields_apply_connection(struct fields *fields, const char *base, bool *out_close,
                             bool *out_keep_alive);

/* Content-Length: 1 to 18 digits and nothing else. */
bool content_length_parse(struct str value, int64_t *out_length);

#endif
