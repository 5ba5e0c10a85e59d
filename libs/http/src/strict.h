/*
 * A second look at a header section that civetweb has parsed. It is lenient where RFC 9112 lets a
 * server be, and where it does not: it ends at the first line that it does not understand (a folded
 * one, say) and forgets the rest, takes spaces before a colon, bare line feeds, and parses what it
 * finds in its buffer behind leading empty lines, which may be left from another client. All of
 * that is refused here, by the places of the strings that it has cut out of the buffer.
 *
 *     GET_/users_HTTP/1.1\r\nHost:_x\r\nAccept:_y\r\n\r\n
 *     ^  0^     0^       00^   0^  00^     0^   00\r0      0: a NUL that civetweb wrote
 */
#ifndef HTTP_STRICT_H
#define HTTP_STRICT_H

#include <stddef.h>

#include <base/macros.h>
#include <err/err.h>

struct strict_header {
    const char *name, *value;
};

struct strict_request {
    const char *method, *target; /* the target's query, if any, is cut off by a NUL */
    const char *query;           /* NULL: none */
    const char *version;         /* "HTTP/1.1" */
    const struct strict_header *headers;
    size_t header_count;
};

#define STRICT_SECTION_MAX ((size_t)16 << 10) /* request line and headers: 431 */
#define STRICT_TARGET_MAX  ((size_t)8 << 10)  /* 414 */

/* *out_size: bytes of the whole section. ERR_BAD_REQUEST, ERR_URI_TOO_LONG, ERR_HEADERS_TOO_LARGE.
 * The buffer has at least STRICT_SECTION_MAX + 4 bytes from method on. */
struct err *http_strict_check(const struct strict_request *request, size_t *out_size) MUST_CHECK;

#endif
