#include "turn.h"

#include <conc/wait.h>

struct waiter {
    struct list_node node;
    pthread_cond_t woken;
    turn_take *take;
    void *data;
    bool has_taken;
};

void sql_turn_init(struct turn *turn)
{
    *turn = (struct turn){0};
    pthread_mutex_init(&turn->lock, NULL);
    list_node_init(&turn->waiters);
}

void sql_turn_deinit(struct turn *turn)
{
    pthread_mutex_destroy(&turn->lock);
}

static bool take_unless_queued(struct turn *turn, turn_take *take, void *data)
{
    return list_is_empty(&turn->waiters) && take(data);
}

bool sql_turn_try(struct turn *turn, turn_take *take, void *data)
{
    pthread_mutex_lock(&turn->lock);
    bool has_taken = take_unless_queued(turn, take, data);
    pthread_mutex_unlock(&turn->lock);
    return has_taken;
}

static void leave_queue(struct turn *turn, struct waiter *waiter)
{
    list_remove(&waiter->node);
    turn->waiting--;
}

bool sql_turn_wait(struct turn *turn, struct ctx *ctx, turn_take *take, void *data)
{
    struct waiter waiter = {.take = take, .data = data};
    ctx_cond_init(&waiter.woken);
    struct ctx_wait wait;
    ctx_wait_begin(&wait, ctx, &turn->lock, &waiter.woken);
    pthread_mutex_lock(&turn->lock);
    waiter.has_taken = take_unless_queued(turn, take, data);
    if (!waiter.has_taken) {
        list_push_back(&turn->waiters, &waiter.node);
        turn->waiting++;
        while (!waiter.has_taken && ctx_wait(&wait))
            ;
        if (!waiter.has_taken)
            leave_queue(turn, &waiter);
    }
    pthread_mutex_unlock(&turn->lock);
    ctx_wait_end(&wait);
    pthread_cond_destroy(&waiter.woken);
    return waiter.has_taken;
}

void sql_turn_pass(struct turn *turn)
{
    LIST_FOREACH (node, &turn->waiters) {
        struct waiter *waiter = CONTAINER_OF(node, struct waiter, node);
        if (!waiter->take(waiter->data))
            return;
        waiter->has_taken = true;
        leave_queue(turn, waiter);
        pthread_cond_signal(&waiter->woken);
    }
}
