/*
 * NATS: request/reply between services and durable events (JetStream).
 *
 * A bus connects in the background and reconnects for ever, with jittered waits of 50 ms to 1 s;
 * while it is not connected, calls fail at once with ERR_UPSTREAM_UNAVAILABLE and nothing is
 * buffered. What was served, consumed or declared is set up again on each new connection.
 *
 * Messages are JSON. Each carries traceparent and X-Request-Id of the sender's current trace, which
 * becomes the current one of the handler; requests carry Plankton-Deadline-Ms, what is left of the
 * caller's deadline when it sends. An error reply is a problem document (RFC 9457) with the header
 * Plankton-Error: <code>.
 *
 * What the server does not permit is logged; nobody answers then, so requests and events end with
 * ERR_UPSTREAM_TIMEOUT. Permissions that suffice: docs/nats.md.
 *
 * Errors: ERR_UPSTREAM_UNAVAILABLE (not connected, connection lost, no one listens),
 * ERR_UPSTREAM_TIMEOUT, ERR_CANCELLED, ERR_OVERLOADED (too many requests under way), BUS_FAILED
 * (NATS refused, or a message that nobody should have sent).
 *
 * Threads: any may call anything; bus_close() and bus_consumer_stop() by the owner, not from a
 * handler. Calls with a ctx block until they are done or the ctx ends, and for 30 s at most; the
 * others do not block unless they say so. A full socket holds up a sender for 2 s at most, and then
 * the connection is given up.
 *
 * Footprint: no thread of NATS before bus_open(), then five (of nats.c), one that keeps the
 * connection, one per consumer, and with the first bus_serve() those of the handlers.
 */
#ifndef BUS_BUS_H
#define BUS_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/arena.h>
#include <base/macros.h>
#include <conc/ctx.h>
#include <err/err.h>
#include <metric/metric.h>
#include <model/model.h>

#define X ERR_DECLARE_KIND
#include <bus/kinds.def>
#undef X

/* Bytes of one message's content, and at most what the server takes (max_payload). */
#define BUS_MESSAGE_MAX ((size_t)1024 * 1024)

struct bus;

struct bus_options {
    /* nats://host:port or tls://host:port, with user:password@ in front of the host where the server
     * wants that; several with commas: the servers of one cluster. */
    const char *url;
    /* JWT and seed as `nsc` writes them, read at each connect; NULL: none. */
    const char *creds_file;
    /* PEM, read at each connect. With a CA, or with one tls:// in the URL, nothing is sent in the
     * clear. */
    const char *ca_file;     /* who signs the servers' certificates; NULL: whom the system trusts */
    const char *cert_file;   /* of the client, with its chain; NULL: none */
    const char *key_file;    /* set if cert_file is */
    int stream_replicas;     /* of the streams that are ensured; 0: 1 for new ones */
    const char *name;        /* the service: connection name and queue group */
    size_t handler_threads;  /* 0: 8 */
    size_t handler_queue;    /* requests that may wait; 0: 256; further ones get ERR_OVERLOADED */
    struct metrics *metrics; /* NULL: none; else alive until bus_close() */
};

/* Copies the options and returns before anything was connected: never fails because the server is
 * away. A server's certificate must be signed by the CA and be for the host of the URL. */
struct err *bus_open(const struct bus_options *options, struct bus **out_bus) MUST_CHECK;
bool bus_is_connected(struct bus *bus);
/* NULL when connected, else ERR_UPSTREAM_UNAVAILABLE with the reason (readiness). */
struct err *bus_check(struct bus *bus) MUST_CHECK;
/* Waits until connected or the ctx ends. */
struct err *bus_wait(struct bus *bus, struct ctx *ctx) MUST_CHECK;
/* The server gets no more requests and events for us, those that came are worked on, and everything
 * sent has reached the server. Blocks, for timeout_ms at most; then the ctx of every handler is
 * cancelled, which ERR_UPSTREAM_TIMEOUT tells of. Requests and events can be sent until
 * bus_close().
 */
struct err *bus_drain(struct bus *bus, int64_t timeout_ms) MUST_CHECK;
/* Consumers are stopped before. Cancels the handlers that still run and waits for them, and for an
 * attempt to connect that is under way: 2 s for each server, or what looking up its name takes. */
void bus_close(struct bus *bus);
DEFINE_CLEANUP(struct bus *, bus_close);

/* --- request/reply --- */

