/*
 * Task group (Go's errgroup): tasks run in parallel, group_wait() waits for all of them, the first
 * error wins and cancels the ctx of the rest. At most `limit` run at once, each on its own thread;
 * group_go() blocks while that many run.
 */
#ifndef CONC_GROUP_H
#define CONC_GROUP_H

#include <stddef.h>

#include <base/macros.h>
#include <conc/ctx.h>
#include <err/err.h>

struct group;

/* limit 1 to 1024. The tasks' ctx is a child of parent. */
struct err *group_new(struct ctx *parent, size_t limit, struct group **out_group) MUST_CHECK;
/* An error means that the task did not start (the ctx has ended, or no thread could be made). */
struct err *group_go(struct group *group, struct err *(*run)(struct ctx *ctx, void *data), void *data)
    MUST_CHECK;
/* Waits for all, frees the group, returns the first error. */
struct err *group_wait(struct group *group) MUST_CHECK;

#endif
