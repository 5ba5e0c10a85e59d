#include "conc_test.h"

#include <semaphore.h>
#include <signal.h>
#include <string.h>

#include <conc/pool.h>

#include "alloc_fail.h"

static struct pool *new_pool(size_t workers, size_t queue)
{
    struct pool_options options = {.name = "test", .workers = workers, .queue = queue};
    struct pool *pool = NULL;
    expect_kind(pool_new(&options, &pool), NULL, "a new pool");
    return pool;
}

/* A job that says that it has begun and ends when it is told to. */
struct gate {
    sem_t begun, go_on;
    const struct err_kind *fails_with;
};

static void gate_init(struct gate *gate)
{
    *gate = (struct gate){0};
    sem_init(&gate->begun, 0, 0);
    sem_init(&gate->go_on, 0, 0);
}

static void pass_gate(void *data)
{
    struct gate *gate = data;
    sem_post(&gate->begun);
    sem_wait(&gate->go_on);
}

static struct err *call_gate(void *data)
{
    const struct gate *gate = data;
    pass_gate(data);
    return gate->fails_with ? err_new(gate->fails_with, "as told") : NULL;
}

static void count_job(void *data)
{
    atomic_fetch_add((atomic_int *)data, 1);
}

static struct err *count_call(void *data)
{
    count_job(data);
    return NULL;
}

static void options_have_limits(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct pool_options options;
    } rows[] = {
        {"no workers", {.name = "a", .workers = 0, .queue = 1}},
        {"too many workers", {.name = "a", .workers = POOL_WORKERS_MAX + 1, .queue = 1}},
        {"no queue", {.name = "a", .workers = 1, .queue = 0}},
        {"too long a queue", {.name = "a", .workers = 1, .queue = POOL_QUEUE_MAX + 1}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct pool *pool = (void *)1;
        expect_kind(pool_new(&rows[i].options, &pool), &ERR_INTERNAL, rows[i].name);
        assert_ptr_equal(pool, (void *)1);
    }
    pool_free(NULL);
}

static void threads_that_cannot_be_made_are_an_error(void **state)
{
    (void)state;
    struct pool_options options = {
        .name = "huge", .workers = 4, .queue = 1, .stack_size = (size_t)1 << 46};
    struct pool *pool = (void *)1;
    expect_kind(pool_new(&options, &pool), &ERR_OVERLOADED, "stacks beyond the address space");
    assert_ptr_equal(pool, (void *)1);
}

static void memory_that_is_short_is_an_error(void **state)
{
    (void)state;
    struct pool_options options = {.name = "test", .workers = 1, .queue = 1};
    struct pool *none = (void *)1;
    atomic_int runs = 0;
    struct pool *pool = new_pool(1, 1);
    alloc_fail_after(0);
    struct err *made = pool_new(&options, &none);
    struct err *submitted = pool_submit(pool, count_job, &runs);
    struct err *called = pool_call(pool, NULL, count_call, &runs); /* needs none */
    assert_true(alloc_fail_stop());
    expect_kind(made, &ERR_OUT_OF_MEMORY, "a new pool");
    expect_kind(submitted, &ERR_OUT_OF_MEMORY, "submitting");
    expect_kind(called, NULL, "calling");
    assert_ptr_equal(none, (void *)1);
    pool_free(pool);
    assert_int_equal(runs, 1);
}

static void a_full_queue_refuses(void **state)
{
    (void)state;
    atomic_int runs = 0;
    struct gate gate;
    gate_init(&gate);
    struct pool *pool = new_pool(1, 2);
    expect_kind(pool_submit(pool, pass_gate, &gate), NULL, "the running job");
    sem_wait(&gate.begun);
    expect_kind(pool_submit(pool, count_job, &runs), NULL, "the first in the queue");
    expect_kind(pool_submit(pool, count_job, &runs), NULL, "the second in the queue");

    struct err *e = pool_submit(pool, count_job, &runs);
    assert_true(err_retry_after_ms(e) > 0);
    expect_kind(e, &ERR_OVERLOADED, "submitting beyond the queue");
    expect_kind(pool_call(pool, NULL, count_call, &runs), &ERR_OVERLOADED, "calling beyond it");

    struct pool_stats stats;
    pool_get_stats(pool, &stats);
    assert_int_equal(stats.queued, 2);
    assert_int_equal(stats.running, 1);
    assert_int_equal(stats.done, 0);
    assert_int_equal(stats.refused, 2);
    sem_post(&gate.go_on);
    pool_free(pool); /* finishes what is queued */
    assert_int_equal(runs, 2);
}

