#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <base/clock.h>

#define EVENTS_PER_ROUND 256
#define BY_FD_FIRST      64

/* What an event carries: which fd, and which of its registrations. The eventfd's is never in use.
 */
static uint64_t ticket(int fd, uint32_t generation)
{
    return (uint64_t)generation << 32 | (uint32_t)fd;
}
#define WAKEUP_TICKET UINT64_MAX

static uint32_t to_epoll(unsigned events)
{
    return (events & LOOP_READ ? (uint32_t)EPOLLIN : 0) |
           (events & LOOP_WRITE ? (uint32_t)EPOLLOUT : 0) |
           (events & LOOP_READ_CLOSED ? (uint32_t)EPOLLRDHUP : 0);
}

static unsigned from_epoll(uint32_t events)
{
    return (events & EPOLLIN ? LOOP_READ : 0u) | (events & EPOLLOUT ? LOOP_WRITE : 0u) |
           (events & (EPOLLERR | EPOLLHUP) ? LOOP_HANGUP : 0u) |
           (events & EPOLLRDHUP ? LOOP_READ_CLOSED : 0u);
}

static struct err *open_descriptors(struct loop *loop)
{
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll < 0)
        return err_errno(errno, "epoll_create1");
    loop->wakeup = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->wakeup < 0)
        return err_errno(errno, "eventfd");
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = WAKEUP_TICKET};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wakeup, &event) < 0)
        return err_errno(errno, "epoll_ctl");
    return NULL;
}

struct err *loop_new(struct loop **out_loop)
{
    _cleanup_(loop_free) struct loop *loop = calloc(1, sizeof(*loop));
    if (!loop)
        return err_oom();
    loop->epoll = loop->wakeup = -1;
    loop->deferred_end = &loop->deferred;
    loop->now_ms = clock_mono_ms();
    TRY(loop_posts_init(loop));
    TRY(open_descriptors(loop));
    *out_loop = TAKE(loop);
    return NULL;
}

static void run_deferred(struct loop *loop)
{
    while (loop->deferred) {
        struct loop_deferred *deferred = loop->deferred;
        loop->deferred = deferred->next;
        if (!loop->deferred)
            loop->deferred_end = &loop->deferred;
        deferred->run(deferred);
    }
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    run_deferred(loop);
    loop_posts_deinit(loop);
    if (loop->epoll >= 0)
        close(loop->epoll);
    if (loop->wakeup >= 0)
        close(loop->wakeup);
    free(loop->by_fd);
    free(loop);
}

void loop_defer(struct loop *loop, struct loop_deferred *deferred)
{
    deferred->next = NULL;
    *loop->deferred_end = deferred;
    loop->deferred_end = &deferred->next;
}

int64_t loop_now_ms(const struct loop *loop)
{
    return loop->now_ms;
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->stop, true);
    loop_wake(loop);
}

static struct err *reserve_fd(struct loop *loop, int fd)
{
    size_t count = loop->by_fd_count ? loop->by_fd_count : BY_FD_FIRST;
    while (count <= (size_t)fd)
        count *= 2;
    if (count == loop->by_fd_count)
        return NULL;
    struct registration *grown = realloc(loop->by_fd, count * sizeof(*grown));
    if (!grown)
        return err_oom();
    memset(grown + loop->by_fd_count, 0, (count - loop->by_fd_count) * sizeof(*grown));
    loop->by_fd = grown;
    loop->by_fd_count = count;
    return NULL;
}

struct err *loop_watch(struct loop *loop, struct loop_source *source)
{
    if (source->fd < 0)
        return err_errno(EBADF, "watch");
    TRY(reserve_fd(loop, source->fd));
    struct registration *registration = &loop->by_fd[source->fd];
    struct epoll_event event = {.events = to_epoll(source->events),
                                .data.u64 = ticket(source->fd, registration->generation + 1)};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, source->fd, &event) < 0)
        return err_errno(errno, "watch descriptor %d", source->fd);
    registration->generation++;
    registration->source = source;
    source->loop = loop;
    return NULL;
}

void loop_change(struct loop_source *source, unsigned events)
{
    if (!source->loop || source->events == events)
        return;
    source->events = events;
    uint32_t generation = source->loop->by_fd[source->fd].generation;
    struct epoll_event event = {.events = to_epoll(events),
                                .data.u64 = ticket(source->fd, generation)};
    /* A registered fd and a valid event: there is nothing that could fail. */
    epoll_ctl(source->loop->epoll, EPOLL_CTL_MOD, source->fd, &event);
}

void loop_unwatch(struct loop_source *source)
{
    if (!source->loop)
        return;
    epoll_ctl(source->loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
    source->loop->by_fd[source->fd].source = NULL;
    source->loop = NULL;
}

static void drain_wakeup(struct loop *loop)
{
    uint64_t count;
    ssize_t got = read(loop->wakeup, &count, sizeof(count));
    (void)got; /* only ends the wait */
}

static void dispatch(struct loop *loop, const struct epoll_event *event)
{
    if (event->data.u64 == WAKEUP_TICKET) {
        drain_wakeup(loop);
        return;
    }
    struct registration *registration = &loop->by_fd[(uint32_t)event->data.u64];
    struct loop_source *source = registration->source;
    if (source && registration->generation == (uint32_t)(event->data.u64 >> 32))
        source->ready(source, from_epoll(event->events));
}

static struct err *run_round(struct loop *loop)
{
    struct epoll_event events[EVENTS_PER_ROUND];
    int count = epoll_wait(loop->epoll, events, EVENTS_PER_ROUND, loop_timers_wait_ms(loop));
    if (count < 0 && errno != EINTR)
        return err_errno(errno, "epoll_wait");
    loop->now_ms = clock_mono_ms();
    loop_timers_fire(loop);
    for (int i = 0; i < count; i++)
        dispatch(loop, &events[i]);
    loop_posts_run(loop);
    run_deferred(loop);
    return NULL;
}

struct err *loop_run(struct loop *loop)
{
    loop->now_ms = clock_mono_ms();
    while (!atomic_load_explicit(&loop->stop, memory_order_acquire))
        TRY(run_round(loop));
    atomic_store(&loop->stop, false);
    return NULL;
}
