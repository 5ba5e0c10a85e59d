#include "outbox.h"

#include <string.h>

#include <base/clock.h>
#include <base/crash.h>
#include <conc/thread.h>
#include <conc/wait.h>
#include <slog/trace.h>

#define MAX_PENDING    100000
#define TELL_EVERY_MS  60000
#define LOOK_MS        1000 /* for rows of replicas that died */
#define RETRY_MIN_MS   10
#define RETRY_MAX_MS   1000
#define RETRY_AFTER_MS 1000

/* --- adding --- */

static void wake(void *data)
{
    struct outbox *outbox = data;
    pthread_mutex_lock(&outbox->lock);
    outbox->is_due = true;
    pthread_cond_broadcast(&outbox->changed);
    pthread_mutex_unlock(&outbox->lock);
}

static struct err *check_room(struct outbox *outbox)
{
    if (atomic_load(&outbox->pending) < outbox->max_pending)
        return NULL;
    struct err *e = err_new(&ERR_OVERLOADED, "%lld events wait to be published",
                            (long long)atomic_load(&outbox->pending));
    return err_set_retry_after(e, RETRY_AFTER_MS);
}

/* What NATS refuses, or takes for something else, would hold up the line for ever. */
static struct err *check_subject(const char *type)
{
    size_t len = strlen(type);
    bool is_subject = len > 0 && len <= EVENT_TYPE_MAX && type[0] != '.' && type[len - 1] != '.' &&
                      !strstr(type, "..");
    for (const char *c = type; *c; c++)
        is_subject = is_subject && *c > ' ' && *c < 0x7f && *c != '*' && *c != '>';
    return is_subject ? NULL
                      : err_new(&ERR_INTERNAL, "an event whose type is no subject: %s", type);
}

struct err *outbox_add(struct outbox *outbox, struct sql_conn *conn, struct ctx *ctx,
                       const struct outbox_event *event)
{
    TRY(check_subject(event->type));
    TRY(check_room(outbox));
    TRY(sql_on_commit(conn, wake, outbox));
    char id[UUID_TEXT];
    char parent[TRACE_PARENT_LEN + 1] = "";
    uuid_new(id);
    const struct trace *trace = trace_current();
    if (trace)
        trace_format_parent(trace, parent);
    const struct event head = {.id = id,
                               .source = outbox->source,
                               .type = event->type,
                               .about = event->about,
                               .traceparent = parent,
                               .time_ms = clock_now_ms()};
    _cleanup_(buf_deinit) struct buf body = BUF_INIT(EVENT_MAX);
    TRY(event_write(&head, event->model, event->data, &body));
    TRY(sql_exec(conn, ctx,
                 "INSERT INTO outbox (id, type, about, body, created_at) "
                 "VALUES ($1, $2, $3, $4, $5)",
                 NULL, SQL_TEXT(id), SQL_TEXT(event->type), SQL_TEXT(event->about),
                 SQL_TEXTN(body.data, body.len), SQL_I64(head.time_ms)));
    /* One that is rolled back is counted until the next count. */
    atomic_fetch_add(&outbox->pending, 1);
    outbox_show_pending(outbox);
    CRASH_POINT("outbox.added");
    return NULL;
}

/* --- the thread --- */

/* Until something is due, the time is over or the outbox is to stop. While it is stuck, what is
 * committed waits with the rest. */
static void pause_for(struct outbox *outbox, int64_t time_ms, bool is_stuck)
{
    struct ctx limit;
    struct ctx_wait wait;
    ctx_init(&limit, &outbox->ctx, time_ms);
    ctx_wait_begin(&wait, &limit, &outbox->lock, &outbox->changed);
    pthread_mutex_lock(&outbox->lock);
    while (!outbox->is_stopping && (is_stuck || !outbox->is_due) && ctx_wait(&wait))
        ;
    pthread_mutex_unlock(&outbox->lock);
    ctx_wait_end(&wait);
    ctx_deinit(&limit);
}

static bool take_signal(struct outbox *outbox, bool *out_is_stopping)
{
    pthread_mutex_lock(&outbox->lock);
    bool is_due = outbox->is_due;
    outbox->is_due = false;
    *out_is_stopping = outbox->is_stopping;
    pthread_mutex_unlock(&outbox->lock);
    return is_due;
}

