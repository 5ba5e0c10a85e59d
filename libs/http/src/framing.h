/*
 * What makes a request one request (RFC 9112): where its body ends and whether another one may
 * follow. Whatever two readers could understand differently is refused, because that is how
 * requests are smuggled.
 */
#ifndef HTTP_FRAMING_H
#define HTTP_FRAMING_H

#include <stdbool.h>

#include "exchange.h"

/* Fills known, body_length and keep_alive from version and headers. On error the connection must
 * not be kept (keep_alive is false). ERR_BAD_REQUEST: a header name that is no token; Host missing
 * or twice; a header twice that must not be; Content-Length that is no plain number; Transfer-
 * Encoding other than "chunked", in HTTP/1.0 or beside a Content-Length. */
struct err *http_framing_check(struct http_req *req) MUST_CHECK;

/* A token of RFC 9110 section 5.6.2. */
bool http_is_token(const char *text);
/* Whether a comma-separated list has this token, in any case. */
bool http_list_has(const char *list, const char *token);

#endif
