/*
 * First come, first served: threads that wait for something of which there is not enough. The pool
 * waits for connections this way, and the writers of one SQLite file for their turn.
 */
#ifndef SQL_TURN_H
#define SQL_TURN_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include <base/list.h>
#include <conc/ctx.h>

struct turn {
    pthread_mutex_t lock; /* also of what try_take() looks at */
    struct list_node waiters;
    size_t waiting;
};

/* Takes what is wanted if it is there; called with the lock held, perhaps by another thread. */
typedef bool turn_take(void *data);

void sql_turn_init(struct turn *turn);
void sql_turn_deinit(struct turn *turn);
/* Does not wait; fails when others do, so that nobody is overtaken. The lock is not held. */
bool sql_turn_try(struct turn *turn, turn_take *take, void *data);
/* Waits. False: the ctx ended first and nothing was taken. The lock is not held. */
bool sql_turn_wait(struct turn *turn, struct ctx *ctx, turn_take *take, void *data);
/* Something was given back: whoever waits takes it. The lock is held. */
void sql_turn_pass(struct turn *turn);

#endif
