#include "service.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include <conc/thread.h>
#include <slog/slog.h>

#include "gateway_metrics.h"
#include "keeper.h"
#include "routes_file.h"
#include "worker.h"

#define RESOLVE_MS  30000
#define DESCRIPTORS 256 /* for everything but clients; half of them where there are few */
#define STACK_BYTES ((size_t)256 * 1024)

struct gateway {
    struct gateway_options options;
    struct worker_options worker_options;
    struct network trusted[TRUSTED_MAX];
    char address[ADDRESS_PORT_TEXT];
    struct worker **workers;
    pthread_t *threads;
    size_t worker_count; /* made */
    size_t thread_count; /* running */
    struct keeper *keeper;
    struct gateway_metrics *metrics;
};

static unsigned count_cores(void)
{
    cpu_set_t cores;
    if (sched_getaffinity(0, sizeof(cores), &cores) < 0)
        return 1;
    return (unsigned)MAX(CPU_COUNT(&cores), 1);
}

/* As many descriptors as the system allows; each client may need one for its upstream, too. */
static unsigned count_clients(int64_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return (unsigned)wanted;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t room = (limit.rlim_cur - MIN(DESCRIPTORS, limit.rlim_cur / 2)) / 2;
    if (room >= (rlim_t)wanted)
        return (unsigned)wanted;
    slog_info("fewer client connections than MAX_CONNECTIONS, for want of file descriptors",
              SLOG_I64("connections", (int64_t)room));
    return (unsigned)room;
}

static void set_worker_options(struct gateway *gateway)
{
    const struct gateway_settings *settings = gateway->options.settings;
    unsigned workers = settings->workers > 0 ? (unsigned)settings->workers : count_cores();
    unsigned clients = count_clients(settings->max_connections);
    struct worker_options *options = &gateway->worker_options;
    *options = (struct worker_options){
        .workers = workers,
        .max_clients = MAX(clients / workers, 1),
        .header_timeout_ms = settings->header_timeout_ms,
        .body_timeout_ms = settings->body_timeout_ms,
        .idle_timeout_ms = settings->idle_timeout_ms,
        .access_log = gateway->options.access_log,
        .trusted = gateway->trusted,
        .metrics = gateway->options.metrics,
        .checker = gateway->options.checker.check ? &gateway->options.checker : NULL,
    };
    if (settings->trusted_proxies)
        trusted_parse(settings->trusted_proxies, gateway->trusted, &options->trusted_count);
}

/* --- workers --- */

/* All workers listen on one address; port 0 is chosen by the kernel for the first of them. */
static struct err *listen_next(struct gateway *gateway, int *out_fd)
{
    const char *text = gateway->address[0] ? gateway->address : gateway->options.listen_addr;
    int fd;
    TRY(address_listen(text, &fd));
    union address address = {0};
    socklen_t len = sizeof(address);
    if (!gateway->address[0] && getsockname(fd, &address.any, &len) == 0)
        address_format_port(&address, gateway->address);
    *out_fd = fd;
    return NULL;
}

static struct err *make_workers(struct gateway *gateway, struct snapshot *snapshot)
{
    size_t count = gateway->worker_options.workers;
    gateway->workers = calloc(count, sizeof(struct worker *));
    gateway->threads = calloc(count, sizeof(pthread_t));
    if (!gateway->workers || !gateway->threads)
        return err_oom();
    for (; gateway->worker_count < count; gateway->worker_count++) {
        int fd;
        TRY(listen_next(gateway, &fd));
        TRY(worker_new(&gateway->worker_options, fd, snapshot,
                       &gateway->workers[gateway->worker_count]));
    }
    return NULL;
}

static void *run_worker(void *data)
{
    _cleanup_(err_free) struct err *e = worker_run(data);
    if (e)
        slog_error("a worker has stopped", SLOG_ERR(e));
    return NULL;
}

