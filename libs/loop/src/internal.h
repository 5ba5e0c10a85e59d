/* What the parts of a loop share. */
#ifndef LOOP_INTERNAL_H
#define LOOP_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include <loop/loop.h>

struct posted {
    void (*run)(void *data);
    void *data;
};

/* Calls from other threads. */
struct post_queue {
    pthread_mutex_t lock;
    struct posted *ring;
    size_t first, count;
};

/* One registration of an fd number; a later one has another generation. */
struct registration {
    struct loop_source *source; /* NULL: not watched */
    uint32_t generation;
};

struct loop {
    int epoll;
    int wakeup; /* eventfd: written by loop_post() and loop_stop() */
    atomic_bool stop;
    int64_t now_ms;
    struct registration *by_fd;
    size_t by_fd_count;
    struct loop_timer *timers; /* the earliest one: root of the heap */
    struct loop_deferred *deferred, **deferred_end;
    struct post_queue posts;
};

/* Milliseconds until the first timer, -1 for none. */
int loop_timers_wait_ms(const struct loop *loop);
void loop_timers_fire(struct loop *loop);

struct err *loop_posts_init(struct loop *loop) MUST_CHECK;
void loop_posts_deinit(struct loop *loop);
void loop_posts_run(struct loop *loop);
void loop_wake(struct loop *loop);

#endif
