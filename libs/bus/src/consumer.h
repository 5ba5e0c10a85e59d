/* A consumer, as its thread (consumer.c) and the settling of events (settle.c) see it. */
#ifndef BUS_CONSUMER_H
#define BUS_CONSUMER_H

#include "internal.h"

#include <stdatomic.h>

#include <conc/chan.h>

struct bus_consumer {
    struct bus *bus;
    struct bus_consumer_options options; /* with the defaults filled in */
    struct err *(*handle)(const struct bus_event *event);
    void *state;
    struct metric *handled, *retried, *dropped; /* NULL: none */
    struct metric *waiting;                     /* 1: no events can be taken; NULL: none */
    pthread_t thread;
    struct ctx ctx;        /* of the handler; child of bus->work */
    struct ctx taking;     /* ends when no further event is to be begun; child of bus->taking */
    struct list_node node; /* bus->consumers, while the thread runs; bus's lock */
    atomic_bool is_lost;   /* the connection of the present session */

    /* The thread's own. */
    struct chan *inbox; /* of the present session */
    char inbox_subject[BUS_SUBJECT_TEXT];
    struct bus_subscription subscription;
    uint64_t next_sequence;             /* every event before it is settled */
    char stream_created[64];            /* the stream that next_sequence is about */
    uint64_t tries;                     /* ephemeral: of the event at hand */
    const struct err_kind *told;        /* why it waits, as the log has it; NULL: it does not */
    int64_t waits_since_ms, tell_at_ms; /* if it does; monotonic */
};

/* Handles one event and tells the server what became of it. An error ends the session. */
struct err *bus_settle_event(struct bus_consumer *consumer, natsMsg *message) MUST_CHECK;
/* A server that crashed may have forgotten acknowledgements that it had confirmed, and would wait
 * for them. info: its description of the consumer. */
void bus_settle_forgotten(struct bus_consumer *consumer, const struct json_value *info);
/* Gives an event back that was not begun, so that it need not wait for ack_wait_ms. */
void bus_return_event(struct bus_consumer *consumer, natsMsg *message);

#endif
