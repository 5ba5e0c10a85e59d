/*
 * Worker pool: a fixed number of threads, a bounded queue that refuses when full.
 * Threads: any may submit; pool_free() by the owner.
 */
#ifndef CONC_POOL_H
#define CONC_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/macros.h>
#include <conc/ctx.h>
#include <err/err.h>

struct pool;

struct pool_options {
    const char *name;  /* thread name, at most 15 characters */
    size_t workers;    /* 1 to 1024 */
    size_t queue;      /* jobs that may wait, 1 to 2^20 */
    size_t stack_size; /* 0: 256 KiB */
};

struct pool_stats {
    size_t queued, running;
    uint64_t done, refused;
};

struct err *pool_new(const struct pool_options *options, struct pool **out_pool) MUST_CHECK;
/* Refuses new jobs, finishes the queued ones, joins the threads. Blocks until then. */
void pool_free(struct pool *pool);
DEFINE_CLEANUP(struct pool *, pool_free);

/* Never blocks: ERR_OVERLOADED when the queue is full or the pool is closing. */
struct err *pool_submit(struct pool *pool, void (*run)(void *data), void *data) MUST_CHECK;
/* Runs a job on the pool and waits for its result. When the ctx ends first, a job that has not begun
 * is taken back; one that has is waited for (its data is the caller's). */
struct err *pool_call(struct pool *pool, struct ctx *ctx, struct err *(*run)(void *data), void *data)
    MUST_CHECK;
void pool_get_stats(struct pool *pool, struct pool_stats *out_stats);

#endif