static void *run(void *data)
{
    struct outbox *outbox = data;
    int64_t retry_ms = RETRY_MIN_MS;
    enum outbox_progress progress = OUTBOX_MORE; /* what a former process left */
    bool is_stopping = false;
    while (!ctx_is_done(&outbox->ctx)) {
        bool is_signalled = take_signal(outbox, &is_stopping);
        progress = outbox_publish(outbox, is_signalled || progress != OUTBOX_EMPTY);
        if (progress == OUTBOX_MORE) {
            retry_ms = RETRY_MIN_MS;
            continue;
        }
        if (is_stopping) /* nothing is left, or it has to wait for others */
            break;
        bool is_stuck = progress == OUTBOX_STUCK;
        pause_for(outbox, is_stuck ? retry_ms : LOOK_MS, is_stuck);
        retry_ms = is_stuck ? MIN(2 * retry_ms, RETRY_MAX_MS) : RETRY_MIN_MS;
    }
    pthread_mutex_lock(&outbox->lock);
    outbox->is_done = true;
    pthread_cond_broadcast(&outbox->changed);
    pthread_mutex_unlock(&outbox->lock);
    return NULL;
}

/* --- start and stop --- */

static void make_metrics(struct outbox *outbox, struct metrics *metrics)
{
    if (!metrics)
        return;
    outbox->pending_gauge =
        metric_gauge(metrics, "outbox_pending", "Events that wait to be published", NULL);
    outbox->oldest_seconds = metric_gauge(metrics, "outbox_oldest_seconds",
                                          "Age of the event that has waited longest", NULL);
    outbox->published = metric_counter(metrics, "outbox_published_total",
                                       "Events that JetStream has acknowledged", NULL);
    outbox->failures =
        metric_counter(metrics, "outbox_failures_total", "Attempts to publish that failed", NULL);
}

static void deinit(struct outbox *outbox)
{
    ctx_deinit(&outbox->ctx);
    pthread_cond_destroy(&outbox->changed);
    pthread_mutex_destroy(&outbox->lock);
    free(outbox->source);
    free(outbox);
}

struct err *outbox_start(const struct outbox_options *options, struct outbox **out_outbox)
{
    struct outbox *outbox = calloc(1, sizeof(*outbox));
    if (!outbox)
        return err_oom();
    outbox->db = options->db;
    outbox->bus = options->bus;
    outbox->max_pending = options->max_pending ? options->max_pending : MAX_PENDING;
    outbox->tell_every_ms = options->tell_every_ms ? options->tell_every_ms : TELL_EVERY_MS;
    outbox->counted_ms = INT64_MIN;
    outbox->tell_at_ms = INT64_MIN;
    pthread_mutex_init(&outbox->lock, NULL);
    ctx_cond_init(&outbox->changed);
    ctx_init(&outbox->ctx, NULL, CTX_NO_TIMEOUT);
    make_metrics(outbox, options->metrics);
    outbox->source = strdup(options->source);
    struct err *e = outbox->source ? NULL : err_oom();
    if (!e)
        e = thread_start("outbox", 0, run, outbox, &outbox->thread);
    if (e) {
        deinit(outbox);
        return e;
    }
    *out_outbox = outbox;
    return NULL;
}

void outbox_stop(struct outbox *outbox, int64_t flush_ms)
{
    if (!outbox)
        return;
    struct ctx flush;
    struct ctx_wait wait;
    ctx_init(&flush, NULL, flush_ms);
    ctx_wait_begin(&wait, &flush, &outbox->lock, &outbox->changed);
    pthread_mutex_lock(&outbox->lock);
    outbox->is_stopping = true;
    pthread_cond_broadcast(&outbox->changed);
    while (!outbox->is_done && ctx_wait(&wait))
        ;
    pthread_mutex_unlock(&outbox->lock);
    ctx_wait_end(&wait);
    ctx_deinit(&flush);
    ctx_cancel(&outbox->ctx);
    pthread_join(outbox->thread, NULL);
    deinit(outbox);
}
