/* An inbox, as its files see it. */
#ifndef EVENT_SRC_INBOX_H
#define EVENT_SRC_INBOX_H

#include <stdatomic.h>

#include <base/str.h>
#include <event/inbox.h>

#include "event.h"

#define INBOX_NAME_TEXT 64

/* Who consumes: what the options say of it. */
struct inbox_consumer {
    const struct inbox_options *options;
    char name[INBOX_NAME_TEXT]; /* <service>-<stream in lower case>: the durable's */
};
/* ERR_INTERNAL: the names are too long. */
struct err *inbox_consumer_init(struct inbox_consumer *out_consumer,
                                const struct inbox_options *options) MUST_CHECK;

/* --- place.c --- */

/* Every event of this stream up to this one took effect, is known by a snapshot, or is among the
 * dead letters. */
struct place {
    char stream_created[40]; /* "": there is none yet */
    uint64_t last_sequence;
};
struct err *inbox_read_place(const struct inbox_consumer *consumer, struct ctx *ctx,
                             struct place *out_place) MUST_CHECK;
/* ERR_UPSTREAM_UNAVAILABLE: it does not stand at `from`. Another replica was here, or the database
 * went back (to a standby that was behind, to a backup) and has lost effects of earlier events. */
struct err *inbox_move_place(const struct inbox_consumer *consumer, struct sql_conn *conn,
                             struct ctx *ctx, const struct place *from, uint64_t to) MUST_CHECK;
/* Makes sure that nothing lies between the place and what the stream still has: takes a snapshot if
 * something does. acknowledged: what the server believes that we have (0: it was not asked). The
 * place is written to *place, too. */
struct err *inbox_catch_up(const struct inbox_consumer *consumer, struct ctx *ctx,
                           const struct bus_stream_info *stream, uint64_t acknowledged,
                           struct place *place) MUST_CHECK;

/* --- handle.c --- */

enum inbox_outcome {
    INBOX_HANDLED,
    INBOX_REPEATED, /* it had taken effect before */
    INBOX_IGNORED,  /* of no type in the table */
    INBOX_FAILED,
    INBOX_DEAD,
    INBOX_OUTCOMES,
};

/* The event has its effect, once, and the place is moved to its sequence in one transaction. from:
 * where the place stands; NULL: it is not moved. */
struct err *inbox_handle(const struct inbox_consumer *consumer, struct ctx *ctx,
                         const struct event *event, const struct place *from, uint64_t sequence,
                         enum inbox_outcome *out_outcome) MUST_CHECK;
/* Forgets ids older than keep_ms, a bounded number of them. *out_is_done: there are no more. */
struct err *inbox_prune(const struct inbox_consumer *consumer, struct ctx *ctx, bool *out_is_done)
    MUST_CHECK;

/* --- letters.c --- */

/* The stream DEAD. */
extern const struct bus_stream inbox_dead_stream;
struct err *inbox_bury(const struct inbox_consumer *consumer, const struct bus_event *event,
                       const struct err *why) MUST_CHECK;

#endif
