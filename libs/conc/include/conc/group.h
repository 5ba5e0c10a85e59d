/*
 * Task group (Go's errgroup): tasks run in parallel, group_wait() waits for all of them, the first
 * error wins and cancels the ctx of the rest. At most `limit` run at once, each on its own thread;
 * group_go() blocks while that many run.
 *
 *     struct group *group = NULL;
 *     TRY(group_new(ctx, 10, &group));
 *     struct err *refused = NULL;
 *     for (size_t i = 0; i < count && !refused; i++)
 *         refused = group_go(group, fetch, &pages[i]);
 *     struct err *first = group_wait(group);
 *     if (!first)
 *         return refused;        // the parent ended before all were started
 *     err_free(refused);         // mostly: cancelled, because of the first error
 *     return first;
 *
 * Threads: any may call group_go, a task too (it may then wait for another to end: with all of them
 * waiting nothing goes on); group_wait() by the owner, not by a task. Both block.
 *
 * Locks: one for each group, never held while a task runs or the ctx is cancelled (the ctx takes it
 * below its own, <conc/wait.h>).
 */
#ifndef CONC_GROUP_H
#define CONC_GROUP_H

#include <stddef.h>

#include <base/macros.h>
#include <conc/ctx.h>
#include <err/err.h>

#define GROUP_LIMIT_MAX 1024

struct group;

/* limit 1 to GROUP_LIMIT_MAX, else ERR_INTERNAL. The tasks' ctx is a child of parent (may be NULL).
 */
struct err *group_new(struct ctx *parent, size_t limit, struct group **out_group) MUST_CHECK;
/* An error means that the task did not start and never will: the ctx has ended (ctx_check's error)
 * or there is no thread (ERR_OVERLOADED). The group does not keep it; the other tasks go on. A task
 * gets the ctx of the group, and has 256 KiB of stack. */
struct err *group_go(struct group *group, struct err *(*run)(struct ctx *ctx, void *data),
                     void *data) MUST_CHECK;
/* Waits for all, frees the group, returns the first error that a task returned. */
struct err *group_wait(struct group *group) MUST_CHECK;

#endif
