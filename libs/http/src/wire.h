/*
 * Reading an HTTP/1.1 answer from bytes (RFC 9112), strictly: a server that cannot be understood
 * exactly is not guessed at. Pure; the caller does the I/O.
 */
#ifndef HTTP_WIRE_H
#define HTTP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/arena.h>
#include <base/buf.h>
#include <base/macros.h>
#include <err/err.h>
#include <http/client.h>

#define WIRE_HEAD_MAX ((size_t)64 << 10)

enum wire_body {
    WIRE_NONE,
    WIRE_LENGTH,
    WIRE_CHUNKED,
    WIRE_UNTIL_CLOSE,
};

struct wire_head {
    int status;
    struct http_header_pair *headers; /* in the arena */
    size_t header_count;
    enum wire_body body;
    size_t length; /* WIRE_LENGTH */
    bool keep_alive;
};

/* Bytes up to the end of the header section; 0: it is not complete yet. */
size_t http_wire_head_size(const char *bytes, size_t len);
/* ERR_UPSTREAM_UNAVAILABLE for whatever is malformed. is_bodiless: the answer to a HEAD. */
struct err *http_wire_head_parse(const char *bytes, size_t len, bool is_bodiless,
                                 struct arena *arena, struct wire_head *out_head) MUST_CHECK;

/* Ownership goes to *out_to, whose former content is not looked at. */
void http_answer_move(struct http_answer *from, struct http_answer *out_to);

enum wire_place { WIRE_SIZE_LINE, WIRE_DATA, WIRE_DATA_END, WIRE_TRAILER, WIRE_END };
struct wire_chunks {
    enum wire_place place;
    size_t left;     /* of the present chunk */
    size_t trailers; /* bytes of them so far */
};
/* Moves what can be decoded from in to body. Done when place is WIRE_END; what is left in in then
 * does not belong to the answer. ERR_UPSTREAM_UNAVAILABLE: malformed, or more than body takes. */
struct err *http_wire_chunks(struct wire_chunks *chunks, struct buf *in, struct buf *body)
    MUST_CHECK;

#endif
