/*
 * HTTP/1.1 client: kept-alive connections per origin, deadlines by ctx, TLS verified (chain, host
 * name, TLS 1.2 at least) and no way to turn that off. No redirects are followed.
 *
 * Threads: a client may be used by any number of them; calls block until the answer is complete or
 * the ctx ends.
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
    size_t max_idle;    /* kept-alive connections per origin; 0: 4 */
    size_t max_answer;  /* bytes of body; 0: 8 MiB */
    int64_t timeout_ms; /* when the ctx has no earlier deadline; 0: 30 s */
    const char *ca_file; /* PEM; NULL: the system's */
};

struct http_client;
struct err *http_client_new(const struct http_client_options *options,
                            struct http_client **out_client) MUST_CHECK;
void http_client_free(struct http_client *client);
DEFINE_CLEANUP(struct http_client *, http_client_free);

struct http_request {
    enum http_method method;
    const char *url; /* http:// or https:// */
    const struct http_header_pair *headers; /* ended by {NULL}; NULL: none */
    const char *body; /* NULL: none */
    size_t body_len;
};

struct http_answer {
    int status;
    struct http_header_pair *headers;
    size_t header_count;
    const char *body; /* NUL-terminated */
    size_t body_len;
    struct arena arena; /* owns all of the above */
};

/* Any complete answer is success, whatever its status. ERR_UPSTREAM_UNAVAILABLE, ERR_UPSTREAM_TIMEOUT,
 * ERR_CANCELLED; a request on a stale kept-alive connection is sent once more if nothing of the answer
 * has come and the method is idempotent. The thread's trace context is passed on. *out is reset first. */
struct err *http_client_call(struct http_client *client, struct ctx *ctx,
                             const struct http_request *request, struct http_answer *out) MUST_CHECK;
void http_answer_deinit(struct http_answer *answer);
DEFINE_CLEANUP_VALUE(struct http_answer, http_answer_deinit);
/* NULL when absent. */
const char *http_answer_header(const struct http_answer *answer, const char *name);

#endif
