/*
 * Event loop on epoll: file descriptors, timers, calls from other threads.
 *
 * One thread runs a loop; every function but loop_post(), loop_wake() and loop_stop() is for that
 * thread. A callback may remove any source or timer, its own included: a stale event of a removed
 * source is never delivered. Each ready source is called once a round, so one busy source cannot
 * starve the others.
 */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/list.h>
#include <base/macros.h>
#include <err/err.h>

struct loop;

enum loop_events {
    LOOP_READ = 1,
    LOOP_WRITE = 2,
    LOOP_HANGUP = 4, /* error or both directions shut: always reported */
    LOOP_READ_CLOSED = 8, /* the peer ended its sending side (EPOLLRDHUP), only when asked for */
};

/* Embedded in the owner's struct; zeroed before the first use. The fd is the owner's. */
struct loop_source {
    int fd;
    unsigned events; /* asked for */
    void (*ready)(struct loop_source *source, unsigned events);
    uint32_t generation; /* the loop's own */
    struct loop *loop;   /* the loop's own; NULL when not watched */
};

struct loop_timer {
    void (*fire)(struct loop_timer *timer);
    int64_t due_ms; /* monotonic */
    size_t slot;    /* the loop's own */
    struct loop *loop; /* the loop's own; NULL when not set */
};

struct err *loop_new(struct loop **out_loop) MUST_CHECK;
void loop_free(struct loop *loop);
DEFINE_CLEANUP(struct loop *, loop_free);

/* Runs until loop_stop(). */
struct err *loop_run(struct loop *loop) MUST_CHECK;
/* From any thread and from signal handlers. */
void loop_stop(struct loop *loop);
/* The monotonic time at the start of this round. */
int64_t loop_now_ms(const struct loop *loop);

/* Edge or level: level-triggered. */
struct err *loop_watch(struct loop *loop, struct loop_source *source) MUST_CHECK;
/* Changes source->events; no system call when they stay. */
struct err *loop_change(struct loop_source *source, unsigned events) MUST_CHECK;
/* Before the fd is closed. Fine when not watched. */
void loop_unwatch(struct loop_source *source);

/* Sets or moves a timer; the callback runs once. */
struct err *loop_set_timer(struct loop *loop, struct loop_timer *timer, int64_t delay_ms) MUST_CHECK;
void loop_clear_timer(struct loop_timer *timer);

/* Has run called by the loop's thread, soon, in the order of posting. From any thread. The queue is
 * bounded (4096): ERR_OVERLOADED when it is full. */
struct err *loop_post(struct loop *loop, void (*run)(void *data), void *data) MUST_CHECK;
/* Called at the end of the round, for frees that must wait until no event can refer to the object. */
void loop_defer(struct loop *loop, void (*run)(void *data), void *data);

#endif
