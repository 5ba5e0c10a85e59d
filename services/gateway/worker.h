/*
 * A worker: one thread, one loop, one listening socket, and everything that its connections need.
 * Workers share nothing but the options and, by reference, the snapshot.
 *
 *     listener ──accept──► client ──head parsed──► exchange ──acquires──► upstream connection
 *        │                   │                        │
 *        └── all of them belong to the worker: slabs, scratch memory, upstreams, tokens, stats
 *
 * Threads: functions marked "any" may be called from any thread while the worker runs; all others,
 * and all members, belong to its own thread (stats may be read by any).
 */
#ifndef GATEWAY_WORKER_H
#define GATEWAY_WORKER_H

#include <base/list.h>
#include <err/err.h>
#include <loop/loop.h>

#include "slab.h"
#include "snapshot.h"
#include "stats.h"
#include "tokens.h"
#include "upstream.h"

/* The same for all workers; must outlive them. */
struct worker_options {
    unsigned workers;
    unsigned max_clients; /* of one worker: beyond that, idle ones make room, or none is accepted */
    int64_t header_timeout_ms; /* from a request's first byte to the end of its head */
    int64_t body_timeout_ms;   /* for RATE_BYTES of a body to be sent or taken */
    int64_t idle_timeout_ms;   /* of a connection without a request */
    bool access_log;
    const struct network *trusted; /* proxies whose X-Forwarded-* are believed */
    size_t trusted_count;
    struct metrics *metrics;             /* for what is counted by upstream; NULL: it is not */
    const struct token_checker *checker; /* NULL: tokens are passed on unseen */
};

struct exchange;

struct worker {
    const struct worker_options *options;
    struct loop *loop;
    struct loop_source listener;
    struct loop_timer listener_pause; /* after a failed accept() */
    int64_t listener_warns_ms;        /* not before */
    struct list_node idle_clients;    /* the longest idle first */
    struct list_node busy_clients;
    unsigned clients;
    bool is_lame_duck; /* answers say Connection: close */
    bool is_draining;  /* no new connections; idle ones end soon */
    struct slab_pool slabs;
    struct exchange *unused_exchanges;
    unsigned unused_exchange_count;
    struct snapshot *snapshot;
    struct upstream *upstreams[UPSTREAMS_MAX]; /* by index in the snapshot */
    struct upstream_context upstream_context;
    struct tokens tokens;
    struct stats stats;
    struct metric *durations; /* histogram of seconds; NULL: not kept */
    char date[32];            /* of the present second, for answers without Date */
    int64_t date_s;
    char scratch[SLAB_BYTES]; /* for a head that is sent at once */
};

/* Takes the listening socket (closed by the worker, or at once when this fails). options: borrowed.
 */
struct err *worker_new(const struct worker_options *options, int listen_fd,
                       struct snapshot *snapshot, struct worker **out_worker) MUST_CHECK;
/* After worker_run() has returned, or if it never ran. */
void worker_free(struct worker *worker);
DEFINE_CLEANUP(struct worker *, worker_free);

/* Serves until the drain is over. */
struct err *worker_run(struct worker *worker) MUST_CHECK;
/* Any. Takes over another snapshot; the requests in flight are not touched. */
struct err *worker_adopt(struct worker *worker, struct snapshot *snapshot) MUST_CHECK;
/* Any. Answers say Connection: close from now on. */
struct err *worker_lame_duck(struct worker *worker) MUST_CHECK;
/* Any. Stops listening, closes idle connections; worker_run() returns when the last request is
 * over. */
struct err *worker_drain(struct worker *worker) MUST_CHECK;
/* Any. Closes whatever is open; worker_run() returns. */
struct err *worker_abort(struct worker *worker) MUST_CHECK;

/* RFC 9110 section 5.6.7; valid until the next call. */
const char *worker_date(struct worker *worker);
/* A client has gone; the last one of a drain ends it. */
void worker_client_gone(struct worker *worker);

#endif
