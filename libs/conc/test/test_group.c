#include "conc_test.h"

#include <semaphore.h>

#include <conc/group.h>

#include "alloc_fail.h"

static struct group *new_group(struct ctx *parent, size_t limit)
{
    struct group *group = NULL;
    expect_kind(group_new(parent, limit, &group), NULL, "a new group");
    return group;
}

static struct err *count_task(struct ctx *ctx, void *data)
{
    (void)ctx;
    atomic_fetch_add((atomic_int *)data, 1);
    return NULL;
}

static struct err *fail_at_once(struct ctx *ctx, void *data)
{
    (void)ctx;
    return err_new(data, "as told");
}

static struct err *wait_for_end(struct ctx *ctx, void *data)
{
    if (data)
        sem_post(data);
    return ctx_sleep(ctx, 60000);
}

static void a_limit_has_limits(void **state)
{
    (void)state;
    static const size_t wrong[] = {0, GROUP_LIMIT_MAX + 1};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct group *group = (void *)1;
        expect_kind(group_new(NULL, wrong[i], &group), &ERR_INTERNAL, "a wrong limit");
        assert_ptr_equal(group, (void *)1);
    }
}

static void memory_that_is_short_is_an_error(void **state)
{
    (void)state;
    struct group *group = (void *)1;
    alloc_fail_after(0);
    struct err *e = group_new(NULL, 4, &group);
    assert_true(alloc_fail_stop());
    expect_kind(e, &ERR_OUT_OF_MEMORY, "a new group");
    assert_ptr_equal(group, (void *)1);
}

static void an_empty_group_succeeds(void **state)
{
    (void)state;
    expect_kind(group_wait(new_group(NULL, 3)), NULL, "waiting for nothing");
}

static void every_task_runs(void **state)
{
    (void)state;
    static const size_t limits[] = {1, 2, 7, GROUP_LIMIT_MAX};
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        atomic_int runs = 0;
        struct group *group = new_group(NULL, limits[i]);
        for (int task = 0; task < 50; task++)
            expect_kind(group_go(group, count_task, &runs), NULL, "starting a task");
        expect_kind(group_wait(group), NULL, "the group");
        assert_int_equal(runs, 50);
    }
}

/* How many run at once, and the most that ever did. */
struct crowd {
    atomic_int now, most;
};

static struct err *join_crowd(struct ctx *ctx, void *data)
{
    struct crowd *crowd = data;
    int now = atomic_fetch_add(&crowd->now, 1) + 1;
    int most = atomic_load(&crowd->most);
    while (now > most && !atomic_compare_exchange_weak(&crowd->most, &most, now))
        ;
    struct err *e = ctx_sleep(ctx, 2);
    atomic_fetch_sub(&crowd->now, 1);
    return e;
}

static void the_limit_holds(void **state)
{
    (void)state;
    struct crowd crowd = {0};
    struct group *group = new_group(NULL, 3);
    for (int task = 0; task < 12; task++)
        expect_kind(group_go(group, join_crowd, &crowd), NULL, "starting a task");
    expect_kind(group_wait(group), NULL, "the group");
    assert_in_range(crowd.most, 2, 3);
}

static void the_first_error_wins_and_cancels_the_rest(void **state)
{
    (void)state;
    sem_t begun;
    sem_init(&begun, 0, 0);
    struct ctx parent;
    ctx_init(&parent, NULL, CTX_NO_TIMEOUT);
    struct group *group = new_group(&parent, 3);
    for (int task = 0; task < 2; task++)
        expect_kind(group_go(group, wait_for_end, &begun), NULL, "starting a task that waits");
    sem_wait(&begun);
    sem_wait(&begun);
    struct err_kind kind = ERR_CONFLICT;
    expect_kind(group_go(group, fail_at_once, &kind), NULL, "starting the task that fails");
    struct err *e = group_wait(group);
    assert_ptr_equal(err_kind(e), &kind);
    err_free(e);
    assert_false(ctx_is_done(&parent)); /* the caller's work goes on */
    ctx_deinit(&parent);
}

static void nothing_starts_once_the_group_has_ended(void **state)
{
    (void)state;
    atomic_int runs = 0;
    struct ctx parent;
    ctx_init(&parent, NULL, CTX_NO_TIMEOUT);
    struct group *group = new_group(&parent, 2);
    ctx_cancel(&parent);
    expect_kind(group_go(group, count_task, &runs), &ERR_CANCELLED, "starting too late");
    expect_kind(group_wait(group), NULL, "no task failed");
    assert_int_equal(runs, 0);
    ctx_deinit(&parent);
}

static void waiting_for_a_place_ends_with_the_deadline(void **state)
{
    (void)state;
    atomic_int runs = 0;
    struct ctx parent;
    ctx_init(&parent, NULL, 20);
    struct group *group = new_group(&parent, 1);
    expect_kind(group_go(group, wait_for_end, NULL), NULL, "the task that holds the place");
    expect_kind(group_go(group, count_task, &runs), &ERR_UPSTREAM_TIMEOUT, "no place in time");
    expect_kind(group_wait(group), &ERR_UPSTREAM_TIMEOUT, "the task saw the deadline too");
    assert_int_equal(runs, 0);
    ctx_deinit(&parent);
}

static void an_error_ends_the_wait_for_a_place(void **state)
{
    (void)state;
    atomic_int runs = 0;
    struct err_kind kind = ERR_CONFLICT;
    struct group *group = new_group(NULL, 1);
    expect_kind(group_go(group, fail_at_once, &kind), NULL, "the task that fails");
    /* It has ended, is ending, or has not begun: whatever the order, its error cancels the ctx
     * before its place is free. */
    expect_kind(group_go(group, count_task, &runs), &ERR_CANCELLED, "after the error");
    struct err *e = group_wait(group);
    assert_ptr_equal(err_kind(e), &kind);
    err_free(e);
    assert_int_equal(runs, 0);
}

struct tree {
    struct group *group;
    atomic_int runs;
};

static struct err *start_two(struct ctx *ctx, void *data)
{
    (void)ctx;
    struct tree *tree = data;
    for (int i = 0; i < 2; i++)
        TRY(group_go(tree->group, count_task, &tree->runs));
    return NULL;
}

static void a_task_may_start_tasks(void **state)
{
    (void)state;
    struct tree tree = {.group = new_group(NULL, 4)};
    for (int i = 0; i < 3; i++)
        expect_kind(group_go(tree.group, start_two, &tree), NULL, "starting a parent task");
    expect_kind(group_wait(tree.group), NULL, "the group");
    assert_int_equal(tree.runs, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_has_limits),
        cmocka_unit_test(memory_that_is_short_is_an_error),
        cmocka_unit_test(an_empty_group_succeeds),
        cmocka_unit_test(every_task_runs),
        cmocka_unit_test(the_limit_holds),
        cmocka_unit_test(the_first_error_wins_and_cancels_the_rest),
        cmocka_unit_test(nothing_starts_once_the_group_has_ended),
        cmocka_unit_test(waiting_for_a_place_ends_with_the_deadline),
        cmocka_unit_test(an_error_ends_the_wait_for_a_place),
        cmocka_unit_test(a_task_may_start_tasks),
    };
    return cmocka_run_group_tests_name("group", tests, NULL, NULL);
}
