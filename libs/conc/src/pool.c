#include <conc/pool.h>

#include <conc/thread.h>
#include <conc/wait.h>

#define RETRY_AFTER_MS 1000

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_DONE };

/* On the heap with `submitted`, freed by the worker; or on the stack of pool_call() with `called`.
 */
struct job {
    struct list_node node; /* in pool->jobs while JOB_QUEUED */
    enum job_state state;
    void (*submitted)(void *data);
    struct err *(*called)(void *data);
    void *data;
    struct err *result;   /* once JOB_DONE */
    pthread_cond_t ended; /* pool_call() waits here */
};

struct pool {
    pthread_mutex_t lock;     /* everything below but max_queued and the threads */
    pthread_cond_t work_left; /* workers wait here */
    struct list_node jobs;
    size_t queued, running;
    uint64_t done, refused;
    bool closing;
    size_t max_queued;
    size_t workers; /* threads that were started; the owner's */
    pthread_t threads[];
};

/* The lock is held in both. */
static struct job *begin_job(struct pool *pool)
{
    while (list_is_empty(&pool->jobs)) {
        if (pool->closing)
            return NULL;
        pthread_cond_wait(&pool->work_left, &pool->lock);
    }
    struct job *job = CONTAINER_OF(list_pop_front(&pool->jobs), struct job, node);
    job->state = JOB_RUNNING;
    pool->queued--;
    pool->running++;
    return job;
}

static void end_job(struct pool *pool, struct job *job, struct err *result)
{
    pool->running--;
    pool->done++;
    if (job->submitted) {
        free(job);
        return;
    }
    /* The last touch: once the lock is free, pool_call() returns and the job is no more. */
    job->result = result;
    job->state = JOB_DONE;
    pthread_cond_signal(&job->ended);
}

static void *work(void *data)
{
    struct pool *pool = data;
    struct job *job;
    pthread_mutex_lock(&pool->lock);
    while ((job = begin_job(pool))) {
        struct err *result = NULL;
        pthread_mutex_unlock(&pool->lock);
        if (job->submitted)
            job->submitted(job->data);
        else
            result = job->called(job->data);
        pthread_mutex_lock(&pool->lock);
        end_job(pool, job, result);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static struct err *check_options(const struct pool_options *options)
{
    if (options->workers < 1 || options->workers > POOL_WORKERS_MAX)
        return err_new(&ERR_INTERNAL, "pool %s cannot have %zu workers", options->name,
                       options->workers);
    if (options->queue < 1 || options->queue > POOL_QUEUE_MAX)
        return err_new(&ERR_INTERNAL, "pool %s cannot queue %zu jobs", options->name,
                       options->queue);
    return NULL;
}

struct err *pool_new(const struct pool_options *options, struct pool **out_pool)
{
    TRY(check_options(options));
    _cleanup_(pool_free) struct pool *pool =
        calloc(1, sizeof(*pool) + options->workers * sizeof(pool->threads[0]));
    if (!pool)
        return err_oom();
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work_left, NULL);
    list_node_init(&pool->jobs);
    pool->max_queued = options->queue;
    for (; pool->workers < options->workers; pool->workers++)
        TRY(thread_start(options->name, options->stack_size, work, pool,
                         &pool->threads[pool->workers]));
    *out_pool = TAKE(pool);
    return NULL;
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->work_left);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < pool->workers; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->work_left);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

/* The lock is held. */
static bool try_enqueue(struct pool *pool, struct job *job)
{
    if (pool->closing || pool->queued == pool->max_queued) {
        pool->refused++;
        return false;
    }
    list_push_back(&pool->jobs, &job->node);
    pool->queued++;
    pthread_cond_signal(&pool->work_left);
    return true;
}

static struct err *overloaded(void)
{
    return err_set_retry_after(err_new(&ERR_OVERLOADED, "too much work is waiting already"),
                               RETRY_AFTER_MS);
}

struct err *pool_submit(struct pool *pool, void (*run)(void *data), void *data)
{
    struct job *job = malloc(sizeof(*job));
    if (!job)
        return err_oom();
    *job = (struct job){.state = JOB_QUEUED, .submitted = run, .data = data};
    pthread_mutex_lock(&pool->lock);
    bool taken = try_enqueue(pool, job);
    pthread_mutex_unlock(&pool->lock);
    if (taken)
        return NULL;
    free(job);
    return overloaded();
}

/* Waits until the job is done, or was taken back since the ctx ended. The lock is held. */
static void wait_for_job(struct pool *pool, struct job *job, struct ctx_wait *wait)
{
    while (job->state != JOB_DONE && ctx_wait(wait))
        ;
    if (job->state == JOB_QUEUED) {
        list_remove(&job->node);
        pool->queued--;
        return;
    }
    while (job->state != JOB_DONE)
        pthread_cond_wait(&job->ended, &pool->lock);
}

struct err *pool_call(struct pool *pool, struct ctx *ctx, struct err *(*run)(void *data),
                      void *data)
{
    TRY(ctx_check(ctx));
    struct job job = {.state = JOB_QUEUED, .called = run, .data = data};
    ctx_cond_init(&job.ended);
    struct ctx_wait wait;
    ctx_wait_begin(&wait, ctx, &pool->lock, &job.ended);
    pthread_mutex_lock(&pool->lock);
    bool taken = try_enqueue(pool, &job);
    if (taken)
        wait_for_job(pool, &job, &wait);
    pthread_mutex_unlock(&pool->lock);
    ctx_wait_end(&wait);
    pthread_cond_destroy(&job.ended);
    if (!taken)
        return overloaded();
    return job.state == JOB_DONE ? job.result : ctx_check(ctx);
}

void pool_get_stats(struct pool *pool, struct pool_stats *out_stats)
{
    pthread_mutex_lock(&pool->lock);
    *out_stats = (struct pool_stats){.queued = pool->queued,
                                     .running = pool->running,
                                     .done = pool->done,
                                     .refused = pool->refused};
    pthread_mutex_unlock(&pool->lock);
}
