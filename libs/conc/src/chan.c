#include <conc/chan.h>

#include <base/clock.h>
#include <conc/wait.h>

struct chan {
    pthread_mutex_t lock;     /* everything below but capacity and drop */
    pthread_cond_t not_full;  /* senders wait here */
    pthread_cond_t not_empty; /* receivers wait here */
    void (*drop)(void *item);
    size_t capacity;
    size_t first; /* index of the oldest item */
    size_t count;
    bool closed;
    void *items[];
};

struct err *chan_new(size_t capacity, void (*drop)(void *item), struct chan **out_chan)
{
    if (capacity < 1 || capacity > CHAN_CAPACITY_MAX)
        return err_new(&ERR_INTERNAL, "a channel cannot have %zu places", capacity);
    struct chan *chan = calloc(1, sizeof(*chan) + capacity * sizeof(chan->items[0]));
    if (!chan)
        return err_oom();
    chan->capacity = capacity;
    chan->drop = drop;
    pthread_mutex_init(&chan->lock, NULL);
    ctx_cond_init(&chan->not_full);
    ctx_cond_init(&chan->not_empty);
    *out_chan = chan;
    return NULL;
}

void chan_free(struct chan *chan)
{
    if (!chan)
        return;
    for (size_t i = 0; chan->drop && i < chan->count; i++)
        chan->drop(chan->items[(chan->first + i) % chan->capacity]);
    pthread_cond_destroy(&chan->not_empty);
    pthread_cond_destroy(&chan->not_full);
    pthread_mutex_destroy(&chan->lock);
    free(chan);
}

/* The lock is held in both. */
static enum chan_status push(struct chan *chan, void *item)
{
    if (chan->closed)
        return CHAN_CLOSED;
    if (chan->count == chan->capacity)
        return CHAN_FULL;
    chan->items[(chan->first + chan->count) % chan->capacity] = item;
    chan->count++;
    pthread_cond_signal(&chan->not_empty);
    return CHAN_OK;
}

static enum chan_status pop(struct chan *chan, void **out_item)
{
    if (chan->count == 0)
        return chan->closed ? CHAN_CLOSED : CHAN_EMPTY;
    *out_item = chan->items[chan->first];
    chan->first = (chan->first + 1) % chan->capacity;
    chan->count--;
    pthread_cond_signal(&chan->not_full);
    return CHAN_OK;
}

enum chan_status chan_try_send(struct chan *chan, void *item)
{
    pthread_mutex_lock(&chan->lock);
    enum chan_status status = push(chan, item);
    pthread_mutex_unlock(&chan->lock);
    return status;
}

enum chan_status chan_try_receive(struct chan *chan, void **out_item)
{
    pthread_mutex_lock(&chan->lock);
    enum chan_status status = pop(chan, out_item);
    pthread_mutex_unlock(&chan->lock);
    return status;
}

/* Of a ctx that has ended; the same order of precedence as in ctx_check(). */
static enum chan_status why_done(const struct ctx *ctx)
{
    return clock_mono_ms() >= ctx->deadline_ms ? CHAN_TIMEOUT : CHAN_CANCELLED;
}

enum chan_status chan_send(struct chan *chan, struct ctx *ctx, void *item)
{
    if (ctx_is_done(ctx))
        return why_done(ctx);
    /* Mostly there is room: then the lock of the ctx is never touched. */
    enum chan_status status = chan_try_send(chan, item);
    if (status != CHAN_FULL)
        return status;
    struct ctx_wait wait;
    ctx_wait_begin(&wait, ctx, &chan->lock, &chan->not_full);
    pthread_mutex_lock(&chan->lock);
    while ((status = push(chan, item)) == CHAN_FULL && ctx_wait(&wait))
        ;
    pthread_mutex_unlock(&chan->lock);
    ctx_wait_end(&wait);
    return status == CHAN_FULL ? why_done(ctx) : status;
}

enum chan_status chan_receive(struct chan *chan, struct ctx *ctx, void **out_item)
{
    if (ctx_is_done(ctx))
        return why_done(ctx);
    enum chan_status status = chan_try_receive(chan, out_item);
    if (status != CHAN_EMPTY)
        return status;
    struct ctx_wait wait;
    ctx_wait_begin(&wait, ctx, &chan->lock, &chan->not_empty);
    pthread_mutex_lock(&chan->lock);
    while ((status = pop(chan, out_item)) == CHAN_EMPTY && ctx_wait(&wait))
        ;
    pthread_mutex_unlock(&chan->lock);
    ctx_wait_end(&wait);
    return status == CHAN_EMPTY ? why_done(ctx) : status;
}

void chan_close(struct chan *chan)
{
    pthread_mutex_lock(&chan->lock);
    chan->closed = true;
    pthread_cond_broadcast(&chan->not_empty);
    pthread_cond_broadcast(&chan->not_full);
    pthread_mutex_unlock(&chan->lock);
}

size_t chan_count(struct chan *chan)
{
    pthread_mutex_lock(&chan->lock);
    size_t count = chan->count;
    pthread_mutex_unlock(&chan->lock);
    return count;
}