static void a_call_gives_the_job_s_result(void **state)
{
    (void)state;
    struct gate gate;
    gate_init(&gate);
    struct pool *pool = new_pool(2, 4);
    static const struct err_kind *const kinds[] = {NULL, &ERR_CONFLICT};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        gate.fails_with = kinds[i];
        sem_post(&gate.go_on);
        expect_kind(pool_call(pool, NULL, call_gate, &gate), kinds[i], "the result of the job");
    }
    struct pool_stats stats;
    pool_get_stats(pool, &stats);
    assert_int_equal(stats.done, 2);
    assert_int_equal(stats.running, 0);
    pool_free(pool);
}

static void a_ctx_that_has_ended_calls_nothing(void **state)
{
    (void)state;
    atomic_int runs = 0;
    struct pool *pool = new_pool(1, 1);
    struct ctx ctx;
    ctx_init(&ctx, NULL, 0);
    expect_kind(pool_call(pool, &ctx, count_call, &runs), &ERR_UPSTREAM_TIMEOUT, "an ended ctx");
    ctx_deinit(&ctx);
    pool_free(pool);
    assert_int_equal(runs, 0);
}

/* pool_call() on another thread. */
struct caller {
    struct pool *pool;
    struct ctx *ctx;
    struct err *(*run)(void *data);
    void *data;
    pthread_t thread;
};

static void *call(void *data)
{
    struct caller *caller = data;
    return pool_call(caller->pool, caller->ctx, caller->run, caller->data);
}

static struct err *join_caller(struct caller *caller)
{
    void *result = NULL;
    pthread_join(caller->thread, &result);
    return result;
}

static void await_queued(struct pool *pool, size_t count)
{
    struct pool_stats stats = {0};
    while (stats.queued != count) {
        sched_yield();
        pool_get_stats(pool, &stats);
    }
}

static void a_queued_job_is_taken_back(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool cancel;
        const struct err_kind *kind;
    } rows[] = {
        {"cancelled", true, &ERR_CANCELLED},
        {"deadline", false, &ERR_UPSTREAM_TIMEOUT},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        atomic_int runs = 0;
        struct gate gate;
        gate_init(&gate);
        struct pool *pool = new_pool(1, 2);
        expect_kind(pool_submit(pool, pass_gate, &gate), NULL, "the job in front");
        sem_wait(&gate.begun);
        struct ctx ctx;
        ctx_init(&ctx, NULL, rows[i].cancel ? CTX_NO_TIMEOUT : 20);
        struct caller caller = {pool, &ctx, count_call, &runs, 0};
        assert_int_equal(pthread_create(&caller.thread, NULL, call, &caller), 0);
        if (rows[i].cancel) {
            await_queued(pool, 1);
            ctx_cancel(&ctx);
        }
        expect_kind(join_caller(&caller), rows[i].kind, rows[i].name);
        await_queued(pool, 0);
        sem_post(&gate.go_on);
        pool_free(pool);
        ctx_deinit(&ctx);
        assert_int_equal(runs, 0);
    }
}

static void a_job_that_has_begun_is_waited_for(void **state)
{
    (void)state;
    struct gate gate;
    gate_init(&gate);
    gate.fails_with = &ERR_CONFLICT;
    struct pool *pool = new_pool(1, 1);
    struct ctx ctx;
    ctx_init(&ctx, NULL, CTX_NO_TIMEOUT);
    struct caller caller = {pool, &ctx, call_gate, &gate, 0};
    assert_int_equal(pthread_create(&caller.thread, NULL, call, &caller), 0);
    sem_wait(&gate.begun);
    ctx_cancel(&ctx);
    sem_post(&gate.go_on);
    expect_kind(join_caller(&caller), &ERR_CONFLICT, "the job's own error, not the ctx's");
    ctx_deinit(&ctx);
    pool_free(pool);
}

