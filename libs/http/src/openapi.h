/* The OpenAPI 3.1 document of a server's tables. */
#ifndef HTTP_OPENAPI_H
#define HTTP_OPENAPI_H

#include <base/buf.h>
#include <base/macros.h>
#include <err/err.h>
#include <http/server.h>

/* Appended to out; the same tables always give the same text. */
struct err *http_openapi_write(const struct http_server *server, struct buf *out) MUST_CHECK;

#endif