/* Sends *in (described by in_model; NULL: an empty object) and reads the reply into *out, its
 * variable parts into the arena; out_model NULL: the reply's content is ignored. kinds (NULL-ended,
 * may be NULL): the error kinds that the other side may answer with, beside the general ones. On
 * error *out is untouched. */
struct err *bus_request(struct bus *bus, struct ctx *ctx, const char *subject,
                        const struct model *in_model, const void *in, const struct model *out_model,
                        struct arena *arena, void *out, const struct err_kind *const *kinds)
    MUST_CHECK;

/* A request to answer: *in is in the arena, *out is zeroed and to be filled. All of it is the
 * handler's until it returns. */
struct bus_call {
    const char *subject;
    struct ctx *ctx; /* the caller's deadline (10 s if it has none); cancelled by bus_close() */
    struct arena *arena;
    const void *in;
    void *out;
    void *state;
};

/* One row per subject; a service's table is what an AsyncAPI document is made of. */
struct bus_method {
    const char *subject;
    /* May block; runs on one of the handler threads. A request whose deadline has passed before its
     * turn comes is dropped. An error with a status of 500 or more is logged here. */
    struct err *(*handle)(struct bus_call *call);
    const struct model *in;  /* NULL: the content is ignored and call->in is NULL */
    const struct model *out; /* NULL: an empty object */
    const char *doc;
};

/* Subscribes to each row in the queue group of the service's name, so that its replicas share the
 * work. methods are borrowed until bus_close(). Not by two threads at once. */
struct err *bus_serve(struct bus *bus, const struct bus_method *methods, size_t count, void *state)
    MUST_CHECK;
/* Leaves the queue groups: a replica that cannot answer leaves the work to others. Waits for what the
 * server has sent already to be handed to handlers, a second at most. */
void bus_serve_pause(struct bus *bus);
/* Joins those that it has left; with the next connection, when there is none now. Waits for the server
 * to know, a second at most. Fails for want of memory or threads only, and may then be called
 * again. Both from the thread of bus_serve(). */
struct err *bus_serve_resume(struct bus *bus) MUST_CHECK;

/* --- events --- */

/* One row per event that a service publishes, for its AsyncAPI document: the data of a CloudEvent
 * whose type is the subject. */
struct bus_event_type {
    const char *subject;
    const struct model *model;
    const char *doc;
};

struct bus_stream {
    const char *name;     /* "USERS" */
    const char *subjects; /* "users.v1.events.>" */
    int64_t max_age_s;    /* 0: kept until max_bytes */
    int64_t max_bytes;    /* 0: 256 MiB; the oldest events make room */
    bool is_read_singly;  /* for bus_fetch_stored() */
};
/* Creates the stream, or updates these properties of it (and its replicas if stream_replicas says
 * how many); others stay as the operator has set them. */
struct err *bus_ensure_stream(struct bus *bus, struct ctx *ctx, const struct bus_stream *stream)
    MUST_CHECK;
/* Has bus_ensure_stream() done on every new connection, until it succeeds, so that a publisher
 * survives a server that comes late or without its data. At most 8; borrowed until bus_close(). The
 * same one again has no effect. */
struct err *bus_declare_stream(struct bus *bus, const struct bus_stream *stream) MUST_CHECK;
/* Returns when JetStream has stored the event. msg_id (Nats-Msg-Id; NULL: none) makes a repetition
 * within two minutes harmless. No stream has the subject: ERR_UPSTREAM_UNAVAILABLE. */
struct err *bus_publish(struct bus *bus, struct ctx *ctx, const char *subject, const char *msg_id,
                        const void *bytes, size_t len) MUST_CHECK;

struct bus_header {
    const char *name, *value; /* no control characters; an empty value is left out */
};
struct bus_message {
    const char *subject;
    const char *msg_id; /* NULL: none */
    const void *bytes;
    size_t len;
    const struct bus_header *headers;
    size_t header_count;
};
/* bus_publish() with headers. */
struct err *bus_publish_message(struct bus *bus, struct ctx *ctx, const struct bus_message *message)
    MUST_CHECK;

/* Several, all of which are sent before the first answer is waited for, so that they take the time
 * of one. Some may be stored though others behind or before them are not: out_is_stored has an
 * entry for each, which is written whatever is returned; the error is that of the first one that is
 * not known to be stored. */
#define BUS_TOGETHER_MAX 64
struct err *bus_publish_together(struct bus *bus, struct ctx *ctx,
                                 const struct bus_message *messages, size_t count,
                                 bool *out_is_stored) MUST_CHECK;

