/*
 * Request heads (RFC 9112), strictly: whatever two implementations might read differently is
 * refused, and the connection with it.
 *
 *     bytes ──► request line ──► field lines ──► empty line ──► checks across fields ──► PARSE_DONE
 *                    │                │                               │
 *                    └────────────────┴──────────► PARSE_BAD ◄────────┘
 *
 * Incremental: call request_parse() again with the same base and more bytes as they arrive; what
 * has been parsed is not looked at again. Zero-copy: all parts are spans of the buffer, in which
 * the request begins at offset 0 and must not move; the path is normalised in place.
 *
 * Threads: one at a time per request. Nothing blocks or allocates.
 */
#ifndef GATEWAY_PARSE_REQUEST_H
#define GATEWAY_PARSE_REQUEST_H

#include <err/err.h>

#include "fields.h"
#include "target.h"

#define METHOD_MAX 32

enum parse_status { PARSE_MORE, PARSE_DONE, PARSE_BAD };

enum body_kind {
    BODY_NONE,
    BODY_LENGTH,
    BODY_CHUNKED,
    BODY_UNTIL_CLOSE, /* answers only */
};

struct request {
    struct span method;
    struct target target;
    struct span host; /* of the target or of Host; empty for HTTP/1.0 without */
    struct fields fields;
    enum body_kind body;
    int64_t content_length; /* BODY_LENGTH; may be 0 */
    uint8_t minor;          /* HTTP/1.minor: 0 or 1 */
    bool keep_alive;        /* the client would go on with this connection */
    bool expects_continue;
    uint16_t head_len; /* bytes up to the body, once done */
    /* With PARSE_BAD: the kind of the answer and what was wrong (static text, names no value). */
    const struct err_kind *bad_kind;
    const char *bad_detail;
    /* The parser's own. */
    struct lines lines;
    bool has_request_line;
    bool has_skipped_line;
};

/* request is zeroed before the first call. len: bytes that are there. */
enum parse_status request_parse(struct request *request, char *base, size_t len);

bool request_method_is(const struct request *request, const char *base, struct str method);

#endif
