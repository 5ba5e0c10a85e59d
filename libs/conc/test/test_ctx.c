#include "conc_test.h"

static void count_run(void *data)
{
    ++*(int *)data;
}

static void a_null_ctx_never_ends(void **state)
{
    (void)state;
    assert_false(ctx_is_done(NULL));
    assert_null(ctx_check(NULL));
    assert_int_equal(ctx_remaining_ms(NULL, 7), 7);
    assert_int_equal(ctx_remaining_ms(NULL, CTX_NO_TIMEOUT), CTX_NO_TIMEOUT);
    int runs = 0;
    struct ctx_hook hook = {.run = count_run, .data = &runs};
    ctx_add_hook(NULL, &hook);
    ctx_cancel(NULL);
    ctx_remove_hook(NULL, &hook);
    assert_int_equal(runs, 0);
}

static void the_nearest_deadline_counts(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t parent_ms, child_ms;
        bool has_deadline;
        int64_t at_most_ms;
    } rows[] = {
        {"none at all", CTX_NO_TIMEOUT, CTX_NO_TIMEOUT, false, 0},
        {"the child's alone", CTX_NO_TIMEOUT, 1000, true, 1000},
        {"the parent's alone", 1000, CTX_NO_TIMEOUT, true, 1000},
        {"the child's is nearer", 90000, 1000, true, 1000},
        {"the parent's is nearer", 1000, 90000, true, 1000},
        {"beyond the clock", CTX_NO_TIMEOUT, INT64_MAX, false, 0},
        {"at once", CTX_NO_TIMEOUT, 0, true, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ctx parent, child;
        ctx_init(&parent, NULL, rows[i].parent_ms);
        ctx_init(&child, &parent, rows[i].child_ms);
        int64_t left_ms = ctx_remaining_ms(&child, CTX_NO_TIMEOUT);
        bool is_right = rows[i].has_deadline
                            ? left_ms <= rows[i].at_most_ms && left_ms >= rows[i].at_most_ms / 2
                            : left_ms == CTX_NO_TIMEOUT;
        if (!is_right)
            fail_msg("%s: %lld ms left", rows[i].name, (long long)left_ms);
        assert_true(ctx_remaining_ms(&child, 5) <= 5);
        ctx_deinit(&child);
        ctx_deinit(&parent);
    }
}

static void an_ended_ctx_tells_why(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t timeout_ms;
        bool cancel;
        const struct err_kind *kind;
    } rows[] = {
        {"goes on", 60000, false, NULL},
        {"deadline", 0, false, &ERR_UPSTREAM_TIMEOUT},
        {"cancelled", CTX_NO_TIMEOUT, true, &ERR_CANCELLED},
        {"cancelled after its deadline", 0, true, &ERR_UPSTREAM_TIMEOUT},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ctx ctx;
        ctx_init(&ctx, NULL, rows[i].timeout_ms);
        if (rows[i].cancel)
            ctx_cancel(&ctx);
        assert_int_equal(ctx_is_done(&ctx), rows[i].kind != NULL);
        assert_int_equal(ctx_remaining_ms(&ctx, 50), rows[i].kind ? 0 : 50);
        expect_kind(ctx_check(&ctx), rows[i].kind, rows[i].name);
        ctx_deinit(&ctx);
    }
}

static void cancelling_reaches_descendants_only(void **state)
{
    (void)state;
    struct ctx root, branch, leaf, sibling;
    ctx_init(&root, NULL, CTX_NO_TIMEOUT);
    ctx_init(&branch, &root, CTX_NO_TIMEOUT);
    ctx_init(&leaf, &branch, CTX_NO_TIMEOUT);
    ctx_init(&sibling, &root, CTX_NO_TIMEOUT);

    ctx_cancel(&branch);
    assert_true(ctx_is_done(&leaf));
    assert_false(ctx_is_done(&root));
    assert_false(ctx_is_done(&sibling));

    struct ctx late;
    ctx_init(&late, &leaf, CTX_NO_TIMEOUT);
    expect_kind(ctx_check(&late), &ERR_CANCELLED, "a child of a cancelled ctx");
    ctx_deinit(&late);

    ctx_deinit(&leaf);
    ctx_deinit(&branch);
    ctx_cancel(&root);
    assert_true(ctx_is_done(&sibling));
    ctx_deinit(&sibling);
    ctx_deinit(&root);
}

static void a_hook_runs_once(void **state)
{
    (void)state;
    int before = 0, after = 0, removed = 0, of_child = 0;
    struct ctx_hook hook_before = {.run = count_run, .data = &before};
    struct ctx_hook hook_after = {.run = count_run, .data = &after};
    struct ctx_hook hook_removed = {.run = count_run, .data = &removed};
    struct ctx_hook hook_of_child = {.run = count_run, .data = &of_child};
    struct ctx ctx, child;
    ctx_init(&ctx, NULL, CTX_NO_TIMEOUT);
    ctx_init(&child, &ctx, CTX_NO_TIMEOUT);
    ctx_add_hook(&ctx, &hook_before);
    ctx_add_hook(&ctx, &hook_removed);
    ctx_add_hook(&child, &hook_of_child);
    ctx_remove_hook(&ctx, &hook_removed);

    ctx_cancel(&ctx);
    ctx_cancel(&ctx);
    ctx_cancel(&child);
    ctx_add_hook(&ctx, &hook_after);

    assert_int_equal(before, 1);
    assert_int_equal(of_child, 1);
    assert_int_equal(removed, 0);
    assert_int_equal(after, 1);
    ctx_remove_hook(&child, &hook_of_child);
    ctx_remove_hook(&ctx, &hook_before);
    ctx_remove_hook(&ctx, &hook_after);
    ctx_deinit(&child);
    ctx_deinit(&ctx);
}

