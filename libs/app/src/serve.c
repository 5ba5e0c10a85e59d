/* From the first signal handler to the last freed part: <app/app.h> tells the order. */
#include "process.h"
#include "trim.h"

#include <app/verifier.h>
#include <base/clock.h>
#include <slog/slog.h>

#define ADMIN_DRAIN_MS   1000
#define BUS_DRAIN_MIN_MS 100
#define SETTLED_MS       300 /* after it is ready, before the memory of the start is given back */
#define READINESS_MAX    ((size_t)16 * 1024)
#define LOOK_MAX_MS      1000 /* between two looks whether it is ready */
#define ASK_AGAIN_MS     250  /* between two questions to a database that is away */
#define HOUR_MS          3600000

/* --- starting --- */

static struct err *start_service(struct process *process)
{
    const struct app *app = process->app;
    void *state = NULL;
    if (app->start)
        TRY(app->start(&process->runtime, &state));
    process->runtime.state = state;
    process->is_started = true;
    if (app->method_count > 0)
        TRY(bus_serve(process->runtime.bus, app->methods, app->method_count, state));
    return NULL;
}

static const struct http_idempotency *open_idempotency(struct process *process)
{
    struct app_idempotency *keys = &process->idempotency;
    app_idempotency_init(keys, process->runtime.db);
    if (process->app->idempotency_secret)
        process->app->idempotency_secret(&process->runtime, keys->store.secret);
    return &keys->store;
}

static struct err *start_listener(struct process *process)
{
    const struct app *app = process->app;
    struct app_runtime *runtime = &process->runtime;
    struct http_authenticator *authenticator = &process->authenticator;
    process->tables[0] = app->routes;
    if (app->authenticator)
        *authenticator = app->authenticator(runtime);
    else if (runtime->verifier)
        *authenticator = app_verifier_authenticator(runtime->verifier);
    struct http_server_options options = app->http ? *app->http : (struct http_server_options){0};
    options.name = app->name;
    options.version = app_version();
    options.address = process->settings.shared.listen_addr;
    options.tables = process->tables;
    options.state = runtime->state;
    options.threads = process->settings.shared.http_threads;
    options.access_log = process->settings.shared.access_log;
    options.metrics = runtime->metrics;
    options.authenticator = authenticator->check ? authenticator : NULL;
    options.idempotency = runtime->db ? open_idempotency(process) : NULL;
    return err_wrap(http_server_start(&options, &process->server), "listen at LISTEN_ADDR=%s",
                    options.address);
}

static struct err *begin(struct process *process)
{
    TRY(app_open_parts(process));
    TRY(app_start_admin(process));
    if (process->runtime.db)
        TRY(app_prepare_database(process));
    TRY(start_service(process));
    if (!(process->app->needs & APP_OWN_LISTENER))
        TRY(start_listener(process));
    atomic_store(&process->phase, PHASE_SERVING);
    if (process->server)
        slog_info("listening", SLOG_STR("address", http_server_address(process->server)));
    return NULL;
}

/* --- stopping --- */

static void lame_duck(struct process *process)
{
    if (process->server)
        http_server_lame_duck(process->server);
    if (process->app->lame_duck)
        process->app->lame_duck(&process->runtime);
    err_free(ctx_sleep(NULL, process->settings.shared.lame_duck_ms));
}

static void drain(struct process *process)
{
    int64_t drain_ms = process->settings.shared.drain_ms;
    int64_t until_ms = clock_mono_ms() + drain_ms;
    if (process->is_started && process->app->drain)
        process->app->drain(&process->runtime, drain_ms);
    if (process->server)
        http_server_stop(TAKE(process->server), drain_ms);
    if (!process->runtime.bus)
        return;
    struct err *e =
        bus_drain(process->runtime.bus, MAX(until_ms - clock_mono_ms(), BUS_DRAIN_MIN_MS));
    if (e)
        slog_warn("message bus not drained", SLOG_ERR(e));
    err_free(e);
}

