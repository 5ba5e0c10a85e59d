#include <conc/ctx.h>

#include <assert.h>

#include <base/clock.h>

static int64_t deadline_after(int64_t timeout_ms)
{
    int64_t now_ms = clock_mono_ms();
    if (timeout_ms < 0 || timeout_ms > INT64_MAX - now_ms)
        return INT64_MAX;
    return now_ms + timeout_ms;
}

void ctx_init(struct ctx *ctx, struct ctx *parent, int64_t timeout_ms)
{
    ctx->parent = parent;
    ctx->deadline_ms = deadline_after(timeout_ms);
    atomic_init(&ctx->cancelled, false);
    pthread_mutex_init(&ctx->lock, NULL);
    list_node_init(&ctx->children);
    list_node_init(&ctx->in_parent);
    list_node_init(&ctx->hooks);
    if (!parent)
        return;
    ctx->deadline_ms = MIN(ctx->deadline_ms, parent->deadline_ms);
    pthread_mutex_lock(&parent->lock);
    list_push_back(&parent->children, &ctx->in_parent);
    /* A parent cancelled before this line is seen here; one cancelled after it finds the child. */
    if (atomic_load(&parent->cancelled))
        atomic_store(&ctx->cancelled, true);
    pthread_mutex_unlock(&parent->lock);
}

void ctx_deinit(struct ctx *ctx)
{
    if (ctx->parent) {
        pthread_mutex_lock(&ctx->parent->lock);
        list_remove(&ctx->in_parent);
        pthread_mutex_unlock(&ctx->parent->lock);
    }
    assert(list_is_empty(&ctx->children) && list_is_empty(&ctx->hooks));
    pthread_mutex_destroy(&ctx->lock);
}

void ctx_cancel(struct ctx *ctx)
{
    if (!ctx || atomic_exchange(&ctx->cancelled, true))
        return;
    pthread_mutex_lock(&ctx->lock);
    struct list_node *node;
    while ((node = list_pop_front(&ctx->hooks))) {
        struct ctx_hook *hook = CONTAINER_OF(node, struct ctx_hook, node);
        hook->run(hook->data);
    }
    LIST_FOREACH (child, &ctx->children)
        ctx_cancel(CONTAINER_OF(child, struct ctx, in_parent));
    pthread_mutex_unlock(&ctx->lock);
}

static bool is_past_deadline(const struct ctx *ctx)
{
    return ctx->deadline_ms != INT64_MAX && clock_mono_ms() >= ctx->deadline_ms;
}

bool ctx_is_done(const struct ctx *ctx)
{
    return ctx && (atomic_load(&ctx->cancelled) || is_past_deadline(ctx));
}

struct err *ctx_check(const struct ctx *ctx)
{
    if (!ctx)
        return NULL;
    /* Who sees a deadline pass may cancel the others: they are late too. */
    if (is_past_deadline(ctx))
        return err_new(&ERR_UPSTREAM_TIMEOUT, "the deadline of the work has passed");
    if (atomic_load(&ctx->cancelled))
        return err_new(&ERR_CANCELLED, "the work was cancelled");
    return NULL;
}

int64_t ctx_remaining_ms(const struct ctx *ctx, int64_t limit_ms)
{
    if (!ctx)
        return limit_ms;
    if (atomic_load(&ctx->cancelled))
        return 0;
    if (ctx->deadline_ms == INT64_MAX)
        return limit_ms;
    int64_t left_ms = MAX(ctx->deadline_ms - clock_mono_ms(), 0);
    return limit_ms < 0 ? left_ms : MIN(left_ms, limit_ms);
}

void ctx_add_hook(struct ctx *ctx, struct ctx_hook *hook)
{
    if (!ctx)
        return;
    list_node_init(&hook->node);
    pthread_mutex_lock(&ctx->lock);
    if (atomic_load(&ctx->cancelled))
        hook->run(hook->data);
    else
        list_push_back(&ctx->hooks, &hook->node);
    pthread_mutex_unlock(&ctx->lock);
}

void ctx_remove_hook(struct ctx *ctx, struct ctx_hook *hook)
{
    if (!ctx)
        return;
    pthread_mutex_lock(&ctx->lock);
    list_remove(&hook->node);
    pthread_mutex_unlock(&ctx->lock);
}
