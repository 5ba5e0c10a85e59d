/*
 * Worker pool: a fixed number of threads and a bounded queue that refuses when full, so that
 * overload is an answer (ERR_OVERLOADED, 503) and never a growing heap.
 *
 * Threads: any may submit, call and ask for figures; pool_free() by the owner, when no other thread
 * uses the pool any more but its own workers. Jobs begin in the order they were taken.
 *
 * Locks: one for each pool, never held while a job runs. A cancelled ctx takes it below its own
 * (<conc/wait.h>). A job's states, all changed under that lock:
 *
 *     queued --(a worker takes it)--> running --> done
 *        `---(pool_call's ctx ends)--> taken back: never runs
 */
#ifndef CONC_POOL_H
#define CONC_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/macros.h>
#include <conc/ctx.h>
#include <err/err.h>

#define POOL_WORKERS_MAX 1024
#define POOL_QUEUE_MAX   ((size_t)1 << 20)

struct pool;

struct pool_options {
    const char *name;  /* of the threads: 15 characters are shown; needed only during pool_new() */
    size_t workers;    /* 1 to POOL_WORKERS_MAX */
    size_t queue;      /* jobs that may wait, 1 to POOL_QUEUE_MAX */
    size_t stack_size; /* bytes for each thread; 0: 256 KiB */
};

struct pool_stats {
    size_t queued, running; /* at this moment */
    uint64_t done, refused; /* since pool_new() */
};

/* ERR_INTERNAL when an option is out of its range; ERR_OVERLOADED when the system gives no thread.
 */
struct err *pool_new(const struct pool_options *options, struct pool **out_pool) MUST_CHECK;
/* Refuses new jobs, finishes the queued ones, joins the threads. Blocks until then; not from a job.
 */
void pool_free(struct pool *pool);
DEFINE_CLEANUP(struct pool *, pool_free);

/* Never blocks: ERR_OVERLOADED (with a time to try again) when the queue is full or the pool is
 * closing. Without an error, run(data) is called exactly once; with one, never. */
struct err *pool_submit(struct pool *pool, void (*run)(void *data), void *data) MUST_CHECK;
/* Runs a job on the pool, waits for it and returns its error. When the ctx ends first, a job that
 * has not begun is taken back and the error is that of ctx_check(); one that has begun is waited
 * for (its data is the caller's) and its error returned: a long job should ask its ctx itself.
 * ERR_OVERLOADED at once when the queue is full or the pool is closing. Not from a job of the same
 * pool: with all workers waiting for each other nothing would go on. */
struct err *pool_call(struct pool *pool, struct ctx *ctx, struct err *(*run)(void *data),
                      void *data) MUST_CHECK;
void pool_get_stats(struct pool *pool, struct pool_stats *out_stats);

#endif
