#include <conc/wait.h>

#include <time.h>

#define NS_PER_MS 1000000L

void ctx_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void wake(void *data)
{
    const struct ctx_wait *wait = data;
    /* Under the lock: a waiter that has just asked the ctx and is about to sleep must not miss it.
     */
    pthread_mutex_lock(wait->lock);
    pthread_cond_broadcast(wait->cond);
    pthread_mutex_unlock(wait->lock);
}

void ctx_wait_begin(struct ctx_wait *wait, struct ctx *ctx, pthread_mutex_t *lock,
                    pthread_cond_t *cond)
{
    *wait = (struct ctx_wait){
        .ctx = ctx, .lock = lock, .cond = cond, .hook = {.run = wake, .data = wait}};
    ctx_add_hook(ctx, &wait->hook);
}

bool ctx_wait(struct ctx_wait *wait)
{
    if (ctx_is_done(wait->ctx))
        return false;
    if (!wait->ctx || wait->ctx->deadline_ms == INT64_MAX) {
        pthread_cond_wait(wait->cond, wait->lock);
        return true;
    }
    struct timespec until = {
        .tv_sec = (time_t)(wait->ctx->deadline_ms / 1000),
        .tv_nsec = (wait->ctx->deadline_ms % 1000) * NS_PER_MS,
    };
    pthread_cond_timedwait(wait->cond, wait->lock, &until);
    return true;
}

void ctx_wait_end(struct ctx_wait *wait)
{
    ctx_remove_hook(wait->ctx, &wait->hook);
}

struct err *ctx_sleep(struct ctx *ctx, int64_t time_ms)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t never;
    ctx_cond_init(&never);
    struct ctx pause;
    ctx_init(&pause, ctx, MAX(time_ms, 0));
    struct ctx_wait wait;
    ctx_wait_begin(&wait, &pause, &lock, &never);
    pthread_mutex_lock(&lock);
    while (ctx_wait(&wait))
        ;
    pthread_mutex_unlock(&lock);
    ctx_wait_end(&wait);
    ctx_deinit(&pause);
    pthread_cond_destroy(&never);
    return ctx_check(ctx);
}
