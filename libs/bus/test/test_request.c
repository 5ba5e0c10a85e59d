/* Request and reply: what arrives, what comes back, what goes wrong. */
#include "bus_test.h"

#include <stdio.h>
#include <string.h>

#include <base/clock.h>
#include <conc/thread.h>
#include <slog/trace.h>

#include "internal.h"

static const struct err_kind TAKEN = {"taken", 409, "Taken", false, "For tests."};
static const struct err_kind *const kinds[] = {&TAKEN, NULL};

/* --- the other side --- */

struct service {
    struct gate entered, leave;
    int64_t remaining_ms;
    struct trace trace;
};

static struct err *double_it(struct bus_call *call)
{
    const struct note *in = call->in;
    struct note *out = call->out;
    struct service *service = call->state;
    service->remaining_ms = ctx_remaining_ms(call->ctx, CTX_NO_TIMEOUT);
    service->trace = *trace_current();
    snprintf(out->text, sizeof(out->text), "%.31s%.31s", in->text, in->text);
    out->number = 2 * in->number;
    return NULL;
}

static struct err *refuse(struct bus_call *call)
{
    (void)call;
    return err_wrap(err_new(&TAKEN, "this one is taken"), "inner context");
}

static struct err *reject_fields(struct bus_call *call)
{
    (void)call;
    struct err *e = NULL;
    err_add_field(&e, "text", "too_odd", "is too odd");
    return e;
}

static struct err *crash(struct bus_call *call)
{
    (void)call;
    return err_new(&ERR_INTERNAL, "the secret inside");
}

static struct err *linger(struct bus_call *call)
{
    struct service *service = call->state;
    gate_add(&service->entered);
    gate_await(&service->leave, 1);
    return NULL;
}

static struct err *sleep_on(struct bus_call *call)
{
    struct service *service = call->state;
    gate_add(&service->entered);
    struct err *e = ctx_sleep(call->ctx, 20000);
    gate_add(&service->leave);
    return e;
}

struct large {
    const char *text;
};
static const struct field large_fields[] = {FIELD(struct large, text, STRING)};
static const struct model large_model = MODEL(struct large, large_fields, "Much");

static struct err *answer_much(struct bus_call *call)
{
    char *text = arena_alloc(call->arena, BUS_MESSAGE_MAX + 1);
    memset(text, 'x', BUS_MESSAGE_MAX);
    ((struct large *)call->out)->text = text;
    return NULL;
}

static const struct bus_method methods[] = {
    {"test.double", double_it, &note_model, &note_model, NULL},
    {"test.refuse", refuse, NULL, NULL, NULL},
    {"test.reject", reject_fields, NULL, NULL, NULL},
    {"test.crash", crash, NULL, NULL, NULL},
    {"test.linger", linger, NULL, NULL, NULL},
    {"test.sleep", sleep_on, NULL, NULL, NULL},
    {"test.much", answer_much, NULL, &large_model, NULL},
};

static struct service service;
static struct bus *answering, *asking;

static int set_up(void **state)
{
    (void)state;
    service = (struct service){.entered = GATE_INIT, .leave = GATE_INIT};
    answering = open_bus_with(&(struct bus_options){
        .url = server.url, .name = "answering", .handler_threads = 2, .handler_queue = 2});
    await_connected(answering);
    expect_ok(bus_serve(answering, methods, ARRAY_LEN(methods), &service));
    expect_ok(bus_flush(answering, 5000));
    asking = open_bus("asking");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    bus_close(asking);
    bus_close(answering);
    return 0;
}

static struct err *ask(const char *subject, int64_t timeout_ms)
{
    struct ctx ctx;
    ctx_init(&ctx, NULL, timeout_ms);
    struct err *e = bus_request(asking, &ctx, subject, NULL, NULL, NULL, NULL, NULL, kinds);
    ctx_deinit(&ctx);
    return e;
}

/* --- tests --- */

static void test_round_trip(void **state)
{
    (void)state;
    struct trace trace;
    trace_start(&trace, "request-7", NULL);
    trace_set_current(&trace);
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(4096);
    struct note note = {.text = "ab", .number = 21};
    struct note answer = {0};
    struct ctx ctx;
    ctx_init(&ctx, NULL, 3000);
    expect_ok(bus_request(asking, &ctx, "test.double", &note_model, &note, &note_model, &arena,
                          &answer, NULL));
    ctx_deinit(&ctx);
    trace_set_current(NULL);
    assert_string_equal(answer.text, "abab");
    assert_int_equal(answer.number, 42);
    assert_in_range(service.remaining_ms, 2000, 3000);
    assert_string_equal(service.trace.request_id, "request-7");
    assert_string_equal(service.trace.trace_id, trace.trace_id);
    assert_string_equal(service.trace.parent_span_id, trace.span_id);
}

