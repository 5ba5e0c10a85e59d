/*
 * Answer heads from upstreams (RFC 9112), as strictly as requests: an upstream that can be confused
 * must not confuse the client. Incremental and zero-copy like <parse_request.h>.
 */
#ifndef GATEWAY_PARSE_RESPONSE_H
#define GATEWAY_PARSE_RESPONSE_H

#include "fields.h"
#include "parse_request.h"

struct response {
    uint16_t status;    /* 100 to 599 */
    struct span reason; /* may be empty */
    struct fields fields;
    enum body_kind body;
    int64_t content_length; /* as announced, -1 if not; with BODY_NONE too (HEAD, 304) */
    bool keep_alive;        /* the upstream would go on with this connection */
    uint16_t head_len;
    const char *bad_detail; /* with PARSE_BAD; static text */
    /* The parser's own. */
    struct lines lines;
    bool has_status_line;
    uint8_t minor;
};

/* response is zeroed before the first call. to_head: the request's method was HEAD. A status below
 * 200 is an interim answer: without body, another one follows. */
enum parse_status response_parse(struct response *response, const char *base, size_t len,
                                 bool to_head);

#endif
