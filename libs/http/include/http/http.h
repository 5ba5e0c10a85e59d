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
 * A handler returns NULL after it has replied, or an error, which becomes a problem document
 * (RFC 9457) with the kind's status. An answer is sent after the handler has returned, so an error
 * takes the place of what was replied before it, headers included. Returning NULL without a reply
 * is an error too (500).
 *
 * Threads: a handler runs on one of the server's threads, many at once, and may block. The request,
 * its arena and everything borrowed from them are that thread's until the handler returns.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <base/arena.h>
#include <base/macros.h>
#include <conc/ctx.h>
#include <err/err.h>
#include <http/route.h>
#include <slog/trace.h>

/* Who the access token speaks of; filled by the authenticator. Unused parts are "". */
struct http_identity {
    char subject[64]; /* user id */
    char session[64];
    char role[32];
    char email[EMAIL_TEXT];
    int64_t expires_s; /* since 1970 */
};

/* --- the request; strings and structs are borrowed until the handler returns --- */

/* 0 for a method that is not one of the enum (middleware sees such requests, handlers do not). */
enum http_method http_method(const struct http_req *req);
/* "GET"; "" for what is not of the enum. */
const char *http_method_name(enum http_method method);
/* As it was sent, still percent-encoded, without the query. */
const char *http_path(const struct http_req *req);
/* NULL when none matched (in middleware). */
const struct route *http_route(const struct http_req *req);
/* A path parameter, decoded, UTF-8 without control characters; NULL if the route has none of this
 * name. Never empty. A {name...} has its slashes. */
const char *http_param(const struct http_req *req, const char *name);
/* The first header of this name (any case), without spaces around; NULL when absent. */
const char *http_header(const struct http_req *req, const char *name);
/* The struct that .in describes; NULL without .in, and for a PATCH. */
const void *http_body(const struct http_req *req);
/* The struct that .query describes; NULL without it. */
const void *http_query(const struct http_req *req);
/* Applies the body of a PATCH to *object (model: the route's .in; RFC 7396); its presence member
 * says what came. ERR_MALFORMED_JSON, ERR_INVALID_REQUEST; *object is untouched then. */
struct err *http_merge(struct http_req *req, void *object) MUST_CHECK;
/* The body as it came, whatever the route; "" when there was none. NUL-terminated. */
const char *http_raw_body(const struct http_req *req, size_t *out_len);
/* NULL on a route for ANYONE. */
const struct http_identity *http_identity(const struct http_req *req);
/* The peer's IP address; an IPv4 one in its usual form on a socket for both families, too. */
const char *http_client_address(const struct http_req *req);
/* Ends at the request's deadline and when the server stops and does not wait any longer. Pass it to
 * whatever waits. Never NULL. */
struct ctx *http_ctx(struct http_req *req);
/* For what the request makes: a new UUIDv7, which a repetition with the same Idempotency-Key gets
 * again (<http/idempotency.h>). With a key it blocks, on the database, and may fail. */
struct err *http_creation_id(struct http_req *req, char out_id[static UUID_TEXT]) MUST_CHECK;
/* For what lives as long as the request; 32 MiB at most. */
struct arena *http_arena(struct http_req *req);
/* What http_server_options.state was. */
void *http_state(const struct http_req *req);
/* Of this request; also the thread's current one (slog, outgoing calls). */
const struct trace *http_trace(const struct http_req *req);

/* --- the answer --- */

/* Headers come before the reply. A header takes the place of its former value; Vary, Set-Cookie and
 * Link add up. ERR_INTERNAL: a name that is no token or that the library writes itself (Content-*
 * of the body, Connection, Date, Transfer-Encoding ...), a control character in the value, a value
 * of more than 1023 bytes, more than 32 headers. */
struct err *http_set_header(struct http_res *res, const char *name, const char *format, ...)
    MUST_CHECK PRINTF_LIKE(3, 4);

/* Each of these replies once; a second reply is ERR_INTERNAL, as is a status outside of 200 to 599
 * and an answer of more than 64 MiB. All copy what they are given. */
struct err *http_reply(struct http_res *res, int status, const struct model *model,
                       const void *object) MUST_CHECK;
/* 200 and items: count structs of the model, one after the other. next_cursor NULL: the last page.
 */
struct err *http_reply_list(struct http_res *res, const struct model *model, const void *items,
                            size_t count, const char *next_cursor) MUST_CHECK;
struct err *http_reply_empty(struct http_res *res, int status) MUST_CHECK;
struct err *http_reply_bytes(struct http_res *res, int status, const char *content_type,
                             const void *bytes, size_t len) MUST_CHECK;

/* A large answer piece by piece: chunked, or up to the end of the connection for HTTP/1.0. About
 * 16 KiB are gathered and sent at once. http_stream_write() blocks while the client is slower than
 * the handler; ERR_CANCELLED: it has gone, or takes less than a few KB a second. A handler that
 * fails after the beginning can only break the connection off, which the client sees.
 * http_stream_end() may be left to the server. */
struct err *http_stream_begin(struct http_res *res, int status, const char *content_type)
    MUST_CHECK;
struct err *http_stream_write(struct http_res *res, const void *bytes, size_t len) MUST_CHECK;
struct err *http_stream_end(struct http_res *res) MUST_CHECK;

/* 0: no reply yet. */
int http_status(const struct http_res *res);

/* --- conditional requests (RFC 9110 section 13) on a version number ---
 *
 * If-Match is compared strongly (W/"v1" is never equal), If-None-Match weakly; each may be a list,
 * over several headers too, or *. Conditions are for what would succeed without them: where the
 * thing is not there, or the caller may not do this, return that error before (404, 403). */

/* For a GET. Sets ETag: "v<version>". An If-Match without it is ERR_PRECONDITION_FAILED, an
 * If-None-Match that has it, or is *, is answered 304 (*out_done true: return NULL at once). */
struct err *http_etag(struct http_req *req, struct http_res *res, int64_t version, bool *out_done)
    MUST_CHECK;
/* Sets the ETag alone: for the answer to a change. */
struct err *http_set_etag(struct http_res *res, int64_t version) MUST_CHECK;
/* For a change, just before it, in its transaction: ERR_PRECONDITION_FAILED when there is an
 * If-Match without this version, or an If-None-Match with it. HTTP_ABSENT: nothing is there yet,
 * and the request would make it, so any If-Match fails and no If-None-Match does. */
#define HTTP_ABSENT (-1)
struct err *http_if_match(const struct http_req *req, int64_t version) MUST_CHECK;

#endif