static void test_without_a_ctx_there_is_a_limit(void **state)
{
    (void)state;
    struct note note = {.text = "ab"};
    expect_ok(bus_request(asking, NULL, "test.double", &note_model, &note, NULL, NULL, NULL, NULL));
    assert_in_range(service.remaining_ms, 20000, BUS_TIMEOUT_MAX_MS);
}

static void test_errors_come_back(void **state)
{
    (void)state;
    static const struct {
        const char *subject;
        const struct err_kind *kind;
        const char *detail;
    } rows[] = {
        {"test.refuse", &TAKEN, "this one is taken"},
        {"test.reject", &ERR_INVALID_REQUEST, NULL},
        {"test.double", &ERR_INVALID_REQUEST, NULL}, /* what is sent lacks its text */
        {"test.crash", &ERR_INTERNAL, NULL},
        {"test.much", &ERR_INTERNAL, NULL},
        {"test.nobody", &ERR_UPSTREAM_UNAVAILABLE, "no one listens on test.nobody"},
        {"", &BUS_FAILED, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err *e = ask(rows[i].subject, 5000);
        char line[ERR_LINE];
        err_format(e, line, sizeof(line));
        if (!err_is(e, rows[i].kind))
            fail_msg("%s: %s", rows[i].subject, line);
        if (rows[i].detail)
            CHECK_STR(rows[i].subject, err_detail(e), rows[i].detail);
        CHECK(rows[i].subject, !strstr(line, "secret"));
        err_free(e);
    }
}

static void test_field_errors_come_back(void **state)
{
    (void)state;
    struct err *e = ask("test.reject", 5000);
    const struct err_field *fields = NULL;
    assert_int_equal(err_fields(e, &fields), 1);
    assert_string_equal(fields[0].field, "text");
    assert_string_equal(fields[0].code, "too_odd");
    err_free(e);
}

static void test_output_is_untouched_on_error(void **state)
{
    (void)state;
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(4096);
    struct note answer = {.text = "untouched", .number = 5};
    expect_error(
        bus_request(asking, NULL, "test.refuse", NULL, NULL, &note_model, &arena, &answer, kinds),
        &TAKEN);
    /* An answer that is not what the model says. */
    gate_add(&service.leave);
    expect_error(
        bus_request(asking, NULL, "test.linger", NULL, NULL, &note_model, &arena, &answer, kinds),
        &BUS_FAILED);
    assert_string_equal(answer.text, "untouched");
    assert_int_equal(answer.number, 5);
}

static void test_too_large_a_request(void **state)
{
    (void)state;
    struct large large = {.text = malloc(BUS_MESSAGE_MAX + 1)};
    memset((char *)(uintptr_t)large.text, 'x', BUS_MESSAGE_MAX);
    ((char *)(uintptr_t)large.text)[BUS_MESSAGE_MAX] = '\0';
    expect_error(
        bus_request(asking, NULL, "test.refuse", &large_model, &large, NULL, NULL, NULL, kinds),
        &BUS_FAILED);
    /* The server counts the headers, too. */
    ((char *)(uintptr_t)large.text)[BUS_MESSAGE_MAX - 20] = '\0';
    expect_error(
        bus_request(asking, NULL, "test.refuse", &large_model, &large, NULL, NULL, NULL, kinds),
        &BUS_FAILED);
    free((char *)(uintptr_t)large.text);
    expect_error(ask("test.refuse", 5000), &TAKEN);
}

static void test_deadline_ends_both_sides(void **state)
{
    (void)state;
    int64_t began_ms = clock_mono_ms();
    expect_error(ask("test.sleep", 200), &ERR_UPSTREAM_TIMEOUT);
    assert_in_range(clock_mono_ms() - began_ms, 190, 2000);
    gate_await(&service.leave, 1);
    assert_in_range(clock_mono_ms() - began_ms, 150, 3000);
}

struct caller {
    const char *subject;
    int64_t timeout_ms;
    struct ctx *ctx;
    struct gate done;
    struct err *e;
    pthread_t thread;
};

static void *call(void *data)
{
    struct caller *caller = data;
    struct ctx ctx;
    ctx_init(&ctx, caller->ctx, caller->timeout_ms);
    caller->e = bus_request(asking, &ctx, caller->subject, NULL, NULL, NULL, NULL, NULL, kinds);
    ctx_deinit(&ctx);
    gate_add(&caller->done);
    return NULL;
}

static void start_call(struct caller *caller, const char *subject, int64_t timeout_ms,
                       struct ctx *ctx)
{
    *caller = (struct caller){
        .subject = subject, .timeout_ms = timeout_ms, .ctx = ctx, .done = GATE_INIT};
    expect_ok(thread_start("caller", 0, call, caller, &caller->thread));
}

static struct err *end_call(struct caller *caller)
{
    pthread_join(caller->thread, NULL);
    return caller->e;
}

static void test_cancelled_caller_returns_at_once(void **state)
{
    (void)state;
    struct ctx ctx;
    ctx_init(&ctx, NULL, CTX_NO_TIMEOUT);
    struct caller caller;
    start_call(&caller, "test.linger", 20000, &ctx);
    gate_await(&service.entered, 1);
    ctx_cancel(&ctx);
    expect_error(end_call(&caller), &ERR_CANCELLED);
    ctx_deinit(&ctx);
    gate_add(&service.leave);
}

static void test_ended_ctx_sends_nothing(void **state)
{
    (void)state;
    expect_error(ask("test.linger", 0), &ERR_UPSTREAM_TIMEOUT);
    expect_ok(bus_flush(asking, 5000));
    expect_error(ask("test.refuse", 5000), &TAKEN);
    assert_int_equal(gate_count(&service.entered), 0);
}

static void test_lost_connection_ends_calls_at_once(void **state)
{
    (void)state;
    struct caller caller;
    start_call(&caller, "test.linger", 20000, NULL);
    gate_await(&service.entered, 1);
    int64_t began_ms = clock_mono_ms();
    nats_server_kill(&server);
    expect_error(end_call(&caller), &ERR_UPSTREAM_UNAVAILABLE);
    assert_in_range(clock_mono_ms() - began_ms, 0, 2000);
    gate_add(&service.leave);
    nats_server_restart(&server);
    await_connected(asking);
}

/* Two handlers and a queue of two: the fifth request is refused, and the first four are answered.
 */
static void test_overload_is_an_answer(void **state)
{
    (void)state;
    struct caller callers[4];
    for (size_t i = 0; i < 2; i++)
        start_call(&callers[i], "test.linger", 20000, NULL);
    gate_await(&service.entered, 2);
    for (size_t i = 2; i < ARRAY_LEN(callers); i++)
        start_call(&callers[i], "test.linger", 20000, NULL);
    struct pool_stats stats = {0};
    while (stats.queued < 2)
        pool_get_stats(answering->pool, &stats);
    int64_t began_ms = clock_mono_ms();
    expect_error(ask("test.linger", 20000), &ERR_OVERLOADED);
    assert_in_range(clock_mono_ms() - began_ms, 0, 2000);
    gate_add(&service.leave);
    for (size_t i = 0; i < ARRAY_LEN(callers); i++)
        expect_ok(end_call(&callers[i]));
    assert_int_equal(gate_count(&service.entered), 4);
}

/* Its caller has gone before its turn comes: it never begins. */
static void test_expired_request_is_not_worked_on(void **state)
{
    (void)state;
    struct caller busy[2];
    start_call(&busy[0], "test.linger", 20000, NULL);
    start_call(&busy[1], "test.linger", 20000, NULL);
    gate_await(&service.entered, 2);
    expect_error(ask("test.linger", 50), &ERR_UPSTREAM_TIMEOUT);
    err_free(ctx_sleep(NULL, 50)); /* the other side counts from the arrival */
    gate_add(&service.leave);
    expect_ok(end_call(&busy[0]));
    expect_ok(end_call(&busy[1]));
    expect_error(ask("test.refuse", 5000), &TAKEN); /* behind it in the queue */
    assert_int_equal(gate_count(&service.entered), 2);
}

static struct err *count(struct bus_call *call)
{
    gate_add(call->state);
    return NULL;
}

static const struct bus_method counted = {"test.counted", count, NULL, NULL, NULL};

static void open_replicas(struct bus *replicas[static 2], struct gate gates[static 2])
{
    for (size_t i = 0; i < 2; i++) {
        replicas[i] = open_bus("replicated");
        expect_ok(bus_serve(replicas[i], &counted, 1, &gates[i]));
        expect_ok(bus_flush(replicas[i], 5000));
    }
}

static void test_replicas_share_the_work(void **state)
{
    (void)state;
    struct gate gates[2] = {GATE_INIT, GATE_INIT};
    struct bus *replicas[2];
    open_replicas(replicas, gates);
    enum { CALLS = 100 };
    for (int i = 0; i < CALLS; i++)
        expect_ok(ask("test.counted", 5000));
    assert_int_equal(gate_count(&gates[0]) + gate_count(&gates[1]), CALLS);
    assert_true(gate_count(&gates[0]) > 0 && gate_count(&gates[1]) > 0);
    expect_ok(bus_drain(replicas[0], 5000));
    bus_close(replicas[0]);
    for (int i = 0; i < CALLS; i++)
        expect_ok(ask("test.counted", 5000));
    expect_ok(bus_drain(replicas[1], 5000));
    bus_close(replicas[1]);
    expect_error(ask("test.counted", 5000), &ERR_UPSTREAM_UNAVAILABLE);
}

static void test_a_paused_replica_leaves_the_work(void **state)
{
    (void)state;
    struct gate gates[2] = {GATE_INIT, GATE_INIT};
    struct bus *replicas[2];
    open_replicas(replicas, gates);
    enum { CALLS = 100 };
    expect_ok(bus_serve_resume(replicas[0])); /* it has left none */
    bus_serve_pause(replicas[0]);
    bus_serve_pause(replicas[0]);
    for (int i = 0; i < CALLS; i++)
        expect_ok(ask("test.counted", 5000));
    assert_int_equal(gate_count(&gates[0]), 0);
    expect_ok(bus_serve_resume(replicas[0]));
    bus_serve_pause(replicas[1]);
    for (int i = 0; i < CALLS; i++)
        expect_ok(ask("test.counted", 5000));
    assert_int_equal(gate_count(&gates[0]), CALLS);
    /* The connection is lost, and comes back, meanwhile. */
    bus_serve_pause(replicas[0]);
    nats_server_kill(&server);
    for (size_t i = 0; i < ARRAY_LEN(replicas); i++)
        await_lost(replicas[i]);
    expect_ok(bus_serve_resume(replicas[1]));
    nats_server_restart(&server);
    for (size_t i = 0; i < ARRAY_LEN(replicas); i++)
        await_connected(replicas[i]);
    await_connected(asking);
    for (int i = 0; i < CALLS; i++)
        expect_ok(ask("test.counted", 5000));
    assert_int_equal(gate_count(&gates[0]), CALLS);
    assert_int_equal(gate_count(&gates[1]), 2 * CALLS);
    for (size_t i = 0; i < ARRAY_LEN(replicas); i++) { /* one of them paused */
        expect_ok(bus_drain(replicas[i], 5000));
        bus_close(replicas[i]);
    }
}

/* What is begun is answered, what comes later finds no one. */
static void test_drain_finishes_what_is_begun(void **state)
{
    (void)state;
    struct caller caller;
    start_call(&caller, "test.linger", 20000, NULL);
    gate_await(&service.entered, 1);
    gate_add(&service.leave);
    expect_ok(bus_drain(answering, 5000));
    expect_ok(end_call(&caller));
    expect_error(ask("test.refuse", 5000), &ERR_UPSTREAM_UNAVAILABLE);
    /* Asking is still possible. */
    expect_error(bus_request(answering, NULL, "test.refuse", NULL, NULL, NULL, NULL, NULL, NULL),
                 &ERR_UPSTREAM_UNAVAILABLE);
}

static void test_drain_gives_up_in_time(void **state)
{
    (void)state;
    struct caller caller;
    start_call(&caller, "test.sleep", 20000, NULL);
    gate_await(&service.entered, 1);
    int64_t began_ms = clock_mono_ms();
    expect_error(bus_drain(answering, 200), &ERR_UPSTREAM_TIMEOUT);
    assert_in_range(clock_mono_ms() - began_ms, 190, 3000);
    gate_await(&service.leave, 1); /* its ctx was cancelled */
    expect_error(end_call(&caller), &ERR_CANCELLED);
}

static void test_wrong_model_is_refused(void **state)
{
    (void)state;
    static const struct model wrong = {.name = "struct wrong", .size = 8};
    static const struct bus_method method = {"test.wrong", refuse, &wrong, NULL, NULL};
    expect_error(bus_serve(asking, &method, 1, NULL), &ERR_INTERNAL);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_round_trip),
        CASE(test_without_a_ctx_there_is_a_limit),
        CASE(test_errors_come_back),
        CASE(test_field_errors_come_back),
        CASE(test_output_is_untouched_on_error),
        CASE(test_too_large_a_request),
        CASE(test_deadline_ends_both_sides),
        CASE(test_cancelled_caller_returns_at_once),
        CASE(test_ended_ctx_sends_nothing),
        CASE(test_lost_connection_ends_calls_at_once),
        CASE(test_overload_is_an_answer),
        CASE(test_expired_request_is_not_worked_on),
        CASE(test_replicas_share_the_work),
        CASE(test_a_paused_replica_leaves_the_work),
        CASE(test_drain_finishes_what_is_begun),
        CASE(test_drain_gives_up_in_time),
        CASE(test_wrong_model_is_refused),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
