/*
 * Answering requests: the delivery thread of nats.c hands each one to a pool, or answers that the
 * pool is full; a handler thread does the rest.
 */
#include "internal.h"

#include <base/clock.h>
#include <base/str.h>
#include <model/problem.h>
#include <slog/slog.h>

#define THREADS_DEFAULT     8
#define QUEUE_DEFAULT       256
#define DEADLINE_DEFAULT_MS 10000
#define PAUSE_MS            1000
#define FLUSH_MS            1000
#define ARENA_MAX           ((size_t)8 * 1024 * 1024)

struct served {
    struct list_node node; /* bus->served */
    struct bus_subscription subscription;
    const struct bus_method *method;
    void *state;
    struct metric *duration; /* NULL: none */
    struct metric *refused, *expired;
};

struct job {
    struct bus *bus;
    const struct served *served;
    natsMsg *message;
    int64_t received_ms;
};

static void count(struct metric *metric)
{
    if (metric)
        metric_add(metric, 1);
}

/* --- answers --- */

static void answer(struct bus *bus, natsMsg *message, const char *error, const struct buf *body)
{
    const struct bus_outgoing outgoing = {
        .subject = natsMsg_GetReply(message),
        .bytes = body->data,
        .len = body->len,
        .error = error,
    };
    if (!outgoing.subject)
        return;
    _cleanup_(bus_message_free) natsMsg *reply = NULL;
    struct err *e = bus_message_new(&outgoing, &reply);
    if (!e)
        e = bus_send(bus, reply);
    if (e)
        slog_warn("reply not sent", SLOG_STR("subject", natsMsg_GetSubject(message)), SLOG_ERR(e));
    err_free(e);
}

static void answer_error(struct bus *bus, natsMsg *message, const struct err *e)
{
    const struct trace *trace = trace_current();
    _cleanup_(buf_deinit) struct buf body = BUF_INIT(BUS_MESSAGE_MAX);
    problem_write(e, trace ? trace->request_id : "", &body);
    answer(bus, message, err_kind(e)->slug, &body);
}

/* --- on a handler thread --- */

static struct err *handle(const struct job *job, struct ctx *ctx, struct arena *arena,
                          struct buf *out_body)
{
    const struct bus_method *method = job->served->method;
    struct bus_call call = {
        .subject = method->subject, .ctx = ctx, .arena = arena, .state = job->served->state};
    if (method->in) {
        void *in = arena_alloc(arena, method->in->size);
        if (!in)
            return err_oom();
        TRY(model_read(method->in, MODEL_READ_TRUSTED, natsMsg_GetData(job->message),
                       (size_t)natsMsg_GetDataLength(job->message), arena, in));
        call.in = in;
    }
    if (method->out && !(call.out = arena_alloc(arena, method->out->size)))
        return err_oom();
    TRY(method->handle(&call));
    return bus_write_body(method->out, call.out, out_body);
}

static void work(const struct job *job, int64_t remaining_ms)
{
    struct trace trace;
    bus_message_trace(job->message, &trace);
    const struct trace *before = trace_set_current(&trace);
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, &job->bus->work, remaining_ms);
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(ARENA_MAX);
    _cleanup_(buf_deinit) struct buf body = BUF_INIT(BUS_MESSAGE_MAX);
    struct err *e = handle(job, &ctx, &arena, &body);
    if (e && err_kind(e)->status >= 500)
        SLOG_AT(err_is_retryable(e) ? SLOG_WARN : SLOG_ERROR, "request over NATS failed",
                SLOG_STR("subject", job->served->method->subject), SLOG_ERR(e));
    if (e)
        answer_error(job->bus, job->message, e);
    else
        answer(job->bus, job->message, NULL, &body);
    err_free(e);
    if (job->served->duration)
        metric_observe(job->served->duration,
                       (double)(clock_mono_ms() - job->received_ms) / 1000.0);
    trace_set_current(before);
}

static void end_job(struct bus *bus)
{
    pthread_mutex_lock(&bus->lock);
    if (--bus->handlers == 0)
        pthread_cond_broadcast(&bus->changed);
    pthread_mutex_unlock(&bus->lock);
}

static void run_job(void *data)
{
    struct job *job = data;
    const char *text = bus_message_header(job->message, "Plankton-Deadline-Ms");
    int64_t deadline_ms = DEADLINE_DEFAULT_MS;
    if (text && parse_i64(text, 1, INT64_MAX, &deadline_ms))
        deadline_ms = MIN(deadline_ms, BUS_TIMEOUT_MAX_MS);
    int64_t remaining_ms = deadline_ms - (clock_mono_ms() - job->received_ms);
    if (remaining_ms > 0)
        work(job, remaining_ms);
    else
        count(job->served->expired);
    natsMsg_Destroy(job->message);
    end_job(job->bus);
    free(job);
}

/* --- on the delivery thread --- */

