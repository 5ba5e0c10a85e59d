#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "alloc_fail.h"
#include <base/clock.h>
#include <loop/loop.h>

struct fixture {
    struct loop *loop;
    int a[2], b[2]; /* socket pairs */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_null(loop_new(&f->loop));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, f->a), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, f->b), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    loop_free(f->loop);
    for (int i = 0; i < 2; i++) {
        close(f->a[i]);
        close(f->b[i]);
    }
    free(f);
    return 0;
}

struct watcher {
    struct loop_source source;
    unsigned seen;
    int calls;
    int stop_after; /* calls */
    struct watcher *victim;
};

static void on_ready(struct loop_source *source, unsigned events)
{
    struct watcher *w = CONTAINER_OF(source, struct watcher, source);
    w->seen |= events;
    w->calls++;
    if (w->victim)
        loop_unwatch(&w->victim->source);
    if (w->calls >= w->stop_after)
        loop_stop(source->loop);
}

static struct watcher watcher_of(int fd, unsigned events)
{
    return (struct watcher){.source = {.fd = fd, .events = events, .ready = on_ready},
                            .stop_after = 1};
}

static void reports_what_is_asked_for(void **state)
{
    struct fixture *f = *state;
    struct watcher w = watcher_of(f->a[0], LOOP_WRITE);
    assert_null(loop_watch(f->loop, &w.source));
    assert_int_equal(write(f->a[1], "x", 1), 1);
    assert_null(loop_run(f->loop));
    assert_int_equal(w.seen, LOOP_WRITE);

    w.seen = 0;
    loop_change(&w.source, LOOP_READ);
    assert_null(loop_run(f->loop));
    assert_int_equal(w.seen, LOOP_READ);

    w.seen = 0;
    loop_change(&w.source, LOOP_READ | LOOP_READ_CLOSED);
    assert_int_equal(shutdown(f->a[1], SHUT_WR), 0);
    assert_null(loop_run(f->loop));
    assert_int_equal(w.seen, LOOP_READ | LOOP_READ_CLOSED);

    w.seen = 0;
    loop_change(&w.source, 0);
    close(f->a[1]);
    f->a[1] = -1;
    assert_null(loop_run(f->loop));
    assert_int_equal(w.seen, LOOP_HANGUP);
    loop_unwatch(&w.source);
    loop_unwatch(&w.source);
    loop_change(&w.source, LOOP_READ); /* not watched: nothing to change */
}

static void level_triggered_until_read(void **state)
{
    struct fixture *f = *state;
    struct watcher w = watcher_of(f->a[0], LOOP_READ);
    w.stop_after = 3;
    assert_null(loop_watch(f->loop, &w.source));
    assert_int_equal(write(f->a[1], "x", 1), 1);
    assert_null(loop_run(f->loop));
    assert_int_equal(w.calls, 3);
    loop_unwatch(&w.source);
}

/* Both are ready in one round; whichever is called first removes the other. */
static void removed_source_is_not_called(void **state)
{
    struct fixture *f = *state;
    struct watcher a = watcher_of(f->a[0], LOOP_READ), b = watcher_of(f->b[0], LOOP_READ);
    a.victim = &b;
    b.victim = &a;
    assert_null(loop_watch(f->loop, &a.source));
    assert_null(loop_watch(f->loop, &b.source));
    assert_int_equal(write(f->a[1], "x", 1), 1);
    assert_int_equal(write(f->b[1], "x", 1), 1);
    assert_null(loop_run(f->loop));
    assert_int_equal(a.calls + b.calls, 1);
    loop_unwatch(&a.source);
    loop_unwatch(&b.source);
}

struct swapper {
    struct loop_source source;
    struct swapper *other;
    struct watcher *replacement;
    struct loop *loop;
};

/* Frees the other source and watches its fd anew under another owner. */
static void swap_other(struct loop_source *source, unsigned events)
{
    struct swapper *me = CONTAINER_OF(source, struct swapper, source);
    (void)events;
    int fd = me->other->source.fd;
    loop_unwatch(&me->other->source);
    free(me->other);
    me->replacement->source.fd = fd;
    assert_null(loop_watch(me->loop, &me->replacement->source));
    loop_unwatch(&me->source);
    free(me);
}

static void stale_event_does_not_reach_new_owner_of_fd(void **state)
{
    struct fixture *f = *state;
    struct watcher fresh =
        watcher_of(-1, 0); /* asks for nothing: any call would be a stale event */
    struct swapper *pair[2];
    for (int i = 0; i < 2; i++) {
        pair[i] = calloc(1, sizeof(struct swapper));
        pair[i]->source.fd = i ? f->b[0] : f->a[0];
        pair[i]->source.events = LOOP_READ;
        pair[i]->source.ready = swap_other;
        pair[i]->replacement = &fresh;
        pair[i]->loop = f->loop;
        assert_null(loop_watch(f->loop, &pair[i]->source));
    }
    pair[0]->other = pair[1];
    pair[1]->other = pair[0];
    assert_int_equal(write(f->a[1], "x", 1), 1);
    assert_int_equal(write(f->b[1], "x", 1), 1);
    struct watcher other = watcher_of(f->a[1], LOOP_WRITE); /* ends the run */
    assert_null(loop_watch(f->loop, &other.source));
    assert_null(loop_run(f->loop));
    assert_int_equal(fresh.calls, 0);
    assert_ptr_equal(fresh.source.loop, f->loop);
    loop_unwatch(&fresh.source);
    loop_unwatch(&other.source);
}