struct bus_stream_info {
    char created[40];        /* when it was made: one that was made anew has another time */
    uint64_t first_sequence; /* of the oldest event; last_sequence + 1: there is none */
    uint64_t last_sequence;  /* of the newest event that there ever was; 0: none */
};
struct err *bus_fetch_stream_info(struct bus *bus, struct ctx *ctx, const char *name,
                                  struct bus_stream_info *out_info) MUST_CHECK;

/* A message of a stream that is_read_singly. */
struct bus_stored {
    uint64_t sequence;
    int64_t time_ms; /* when it was stored; 0: not told */
    const char *subject;
    const char *bytes; /* NUL-terminated */
    size_t len;
    void *owner;
};
/* The first one from this sequence on. ERR_NOT_FOUND: there is none. */
struct err *bus_fetch_stored(struct bus *bus, struct ctx *ctx, const char *stream,
                             uint64_t from_sequence, struct bus_stored *out_stored) MUST_CHECK;
/* "" when absent. Borrowed from it. */
const char *bus_stored_header(const struct bus_stored *stored, const char *name);
void bus_stored_deinit(struct bus_stored *stored);
DEFINE_CLEANUP_VALUE(struct bus_stored, bus_stored_deinit);
/* NULL, too, when it is gone already. */
struct err *bus_delete_stored(struct bus *bus, struct ctx *ctx, const char *stream,
                              uint64_t sequence) MUST_CHECK;

/* Borrowed until the handler returns. */
struct bus_event {
    const char *subject;
    const char *msg_id; /* "" when there is none */
    const char *bytes;  /* NUL-terminated */
    size_t len;
    uint64_t stream_sequence;
    uint64_t deliveries; /* 1 the first time */
    struct ctx *ctx;     /* ends after ack_wait_ms, or when the consumer is stopped */
    void *state;
};

/* What a consumer finds on a new connection. */
struct bus_session {
    struct bus_stream_info stream;
    /* Every event up to this one was acknowledged, as far as the server remembers. */
    uint64_t acknowledged;
    struct ctx *ctx; /* ends when the consumer is stopped, or the bus drained */
    void *state;
};

struct bus_consumer_options {
    const char *stream;
    const char *durable; /* shared by the replicas of a service; NULL: ephemeral, see below */
    const char *filter;  /* subjects, with * and >; NULL: all of the stream */
    /* An event is delivered again after that long without an answer; 0: 30 s. */
    int64_t ack_wait_ms;
    int64_t retry_min_ms; /* before a second delivery; doubles each time; 0: 1 s */
    int64_t retry_max_ms; /* 0: 60 s */
    int max_deliver;      /* 0: 10; see below */
    /* Called on every connection before the first event, which waits for as long as that takes, on
     * the thread of the handler. An error has it called again after a pause. NULL: none. */
    struct err *(*begin)(const struct bus_session *session);
};

/*
 * Has handle called for each event of the stream, one at a time and in order: the next one comes
 * when this one is acknowledged, whichever replica had it. NULL acknowledges. An error has the
 * event delivered again after the back-off, for ever when it is retryable (the database is away);
 * one that is not is logged and dropped at the max_deliver-th delivery, since it would hold up the
 * rest. An acknowledgement is kept until the server has confirmed it. Every event is delivered at
 * least once: a handler keeps the ids that it has handled, in the transaction of its effect.
 *
 * An ephemeral consumer gives this process alone all events from the beginning of the stream. It
 * goes on where it was after a loss of the connection, and from the beginning when the server has
 * lost the stream and made a new one. Its events are not acknowledged: an error has it go back to
 * the event after the back-off.
 *
 * It starts when the server is there and has the stream, and goes on after any loss. For what it
 * waits is logged, with each new reason and every minute, and metrics tell it (bus_consumer_waiting).
 * A durable consumer that is there with other options is changed to these. The options' strings are
 * borrowed until bus_consumer_stop().
 */
struct bus_consumer;
struct err *bus_consume(struct bus *bus, const struct bus_consumer_options *options,
                        struct err *(*handle)(const struct bus_event *event), void *state,
                        struct bus_consumer **out_consumer) MUST_CHECK;
/* Cancels the ctx of a handler that runs, waits for it, and frees. */
void bus_consumer_stop(struct bus_consumer *consumer);
DEFINE_CLEANUP(struct bus_consumer *, bus_consumer_stop);

#endif
