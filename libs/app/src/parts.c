#include "process.h"

#include <app/verifier.h>
#include <base/clock.h>
#include <base/secret.h>
#include <base/str.h>
#include <slog/slog.h>

#define RETRY_MIN_MS  50
#define RETRY_MAX_MS  1000 /* a database that is away is told of at once */
#define TELL_EVERY_MS 60000

/* --- opening --- */

struct err *app_open_database(struct process *process)
{
    const struct app_settings *settings = &process->settings.shared;
    const struct sql_options options = {
        .url = settings->database_url,
        .max_open = (size_t)settings->db_max_open,
        .max_idle = (size_t)settings->db_max_idle,
        .is_unprepared = !settings->db_prepared_statements,
        .metrics = process->runtime.metrics,
    };
    return err_wrap(sql_open(&options, &process->runtime.db), "DATABASE_URL");
}

struct err *app_open_bus(struct process *process)
{
    const struct app *app = process->app;
    const struct bus_options options = {
        .url = process->settings.shared.nats_url,
        .creds_file = process->settings.shared.nats_creds_file,
        .ca_file = process->settings.shared.nats_ca_file,
        .cert_file = process->settings.shared.nats_cert_file,
        .key_file = process->settings.shared.nats_key_file,
        .stream_replicas = process->settings.shared.nats_stream_replicas,
        .name = app->name,
        .metrics = process->runtime.metrics,
    };
    TRY(bus_open(&options, &process->runtime.bus));
    for (size_t i = 0; i < app->stream_count; i++)
        TRY(bus_declare_stream(process->runtime.bus, &app->streams[i]));
    return NULL;
}

static struct err *open_verifier(struct process *process)
{
    TRY(http_client_new(&(struct http_client_options){0}, &process->runtime.client));
    const struct app_verifier_options options = {
        .jwks_url = process->settings.shared.auth_jwks_url,
        .issuer = process->settings.shared.token_issuer,
        .audience = process->settings.shared.token_audience,
        .client = process->runtime.client,
    };
    return app_verifier_new(&options, &process->runtime.verifier);
}

static double read_lost_lines(void *data)
{
    (void)data;
    return (double)slog_dropped();
}

static struct err *open_metrics(struct process *process)
{
    struct metrics *metrics = NULL;
    TRY(metrics_new(&metrics));
    process->runtime.metrics = metrics;
    metric_set(metric_gauge(metrics, "app_build_info", "1, with the release that runs as a label",
                            METRIC_LABELS({"version", app_version()})),
               1);
    return metric_function(metrics, "log_lines_lost_total", "Log lines that could not be written",
                           "counter", NULL, read_lost_lines, NULL);
}

struct err *app_open_parts(struct process *process)
{
    unsigned needs = process->app->needs;
    TRY(open_metrics(process));
    if (needs & APP_DATABASE)
        TRY(app_open_database(process));
    if (needs & APP_BUS)
        TRY(app_open_bus(process));
    return needs & APP_VERIFIER ? open_verifier(process) : NULL;
}

void app_close_parts(struct process *process)
{
    struct app_runtime *runtime = &process->runtime;
    app_verifier_free(TAKE(runtime->verifier));
    http_client_free(TAKE(runtime->client));
    bus_close(TAKE(runtime->bus));
    sql_close(TAKE(runtime->db));
    metrics_free(TAKE(runtime->metrics));
}

/* --- the database --- */

struct err *app_migrate_database(struct process *process)
{
    TRY(sql_ping(process->runtime.db, &process->ctx));
    if (!process->app->migrations)
        return NULL;
    struct sql_schema schema;
    TRY(sql_migrate(process->runtime.db, &process->ctx, process->app->migrations, &schema));
    if (schema.applied > 0)
        slog_info("database migrated", SLOG_I64("applied", schema.applied));
    if (schema.version > schema.known)
        slog_warn("the schema is newer than this program, and its migrations say that they work "
                  "with it: going on",
                  SLOG_I64("schema", schema.version), SLOG_I64("known", schema.known));
    return NULL;
}

struct waiting {
    int64_t since_ms, told_ms;
    char why[ERR_LINE];
};

/* Each reason at once, and again every minute, from then on as an error: in an initContainer the log is
 * all there is to see. */
static void tell_waiting(struct waiting *waiting, const struct err *e)
{
    char why[ERR_LINE];
    err_format(e, why, sizeof(why));
    int64_t now_ms = clock_mono_ms();
    if (str_equal(why, waiting->why) && now_ms - waiting->told_ms < TELL_EVERY_MS)
        return;
    str_copy(waiting->why, sizeof(waiting->why), why);
    waiting->told_ms = now_ms;
    int64_t waits_ms = now_ms - waiting->since_ms;
    SLOG_AT(waits_ms < TELL_EVERY_MS ? SLOG_WARN : SLOG_ERROR, "waiting for the database",
            SLOG_I64("waits_s", waits_ms / 1000), SLOG_ERR(e));
}

struct err *app_prepare_database(struct process *process)
{
    int64_t delay_ms = RETRY_MIN_MS;
    struct waiting waiting = {.since_ms = clock_mono_ms()};
    for (;;) {
        struct err *e = app_migrate_database(process);
        app_set_waiting_for(process, e);
        if (!e || !err_is_retryable(e) || ctx_is_done(&process->ctx))
            return e;
        tell_waiting(&waiting, e);
        err_free(e);
        TRY(ctx_sleep(&process->ctx, delay_ms / 2 + random_below((uint32_t)delay_ms / 2 + 1)));
        delay_ms = MIN(delay_ms * 2, RETRY_MAX_MS);
    }
}
