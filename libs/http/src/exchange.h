/*
 * One exchange, a request and its answer, as the library sees it. An exchange belongs to the thread
 * that serves it; a civetweb worker has one for all its requests, so that buffers are reused.
 */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <base/arena.h>
#include <base/buf.h>
#include <conc/ctx.h>
#include <http/client.h>
#include <http/http.h>
#include <http/server.h>

#include "path.h"
#include "router.h"

#define EXCHANGE_HEADERS_MAX  64                 /* of a request: what civetweb can hold */
#define EXCHANGE_ANSWER_MAX   32                 /* headers of an answer */
#define EXCHANGE_BODY_MAX     ((size_t)64 << 20) /* bytes of an answer that is not streamed */
#define EXCHANGE_KEPT_BYTES   ((size_t)16 << 10) /* buffers above this are freed after a request */
#define EXCHANGE_STREAM_PIECE ((size_t)16 << 10)

/* How bytes come and go: a civetweb connection, or memory. */
struct http_transport {
    /* Up to len bytes of the body, its transfer coding undone; 0 at its end; READ_BROKEN when the
     * client sent no proper body or went away; READ_LATE when it took too long. */
    ssize_t (*read)(void *data, void *out, size_t len);
    /* All of it, or false. */
    bool (*write)(void *data, const void *bytes, size_t len);
};
enum { READ_BROKEN = -1, READ_LATE = -2 };

/* Headers that the library itself looks at: found once, when the request comes in. */
enum known_header {
    KNOWN_HOST,
    KNOWN_CONTENT_LENGTH,
    KNOWN_TRANSFER_ENCODING,
    KNOWN_CONNECTION,
    KNOWN_UPGRADE,
    KNOWN_EXPECT,
    KNOWN_AUTHORIZATION,
    KNOWN_CONTENT_TYPE,
    KNOWN_CONTENT_ENCODING,
    KNOWN_ORIGIN,
    KNOWN_X_REQUEST_ID,
    KNOWN_TRACEPARENT,
    KNOWN_IDEMPOTENCY_KEY,
    KNOWN_COUNT
};

enum body_state {
    BODY_UNREAD,
    BODY_READ,   /* to its end */
    BODY_BROKEN, /* the rest will not be read: the connection cannot go on */
};

struct http_req {
    struct http_server *server;
    struct http_res *res;
    /* Set by the transport; everything is borrowed until the answer is sent. */
    const struct http_transport *transport;
    void *transport_data;
    const char *method_text;
    const char *path;       /* encoded, without the query */
    const char *query_text; /* NULL: none */
    int minor_version;      /* HTTP/1.x */
    struct http_header_pair headers[EXCHANGE_HEADERS_MAX];
    size_t header_count;
    const char *client_address;
    int64_t start_ns;
    /* Derived. */
    enum http_method method; /* 0: one that we do not have */
    const char *known[KNOWN_COUNT];
    bool keep_alive;     /* as the client wishes */
    int64_t body_length; /* -1: chunked */
    enum body_state body_state;
    struct err *refusal; /* what is answered in place of a handler */
    struct endpoint *endpoint;
    unsigned allowed; /* methods of the path, a bit each */
    const char *params[HTTP_PARAMS_MAX];
    /* Filled on the way down the chain. */
    struct trace trace;
    struct http_identity identity;
    bool has_identity;
    int64_t timeout_ms; /* CTX_NO_TIMEOUT: none; counts from start_ns */
    bool has_ctx;
    struct ctx ctx; /* made when it is asked for */
    void *body, *query;
    const struct http_key_claim *key_claim; /* while the handler runs; NULL: no Idempotency-Key */
    bool has_creation_id;
    const char *raw_body;
    size_t raw_len;
    struct buf in;
    struct arena arena;
};

enum answer_state {
    ANSWER_NONE,
    ANSWER_READY,     /* composed, not sent: an error may still take its place */
    ANSWER_STREAMING, /* the head is out */
    ANSWER_SENT,
};

struct http_res {
    struct http_req *req;
    enum answer_state state;
    int status;
    const char *content_type; /* NULL: no body */
    struct http_header_pair headers[EXCHANGE_ANSWER_MAX];
    size_t header_count;
    bool close;      /* the connection ends after this answer */
    bool has_failed; /* a write did: the client is gone */
    bool is_chunked; /* the stream's coding; else it ends with the connection */
    int64_t bytes;   /* of body that was sent */
    int64_t sent_ns; /* when http_send() was through; 0: not yet */
    struct buf body;
    struct buf out;
    int64_t date_s; /* the second that date holds */
    char date[40];
};

struct exchange {
    struct http_req req;
    struct http_res res;
};

void http_exchange_init(struct exchange *exchange, struct http_server *server);
void http_exchange_deinit(struct exchange *exchange);
DEFINE_CLEANUP_VALUE(struct exchange, http_exchange_deinit);

/* Forgets the former request: before the transport fills in the next one. */
void http_exchange_begin(struct exchange *exchange);
/* Looks at the framing of the request that the transport filled in, routes it, runs the chain and
 * sends the answer. The connection must be closed if res.close. */
void http_exchange_serve(struct exchange *exchange);

/* Finds endpoint and parameters of method and path. */
struct err *http_route_request(struct http_req *req) MUST_CHECK;

/* --- shared by the links and the reply functions --- */

/* Borrows name and value until the answer is sent. Vary, Set-Cookie and Link add up, any other
 * header takes the place of its former value. False: there are too many. */
bool http_add_header(struct http_res *res, const char *name, const char *value);
/* The answer to an error: problem document and headers; what a handler had composed is dropped,
 * down to the first header_count headers. */
void http_reply_error(struct http_res *res, const struct err *e, size_t header_count);
/* Sends what is composed, if there is anything and that is not done, and notes the time. */
void http_send(struct http_res *res);
/* "GET, HEAD, OPTIONS" of a set of methods. NULL: out of memory. */
const char *http_allow_text(struct arena *arena, unsigned methods);
/* Reads the whole body into req->raw_body, at most max bytes of it. */
struct err *http_read_body(struct http_req *req, size_t max) MUST_CHECK;
/* The body as the route's model. */
struct err *http_read_model(struct http_req *req, const struct route *route, enum model_mode mode,
                            void *object) MUST_CHECK;
/* Reads what is left of a body that is not too large, so that the connection may go on; else
 * body_state becomes BODY_BROKEN. */
void http_drain_body(struct http_req *req);
/* 0: not one of ours. */
enum http_method http_method_parse(const char *name);

#endif
