/*
 * Event loop on epoll: file descriptors, timers, calls from other threads.
 *
 *     struct listener { struct loop_source source; ... };
 *
 *     static void on_ready(struct loop_source *source, unsigned events)
 *     {
 *         struct listener *listener = CONTAINER_OF(source, struct listener, source);
 *         ...
 *     }
 *
 *     listener->source = (struct loop_source){.fd = fd, .events = LOOP_READ, .ready = on_ready};
 *     TRY(loop_watch(loop, &listener->source));
 *     TRY(loop_run(loop));
 *
 * A round: wait for events or the next timer; timers that are due; each ready source once (so that
 * a busy source cannot starve the others); posted calls; deferred calls. Within a round the order
 * of sources is the kernel's.
 *
 * Removal is safe at any time: a callback may remove, or free, any source or timer, its own
 * included. Events that the kernel had already reported for a removed source are dropped, also when
 * its fd number is in use again: an event carries the number of its registration, not an address.
 *
 * Threads: a loop belongs to the thread that runs it; before loop_run() and after it has returned,
 * to the owner. loop_post() and loop_stop() may be called from any thread at any time before
 * loop_free(), loop_stop() from signal handlers too. Only loop_run() blocks.
 *
 * Memory: 16 bytes per file descriptor number in use, 64 KiB for the queue of posted calls. Timers,
 * sources and deferred calls are embedded in their owners and cost nothing here.
 */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/macros.h>
#include <err/err.h>

struct loop;

enum loop_events {
    LOOP_READ = 1,
    LOOP_WRITE = 2,
    LOOP_HANGUP = 4,      /* error, or both directions are shut: always reported */
    LOOP_READ_CLOSED = 8, /* the peer ended its sending side (EPOLLRDHUP); only when asked for */
};

/* A file descriptor that is waited for. Embedded in its owner, zeroed before the first use; it must
 * not move while it is watched. The fd stays the owner's. */
struct loop_source {
    int fd;
    unsigned events; /* asked for: enum loop_events; change it with loop_change() */
    void (*ready)(struct loop_source *source, unsigned events);
    struct loop *loop; /* the loop's own; NULL when not watched */
};

/* Something to do later, once. Embedded in its owner, zeroed before the first use; it must not move
 * while it is set. */
struct loop_timer {
    void (*fire)(struct loop_timer *timer);
    int64_t due_ms; /* monotonic; read only */
    /* The loop's own: a node of its pairing heap. */
    struct loop *loop; /* NULL when not set */
    int64_t key_ms;    /* its place in the heap; may be earlier than due_ms */
    struct loop_timer *child, *sibling, *before;
};

/* Something to do at the end of the round. Embedded in its owner. */
struct loop_deferred {
    void (*run)(struct loop_deferred *deferred);
    struct loop_deferred *next; /* the loop's own */
};

struct err *loop_new(struct loop **out_loop) MUST_CHECK;
/* Runs deferred calls that are left. Sources and timers must have been removed before; posted calls
 * that have not run are forgotten. NULL is fine. */
void loop_free(struct loop *loop);
DEFINE_CLEANUP(struct loop *, loop_free);

/* Runs until loop_stop(); the round in which that happens is finished. A loop that was stopped
 * before it ran returns at once; it may be run again afterwards. */
struct err *loop_run(struct loop *loop) MUST_CHECK;
void loop_stop(struct loop *loop);
/* The monotonic time (<base/clock.h>) at which this round began. */
int64_t loop_now_ms(const struct loop *loop);

/* Level-triggered: what is ready is reported again each round until it is dealt with or no longer
 * asked for. LOOP_HANGUP too: who gets it must unwatch. Errors: err_oom(), or what epoll_ctl()
 * says. */
struct err *loop_watch(struct loop *loop, struct loop_source *source) MUST_CHECK;
/* Asks for other events from now on; no system call when they are the same. It cannot fail for a
 * watched source. */
void loop_change(struct loop_source *source, unsigned events);
/* To be called before the fd is closed. Fine when not watched. */
void loop_unwatch(struct loop_source *source);

/* Sets or moves a timer: fire() runs delay_ms after the start of this round (at least 1 ms, so
 * never in the same round), or later when the thread is busy. Moving a set timer to a later time
 * costs two stores: a timeout may be pushed back for every request. */
void loop_set_timer(struct loop *loop, struct loop_timer *timer, int64_t delay_ms);
/* Fine when not set. */
void loop_clear_timer(struct loop_timer *timer);

/* Has run(data) called by the loop's thread, soon, in the order of posting. At most LOOP_POSTS_MAX
 * wait: ERR_OVERLOADED beyond that. */
#define LOOP_POSTS_MAX 4096
struct err *loop_post(struct loop *loop, void (*run)(void *data), void *data) MUST_CHECK;
/* For frees that must wait until no caller further up the stack can use the object. A deferred call
 * may defer another one: it runs in the same round. */
void loop_defer(struct loop *loop, struct loop_deferred *deferred);

#endif
