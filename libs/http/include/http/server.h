/*
 * The HTTP server: civetweb underneath, one thread per connection, keep-alive.
 *
 * Each request runs through a chain of middleware that is frozen when the server starts; the
 * standard one is HTTP_STANDARD_CHAIN. Limits: 16 KiB of request line and headers (431; 414 for the
 * line), bodies as the route says (413), HTTP_READ_TIMEOUT for a request to arrive (408). Every
 * failure, civetweb's own included, is a problem document.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <base/macros.h>
#include <err/err.h>
#include <http/http.h>
#include <http/route.h>
#include <metric/metric.h>

struct http_server;

/* A link of the chain. It calls http_next() once, or replies or fails instead. */
struct http_next;
struct http_middleware {
    const char *name;
    struct err *(*run)(struct http_req *req, struct http_res *res, struct http_next *next);
};
struct err *http_next(struct http_next *next, struct http_req *req, struct http_res *res) MUST_CHECK;

extern const struct http_middleware HTTP_REQUEST_ID; /* X-Request-Id, traceparent, log context */
extern const struct http_middleware HTTP_ACCESS_LOG; /* one line per request */
extern const struct http_middleware HTTP_METRICS;    /* http_server_request_duration_seconds, ... */
extern const struct http_middleware HTTP_RECOVER;    /* an error becomes a problem document; 5xx logged */
extern const struct http_middleware HTTP_DEADLINE;
extern const struct http_middleware HTTP_CORS;
extern const struct http_middleware HTTP_RATE_LIMIT; /* per client address */
extern const struct http_middleware HTTP_AUTHENTICATE; /* bearer token; the route's .allow */
extern const struct http_middleware HTTP_BODY;       /* limits, content type, binding, query */

/* The above in the order that works, ended by NULL. Links without their option do nothing. */
extern const struct http_middleware *const HTTP_STANDARD_CHAIN[];

struct http_authenticator {
    /* Checks a bearer token; ERR_UNAUTHENTICATED or a kind with status 401 (or 503 when keys cannot be
     * had). Any thread. */
    struct err *(*check)(void *data, const char *token, size_t len, struct http_identity *out);
    void *data;
};

struct http_cors {
    const char *const *origins; /* exact origins, or "*"; NULL-ended */
    int64_t max_age_s;
};

struct http_rate_limit {
    double per_second; /* per client address; 0: off */
    int burst;
};

/* What it points to stays the caller's, and is there until http_server_stop(). */
struct http_server_options {
    const char *name;    /* of the service: metrics, document */
    const char *version; /* document */
    const char *address; /* "127.0.0.1:8081", ":8080", "[::1]:0"; NULL: no socket (http_test.h) */
    const struct route_table *tables; /* ended by a table with count 0 */
    const struct http_middleware *const *chain; /* NULL: HTTP_STANDARD_CHAIN */
    void *state;
    int threads;         /* 0: 16 */
    size_t max_body;     /* 0: 1 MiB */
    int64_t timeout_ms;  /* deadline of a request; 0: 10 s */
    int64_t read_timeout_ms; /* for headers and body to arrive; 0: 10 s */
    int64_t idle_timeout_ms; /* kept-alive connection; 0: 60 s */
    bool access_log;
    struct metrics *metrics; /* NULL: none */
    const struct http_authenticator *authenticator; /* needed when any route is not for ANYONE */
    const struct http_cors *cors; /* NULL: no cross-origin calls */
    struct http_rate_limit rate_limit;
};

/* Checks tables and models (every mistake in one error), binds the address and answers from then on. */
struct err *http_server_start(const struct http_server_options *options,
                              struct http_server **out_server) MUST_CHECK;
/* The bound address, with the real port. */
const char *http_server_address(const struct http_server *server);
/* From now on answers carry Connection: close (lame duck). Any thread. */
void http_server_lame_duck(struct http_server *server);
/* Stops listening, lets requests in flight finish for at most drain_ms, cancels the rest, frees. */
void http_server_stop(struct http_server *server, int64_t drain_ms);
/* The OpenAPI 3.1 document of the tables. */
struct err *http_server_openapi(const struct http_server *server, struct buf *out) MUST_CHECK;

#endif
