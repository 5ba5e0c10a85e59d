/*
 * What a handler sees: the request, and the answer that it makes.
 *
 *     static struct err *read_user(struct http_req *req, struct http_res *res)
 *     {
 *         struct service *service = http_state(req);
 *         struct user user = {0};
 *         TRY(store_fetch_user(service->store, http_ctx(req), http_param(req, "id"), &user));
 *         return http_reply(res, 200, &user_model, &user);
 *     }
 *
 * A handler returns NULL after it has replied, or an error, which becomes a problem document. It may
 * block; it runs on one of the server's threads, and the request, its arena and everything borrowed
 * from it are that thread's until the handler returns.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <base/arena.h>
#include <base/macros.h>
#include <conc/ctx.h>
#include <err/err.h>
#include <http/route.h>
#include <slog/trace.h>

/* Who the access token speaks of; filled by the authentication middleware. */
struct http_identity {
    char subject[64]; /* user id */
    char session[64];
    char role[32];
    char email[EMAIL_TEXT];
    int64_t expires_s;
};

/* --- the request; strings are borrowed until the handler returns --- */
enum http_method http_method(const struct http_req *req);
const char *http_method_name(enum http_method method);
/* As it was sent, still percent-encoded, without the query. */
const char *http_path(const struct http_req *req);
const struct route *http_route(const struct http_req *req); /* NULL when none matched */
/* A path parameter, decoded; NULL if the route has none of this name. Never empty. */
const char *http_param(const struct http_req *req, const char *name);
/* The first header of this name (any case); NULL when absent. */
const char *http_header(const struct http_req *req, const char *name);
const void *http_body(const struct http_req *req);  /* the struct that .in describes */
const void *http_query(const struct http_req *req); /* the struct that .query describes */
/* Applies the body of a PATCH to *object (model: the route's .in); its presence member says what came. */
struct err *http_merge(struct http_req *req, void *object) MUST_CHECK;
const char *http_raw_body(const struct http_req *req, size_t *out_len);
/* NULL for a caller without a token. */
const struct http_identity *http_identity(const struct http_req *req);
const char *http_client_address(const struct http_req *req); /* the peer's IP */
struct ctx *http_ctx(struct http_req *req); /* ends at the deadline or when the server stops */
struct arena *http_arena(struct http_req *req);
void *http_state(const struct http_req *req); /* what the server was given */
const struct trace *http_trace(const struct http_req *req);

/* --- the answer --- */
/* Headers come before the reply. Names and values are checked: CR, LF and NUL make an ERR_INTERNAL. */
struct err *http_set_header(struct http_res *res, const char *name, const char *format, ...)
    MUST_CHECK PRINTF_LIKE(3, 4);
struct err *http_reply(struct http_res *res, int status, const struct model *model,
                       const void *object) MUST_CHECK;
/* items: count structs of the model, one after the other. next_cursor NULL: the last page. */
struct err *http_reply_list(struct http_res *res, const struct model *model, const void *items,
                            size_t count, const char *next_cursor) MUST_CHECK;
struct err *http_reply_empty(struct http_res *res, int status) MUST_CHECK;
struct err *http_reply_bytes(struct http_res *res, int status, const char *content_type,
                             const void *bytes, size_t len) MUST_CHECK;
/* A large answer piece by piece (chunked; a failed write is ERR_CANCELLED). Nothing is buffered beyond
 * one piece. */
struct err *http_stream_begin(struct http_res *res, int status, const char *content_type) MUST_CHECK;
struct err *http_stream_write(struct http_res *res, const void *bytes, size_t len) MUST_CHECK;
struct err *http_stream_end(struct http_res *res) MUST_CHECK;
int http_status(const struct http_res *res); /* 0: no reply yet */

/* Conditional requests (RFC 9110 section 13) on a version number: sets ETag: "v<version>". A read
 * whose If-None-Match has it is answered 304 (*out_done true: return NULL at once). */
struct err *http_etag(struct http_req *req, struct http_res *res, int64_t version, bool *out_done)
    MUST_CHECK;
/* Sets the ETag alone: for the answer to a change. */
struct err *http_set_etag(struct http_res *res, int64_t version) MUST_CHECK;
/* ERR_PRECONDITION_FAILED when there is an If-Match without this version. */
struct err *http_if_match(const struct http_req *req, int64_t version) MUST_CHECK;

#endif