static void watch_reports_failures(void **state)
{
    struct fixture *f = *state;
    struct watcher none = watcher_of(-1, LOOP_READ);
    _cleanup_(err_free) struct err *negative = loop_watch(f->loop, &none.source);
    assert_non_null(negative);
    assert_null(none.source.loop);

    struct watcher file = watcher_of(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), LOOP_READ);
    _cleanup_(err_free) struct err *unpollable = loop_watch(f->loop, &file.source);
    assert_true(err_is(unpollable, &ERR_INTERNAL));
    assert_null(file.source.loop);
    close(file.source.fd);

    int high = fcntl(f->a[0], F_DUPFD_CLOEXEC, 900);
    assert_true(high >= 900);
    struct watcher far = watcher_of(high, LOOP_WRITE);
    alloc_fail_after(0);
    struct err *oom = loop_watch(f->loop, &far.source);
    assert_true(alloc_fail_stop());
    assert_true(err_is(oom, &ERR_OUT_OF_MEMORY));
    assert_null(far.source.loop);
    assert_null(loop_watch(f->loop, &far.source));
    assert_null(loop_run(f->loop));
    assert_int_equal(far.calls, 1);
    loop_unwatch(&far.source);
    close(high);
}

static void new_survives_failed_allocations(void **state)
{
    (void)state;
    for (size_t successes = 0;; successes++) {
        struct loop *loop = NULL;
        alloc_fail_after(successes);
        struct err *e = loop_new(&loop);
        if (!alloc_fail_stop()) {
            assert_null(e);
            loop_free(loop);
            return;
        }
        assert_true(err_is(e, &ERR_OUT_OF_MEMORY));
        assert_null(loop);
    }
}

/* --- calls --- */

struct calls {
    struct loop *loop;
    struct loop_deferred deferred[2];
    char order[16];
    size_t count;
    int reposts;
};

static void note(struct calls *calls, char what)
{
    assert_true(calls->count < sizeof(calls->order) - 1);
    calls->order[calls->count++] = what;
}

static void note_second(struct loop_deferred *deferred)
{
    struct calls *calls = CONTAINER_OF(deferred, struct calls, deferred[1]);
    note(calls, '2');
}

static void note_first(struct loop_deferred *deferred)
{
    struct calls *calls = CONTAINER_OF(deferred, struct calls, deferred[0]);
    note(calls, '1');
    calls->deferred[1].run = note_second;
    loop_defer(calls->loop, &calls->deferred[1]);
}

static void defer_first(void *data)
{
    struct calls *calls = data;
    note(calls, 'a');
    calls->deferred[0].run = note_first;
    loop_defer(calls->loop, &calls->deferred[0]);
}

static void post_again(void *data)
{
    struct calls *calls = data;
    note(calls, 'b');
    if (++calls->reposts < 3)
        assert_null(loop_post(calls->loop, post_again, calls));
    else
        loop_stop(calls->loop);
}

static void calls_run_in_order(void **state)
{
    struct fixture *f = *state;
    struct calls calls = {.loop = f->loop};
    assert_null(loop_post(f->loop, defer_first, &calls));
    assert_null(loop_post(f->loop, post_again, &calls));
    assert_null(loop_run(f->loop));
    assert_string_equal(calls.order, "abbb12");
}

static void freeing_runs_what_is_deferred(void **state)
{
    (void)state;
    struct calls calls = {0};
    assert_null(loop_new(&calls.loop));
    calls.deferred[0].run = note_first;
    loop_defer(calls.loop, &calls.deferred[0]);
    loop_free(calls.loop);
    assert_string_equal(calls.order, "12");
}

static void do_nothing(void *data)
{
    (void)data;
}

static void posting_is_bounded(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < LOOP_POSTS_MAX; i++)
        assert_null(loop_post(f->loop, do_nothing, NULL));
    _cleanup_(err_free) struct err *full = loop_post(f->loop, do_nothing, NULL);
    assert_true(err_is(full, &ERR_OVERLOADED));
}

struct counting {
    struct loop *loop;
    int sum, expected;
};

static void count_one(void *data)
{
    struct counting *counting = data;
    if (++counting->sum == counting->expected)
        loop_stop(counting->loop);
}

static void *post_hundreds(void *data)
{
    struct counting *counting = data;
    for (int i = 0; i < 500; i++)
        assert_null(loop_post(counting->loop, count_one, counting));
    return NULL;
}

static void other_threads_may_post(void **state)
{
    struct fixture *f = *state;
    struct counting counting = {.loop = f->loop, .expected = 2000};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_hundreds, &counting), 0);
    assert_null(loop_run(f->loop));
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(counting.sum, 2000);
}

static void *stop_it(void *data)
{
    loop_stop(data);
    return NULL;
}

static void a_stop_before_the_run_ends_it(void **state)
{
    struct fixture *f = *state;
    loop_stop(f->loop);
    assert_null(loop_run(f->loop));
}

static void other_threads_may_stop(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stop_it, f->loop), 0);
    assert_null(loop_run(f->loop));
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reports_what_is_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(level_triggered_until_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(removed_source_is_not_called, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stale_event_does_not_reach_new_owner_of_fd, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(watch_reports_failures, set_up, tear_down),
        cmocka_unit_test(new_survives_failed_allocations),
        cmocka_unit_test_setup_teardown(calls_run_in_order, set_up, tear_down),
        cmocka_unit_test(freeing_runs_what_is_deferred),
        cmocka_unit_test_setup_teardown(posting_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_threads_may_post, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stop_before_the_run_ends_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_threads_may_stop, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
