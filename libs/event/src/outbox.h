/* An outbox, as adding (outbox.c) and publishing (publish.c) see it. */
#ifndef EVENT_SRC_OUTBOX_H
#define EVENT_SRC_OUTBOX_H

#include <pthread.h>
#include <stdatomic.h>

#include <event/outbox.h>

#include "event.h"

/* The event that could not be published: those behind it wait. */
struct outbox_held {
    char id[UUID_TEXT]; /* "": there is none */
    char type[EVENT_TYPE_MAX + 1];
    int64_t since_ms; /* monotonic: as this process has seen it */
    bool is_cause;    /* of the present failure */
};

struct outbox {
    struct sql_db *db;
    struct bus *bus;
    char *source;
    int64_t max_pending, tell_every_ms;
    struct metric *pending_gauge, *oldest_seconds, *published, *failures; /* NULL: none */
    atomic_int_fast64_t pending; /* rows, about: of all replicas as they were counted last, and of
                                    this one since */
    pthread_t thread;
    struct ctx ctx; /* of the thread's work */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* any of the below */
    bool is_due;            /* something was committed */
    bool is_stopping;
    bool is_done; /* the thread does nothing any more */

    /* The thread's own. */
    int64_t counted_ms; /* monotonic: when the rows were counted */
    bool is_failing;    /* since something was published last */
    int64_t tell_at_ms; /* monotonic: not before, if it goes on to fail */
    struct outbox_held held;
};

/* What one attempt to publish came to. */
enum outbox_progress {
    OUTBOX_EMPTY, /* nothing is left */
    OUTBOX_MORE,  /* something was published, and there may be more */
    OUTBOX_STUCK, /* there is something, but the line is another's, or something failed */
};

/* Counts the rows now and then; publishes at most one batch. is_signalled: there is something, even
 * if it was not counted. */
enum outbox_progress outbox_publish(struct outbox *outbox, bool is_signalled);
void outbox_show_pending(struct outbox *outbox);

#endif
