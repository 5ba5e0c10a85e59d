/*
 * Waiting on a condition variable within a ctx: until the condition holds, the deadline passes or
 * the ctx is cancelled. Channels, pools and groups wait this way, and so may anything with a lock.
 *
 *     struct ctx_wait wait;
 *     ctx_wait_begin(&wait, ctx, &thing->lock, &thing->changed);   // thing->lock not held
 *     pthread_mutex_lock(&thing->lock);
 *     while (!thing->ready && ctx_wait(&wait))
 *         ;
 *     bool ready = thing->ready;                 // the condition first: a wakeup is never lost
 *     pthread_mutex_unlock(&thing->lock);
 *     ctx_wait_end(&wait);                                         // thing->lock not held
 *
 * Locks: begin and end take the lock of the ctx, and the cancelling thread takes thing->lock below
 * it; hence "not held". Who may cancel while holding thing->lock deadlocks. All the waiters of the
 * condition variable are woken by a cancellation; those whose ctx goes on wait again.
 */
#ifndef CONC_WAIT_H
#define CONC_WAIT_H

#include <pthread.h>
#include <stdbool.h>

#include <conc/ctx.h>

struct ctx_wait {
    struct ctx *ctx;
    pthread_mutex_t *lock;
    pthread_cond_t *cond;
    struct ctx_hook hook;
};

/* A condition variable on the monotonic clock, which ctx_wait() needs. */
void ctx_cond_init(pthread_cond_t *cond);

/* ctx may be NULL. The wait must not move before ctx_wait_end(). */
void ctx_wait_begin(struct ctx_wait *wait, struct ctx *ctx, pthread_mutex_t *lock,
                    pthread_cond_t *cond);
/* The lock is held, given up meanwhile, and held again. True: woken, perhaps for nothing, so ask
 * the condition again. False: the ctx has ended (nothing was waited for). */
bool ctx_wait(struct ctx_wait *wait);
void ctx_wait_end(struct ctx_wait *wait);

#endif