static struct err *start_workers(struct gateway *gateway)
{
    for (; gateway->thread_count < gateway->worker_count; gateway->thread_count++) {
        char name[32];
        snprintf(name, sizeof(name), "worker-%zu", gateway->thread_count);
        TRY(thread_start(name, STACK_BYTES, run_worker, gateway->workers[gateway->thread_count],
                         &gateway->threads[gateway->thread_count]));
    }
    return NULL;
}

static bool publish(void *data, struct snapshot *snapshot)
{
    struct gateway *gateway = data;
    bool is_done = true;
    for (size_t i = 0; i < gateway->worker_count; i++) {
        _cleanup_(err_free) struct err *e = worker_adopt(gateway->workers[i], snapshot);
        is_done = is_done && !e;
    }
    return is_done;
}

/* --- life --- */

static struct err *read_routes(const char *file, struct snapshot **out_snapshot)
{
    _cleanup_(routes_unref) struct routes *routes = NULL;
    TRY(file ? routes_file_load(file, &routes) : routes_default(&routes));
    return snapshot_new(routes, NULL, true, out_snapshot);
}

struct err *gateway_new(const struct gateway_options *options, struct gateway **out_gateway)
{
    _cleanup_(gateway_free) struct gateway *gateway = calloc(1, sizeof(*gateway));
    _cleanup_(snapshot_unref) struct snapshot *snapshot = NULL;
    if (!gateway)
        return err_oom();
    gateway->options = *options;
    set_worker_options(gateway);
    TRY(read_routes(options->settings->routes_file, &snapshot));
    TRY(make_workers(gateway, snapshot));
    if (options->metrics)
        TRY(gateway_metrics_new(options->metrics, gateway->workers, gateway->worker_count,
                                &gateway->metrics));
    TRY(start_workers(gateway));
    const struct keeper_options keeper = {.routes_file = options->settings->routes_file,
                                          .metrics = options->metrics,
                                          .resolve_ms = RESOLVE_MS,
                                          .publish = publish,
                                          .data = gateway};
    TRY(keeper_new(&keeper, snapshot, &gateway->keeper));
    *out_gateway = TAKE(gateway);
    return NULL;
}

const char *gateway_address(const struct gateway *gateway)
{
    return gateway->address;
}

/* A worker whose queue of calls is full is asked again: it is busy, not dead. */
static void tell_workers(struct gateway *gateway, struct err *(*tell)(struct worker *worker))
{
    for (size_t i = 0; i < gateway->thread_count; i++) {
        struct err *e;
        while ((e = tell(gateway->workers[i]))) {
            err_free(e);
            sched_yield();
        }
    }
}

void gateway_lame_duck(struct gateway *gateway)
{
    tell_workers(gateway, worker_lame_duck);
}

void gateway_drain(struct gateway *gateway, int64_t drain_ms)
{
    keeper_free(TAKE(gateway->keeper));
    tell_workers(gateway, worker_drain);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += drain_ms / 1000;
    until.tv_nsec += drain_ms % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    size_t left = 0;
    for (size_t i = 0; i < gateway->thread_count; i++) {
        if (pthread_timedjoin_np(gateway->threads[i], NULL, &until) == 0)
            continue;
        left++;
        struct err *e;
        while ((e = worker_abort(gateway->workers[i])))
            err_free(e);
        pthread_join(gateway->threads[i], NULL);
    }
    gateway->thread_count = 0;
    if (left > 0)
        slog_warn("requests were broken off", SLOG_I64("workers", (int64_t)left));
}

void gateway_free(struct gateway *gateway)
{
    if (!gateway)
        return;
    gateway_drain(gateway, 0);
    for (size_t i = 0; gateway->workers && i < gateway->worker_options.workers; i++)
        worker_free(gateway->workers[i]);
    gateway_metrics_free(gateway->metrics);
    free(gateway->workers);
    free(gateway->threads);
    free(gateway);
}
