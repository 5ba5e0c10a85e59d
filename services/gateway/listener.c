#include "listener.h"

#include <errno.h>
#include <unistd.h>

#include <slog/slog.h>

#include "client.h"

#define ACCEPTS_PER_ROUND 64
#define PAUSE_MS          100
#define WARN_MS           10000 /* between two warnings of one worker */

static bool may_warn(struct worker *worker)
{
    int64_t now_ms = loop_now_ms(worker->loop);
    if (now_ms < worker->listener_warns_ms)
        return false;
    worker->listener_warns_ms = now_ms + WARN_MS;
    return true;
}

/* Until a client has gone: listener_resume(). */
static void await_room(struct worker *worker)
{
    stat_add(&worker->stats.clients_full, 1);
    if (may_warn(worker))
        slog_warn("all client connections are in use, newcomers wait",
                  SLOG_I64("connections", worker->options->max_clients));
    loop_change(&worker->listener, 0);
}

static void pause_accepting(struct worker *worker, int failure)
{
    stat_add(&worker->stats.accept_failures, 1);
    if (may_warn(worker)) {
        _cleanup_(err_free) struct err *e = err_errno(failure, "accept");
        slog_warn("accepting connections pauses", SLOG_ERR(e));
    }
    loop_change(&worker->listener, 0);
    loop_set_timer(worker->loop, &worker->listener_pause, PAUSE_MS);
}

static void end_pause(struct loop_timer *timer)
{
    listener_resume(CONTAINER_OF(timer, struct worker, listener_pause));
}

static bool is_full(const struct worker *worker)
{
    return worker->clients >= worker->options->max_clients;
}

/* A connection that has been idle for long makes room for the new one. */
static void make_room(struct worker *worker)
{
    if (is_full(worker))
        client_close(CONTAINER_OF(worker->idle_clients.next, struct client, node), false);
}

/* False: nothing waits any more, or accepting has to pause. */
static bool accept_one(struct worker *worker)
{
    union address peer = {0};
    socklen_t len = sizeof(peer);
    if (is_full(worker) && list_is_empty(&worker->idle_clients)) {
        await_room(worker);
        return false;
    }
    int fd = accept4(worker->listener.fd, &peer.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        make_room(worker);
        client_new(worker, fd, &peer);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        pause_accepting(worker, errno);
    /* Everything else is the fault of the one connection. */
    return errno == ECONNABORTED || errno == EINTR;
}

static void listener_ready(struct loop_source *source, unsigned events)
{
    struct worker *worker = CONTAINER_OF(source, struct worker, listener);
    (void)events;
    for (int i = 0; i < ACCEPTS_PER_ROUND && accept_one(worker); i++)
        ;
}

struct err *listener_start(struct worker *worker, int fd)
{
    worker->listener = (struct loop_source){.fd = fd, .events = LOOP_READ, .ready = listener_ready};
    worker->listener_pause.fire = end_pause;
    struct err *e = loop_watch(worker->loop, &worker->listener);
    if (e) {
        close(fd);
        worker->listener.fd = -1;
    }
    return e;
}

void listener_resume(struct worker *worker)
{
    if (!worker->listener_pause.loop)
        loop_change(&worker->listener, LOOP_READ);
}

void listener_stop(struct worker *worker)
{
    if (worker->listener.fd < 0)
        return;
    while (accept_one(worker))
        ;
    loop_clear_timer(&worker->listener_pause);
    loop_unwatch(&worker->listener);
    close(worker->listener.fd);
    worker->listener.fd = -1;
}
