/*
 * Deadline and cancellation of a piece of work, passed down through calls (Go's context.Context).
 *
 *     _cleanup_(ctx_deinit) struct ctx ctx;
 *     ctx_init(&ctx, parent, 2000);          // at most 2 s, and never longer than the parent
 *     return sql_exec(conn, &ctx, ...);
 *
 * A ctx ends when its deadline passes, when ctx_cancel() is called on it, or when its parent ends;
 * an ended ctx stays so. A child must be deinitialised before its parent. A NULL ctx is one that
 * never ends, and every function here takes it.
 *
 * A ctx lives in the caller's storage (it must not move) and costs no allocation. Who waits for
 * something within a ctx waits until its deadline and adds a hook that wakes it when the ctx is
 * cancelled: <conc/wait.h> does both.
 *
 * Threads: any thread may ask, cancel, hook and make children; ctx_init and ctx_deinit are the
 * owner's. ctx_is_done, ctx_check and ctx_remaining_ms take no lock. Nothing blocks but ctx_sleep,
 * and ctx_remove_hook while the hook runs. Not for signal handlers.
 *
 * Locks: each ctx has one, for `children` and `hooks` of that ctx and the `in_parent` nodes of its
 * children. It is held while hooks run and while children are cancelled. The order is: parent,
 * child, then whatever a hook takes. So nobody may make, cancel, hook or end a ctx while holding a
 * lock that a hook of that tree takes.
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

/* For reading, use the functions. */
struct ctx {
    struct ctx *parent;
    int64_t deadline_ms;   /* monotonic; INT64_MAX: none; does not change */
    atomic_bool cancelled; /* goes from false to true once; set before the lock is taken */
    pthread_mutex_t lock;
    struct list_node children;
    struct list_node in_parent; /* parent's lock */
    struct list_node hooks;
};

/* timeout_ms 0 is a ctx that has ended; CTX_NO_TIMEOUT (any negative number) leaves the parent's
 * deadline, if there is one. */
void ctx_init(struct ctx *ctx, struct ctx *parent, int64_t timeout_ms);
/* All its children and hooks are gone by now. */
void ctx_deinit(struct ctx *ctx);
DEFINE_CLEANUP_VALUE(struct ctx, ctx_deinit);

/* Cancels it and all its children, and runs their hooks. Idempotent. */
void ctx_cancel(struct ctx *ctx);
bool ctx_is_done(const struct ctx *ctx);
/* NULL while it goes on; then ERR_CANCELLED or ERR_UPSTREAM_TIMEOUT (that, if both). */
struct err *ctx_check(const struct ctx *ctx) MUST_CHECK;
/* Milliseconds until the end: 0 when it is over, at most limit_ms (CTX_NO_TIMEOUT: no limit, and
 * then CTX_NO_TIMEOUT is returned where there is no deadline). */
int64_t ctx_remaining_ms(const struct ctx *ctx, int64_t limit_ms);
/* Waits that long, or until the ctx ends: then the error of ctx_check(). For pauses between tries.
 */
struct err *ctx_sleep(struct ctx *ctx, int64_t time_ms) MUST_CHECK;

/* Called once, by the cancelling thread, when the ctx is cancelled (not when a deadline passes: who
 * waits knows the deadline). Must be short and must not block; it may not call any function here on
 * the ctx or its relatives but those that only ask. The storage is the caller's until removed. */
struct ctx_hook {
    struct list_node node;
    void (*run)(void *data);
    void *data;
};
/* run and data are set before. If the ctx is cancelled already, the hook runs at once, here. ctx
 * NULL: nothing happens. Each hook that was added must be removed, whether it ran or not. */
void ctx_add_hook(struct ctx *ctx, struct ctx_hook *hook);
/* After this the hook does not run and is not running. */
void ctx_remove_hook(struct ctx *ctx, struct ctx_hook *hook);

#endif