static struct err *submit(struct bus *bus, const struct served *served, natsMsg *message)
{
    struct job *job = malloc(sizeof(*job));
    if (!job)
        return err_oom();
    *job = (struct job){bus, served, message, clock_mono_ms()};
    pthread_mutex_lock(&bus->lock);
    bus->handlers++;
    pthread_mutex_unlock(&bus->lock);
    struct err *e = pool_submit(bus->pool, run_job, job);
    if (e) {
        free(job);
        end_job(bus);
    }
    return e;
}

static void on_request(void *data, natsMsg *message)
{
    const struct served *served = data;
    struct bus *bus = served->subscription.bus;
    struct err *e = submit(bus, served, message);
    if (!e)
        return;
    count(served->refused);
    struct trace trace;
    bus_message_trace(message, &trace);
    const struct trace *before = trace_set_current(&trace);
    answer_error(bus, message, e);
    trace_set_current(before);
    natsMsg_Destroy(message);
    err_free(e);
}

/* --- beginning and end --- */

static struct err *check_method(const struct bus_method *method)
{
    TRY_WRAP(method->in ? model_check(method->in) : NULL, "%s", method->subject);
    return err_wrap(method->out ? model_check(method->out) : NULL, "%s", method->subject);
}

static void make_metrics(struct bus *bus, struct served *served)
{
    if (!bus->metrics)
        return;
    const struct metric_label *labels = METRIC_LABELS({"subject", served->method->subject});
    served->duration = metric_histogram(bus->metrics, "bus_handler_duration_seconds",
                                        "Time from the arrival of a request over NATS to its reply",
                                        labels, NULL, 0);
    served->refused = metric_counter(bus->metrics, "bus_requests_refused_total",
                                     "Requests over NATS that found the queue full", labels);
    served->expired =
        metric_counter(bus->metrics, "bus_requests_expired_total",
                       "Requests over NATS whose deadline passed in the queue", labels);
}

static struct err *serve_method(struct bus *bus, const struct bus_method *method, void *state)
{
    TRY(check_method(method));
    _cleanup_(free) struct served *served = calloc(1, sizeof(*served));
    if (!served)
        return err_oom();
    served->method = method;
    served->state = state;
    make_metrics(bus, served);
    served->subscription = (struct bus_subscription){
        .subject = method->subject, .queue = bus->name, .deliver = on_request, .data = served};
    TRY(bus_subscription_add(bus, &served->subscription));
    pthread_mutex_lock(&bus->lock);
    list_push_back(&bus->served, &TAKE(served)->node);
    pthread_mutex_unlock(&bus->lock);
    return NULL;
}

static struct err *need_pool(struct bus *bus)
{
    if (bus->pool)
        return NULL;
    const struct pool_options options = {
        .name = "bus-handler",
        .workers = bus->handler_threads ? bus->handler_threads : THREADS_DEFAULT,
        .queue = bus->handler_queue ? bus->handler_queue : QUEUE_DEFAULT,
    };
    return pool_new(&options, &bus->pool);
}

struct err *bus_serve(struct bus *bus, const struct bus_method *methods, size_t count, void *state)
{
    TRY(need_pool(bus));
    for (size_t i = 0; i < count; i++)
        TRY(serve_method(bus, &methods[i], state));
    return NULL;
}

void bus_serve_pause(struct bus *bus)
{
    bus_served_drain(bus, PAUSE_MS);
    LIST_FOREACH (node, &bus->served)
        bus_subscription_end(&CONTAINER_OF(node, struct served, node)->subscription, PAUSE_MS);
}

static bool is_in(struct bus *bus, const struct bus_subscription *subscription)
{
    pthread_mutex_lock(&bus->lock);
    bool is_in = !list_is_empty(&subscription->node);
    pthread_mutex_unlock(&bus->lock);
    return is_in;
}

struct err *bus_serve_resume(struct bus *bus)
{
    LIST_FOREACH (node, &bus->served) {
        struct bus_subscription *subscription =
            &CONTAINER_OF(node, struct served, node)->subscription;
        if (!is_in(bus, subscription))
            TRY(bus_subscription_add(bus, subscription));
    }
    err_free(bus_flush(bus, FLUSH_MS)); /* who is silent, or away, hears of them later */
    return NULL;
}

void bus_served_drain(struct bus *bus, int64_t timeout_ms)
{
    LIST_FOREACH (node, &bus->served)
        bus_subscription_drain(&CONTAINER_OF(node, struct served, node)->subscription, timeout_ms);
}

bool bus_served_is_idle(struct bus *bus)
{
    LIST_FOREACH (node, &bus->served) {
        if (CONTAINER_OF(node, struct served, node)->subscription.is_live)
            return false;
    }
    return bus->handlers == 0;
}

void bus_served_close(struct bus *bus)
{
    LIST_FOREACH (node, &bus->served)
        bus_subscription_remove(&CONTAINER_OF(node, struct served, node)->subscription);
    pool_free(TAKE(bus->pool));
    LIST_FOREACH (node, &bus->served)
        free(CONTAINER_OF(node, struct served, node));
}
