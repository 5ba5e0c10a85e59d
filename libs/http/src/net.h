/*
 * A client's connection: a non-blocking TCP socket, with TLS or without, on which every operation
 * waits within a ctx. A ctx that is cancelled shuts the socket down, which ends the wait.
 *
 * Errors: what ctx_check() says when the ctx has ended, else ERR_UPSTREAM_UNAVAILABLE.
 */
#ifndef HTTP_NET_H
#define HTTP_NET_H

#include <stdbool.h>
#include <stddef.h>

#include <base/list.h>
#include <base/macros.h>
#include <conc/ctx.h>
#include <err/err.h>

#include "tls.h"
#include "url.h"

struct net_conn {
    struct list_node node; /* the client's idle ones */
    int fd;
    struct tls *tls; /* NULL: plain */
    struct ctx *ctx; /* of the call that uses it */
    struct ctx_hook hook;
    int64_t idle_since_ms;
    bool is_tls;
    char host[256];
    char port[6];
};

/* Looks the host up (getaddrinfo: that blocks, whatever the ctx says) and tries its addresses one
 * after the other. tls NULL: plain. The connection is attached to the ctx. */
struct err *http_net_connect(const struct http_url *url, struct tls_context *tls, struct ctx *ctx,
                             struct net_conn **out_conn) MUST_CHECK;
void http_net_free(struct net_conn *conn);
DEFINE_CLEANUP(struct net_conn *, http_net_free);

/* From here on the ctx bounds what is done with the connection. */
void http_net_attach(struct net_conn *conn, struct ctx *ctx);
void http_net_detach(struct net_conn *conn);
/* An idle connection on which the server has sent or closed is of no use any more. */
bool http_net_is_stale(const struct net_conn *conn);

struct err *http_net_write(struct net_conn *conn, const void *bytes, size_t len) MUST_CHECK;
/* Some bytes; 0 at the end of what the server sends. */
struct err *http_net_read(struct net_conn *conn, void *out, size_t cap, size_t *out_len) MUST_CHECK;

/* Waits until the socket has one of the events (poll). NULL: it may have. */
struct err *http_net_wait(int fd, short events, struct ctx *ctx) MUST_CHECK;

#endif
