/* What the files of libs/bus share. */
#ifndef BUS_INTERNAL_H
#define BUS_INTERNAL_H

#include <pthread.h>

#include <nats/nats.h>

#include <base/list.h>
#include <base/map.h>
#include <bus/bus.h>
#include <conc/pool.h>
#include <slog/trace.h>

#define BUS_TIMEOUT_MAX_MS 30000
#define BUS_STREAMS_MAX    8
#define BUS_INBOX_TEXT     128
#define BUS_SUBJECT_TEXT   256

/* --- subscription.c --- */

/*
 * A subscription outlives connections: whoever owns it puts it into the bus's list once, and it is
 * made anew on each connection until it is removed; but for one that is_for_one_connection, which
 * is taken off the list with the first that is lost.
 *
 * Lock: the bus's, for node, handle and is_live. A handle comes with is_live set; both end apart:
 * the handle is taken by who ends the subscription, and nats.c says (complete) when it makes no
 * callback any more, which clears is_live. Only then may the storage go.
 */
struct bus_subscription {
    struct bus *bus;
    const char *subject;
    const char *queue; /* NULL: none */
    /* On the delivery thread of nats.c, which serves all subscriptions: must not wait. Owns it. */
    void (*deliver)(void *data, natsMsg *message);
    /* The connection is lost. With the bus's lock held. NULL: nothing to do. */
    void (*lost)(void *data);
    void *data;
    bool is_for_one_connection;
    struct list_node node;
    natsSubscription *handle; /* NULL: not subscribed at present */
    bool is_live;             /* callbacks may come */
};

struct err *bus_subscription_add(struct bus *bus, struct bus_subscription *subscription) MUST_CHECK;
/* No callback runs or comes after this. Fine when it was never added. */
void bus_subscription_remove(struct bus_subscription *subscription);
/* Has the server send no more; what it sent already is delivered. Does not wait for that. */
void bus_subscription_drain(struct bus_subscription *subscription, int64_t timeout_ms);
/* Does wait for it, and removes. */
void bus_subscription_end(struct bus_subscription *subscription, int64_t timeout_ms);
/* With the bus's lock held. */
natsStatus bus_subscribe_all(struct bus *bus, natsConnection *connection);
void bus_forget_handles(struct bus *bus);

/* --- connection.c --- */

struct bus {
    char *url;
    char *creds_file, *ca_file, *cert_file, *key_file; /* NULL: none */
    int stream_replicas;
    char *name;
    size_t handler_threads, handler_queue;
    struct metrics *metrics;  /* NULL: none */
    struct metric *connected; /* gauge; NULL: none */
    struct ctx ctx;           /* of the keeper; ends with bus_close() */
    struct ctx work;          /* of all handlers; ends with that, or when a drain takes too long */
    struct ctx taking;        /* of all consumers that may begin an event; ends with a drain */
    pthread_t keeper;         /* keeps the connection */
    char inbox[BUS_INBOX_TEXT]; /* "_INBOX.<id>": what is sent to us alone is below it */

    pthread_mutex_t lock;
    pthread_cond_t changed;     /* any of the below */
    natsConnection *connection; /* NULL: there is none */
    bool is_connected;          /* there is one, and the server knows all subscriptions */
    bool is_lost;               /* nats.c has closed the present connection */
    size_t senders;             /* threads inside a call on it */
    bool is_stopping;
    char reason[256];      /* why it is not connected */
    int64_t complained_ms; /* monotonic: when something not permitted was logged */
    struct list_node subscriptions;
    const struct bus_stream *streams[BUS_STREAMS_MAX];
    size_t stream_count;
    bool streams_are_due;
    bool streams_failed; /* on this connection; told once */

    /* call.c; lock */
    struct bus_subscription replies;       /* to inbox.reply.<token> */
    char reply_subjects[BUS_SUBJECT_TEXT]; /* inbox.reply.* */
    struct map calls;                      /* token to struct chan: who waits for a reply */
    uint64_t next_call;

    /* serve.c; lock */
    struct pool *pool;       /* NULL: nothing is served */
    struct list_node served; /* struct served */
    size_t handlers;         /* requests taken and not yet finished */

    /* consumer.c; lock */
    struct list_node consumers; /* struct bus_consumer, those whose thread runs */
};

