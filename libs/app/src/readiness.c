#include "process.h"

#include <string.h>

#include <app/verifier.h>

#define PING_MS 1000

void app_set_waiting_for(struct process *process, const struct err *e)
{
    pthread_mutex_lock(&process->lock);
    err_format(e, process->waiting_for, sizeof(process->waiting_for));
    pthread_mutex_unlock(&process->lock);
}

/* Takes e; NULL writes nothing. True when there was nothing to write. */
static bool write_reason(struct json_writer *w, const char *what, struct err *e)
{
    if (!e)
        return true;
    char text[ERR_LINE];
    err_format(e, text, sizeof(text));
    err_free(e);
    json_write_name(w, what);
    json_write_string(w, text);
    return false;
}

static struct err *check_process(struct process *process)
{
    switch (atomic_load(&process->phase)) {
    case PHASE_STOPPING:
        return err_new(&ERR_UPSTREAM_UNAVAILABLE, "stopping");
    case PHASE_STARTING:
        return err_new(&ERR_UPSTREAM_UNAVAILABLE, "starting");
    case PHASE_SERVING:
        break;
    }
    return NULL;
}

struct err *app_ask_database(struct process *process, struct ctx *parent)
{
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, parent, PING_MS);
    struct err *e = sql_ping(process->runtime.db, &ctx);
    /* Busy is not away: a replica that left would leave its load to the others. */
    if (!err_is(e, &ERR_OVERLOADED))
        return e;
    err_free(e);
    return NULL;
}

static struct err *check_database(struct process *process)
{
    char waiting_for[sizeof(process->waiting_for)];
    pthread_mutex_lock(&process->lock);
    memcpy(waiting_for, process->waiting_for, sizeof(waiting_for));
    pthread_mutex_unlock(&process->lock);
    if (waiting_for[0])
        return err_new(&ERR_UPSTREAM_UNAVAILABLE, "%s", waiting_for);
    return app_ask_database(process, NULL);
}

/* False: not ready. */
static bool write_reasons(struct process *process, struct json_writer *w)
{
    struct app_runtime *runtime = &process->runtime;
    bool is_ready = write_reason(w, "process", check_process(process));
    if (runtime->db)
        is_ready &= write_reason(w, "database", check_database(process));
    /* All replicas lose it together: if they were not ready, what needs no bus would fail, too. */
    if (runtime->bus)
        is_ready &=
            write_reason(w, "bus", bus_check(runtime->bus)) || atomic_load(&process->was_ready);
    if (runtime->verifier)
        is_ready &= write_reason(w, "keys", app_verifier_ready(runtime->verifier));
    if (process->app->ready && atomic_load(&process->phase) == PHASE_SERVING)
        is_ready &= write_reason(w, "service", process->app->ready(runtime));
    return is_ready;
}

void app_write_readiness(struct process *process, struct buf *out, bool *out_ready)
{
    _cleanup_(buf_deinit) struct buf reasons = BUF_INIT(out->max);
    struct json_writer inner = JSON_WRITER(&reasons);
    json_begin_object(&inner);
    bool is_ready = write_reasons(process, &inner);
    json_end_object(&inner);
    if (is_ready)
        atomic_store(&process->was_ready, true);
    struct json_writer w = JSON_WRITER(out);
    json_begin_object(&w);
    json_write_name(&w, "ready");
    json_write_bool(&w, is_ready);
    json_write_name(&w, "reasons");
    json_write_raw(&w, buf_text(&reasons), reasons.len);
    json_end_object(&w);
    *out_ready = is_ready;
}