static void end(struct process *process)
{
    ctx_cancel(&process->ctx); /* a failed start, too, ends what start() began */
    bool was_serving = atomic_exchange(&process->phase, PHASE_STOPPING) == PHASE_SERVING;
    if (was_serving)
        lame_duck(process);
    drain(process);
    /* Before stop(): /metrics and /readyz ask what it frees. */
    if (process->admin)
        http_server_stop(TAKE(process->admin), ADMIN_DRAIN_MS);
    if (process->is_started && process->app->stop)
        process->app->stop(&process->runtime);
    app_close_parts(process);
}

static bool is_ready(struct process *process)
{
    _cleanup_(buf_deinit) struct buf reasons = BUF_INIT(READINESS_MAX);
    bool is_ready = false;
    app_write_readiness(process, &reasons, &is_ready);
    return is_ready;
}

/* False: not yet. */
static bool tell_if_ready(struct process *process)
{
    if (!is_ready(process))
        return false;
    slog_info("ready", SLOG_I64("start_ms", clock_mono_ms() - process->began_ms));
    err_free(ctx_sleep(&process->ctx, SETTLED_MS));
    app_trim_memory();
    return true;
}

/* What it waits for says in many ways that it is there: a look now and then, so often that what is
 * told is right to a tenth. */
static int64_t until_next_look_ms(const struct process *process)
{
    int64_t passed_ms = clock_mono_ms() - process->began_ms;
    return MAX(1, MIN(passed_ms / 10, LOOK_MAX_MS));
}

/* Other replicas may have the database still: what is asked over NATS is left to them. False: the
 * connections that there are do. */
static bool leave_if_away(struct process *process)
{
    struct err *e = app_ask_database(process, &process->ctx);
    bool is_away = e && !ctx_is_done(&process->ctx);
    if (is_away) {
        if (process->app->method_count > 0)
            bus_serve_pause(process->runtime.bus);
        slog_warn("database is away", SLOG_ERR(e));
    }
    err_free(e);
    return is_away;
}

/* False: not yet. */
static bool return_if_back(struct process *process)
{
    struct err *e = app_ask_database(process, &process->ctx);
    if (!e && process->app->method_count > 0)
        e = bus_serve_resume(process->runtime.bus);
    bool is_back = !e;
    err_free(e);
    if (is_back)
        slog_info("database is back");
    return is_back;
}

/* False: the time has passed. */
static bool await_loss(struct process *process, int64_t timeout_ms)
{
    if (!process->runtime.db) {
        err_free(ctx_sleep(&process->ctx, timeout_ms));
        return false;
    }
    struct ctx ctx;
    ctx_init(&ctx, &process->ctx, timeout_ms);
    bool is_lost = sql_wait_away(process->runtime.db, &ctx);
    ctx_deinit(&ctx);
    return is_lost;
}

/* Tells meanwhile when it is ready, once, and when the database goes and comes. */
static void wait_for_signal(struct process *process)
{
    bool was_ready = false, has_left = false;
    while (!ctx_is_done(&process->ctx)) {
        was_ready = was_ready || tell_if_ready(process);
        int64_t look_ms = was_ready ? HOUR_MS : until_next_look_ms(process);
        if (!has_left && !await_loss(process, look_ms))
            continue;
        has_left = has_left ? !return_if_back(process) : leave_if_away(process);
        err_free(ctx_sleep(&process->ctx, MIN(look_ms, has_left ? ASK_AGAIN_MS : LOOK_MAX_MS)));
    }
}

int app_serve(struct process *process)
{
    pthread_t watcher;
    slog_info("starting", SLOG_STR("version", app_version()));
    struct err *e = app_watch_signals(&process->ctx, &watcher);
    bool is_watched = !e;
    if (!e)
        e = begin(process);
    if (!e)
        wait_for_signal(process);
    int status = 0;
    if (e && !ctx_is_done(&process->ctx)) { /* a start that a signal broke off is no failure */
        slog_error("cannot start", SLOG_ERR(e));
        status = err_is(e, &CFG_INVALID) ? APP_EXIT_WRONG : APP_EXIT_FAILED;
    }
    err_free(e);
    end(process);
    slog_info("stopped");
    if (is_watched)
        app_unwatch_signals(watcher);
    return status;
}
