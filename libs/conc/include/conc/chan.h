/*
 * Bounded channel of pointers: many senders, many receivers, first in first out (Go's channel).
 *
 *     while (chan_receive(jobs, ctx, &item) == CHAN_OK)
 *         work_on(item);
 *
 * After chan_close() sends fail and receives still get what is queued, then CHAN_CLOSED. Ownership
 * of an item moves to the channel when a send succeeds (and only then); what is left when the
 * channel is freed is given to the drop function. NULL is an item like any other.
 *
 * Threads: any, at once; chan_free() when no one else uses the channel any more. chan_send and
 * chan_receive block, nothing else does. Which of several waiting receivers gets an item is not
 * said; what one sender sends, one receiver receives in order.
 *
 * Locks: one for each channel, held for a few instructions only. A cancelled ctx takes it below its
 * own (<conc/wait.h>), so the drop function is never called with it held.
 */
#ifndef CONC_CHAN_H
#define CONC_CHAN_H

#include <stddef.h>

#include <base/macros.h>
#include <conc/ctx.h>
#include <err/err.h>

#define CHAN_CAPACITY_MAX ((size_t)1 << 20)

struct chan;

enum chan_status {
    CHAN_OK,
    CHAN_FULL,      /* chan_try_send only */
    CHAN_EMPTY,     /* chan_try_receive only */
    CHAN_CLOSED,    /* receive: and nothing is queued any more */
    CHAN_TIMEOUT,   /* the ctx's deadline passed */
    CHAN_CANCELLED, /* the ctx was cancelled */
};

/* capacity 1 to CHAN_CAPACITY_MAX, else ERR_INTERNAL; all its memory is taken here. drop may be
 * NULL. */
struct err *chan_new(size_t capacity, void (*drop)(void *item), struct chan **out_chan) MUST_CHECK;
void chan_free(struct chan *chan);
DEFINE_CLEANUP(struct chan *, chan_free);

/* Wait for room, or for an item, while the ctx goes on. An ended ctx does nothing, even where there
 * is room or an item, so a loop over either function ends with its ctx. */
enum chan_status chan_send(struct chan *chan, struct ctx *ctx, void *item) MUST_CHECK;
enum chan_status chan_receive(struct chan *chan, struct ctx *ctx, void **out_item) MUST_CHECK;
enum chan_status chan_try_send(struct chan *chan, void *item) MUST_CHECK;
enum chan_status chan_try_receive(struct chan *chan, void **out_item) MUST_CHECK;
/* Wakes every waiter. Idempotent. */
void chan_close(struct chan *chan);
/* How many items are queued at this moment. */
size_t chan_count(struct chan *chan);

#endif
