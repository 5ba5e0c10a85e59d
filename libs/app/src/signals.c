#include "process.h"

#include <signal.h>
#include <unistd.h>

#include <conc/thread.h>
#include <slog/slog.h>

static atomic_bool is_over;

static void signals(sigset_t *out)
{
    sigemptyset(out);
    sigaddset(out, SIGTERM);
    sigaddset(out, SIGINT);
}

static void *watch(void *data)
{
    struct ctx *ctx = data;
    sigset_t set;
    signals(&set);
    for (;;) {
        int number;
        if (sigwait(&set, &number) != 0)
            continue;
        if (atomic_load(&is_over))
            return NULL;
        if (ctx_is_done(ctx)) {
            slog_warn("second signal, exiting at once", SLOG_I64("signal", number));
            _exit(1);
        }
        slog_info("stopping", SLOG_I64("signal", number));
        ctx_cancel(ctx);
    }
}

struct err *app_watch_signals(struct ctx *ctx, pthread_t *out_watcher)
{
    sigset_t set;
    signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return thread_start("signals", 0, watch, ctx, out_watcher);
}

void app_unwatch_signals(pthread_t watcher)
{
    atomic_store(&is_over, true);
    pthread_kill(watcher, SIGTERM);
    pthread_join(watcher, NULL);
}
