/*
 * The routes as JSON (ROUTES_FILE):
 *
 *     {
 *       "upstreams": {
 *         "users": {"servers": ["users:8080"], "max_connections": 12}
 *       },
 *       "routes": [
 *         {"path": "/api/v1/users", "upstream": "users", "auth": "required",
 *          "methods": ["GET", "PATCH"], "max_body_bytes": 65536, "timeout_ms": 10000}
 *       ]
 *     }
 *
 * Every mistake is reported at once, each with its place ("routes/0/path"); members that are not
 * known are mistakes.
 *
 * Threads: any. routes_file_load() reads a file and blocks; names of servers are not looked up
 * here.
 */
#ifndef GATEWAY_ROUTES_FILE_H
#define GATEWAY_ROUTES_FILE_H

#include <base/buf.h>
#include <err/err.h>

#include "routes.h"

#define ROUTES_FILE_MAX (4 * 1024 * 1024)

/* ERR_MALFORMED_JSON, or ERR_INVALID_REQUEST with an entry per mistake. */
struct err *routes_parse(const char *text, size_t len, struct routes **out_routes) MUST_CHECK;
/* The content of a file, which is not parsed. */
struct err *routes_file_read(const char *path, struct buf *out_text) MUST_CHECK;
/* CFG_INVALID, whose detail has a line for each mistake. */
struct err *routes_file_load(const char *path, struct routes **out_routes) MUST_CHECK;
/* The same of a text that has been read from path. */
struct err *routes_file_parse(const char *path, const struct buf *text, struct routes **out_routes)
    MUST_CHECK;
/* What holds without ROUTES_FILE: users and auth on this machine. */
struct err *routes_default(struct routes **out_routes) MUST_CHECK;

#endif