static void a_deadline_runs_no_hook(void **state)
{
    (void)state;
    int runs = 0;
    struct ctx_hook hook = {.run = count_run, .data = &runs};
    struct ctx ctx;
    ctx_init(&ctx, NULL, 0);
    ctx_add_hook(&ctx, &hook);
    assert_true(ctx_is_done(&ctx));
    ctx_remove_hook(&ctx, &hook);
    ctx_deinit(&ctx);
    assert_int_equal(runs, 0);
}

static void sleep_ends_with_its_time(void **state)
{
    (void)state;
    int64_t start_ms = clock_mono_ms();
    expect_kind(ctx_sleep(NULL, 5), NULL, "without a ctx");
    assert_true(clock_mono_ms() - start_ms >= 5);
    expect_kind(ctx_sleep(NULL, -1), NULL, "a time in the past");

    struct ctx ctx;
    ctx_init(&ctx, NULL, 10);
    start_ms = clock_mono_ms();
    expect_kind(ctx_sleep(&ctx, 60000), &ERR_UPSTREAM_TIMEOUT, "a deadline within the sleep");
    assert_in_range(clock_mono_ms() - start_ms, 9, 30000);
    ctx_deinit(&ctx);
}

static void *sleep_long(void *data)
{
    return ctx_sleep(data, 60000);
}

static void cancelling_wakes_a_sleeper(void **state)
{
    (void)state;
    struct ctx root, ctx;
    ctx_init(&root, NULL, CTX_NO_TIMEOUT);
    ctx_init(&ctx, &root, CTX_NO_TIMEOUT);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, sleep_long, &ctx), 0);
    bool is_asleep = false; /* it sleeps in a child of ctx */
    while (!is_asleep) {
        sched_yield();
        pthread_mutex_lock(&ctx.lock);
        is_asleep = !list_is_empty(&ctx.children);
        pthread_mutex_unlock(&ctx.lock);
    }
    ctx_cancel(&root);
    void *result = NULL;
    pthread_join(thread, &result);
    expect_kind(result, &ERR_CANCELLED, "the sleeper");
    ctx_deinit(&ctx);
    ctx_deinit(&root);
}

/* Threads make and end children with hooks while another cancels their parent. */
struct churn {
    struct ctx *parent;
    atomic_int *runs;
};

static void count_atomic(void *data)
{
    atomic_fetch_add((atomic_int *)data, 1);
}

static void *churn(void *data)
{
    struct churn *churn = data;
    bool was_done = false;
    for (int after_end = 0; after_end < 10;) {
        struct ctx child;
        struct ctx_hook hook = {.run = count_atomic, .data = churn->runs};
        ctx_init(&child, churn->parent, 60000);
        ctx_add_hook(&child, &hook);
        was_done = ctx_is_done(&child);
        ctx_remove_hook(&child, &hook);
        ctx_deinit(&child);
        after_end += was_done;
    }
    return NULL;
}

static void children_come_and_go_while_the_parent_ends(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        atomic_int runs = 0;
        struct ctx parent;
        ctx_init(&parent, NULL, CTX_NO_TIMEOUT);
        struct churn shared = {&parent, &runs};
        pthread_t threads[3];
        for (size_t i = 0; i < ARRAY_LEN(threads); i++)
            assert_int_equal(pthread_create(&threads[i], NULL, churn, &shared), 0);
        sched_yield();
        ctx_cancel(&parent);
        for (size_t i = 0; i < ARRAY_LEN(threads); i++)
            pthread_join(threads[i], NULL);
        /* Each thread saw ten children that had ended. The hook of the one that lived when the
         * parent ended may have run too (after asking), or not (removed before it could). */
        assert_in_range(runs, 27, 33);
        ctx_deinit(&parent);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_null_ctx_never_ends),
        cmocka_unit_test(the_nearest_deadline_counts),
        cmocka_unit_test(an_ended_ctx_tells_why),
        cmocka_unit_test(cancelling_reaches_descendants_only),
        cmocka_unit_test(a_hook_runs_once),
        cmocka_unit_test(a_deadline_runs_no_hook),
        cmocka_unit_test(sleep_ends_with_its_time),
        cmocka_unit_test(cancelling_wakes_a_sleeper),
        cmocka_unit_test(children_come_and_go_while_the_parent_ends),
    };
    return cmocka_run_group_tests_name("ctx", tests, NULL, NULL);
}
