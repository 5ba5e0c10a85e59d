#include <conc/group.h>

#include <conc/thread.h>
#include <conc/wait.h>

enum task_state {
    TASK_NONE,    /* the place is free */
    TASK_RUNNING, /* its thread runs, or is about to */
    TASK_ENDED,   /* the place is free; the next user must join the thread */
};

struct task {
    struct group *group;
    enum task_state state; /* group's lock, as all here; run and data do not change while it runs */
    struct err *(*run)(struct ctx *ctx, void *data);
    void *data;
    pthread_t thread;
};

struct group {
    struct ctx ctx;
    pthread_mutex_t lock; /* running, first_error and the states of the tasks */
    pthread_cond_t task_ended;
    struct err *first_error;
    size_t running;
    size_t limit;
    struct task tasks[];
};

struct err *group_new(struct ctx *parent, size_t limit, struct group **out_group)
{
    if (limit < 1 || limit > GROUP_LIMIT_MAX)
        return err_new(&ERR_INTERNAL, "a group cannot run %zu tasks at once", limit);
    struct group *group = calloc(1, sizeof(*group) + limit * sizeof(group->tasks[0]));
    if (!group)
        return err_oom();
    ctx_init(&group->ctx, parent, CTX_NO_TIMEOUT);
    pthread_mutex_init(&group->lock, NULL);
    ctx_cond_init(&group->task_ended);
    group->limit = limit;
    *out_group = group;
    return NULL;
}

/* The lock is held. */
static struct task *find_place(struct group *group)
{
    for (size_t i = 0; i < group->limit; i++) {
        if (group->tasks[i].state != TASK_RUNNING)
            return &group->tasks[i];
    }
    return NULL;
}

static void *run_task(void *data)
{
    struct task *task = data;
    struct group *group = task->group;
    struct err *e = task->run(&group->ctx, task->data);
    pthread_mutex_lock(&group->lock);
    bool is_first = e && !group->first_error;
    if (is_first)
        group->first_error = TAKE(e);
    pthread_mutex_unlock(&group->lock);
    err_free(e);
    if (is_first)
        ctx_cancel(&group->ctx);
    pthread_mutex_lock(&group->lock);
    task->state = TASK_ENDED;
    group->running--;
    pthread_cond_broadcast(&group->task_ended);
    pthread_mutex_unlock(&group->lock);
    return NULL;
}

/* The lock is held, and kept while the thread is made: whoever finds the place TASK_ENDED finds its
 * thread too. */
static struct err *start_task(struct group *group, struct task *task,
                              struct err *(*run)(struct ctx *ctx, void *data), void *data)
{
    TRY(ctx_check(&group->ctx));
    if (task->state == TASK_ENDED)
        pthread_join(task->thread, NULL); /* it has given up the lock and is at its end */
    *task = (struct task){.group = group, .run = run, .data = data};
    TRY(thread_start("group", 0, run_task, task, &task->thread));
    task->state = TASK_RUNNING;
    group->running++;
    return NULL;
}

struct err *group_go(struct group *group, struct err *(*run)(struct ctx *ctx, void *data),
                     void *data)
{
    struct task *task;
    struct ctx_wait wait;
    ctx_wait_begin(&wait, &group->ctx, &group->lock, &group->task_ended);
    pthread_mutex_lock(&group->lock);
    while (!(task = find_place(group)) && ctx_wait(&wait))
        ;
    struct err *e = task ? start_task(group, task, run, data) : ctx_check(&group->ctx);
    pthread_mutex_unlock(&group->lock);
    ctx_wait_end(&wait);
    return e;
}

struct err *group_wait(struct group *group)
{
    pthread_mutex_lock(&group->lock);
    while (group->running > 0)
        pthread_cond_wait(&group->task_ended, &group->lock);
    pthread_mutex_unlock(&group->lock);
    for (size_t i = 0; i < group->limit; i++) {
        if (group->tasks[i].state == TASK_ENDED)
            pthread_join(group->tasks[i].thread, NULL);
    }
    struct err *first_error = group->first_error;
    pthread_cond_destroy(&group->task_ended);
    pthread_mutex_destroy(&group->lock);
    ctx_deinit(&group->ctx);
    free(group);
    return first_error;
}
