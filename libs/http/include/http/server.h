/*
 * The HTTP/1.1 server: civetweb underneath, one thread per connection, keep-alive, pipelining.
 *
 * Each request runs through a chain of middleware that is frozen when the server starts; the
 * standard one is HTTP_STANDARD_CHAIN. At its end stand the route's handler, or the answer to what
 * no handler serves (400, 404, 405, OPTIONS), so that those are counted and logged as well.
 *
 * Framing (RFC 9112) is strict, since a request that two servers read differently is how requests
 * are smuggled. Answered 400 bad_request, and the connection closed: bare CR or LF, folded lines,
 * space before a colon, names that are no tokens, empty lines before a request; no Host or two;
 * Content-Length that is no plain number or there twice; Transfer-Encoding other than "chunked",
 * twice, in HTTP/1.0 or beside a Content-Length; two Authorization, Connection, Content-Type,
 * Content-Encoding, Expect, Idempotency-Key or Origin headers; malformed chunks. Versions other than 1.0 and 1.1:
 * 505. A target in absolute form is served if its port is this server's; otherwise, and for "*",
 * the connection is closed without an answer.
 *
 * Limits:
 *   - request target 8 KiB (414 uri_too_long); request line and headers together 16 KiB and 63
 *     headers (431 headers_too_large; a target beyond civetweb's buffer of 32 KiB gets this, too)
 *   - body: max_body (413 body_too_large, before it is read where its length is known), and of JSON a
 *     value for every 16 bytes of max_body, at least 256 (400 malformed_json): a tree of small values
 *     takes 40 times the bytes of its text, for as many requests as there are threads
 *   - headers and body arrive within read_timeout_ms each (408 request_timeout); on a kept
 *     connection the headers within idle_timeout_ms
 *   - an answer is taken at a few KB a second at least, else the connection is cut
 *   - connections: one per thread. Further ones wait. When all threads have one, the connection
 *     that has been idle longest (a second at least) is closed to make room, as nginx does.
 *
 * Every failure, civetweb's own included, is a problem document; of a status of 500 and above only
 * the kind is told. An answer that closes the connection though there may be bytes to come (413,
 * 431) is followed by up to a second of reading them, so that it is not lost in a reset.
 *
 * Metrics: http_server_request_duration_seconds by method, route and status (its count is the
 * number of requests), http_server_requests_in_flight.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <base/buf.h>
#include <base/macros.h>
#include <err/err.h>
#include <http/http.h>
#include <http/idempotency.h>
#include <http/route.h>
#include <metric/metric.h>

struct http_server;

/* A link of the chain. It calls http_next() once, or replies or fails instead. Any thread. */
struct http_next;
struct http_middleware {
    const char *name;
    struct err *(*run)(struct http_req *req, struct http_res *res, struct http_next *next);
};
struct err *http_next(struct http_next *next, struct http_req *req, struct http_res *res)
    MUST_CHECK;

/* X-Request-Id: the client's if it is sane, else a new one; traceparent; the thread's trace context
 * while the request lasts. */
extern const struct http_middleware HTTP_REQUEST_ID;
extern const struct http_middleware HTTP_METRICS;
/* With access_log, one line per request at level info: method, path (never the query), route,
 * status, bytes of body, duration_us, client, user_id, aborted (the client went away). */
extern const struct http_middleware HTTP_ACCESS_LOG;
/* Answers preflights (Fetch standard) and adds the CORS headers, to errors as well. */
extern const struct http_middleware HTTP_CORS;
/* An error becomes a problem document. Those of status 500 and above (but not 501 and 505) are
 * logged, here and only here: level error, or warn where the kind is retryable, with the whole
 * chain. A 401 gets WWW-Authenticate, a 405 Allow, an error that knows when to try again
 * Retry-After. ERR_CANCELLED is answered as upstream_unavailable. */
extern const struct http_middleware HTTP_RECOVER;
/* 429 rate_limited with Retry-After. Each client address (of IPv6: each /64) has a token bucket; of
 * these there are 16384, and the least recently used one makes room for another. */
