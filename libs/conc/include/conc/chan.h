/*
 * Bounded channel of pointers: many senders, many receivers, first in first out (Go's channel).
 *
 * After chan_close() sends fail and receives still get what is queued, then CHAN_CLOSED. Ownership of
 * an item moves to the channel when a send succeeds; what is left when the channel is freed is given
 * to the drop function. Threads: any; chan_free() when no one else uses it any more.
 */
#ifndef CONC_CHAN_H
#define CONC_CHAN_H

#include <stddef.h>
#include <stdint.h>

#include <base/macros.h>
#include <conc/ctx.h>
#include <err/err.h>

struct chan;

enum chan_status {
    CHAN_OK,
    CHAN_FULL,  /* try_ only */
    CHAN_EMPTY, /* try_ only */
    CHAN_CLOSED,
    CHAN_TIMEOUT,   /* the ctx's deadline passed */
    CHAN_CANCELLED, /* the ctx was cancelled */
};

/* capacity 1 to 2^20; drop may be NULL. */
struct err *chan_new(size_t capacity, void (*drop)(void *item), struct chan **out_chan) MUST_CHECK;
void chan_free(struct chan *chan);
DEFINE_CLEANUP(struct chan *, chan_free);

enum chan_status chan_send(struct chan *chan, struct ctx *ctx, void *item);
enum chan_status chan_receive(struct chan *chan, struct ctx *ctx, void **out_item);
enum chan_status chan_try_send(struct chan *chan, void *item);
enum chan_status chan_try_receive(struct chan *chan, void **out_item);
void chan_close(struct chan *chan);
size_t chan_count(struct chan *chan);

#endif
