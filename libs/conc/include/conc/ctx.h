/*
 * Deadline and cancellation of a piece of work, passed down through calls (Go's context.Context).
 *
 *     struct ctx ctx;
 *     ctx_init(&ctx, parent, 2000);          // at most 2 s, and never longer than the parent
 *     struct err *e = sql_exec(conn, &ctx, ...);
 *     ctx_deinit(&ctx);
 *
 * A ctx ends when its deadline passes, when ctx_cancel() is called on it, or when its parent ends. A
 * child must be deinitialised before its parent. A NULL ctx is one that never ends.
 *
 * Threads: any thread may ask, cancel and hook; ctx_init and ctx_deinit by the owner.
 */
#ifndef CONC_CTX_H
#define CONC_CTX_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <base/list.h>
#include <base/macros.h>
#include <err/err.h>

#define CTX_NO_TIMEOUT (-1)

struct ctx {
    struct ctx *parent;
    int64_t deadline_ms; /* monotonic; INT64_MAX: none */
    atomic_bool cancelled;
    pthread_mutex_t lock; /* children and hooks */
    struct list_node children;
    struct list_node in_parent;
    struct list_node hooks;
};

void ctx_init(struct ctx *ctx, struct ctx *parent, int64_t timeout_ms);
void ctx_deinit(struct ctx *ctx);
DEFINE_CLEANUP_VALUE(struct ctx, ctx_deinit);

/* Cancels it and all its children, and runs their hooks. Idempotent. */
void ctx_cancel(struct ctx *ctx);
bool ctx_is_done(const struct ctx *ctx);
/* NULL while it goes on; then ERR_CANCELLED or ERR_UPSTREAM_TIMEOUT. */
struct err *ctx_check(const struct ctx *ctx) MUST_CHECK;
/* Milliseconds until the deadline: 0 when it is over, at most limit_ms (CTX_NO_TIMEOUT: no limit,
 * and then CTX_NO_TIMEOUT is returned where there is no deadline). */
int64_t ctx_remaining_ms(const struct ctx *ctx, int64_t limit_ms);

/* Called once, by the cancelling thread, when the ctx is cancelled (not when a deadline passes: who
 * waits knows the deadline). Must be short and must not block; it may not add or remove hooks. */
struct ctx_hook {
    struct list_node node;
    void (*run)(void *data);
    void *data;
};
/* If it is cancelled already, the hook runs at once. ctx NULL: nothing happens. */
void ctx_add_hook(struct ctx *ctx, struct ctx_hook *hook);
/* After this the hook does not run and is not running. */
void ctx_remove_hook(struct ctx *ctx, struct ctx_hook *hook);

#endif
