#include "keeper.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include <base/clock.h>
#include <conc/thread.h>
#include <metric/metric.h>
#include <slog/slog.h>

#include "routes_file.h"

#define SETTLE_MS   20 /* after a change: the rest of it */
#define RETRY_MS    1000
#define JOIN_S      2
#define STACK_BYTES ((size_t)256 * 1024)

struct keeper {
    struct keeper_options options;
    struct snapshot *snapshot; /* the present one */
    struct buf text;           /* the file as it was read last, right or wrong */
    int inotify;               /* -1: none */
    int stop;                  /* eventfd */
    pthread_t thread;
    struct metric *holds; /* gauge: whether the file is what holds; NULL: not kept */
    pthread_mutex_t lock; /* of is_stopped, and held while publish() runs */
    bool is_stopped;      /* no more publish() and counting: the owner is gone */
};

static void destroy(struct keeper *keeper)
{
    pthread_mutex_destroy(&keeper->lock);
    snapshot_unref(keeper->snapshot);
    buf_deinit(&keeper->text);
    if (keeper->inotify >= 0)
        close(keeper->inotify);
    if (keeper->stop >= 0)
        close(keeper->stop);
    free(keeper);
}
DEFINE_CLEANUP(struct keeper *, destroy);

/* Without inotify the file is still read at each look-up. */
static void watch_directory(struct keeper *keeper)
{
    char directory[4096] = ".";
    const char *path = keeper->options.routes_file;
    const char *slash = strrchr(path, '/');
    if (slash && !str_copy_n(directory, sizeof(directory), path, (size_t)MAX(slash - path, 1)))
        return;
    keeper->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    const uint32_t changes = IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM;
    if (keeper->inotify < 0 || inotify_add_watch(keeper->inotify, directory, changes) < 0)
        slog_warn("the directory of ROUTES_FILE is not watched",
                  SLOG_STR("reason", strerror(errno)));
}

static void tell(struct keeper *keeper, const struct err *e)
{
    if (e)
        slog_error("routes are not changed", SLOG_ERR(e));
    else
        slog_info("routes read", SLOG_STR("file", keeper->options.routes_file));
    pthread_mutex_lock(&keeper->lock);
    if (keeper->holds && !keeper->is_stopped)
        metric_set(keeper->holds, e ? 0 : 1);
    pthread_mutex_unlock(&keeper->lock);
}

/* The routes of the file if it has changed, else those that hold. NULL: it is wrong. */
static struct routes *reload(struct keeper *keeper)
{
    struct routes *present = keeper->snapshot->routes;
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(ROUTES_FILE_MAX);
    const char *path = keeper->options.routes_file;
    if (!path)
        return routes_ref(present);
    struct routes *routes = NULL;
    _cleanup_(err_free) struct err *e = routes_file_read(path, &text);
    if (!e && str_equal(buf_text(&text), buf_text(&keeper->text)))
        return routes_ref(present);
    if (!e)
        e = routes_file_parse(path, &text, &routes);
    tell(keeper, e);
    struct buf former = keeper->text;
    keeper->text = text;
    text = former;
    return routes ? routes : routes_ref(present);
}

static bool publish(struct keeper *keeper, struct snapshot *next)
{
    pthread_mutex_lock(&keeper->lock);
    bool is_done = keeper->is_stopped || keeper->options.publish(keeper->options.data, next);
    pthread_mutex_unlock(&keeper->lock);
    return is_done;
}

/* Milliseconds until the next time. */
static int64_t update(struct keeper *keeper)
{
    _cleanup_(routes_unref) struct routes *routes = reload(keeper);
    _cleanup_(snapshot_unref) struct snapshot *next = NULL;
    _cleanup_(err_free) struct err *e = snapshot_new(routes, keeper->snapshot, false, &next);
    if (e) {
        slog_error("upstreams cannot be looked up", SLOG_ERR(e));
        return RETRY_MS;
    }
    if (snapshot_equal(next, keeper->snapshot))
        return keeper->options.resolve_ms;
    if (!publish(keeper, next))
        return RETRY_MS;
    snapshot_unref(keeper->snapshot);
    keeper->snapshot = TAKE(next);
    return keeper->options.resolve_ms;
}

static void drain_inotify(struct keeper *keeper)
{
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    while (read(keeper->inotify, events, sizeof(events)) > 0)
        ;
}

/* False: it is time to stop. */
static bool wait_for_change(struct keeper *keeper, int64_t wait_ms)
{
    struct pollfd fds[] = {{.fd = keeper->stop, .events = POLLIN},
                           {.fd = keeper->inotify, .events = POLLIN}};
    if (poll(fds, 2, (int)wait_ms) > 0 && !fds[0].revents && fds[1].revents) {
        poll(fds, 1, SETTLE_MS);
        drain_inotify(keeper);
    }
    return !fds[0].revents;
}

static void *run(void *data)
{
    struct keeper *keeper = data;
    int64_t wait_ms;
    do
        wait_ms = update(keeper);
    while (wait_for_change(keeper, wait_ms));
    return NULL;
}

struct err *keeper_new(const struct keeper_options *options, struct snapshot *first,
                       struct keeper **out_keeper)
{
    _cleanup_(destroy) struct keeper *keeper = calloc(1, sizeof(*keeper));
    if (!keeper)
        return err_oom();
    *keeper = (struct keeper){.options = *options,
                              .snapshot = snapshot_ref(first),
                              .text = BUF_INIT(ROUTES_FILE_MAX),
                              .inotify = -1,
                              .stop = -1};
    pthread_mutex_init(&keeper->lock, NULL);
    keeper->stop = eventfd(0, EFD_CLOEXEC);
    if (keeper->stop < 0)
        return err_errno(errno, "eventfd");
    if (options->routes_file)
        watch_directory(keeper);
    if (options->routes_file && options->metrics)
        keeper->holds = metric_gauge(options->metrics, "gateway_routes_last_reload_successful",
                                     "Whether ROUTES_FILE, as it was read last, is what holds; if "
                                     "not, the next start will fail",
                                     NULL);
    TRY(thread_start("keeper", STACK_BYTES, run, keeper, &keeper->thread));
    *out_keeper = TAKE(keeper);
    return NULL;
}

void keeper_free(struct keeper *keeper)
{
    if (!keeper)
        return;
    pthread_mutex_lock(&keeper->lock);
    keeper->is_stopped = true;
    pthread_mutex_unlock(&keeper->lock);
    const uint64_t one = 1;
    ssize_t told = write(keeper->stop, &one, sizeof(one));
    (void)told; /* the counter of an eventfd takes 1 */
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += JOIN_S;
    if (pthread_timedjoin_np(keeper->thread, NULL, &until) == 0) {
        destroy(keeper);
        return;
    }
    /* A name server keeps it waiting. The process ends soon, and must not wait as long. */
    pthread_detach(keeper->thread);
}
