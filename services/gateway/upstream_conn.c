/* One upstream connection: opening, closing, its events and its timer. */
#include "upstream_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static void free_conn(struct loop_deferred *deferred)
{
    free(CONTAINER_OF(deferred, struct upstream_conn, gone));
}

void upstream_close(struct upstream_conn *conn)
{
    struct upstream *upstream = conn->upstream;
    struct upstream_server *server = conn->server;
    struct stats *stats = upstream->context->stats;
    if (conn->state == CONN_IDLE) {
        list_remove(&conn->node);
        stat_add(&stats->upstreams_idle, -1);
    } else {
        server->busy--;
    }
    conn->state = CONN_CLOSED;
    if (conn->user)
        conn->user->conn = NULL;
    conn->user = NULL;
    loop_clear_timer(&conn->timer);
    loop_unwatch(&conn->source);
    close(conn->source.fd);
    stat_add(&stats->upstreams, -1);
    upstream->connections--;
    if (--server->connections == 0 && server->is_retired) {
        list_remove(&server->node);
        free(server);
    }
    conn->gone.run = free_conn;
    loop_defer(upstream->context->loop, &conn->gone);
    upstream_unref(upstream);
}

static void fail_connect(struct upstream_conn *conn, const struct err_kind *kind,
                         const char *detail)
{
    struct upstream_user *user = conn->user;
    struct upstream *upstream = upstream_ref(conn->upstream);
    upstream_count_failure(upstream);
    upstream_close(conn);
    user->failed(user, kind, detail);
    upstream_serve_waiting(upstream);
    upstream_unref(upstream);
}

void upstream_hand_over(struct upstream_conn *conn, struct upstream_user *user)
{
    conn->state = CONN_BUSY;
    conn->user = user;
    user->conn = conn;
    user->connected(user, conn);
}

static void finish_connect(struct upstream_conn *conn)
{
    int failure = 0;
    socklen_t len = sizeof(failure);
    getsockopt(conn->source.fd, SOL_SOCKET, SO_ERROR, &failure, &len);
    if (failure) {
        fail_connect(conn, &ERR_UPSTREAM_UNAVAILABLE, "the upstream refused the connection");
        return;
    }
    loop_change(&conn->source, LOOP_READ);
    upstream_hand_over(conn, conn->user);
}

static void conn_ready(struct loop_source *source, unsigned events)
{
    struct upstream_conn *conn = CONTAINER_OF(source, struct upstream_conn, source);
    if (conn->state == CONN_BUSY)
        conn->user->ready(conn->user, events);
    else if (conn->state == CONN_CONNECTING)
        finish_connect(conn);
    else /* idle: the peer closes it, or speaks unasked */
        upstream_discard(conn, false);
}

static void conn_expired(struct loop_timer *timer)
{
    struct upstream_conn *conn = CONTAINER_OF(timer, struct upstream_conn, timer);
    if (conn->state == CONN_BUSY)
        conn->user->expired(conn->user);
    else if (conn->state == CONN_CONNECTING)
        fail_connect(conn, &ERR_UPSTREAM_TIMEOUT, "the upstream did not accept the connection");
    else
        upstream_discard(conn, false);
}

/* A socket on its way to the server; -1 on failure. */
static int start_connect(const union address *address)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    socket_no_delay(fd);
    if (connect(fd, &address->any, address_len(address)) == 0 || errno == EINPROGRESS)
        return fd;
    close(fd);
    return -1;
}

bool upstream_open(struct upstream *upstream, struct upstream_server *server,
                   struct upstream_user *user)
{
    struct upstream_conn *conn = calloc(1, sizeof(*conn));
    if (!conn)
        return false;
    conn->source = (struct loop_source){.fd = start_connect(&server->address),
                                        .events = LOOP_READ | LOOP_WRITE,
                                        .ready = conn_ready};
    _cleanup_(err_free) struct err *e =
        conn->source.fd >= 0 ? loop_watch(upstream->context->loop, &conn->source) : NULL;
    if (e || conn->source.fd < 0) {
        if (conn->source.fd >= 0)
            close(conn->source.fd);
        free(conn);
        return false;
    }
    conn->upstream = upstream_ref(upstream);
    conn->server = server;
    conn->user = user;
    user->conn = conn;
    list_node_init(&conn->node);
    conn->timer.fire = conn_expired;
    loop_set_timer(upstream->context->loop, &conn->timer, upstream->connect_timeout_ms);
    server->busy++;
    server->connections++;
    upstream->connections++;
    stat_add(&upstream->context->stats->upstreams, 1);
    stat_add(&upstream->context->stats->upstreams_opened, 1);
    return true;
}

void upstream_expect(struct upstream_conn *conn, int64_t timeout_ms)
{
    loop_set_timer(conn->upstream->context->loop, &conn->timer, timeout_ms);
}
