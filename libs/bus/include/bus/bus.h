/*
 * NATS: request/reply between services, durable events (JetStream).
 *
 * Connects in the background and reconnects for ever; until it is connected, calls fail fast with
 * ERR_UPSTREAM_UNAVAILABLE. Headers on each message: traceparent, X-Request-Id, and on requests
 * Plankton-Deadline-Ms (what is left of the caller's deadline). An error reply is a problem document
 * with the header Plankton-Error: <code>.
 *
 * Threads: any. Handlers run on a bounded pool of threads of the bus.
 */
#ifndef BUS_BUS_H
#define BUS_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/arena.h>
#include <base/buf.h>
#include <base/macros.h>
#include <conc/ctx.h>
#include <err/err.h>
#include <metric/metric.h>
#include <model/model.h>

#define X ERR_DECLARE_KIND
#include <bus/kinds.def>
#undef X

struct bus;

struct bus_options {
    const char *url;        /* nats://host:port[,nats://...], tls:// */
    const char *creds_file; /* NULL: none */
    const char *name;       /* the service: connection name and queue group */
    size_t handler_threads; /* 0: 8 */
    size_t handler_queue;   /* requests that may wait; 0: 256; further ones get ERR_OVERLOADED */
    struct metrics *metrics;
};

/* Never fails because the server is away. */
struct err *bus_open(const struct bus_options *options, struct bus **out_bus) MUST_CHECK;
bool bus_is_connected(const struct bus *bus);
/* Waits until connected or the ctx ends. */
struct err *bus_wait(struct bus *bus, struct ctx *ctx) MUST_CHECK;
/* Stops taking requests and messages, finishes those begun, flushes; then bus_close(). */
struct err *bus_drain(struct bus *bus, int64_t timeout_ms) MUST_CHECK;
void bus_close(struct bus *bus);
DEFINE_CLEANUP(struct bus *, bus_close);

/* --- request/reply --- */
/* Sends *in (described by in_model) and reads the reply into *out; out_model NULL: the reply's content is
 * ignored. kinds (NULL-ended, may be NULL): the error kinds that the other side may answer with. No one
 * listens: ERR_UPSTREAM_UNAVAILABLE. */
struct err *bus_request(struct bus *bus, struct ctx *ctx, const char *subject,
                        const struct model *in_model, const void *in, const struct model *out_model,
                        struct arena *arena, void *out, const struct err_kind *const *kinds)
    MUST_CHECK;

/* A request to answer: *in is in the arena, *out is to be filled. */
struct bus_call {
    const char *subject;
    struct ctx *ctx; /* the caller's deadline */
    struct arena *arena;
    const void *in;
    void *out;
    void *state;
};

/* One row per subject; a service's table is what an AsyncAPI document is made of. */
struct bus_method {
    const char *subject;
    struct err *(*handle)(struct bus_call *call);
    const struct model *in;
    const struct model *out; /* NULL: empty object */
    const char *doc;
};

/* Queue-subscribes each row under the service's name. Survives reconnects. */
struct err *bus_serve(struct bus *bus, const struct bus_method *methods, size_t count, void *state)
    MUST_CHECK;

/* --- events --- */
struct bus_stream {
    const char *name;     /* "USERS" */
    const char *subjects; /* "users.v1.events.>" */
    int64_t max_age_s;    /* 0: kept until max_bytes */
    int64_t max_bytes;    /* 0: 256 MiB */
};
/* Creates or updates. */
struct err *bus_ensure_stream(struct bus *bus, struct ctx *ctx, const struct bus_stream *stream)
    MUST_CHECK;
/* Published and acknowledged by JetStream; msg_id (Nats-Msg-Id) makes repeats harmless. */
struct err *bus_publish(struct bus *bus, struct ctx *ctx, const char *subject, const char *msg_id,
                        const void *bytes, size_t len) MUST_CHECK;

struct bus_event {
    const char *subject;
    const char *msg_id; /* "" when there is none */
    const void *bytes;
    size_t len;
    uint64_t stream_sequence;
    uint64_t deliveries; /* 1 the first time */
    struct ctx *ctx;
    void *state;
};

struct bus_consumer_options {
    const char *stream;
    const char *durable; /* durable name; NULL: ephemeral, from the start of the stream */
    const char *filter;  /* subject filter */
    int64_t ack_wait_ms; /* 0: 30 s */
    int max_deliver;     /* 0: 10; back-off between deliveries grows from 1 s to 60 s */
};
/* handle: NULL acknowledges; an error has the event delivered again later. One event at a time, in order.
 * Started once connected, started again after a loss of the server. */
struct bus_consumer;
struct err *bus_consume(struct bus *bus, const struct bus_consumer_options *options,
                        struct err *(*handle)(const struct bus_event *event), void *state,
                        struct bus_consumer **out_consumer) MUST_CHECK;
void bus_consumer_stop(struct bus_consumer *consumer);
DEFINE_CLEANUP(struct bus_consumer *, bus_consumer_stop);

#endif