struct late_job {
    struct pool *pool;
    struct gate gate;
    struct err *result;
};

static void submit_late(void *data)
{
    struct late_job *late = data;
    pass_gate(&late->gate);
    /* pool_free() closes the pool before it waits for this job: until then there is room. */
    while (!late->result) {
        atomic_int *ignored = calloc(1, sizeof(*ignored));
        late->result = pool_submit(late->pool, free, ignored);
        if (late->result)
            free(ignored);
        sched_yield();
    }
}

static void a_closing_pool_refuses(void **state)
{
    (void)state;
    struct late_job late = {.pool = new_pool(2, 1024)};
    gate_init(&late.gate);
    expect_kind(pool_submit(late.pool, submit_late, &late), NULL, "the job that submits");
    sem_wait(&late.gate.begun);
    sem_post(&late.gate.go_on);
    pool_free(late.pool);
    expect_kind(late.result, &ERR_OVERLOADED, "submitting to a closing pool");
}

struct thread_facts {
    char name[16];
    bool blocks_term, blocks_segv;
};

static struct err *look_at_thread(void *data)
{
    struct thread_facts *facts = data;
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    facts->blocks_term = sigismember(&mask, SIGTERM) == 1;
    facts->blocks_segv = sigismember(&mask, SIGSEGV) == 1;
    pthread_getname_np(pthread_self(), facts->name, sizeof(facts->name));
    return NULL;
}

static void workers_have_a_name_and_take_no_signals(void **state)
{
    (void)state;
    struct pool_options options = {.name = "a name that is too long", .workers = 1, .queue = 1};
    struct pool *pool = NULL;
    struct thread_facts facts = {0};
    expect_kind(pool_new(&options, &pool), NULL, "a new pool");
    expect_kind(pool_call(pool, NULL, look_at_thread, &facts), NULL, "the call");
    assert_string_equal(facts.name, "a name that is ");
    assert_true(facts.blocks_term);
    assert_false(facts.blocks_segv);
    pool_free(pool);
    sigset_t mine;
    pthread_sigmask(SIG_BLOCK, NULL, &mine);
    assert_int_equal(sigismember(&mine, SIGTERM), 0);
}

/* Callers with short deadlines, cancellations and submitters at once: what the pool says it did is
 * what the jobs counted. */
#define CALLERS 4
#define CALLS   500

struct stress {
    struct pool *pool;
    atomic_int runs;
    atomic_int accepted;
};

static void *call_often(void *data)
{
    struct stress *stress = data;
    for (int i = 0; i < CALLS; i++) {
        struct ctx ctx;
        ctx_init(&ctx, NULL, i % 4 ? 100 : i % 3);
        struct err *e = i % 2 ? pool_call(stress->pool, &ctx, count_call, &stress->runs)
                              : pool_submit(stress->pool, count_job, &stress->runs);
        ctx_deinit(&ctx);
        if (!e)
            atomic_fetch_add(&stress->accepted, 1);
        err_free(e);
    }
    return NULL;
}

static void every_accepted_job_runs_once(void **state)
{
    (void)state;
    struct stress stress = {.pool = new_pool(2, 2)};
    pthread_t threads[CALLERS];
    for (size_t i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, &stress), 0);
    for (size_t i = 0; i < CALLERS; i++)
        pthread_join(threads[i], NULL);
    struct pool_stats stats;
    pool_get_stats(stress.pool, &stats);
    assert_true(stats.done + stats.refused <= (uint64_t)CALLERS * CALLS);
    pool_free(stress.pool);
    assert_int_equal(stress.runs, stress.accepted);
    assert_true(stress.runs > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_have_limits),
        cmocka_unit_test(threads_that_cannot_be_made_are_an_error),
        cmocka_unit_test(memory_that_is_short_is_an_error),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(a_call_gives_the_job_s_result),
        cmocka_unit_test(a_ctx_that_has_ended_calls_nothing),
        cmocka_unit_test(a_queued_job_is_taken_back),
        cmocka_unit_test(a_job_that_has_begun_is_waited_for),
        cmocka_unit_test(a_closing_pool_refuses),
        cmocka_unit_test(workers_have_a_name_and_take_no_signals),
        cmocka_unit_test(every_accepted_job_runs_once),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