extern const struct http_middleware HTTP_RATE_LIMIT;
/* Bearer tokens (RFC 6750) and the route's .allow: 401 unauthenticated, whatever is wrong with the
 * token (the detail tells), 403 forbidden. Runs before the body is read. */
extern const struct http_middleware HTTP_AUTHENTICATE;
/* Sets the deadline of http_ctx(). */
extern const struct http_middleware HTTP_DEADLINE;
/* Reads and binds query and body; 100 Continue for who waits for it. */
extern const struct http_middleware HTTP_BODY;
/* Idempotency-Key on routes with .idempotent: <http/idempotency.h>. After the body is read. */
extern const struct http_middleware HTTP_IDEMPOTENCY;

/* The above in the order that works, ended by NULL. Links without their option do nothing. A
 * service that needs a link of its own copies the list. */
extern const struct http_middleware *const HTTP_STANDARD_CHAIN[];

struct http_authenticator {
    /* Checks a bearer token: ERR_UNAUTHENTICATED or any kind with status 401; another status (503
     * when keys cannot be had) goes to the client as it is. *out is zeroed or rewritten as a whole.
     * Any thread; may block. */
    struct err *(*check)(void *data, const char *token, size_t len, struct http_identity *out);
    void *data;
};

struct http_cors {
    const char *const *origins; /* exact origins, or "*"; NULL-ended */
    int64_t max_age_s;          /* of preflights; 0: not said */
};

struct http_rate_limit {
    double per_second; /* per client address; 0: off */
    int burst;         /* at once; 0: what a second gives */
};

/* Copied; what it points to is borrowed until the server has stopped (address: until it started).
 */
struct http_server_options {
    const char *name;                           /* of the service: for the document */
    const char *version;                        /* for the document */
    const char *address;                        /* "127.0.0.1:8081", ":8080", "[::1]:0"; NULL: no
                                                   socket (<http/test.h>). Port 0: a free one. */
    const struct route_table *tables;           /* ended by a table with count 0 */
    const struct http_middleware *const *chain; /* ended by NULL; NULL: HTTP_STANDARD_CHAIN */
    void *state;                                /* http_state() */
    int threads;                                /* and connections; 0: 16 */
    size_t max_body;                            /* bytes; 0: 1 MiB */
    int64_t timeout_ms;                         /* deadline of a request; 0: 10 s */
    int64_t read_timeout_ms;                    /* for headers and body to arrive; 0: 10 s */
    int64_t idle_timeout_ms;                    /* kept-alive connection; 0: 60 s */
    bool access_log;
    struct metrics *metrics;                        /* NULL: none */
    const struct http_authenticator *authenticator; /* needed when any route is not for ANYONE */
    const struct http_idempotency *idempotency;     /* needed when any route is .idempotent */
    const struct http_cors *cors;                   /* NULL: no cross-origin calls */
    struct http_rate_limit rate_limit;
};

/* Checks tables and models (every mistake in one ERR_INTERNAL), binds the address and answers from
 * then on; GET /openapi.json, for anyone, is added to the tables. An address that cannot be bound
 * is an ERR_INTERNAL that names it: "listen on 127.0.0.1:8081: Address already in use". ":8080"
 * listens on IPv6 and IPv4 where civetweb was built with IPv6 (Debian's is not), else on IPv4.
 * Blocks while a host name is looked up. */
struct err *http_server_start(const struct http_server_options *options,
                              struct http_server **out_server) MUST_CHECK;
/* The bound address with the real port, "" without a socket. Borrowed. Any thread. */
const char *http_server_address(const struct http_server *server);
/* From now on answers carry Connection: close; connections are accepted as before. Any thread. */
void http_server_lame_duck(struct http_server *server);
/* Stops listening and closes idle connections, lets requests in flight finish for at most drain_ms,
 * then cancels their ctx and gives them a second to answer that. Blocks until the last handler has
 * returned, however long one takes that does not look at its ctx. Frees. NULL is fine. */
void http_server_stop(struct http_server *server, int64_t drain_ms);
/* Appends the OpenAPI 3.1 document of the tables; the same tables always give the same text.
 * ERR_INTERNAL: two models of one name. Any thread. */
struct err *http_server_openapi(const struct http_server *server, struct buf *out) MUST_CHECK;

#endif
