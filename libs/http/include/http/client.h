/*
 * HTTP/1.1 client: kept-alive connections per origin, deadlines and cancellation by ctx, TLS
 * verified (chain, host name, TLS 1.2 at least) and no way to turn that off.
 *
 *     _cleanup_(http_answer_deinit) struct http_answer answer = {0};
 *     TRY(http_client_call(client, ctx,
 *                          &(struct http_request){.method = GET, .url = "https://auth/jwks"},
 *                          &answer));
 *     if (answer.status == 200) ... answer.body ...
 *
 * No redirects are followed, no cookies kept, no proxies used, nothing is decompressed. The answer
 * is read strictly (RFC 9112); one that is malformed counts as none. OpenSSL is started when the
 * first https URL is called. The process must ignore SIGPIPE when it calls https URLs (slog_init()
 * and any http server make it so).
 *
 * Threads: a client may be used by any number of them. A call blocks until the answer is complete
 * or the ctx ends; looking up a host name (getaddrinfo) is the one thing that the ctx cannot break
 * off.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <base/arena.h>
#include <base/macros.h>
#include <conc/ctx.h>
#include <err/err.h>
#include <http/route.h>

struct http_header_pair {
    const char *name, *value;
};
#define HTTP_HEADERS(...) ((const struct http_header_pair[]){__VA_ARGS__, {0}})

struct http_client_options {
    size_t max_idle;     /* kept-alive connections per origin; 0: 4. At most 64 of all origins, each
                            for 30 s. */
    size_t max_answer;   /* bytes of body; 0: 8 MiB */
    int64_t timeout_ms;  /* of a call, when the ctx has no earlier deadline; 0: 30 s */
    const char *ca_file; /* PEM, copied; NULL: the system's authorities */
};

struct http_client;
/* options NULL: the defaults. */
struct err *http_client_new(const struct http_client_options *options,
                            struct http_client **out_client) MUST_CHECK;
/* No call is going on. */
void http_client_free(struct http_client *client);
DEFINE_CLEANUP(struct http_client *, http_client_free);

struct http_request {
    enum http_method method;
    const char *url; /* absolute, http:// or https://, without user info and fragment */
    const struct http_header_pair *headers; /* ended by {NULL}; NULL: none */
    const char *body;                       /* NULL: none */
    size_t body_len;
};

struct http_answer {
    int status;
    struct http_header_pair *headers;
    size_t header_count;
    const char *body; /* NUL-terminated, "" if none */
    size_t body_len;
    struct arena arena; /* owns all of the above */
};

/* Any complete answer is success, whatever its status. ERR_UPSTREAM_UNAVAILABLE: no connection, no
 * trust, no proper answer, or a larger one than max_answer; ERR_UPSTREAM_TIMEOUT and ERR_CANCELLED:
 * as ctx_check() says; ERR_INTERNAL: a URL or header that cannot be sent, a ca_file that cannot be
 * read. *out is emptied first and stays empty on error.
 *
 * A request that fails on a reused connection before anything of the answer has come is sent once
 * more on a new one, unless it is a POST or PATCH, which might be done twice.
 *
 * A body without Content-Type is application/json. Content-Length, Host, Connection and
 * Transfer-Encoding are the client's own business. The thread's trace context (request id and
 * traceparent) is passed on unless the headers have their own. */
struct err *http_client_call(struct http_client *client, struct ctx *ctx,
                             const struct http_request *request, struct http_answer *out)
    MUST_CHECK;
/* Frees what is in it; it is empty then and may be used again. */
void http_answer_deinit(struct http_answer *answer);
DEFINE_CLEANUP_VALUE(struct http_answer, http_answer_deinit);
/* The first of this name (any case); NULL when absent. */
const char *http_answer_header(const struct http_answer *answer, const char *name);

#endif
