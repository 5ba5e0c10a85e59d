#include "net.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <base/str.h>

struct err *http_net_wait(int fd, short events, struct ctx *ctx)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};
    for (;;) {
        TRY(ctx_check(ctx));
        int64_t left_ms = ctx_remaining_ms(ctx, 60000);
        int ready = poll(&poll_fd, 1, (int)left_ms);
        if (ready > 0)
            return ctx_check(ctx);
        if (ready < 0 && errno != EINTR)
            return err_errno(errno, "poll");
    }
}

/* The ctx comes first: it may be what has ended the operation. */
static struct err *failure(struct ctx *ctx, const char *what, const char *why)
{
    TRY(ctx_check(ctx));
    return err_new(&ERR_UPSTREAM_UNAVAILABLE, "%s: %s", what, why);
}

static struct err *failure_errno(struct ctx *ctx, const char *what, int errnum)
{
    char text[128];
    return failure(ctx, what, strerror_r(errnum, text, sizeof(text)));
}

static void shut_down(void *data)
{
    const struct net_conn *conn = data;
    shutdown(conn->fd, SHUT_RDWR);
}

void http_net_attach(struct net_conn *conn, struct ctx *ctx)
{
    conn->ctx = ctx;
    conn->hook = (struct ctx_hook){.run = shut_down, .data = conn};
    ctx_add_hook(ctx, &conn->hook);
}

void http_net_detach(struct net_conn *conn)
{
    if (conn->ctx)
        ctx_remove_hook(conn->ctx, &conn->hook);
    conn->ctx = NULL;
}

void http_net_free(struct net_conn *conn)
{
    if (!conn)
        return;
    http_net_detach(conn);
    http_tls_free(conn->tls);
    if (conn->fd >= 0)
        close(conn->fd);
    free(conn);
}

static struct err *finish_connect(struct net_conn *conn, struct ctx *ctx)
{
    TRY(http_net_wait(conn->fd, POLLOUT, ctx));
    int failed = 0;
    socklen_t len = sizeof(failed);
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &failed, &len) != 0)
        failed = errno;
    return failed ? failure_errno(conn->ctx, "connect", failed) : NULL;
}

static struct err *connect_to(struct net_conn *conn, const struct addrinfo *address,
                              struct ctx *ctx)
{
    conn->fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (conn->fd < 0)
        return failure_errno(ctx, "socket", errno);
    int on = 1;
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    http_net_attach(conn, ctx);
    if (connect(conn->fd, address->ai_addr, address->ai_addrlen) == 0)
        return NULL;
    return errno == EINPROGRESS ? finish_connect(conn, ctx) : failure_errno(ctx, "connect", errno);
}

static void give_up_socket(struct net_conn *conn)
{
    http_net_detach(conn);
    if (conn->fd >= 0)
        close(conn->fd);
    conn->fd = -1;
}

/* Each address gets an equal part of the time that is left. */
static struct err *connect_to_any(struct net_conn *conn, const struct addrinfo *addresses,
                                  struct ctx *ctx)
{
    size_t count = 0;
    for (const struct addrinfo *a = addresses; a; a = a->ai_next)
        count++;
    struct err *e = err_new(&ERR_UPSTREAM_UNAVAILABLE, "connect: no address");
    for (const struct addrinfo *a = addresses; a && e; a = a->ai_next, count--) {
        err_free(e);
        struct ctx part;
        int64_t left_ms = ctx_remaining_ms(ctx, CTX_NO_TIMEOUT);
        ctx_init(&part, ctx, left_ms > 0 ? left_ms / (int64_t)count + 1 : left_ms);
        e = connect_to(conn, a, &part);
        if (e)
            give_up_socket(conn);
        else
            http_net_detach(conn);
        ctx_deinit(&part);
        if (e && ctx_is_done(ctx))
            break;
    }
    if (!e)
        http_net_attach(conn, ctx);
    return e;
}

struct err *http_net_connect(const struct http_url *url, struct tls_context *tls, struct ctx *ctx,
                             struct net_conn **out_conn)
{
    TRY(ctx_check(ctx));
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *addresses = NULL;
    int found = getaddrinfo(url->host, url->port, &hints, &addresses);
    if (found != 0)
        return failure(ctx, url->host, gai_strerror(found));
    _cleanup_(http_net_free) struct net_conn *conn = calloc(1, sizeof(*conn));
    if (!conn) {
        freeaddrinfo(addresses);
        return err_oom();
    }
    conn->fd = -1;
    conn->is_tls = url->is_tls;
    str_copy(conn->host, sizeof(conn->host), url->host);
    str_copy(conn->port, sizeof(conn->port), url->port);
    struct err *e = connect_to_any(conn, addresses, ctx);
    freeaddrinfo(addresses);
    TRY_WRAP(e, "%s port %s", url->host, url->port);
    if (tls)
        TRY(http_tls_connect(tls, conn->fd, url->host, ctx, &conn->tls));
    *out_conn = TAKE(conn);
    return NULL;
}

bool http_net_is_stale(const struct net_conn *conn)
{
    struct pollfd poll_fd = {.fd = conn->fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) != 0;
}

static struct err *write_plain(struct net_conn *conn, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(conn->fd, bytes, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN)
            TRY(http_net_wait(conn->fd, POLLOUT, conn->ctx));
        else if (sent < 0 && errno != EINTR)
            return failure_errno(conn->ctx, "send", errno);
        if (sent > 0) {
            bytes += sent;
            len -= (size_t)sent;
        }
    }
    return NULL;
}

struct err *http_net_write(struct net_conn *conn, const void *bytes, size_t len)
{
    TRY(ctx_check(conn->ctx));
    return conn->tls ? http_tls_write(conn->tls, conn->ctx, bytes, len)
                     : write_plain(conn, bytes, len);
}

static struct err *read_plain(struct net_conn *conn, void *out, size_t cap, size_t *out_len)
{
    for (;;) {
        ssize_t got = recv(conn->fd, out, cap, 0);
        if (got < 0 && errno == EAGAIN) {
            TRY(http_net_wait(conn->fd, POLLIN, conn->ctx));
        } else if (got < 0 && errno != EINTR) {
            return failure_errno(conn->ctx, "receive", errno);
        } else if (got >= 0) {
            *out_len = (size_t)got;
            return got == 0 ? ctx_check(conn->ctx) : NULL;
        }
    }
}

struct err *http_net_read(struct net_conn *conn, void *out, size_t cap, size_t *out_len)
{
    TRY(ctx_check(conn->ctx));
    return conn->tls ? http_tls_read(conn->tls, conn->ctx, out, cap, out_len)
                     : read_plain(conn, out, cap, out_len);
}