struct err *bus_start_keeper(struct bus *bus) MUST_CHECK;
void bus_stop_keeper(struct bus *bus);
/* Sends on the present connection; the message stays the caller's. */
struct err *bus_send(struct bus *bus, natsMsg *message) MUST_CHECK;
/* Waits until the server has all that was sent. */
struct err *bus_flush(struct bus *bus, int64_t timeout_ms) MUST_CHECK;
struct err *bus_unavailable(struct bus *bus) MUST_CHECK;
/* NULL for NATS_OK. */
struct err *bus_error(natsStatus status, const char *format, ...) MUST_CHECK PRINTF_LIKE(2, 3);

/* --- message.c --- */

struct bus_outgoing {
    const char *subject;
    const char *reply; /* NULL: none */
    const void *bytes;
    size_t len;
    const char *msg_id;               /* NULL: none */
    const char *error;                /* code; NULL: none */
    int64_t deadline_ms;              /* 0: none */
    const struct bus_header *headers; /* further ones */
    size_t header_count;
};

static inline void bus_message_free(natsMsg *message)
{
    natsMsg_Destroy(message);
}
DEFINE_CLEANUP(natsMsg *, bus_message_free);

/* With the trace headers of the current trace. */
struct err *bus_message_new(const struct bus_outgoing *outgoing, natsMsg **out_message) MUST_CHECK;
/* The JSON of *object, or an empty object. out's maximum is BUS_MESSAGE_MAX. */
struct err *bus_write_body(const struct model *model, const void *object, struct buf *out)
    MUST_CHECK;
/* NULL when absent. */
const char *bus_message_header(natsMsg *message, const char *name);
/* A trace that continues that of the message. */
void bus_message_trace(natsMsg *message, struct trace *out);

/* --- call.c --- */

struct err *bus_calls_open(struct bus *bus) MUST_CHECK;
void bus_calls_close(struct bus *bus);
/* A request that was sent, and whose one reply is waited for. */
#define BUS_TOKEN_TEXT 24
struct bus_pending {
    struct chan *waiting;
    char token[BUS_TOKEN_TEXT];
    const char *subject; /* borrowed */
};
/* Sends. outgoing->reply is set here. */
struct err *bus_exchange_begin(struct bus *bus, const struct bus_outgoing *outgoing,
                               struct bus_pending *out_pending) MUST_CHECK;
/* Waits until the ctx ends, and is over, whatever is returned. */
struct err *bus_exchange_end(struct bus *bus, struct ctx *ctx, struct bus_pending *pending,
                             natsMsg **out_reply) MUST_CHECK;
/* Both. */
struct err *bus_exchange(struct bus *bus, struct ctx *ctx, const struct bus_outgoing *outgoing,
                         natsMsg **out_reply) MUST_CHECK;

/* --- serve.c --- */

/* Ends all subscriptions of bus_serve(), begun calls finish. */
void bus_served_drain(struct bus *bus, int64_t timeout_ms);
bool bus_served_is_idle(struct bus *bus); /* bus's lock held */
void bus_served_close(struct bus *bus);

/* --- jetstream.c --- */

/* A request to the JetStream API (its subject below $JS.API.) with a JSON body: *out_doc is the
 * answer. An error of JetStream is BUS_FAILED; *out_code is its err_code, 0 for any other outcome.
 */
struct err *bus_js_call(struct bus *bus, struct ctx *ctx, const char *subject,
                        const struct buf *body, struct json_doc **out_doc, int64_t *out_code)
    MUST_CHECK;
#define BUS_JS_STREAM_NOT_FOUND 10059
/* The server's description of a stream: its config, created, state. */
struct err *bus_js_stream(struct bus *bus, struct ctx *ctx, const char *name,
                          struct json_doc **out_doc, int64_t *out_code) MUST_CHECK;
/* Of that description. */
struct err *bus_js_stream_info(const struct json_value *description,
                               struct bus_stream_info *out_info) MUST_CHECK;
/* Tries the declared streams once; when that fails while connected, again after a pause. */
void bus_ensure_declared(struct bus *bus);

/* --- consumer.c --- */

void bus_consumers_drain(struct bus *bus);
bool bus_consumers_are_idle(struct bus *bus); /* bus's lock held */

#endif
