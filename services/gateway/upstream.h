/*
 * Connections to one upstream, as one worker has them: opened when needed, kept alive, shared out.
 *
 *                 user asks                       user gives back (reusable)
 *     ┌── WAITING ◄──────── upstream_acquire() ─────────────┐
 *     │  (bounded queue)          │                         │
 *     │                           ├── an idle one ──► BUSY ─┴─► IDLE ──► timeout, peer closed ──┐
 *     │   one is free             │                  ▲  │                                       │
 *     └──────────────────────────►└── a new one ► CONNECTING ─── failed, given up ──► CLOSED ◄──┘
 *
 * Who owns what: a connection belongs to its upstream; while BUSY its user alone reads and writes
 * the socket and gets its events. An upstream lives as long as something refers to it
 * (upstream_ref), so a request in flight survives that its upstream leaves the configuration.
 *
 * Which server: the one with fewer busy connections of two that are drawn at random.
 *
 * Threads: the worker's. Nothing blocks.
 */
#ifndef GATEWAY_UPSTREAM_H
#define GATEWAY_UPSTREAM_H

#include <base/list.h>
#include <err/err.h>
#include <loop/loop.h>

#include "address.h"
#include "routes.h"
#include "stats.h"

/* What the upstreams of a worker share. */
struct upstream_context {
    struct loop *loop;
    struct stats *stats;
    struct metrics *metrics; /* NULL: failures are not counted */
    uint64_t random;         /* state of a xorshift; not 0 */
};

struct upstream;
struct upstream_server;

enum upstream_conn_state { CONN_CONNECTING, CONN_BUSY, CONN_IDLE, CONN_CLOSED };

struct upstream_conn {
    struct loop_source source; /* the user may change its events */
    struct loop_timer timer;
    struct loop_deferred gone;
    struct list_node node; /* in the server's idle list, the last used first */
    struct upstream *upstream;
    struct upstream_server *server;
    struct upstream_user *user; /* CONNECTING, BUSY */
    enum upstream_conn_state state;
    bool is_reused; /* has served a request before */
};

/* Who needs a connection. Each call below ends with one of connected and failed, which may happen
 * before upstream_acquire() returns. */
struct upstream_user {
    /* The upstream's own. */
    struct list_node node;      /* in the waiting queue */
    struct upstream_conn *conn; /* CONNECTING or BUSY for this user; NULL when there is none */
    int64_t give_up_ms;         /* while waiting */
    bool wants_fresh;
    /* The connection is the user's until it releases or discards it. */
    void (*connected)(struct upstream_user *user, struct upstream_conn *conn);
    /* ERR_UPSTREAM_UNAVAILABLE, ERR_UPSTREAM_TIMEOUT or ERR_OVERLOADED; detail is static text. */
    void (*failed)(struct upstream_user *user, const struct err_kind *kind, const char *detail);
    /* Events of the connection, and its timer (upstream_expect()). */
    void (*ready)(struct upstream_user *user, unsigned events);
    void (*expired)(struct upstream_user *user);
};

/* Without servers yet. */
struct err *upstream_new(struct upstream_context *context, const char *name,
                         struct upstream **out_upstream) MUST_CHECK;
struct upstream *upstream_ref(struct upstream *upstream);
void upstream_unref(struct upstream *upstream);
const char *upstream_name(const struct upstream *upstream);
/* One more connection or answer of it that failed: gateway_upstream_failures_total. */
void upstream_count_failure(struct upstream *upstream);
size_t upstream_server_count(const struct upstream *upstream);

/* Takes over limits and servers. Connections to servers that are still there stay; idle ones to
 * others are closed, busy ones when they are given back. */
struct err *upstream_update(struct upstream *upstream, const struct upstream_config *config,
                            const union address *addresses, size_t count, unsigned workers)
    MUST_CHECK;
/* Closes idle connections, and others once they are given back. Those who wait are still served. */
void upstream_retire(struct upstream *upstream);

/* With one more of them in use, most connections would be: none is to spare for a slow client. */
bool upstream_is_scarce(const struct upstream *upstream);
/* fresh: not one that was kept alive. */
void upstream_acquire(struct upstream *upstream, struct upstream_user *user, bool fresh);
/* Leaves the queue, or discards the connection, finished or not, with a reset. Fine when the user has
 * neither. */
void upstream_abandon(struct upstream *upstream, struct upstream_user *user);
/* Gives it back for the next user. */
void upstream_release(struct upstream_conn *conn);
/* Closes it: another request could not follow on it. with_reset: the upstream is told at once, even
 * if it does not read what has been sent so far. */
void upstream_discard(struct upstream_conn *conn, bool with_reset);
/* The user's expired() is called unless this is called again within timeout_ms. */
void upstream_expect(struct upstream_conn *conn, int64_t timeout_ms);

#endif
