#include "check.h"

#include <stdlib.h>

#include <base/clock.h>
#include <loop/loop.h>

#define TIMERS 300

struct alarm {
    struct loop_timer timer;
    int64_t fired_ms; /* 0: not yet */
    int calls;
};

struct clockwork {
    struct loop *loop;
    struct alarm alarms[TIMERS];
    int64_t last_due_ms;
    int fired;
};

static struct clockwork *works; /* of the running test */

static int set_up(void **state)
{
    works = calloc(1, sizeof(*works));
    assert_null(loop_new(&works->loop));
    *state = works;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    loop_free(works->loop);
    free(works);
    return 0;
}

static void note_fire(struct loop_timer *timer)
{
    struct alarm *alarm = CONTAINER_OF(timer, struct alarm, timer);
    assert_null(timer->loop);
    assert_true(loop_now_ms(works->loop) >= timer->due_ms);
    alarm->fired_ms = clock_mono_ms();
    alarm->calls++;
    works->fired++;
}

static void check_order(struct loop_timer *timer)
{
    assert_true(timer->due_ms >= works->last_due_ms);
    works->last_due_ms = timer->due_ms;
    note_fire(timer);
}

static void stop_loop(struct loop_timer *timer)
{
    (void)timer;
    loop_stop(works->loop);
}

static void set(size_t index, void (*fire)(struct loop_timer *), int64_t delay_ms)
{
    works->alarms[index].timer.fire = fire;
    loop_set_timer(works->loop, &works->alarms[index].timer, delay_ms);
}

static void run_for(int64_t delay_ms)
{
    struct loop_timer stop = {.fire = stop_loop};
    loop_set_timer(works->loop, &stop, delay_ms);
    assert_null(loop_run(works->loop));
}

static void fires_once_and_not_early(void **state)
{
    (void)state;
    int64_t begin_ms = loop_now_ms(works->loop);
    set(0, note_fire, 20);
    run_for(30);
    assert_int_equal(works->alarms[0].calls, 1);
    assert_true(works->alarms[0].fired_ms - begin_ms >= 20);
}

static void fires_in_order_of_due_times(void **state)
{
    (void)state;
    unsigned random = 12345;
    for (size_t i = 0; i < TIMERS; i++) {
        random = random * 1103515245 + 12345;
        set(i, check_order, 1 + (random >> 16) % 25);
    }
    run_for(30);
    assert_int_equal(works->fired, TIMERS);
}

/* A model: each step sets, moves or clears a timer; afterwards exactly the set ones fire. */
static void survives_any_sequence(void **state)
{
    (void)state;
    unsigned random = 99;
    for (int step = 0; step < 5000; step++) {
        random = random * 1103515245 + 12345;
        size_t index = (random >> 16) % TIMERS;
        if (random >> 28 < 4)
            loop_clear_timer(&works->alarms[index].timer);
        else
            set(index, note_fire, 1 + (random >> 20) % 30);
    }
    int is_set = 0;
    for (size_t i = 0; i < TIMERS; i++)
        is_set += works->alarms[i].timer.loop != NULL;
    assert_in_range(is_set, TIMERS / 2, TIMERS);
    run_for(40);
    assert_int_equal(works->fired, is_set);
}

static void moves_later_and_earlier(void **state)
{
    (void)state;
    set(0, note_fire, 5);
    set(0, note_fire, 25);
    set(1, note_fire, 1000);
    set(1, note_fire, 2);
    set(2, note_fire, 2);
    set(2, note_fire, 10000);
    int64_t begin_ms = loop_now_ms(works->loop);
    run_for(30);
    assert_int_equal(works->alarms[0].calls, 1);
    assert_true(works->alarms[0].fired_ms - begin_ms >= 25);
    assert_int_equal(works->alarms[1].calls, 1);
    assert_int_equal(works->alarms[2].calls, 0);
    assert_non_null(works->alarms[2].timer.loop);
    loop_clear_timer(&works->alarms[2].timer);
    loop_clear_timer(&works->alarms[2].timer);
}

static void set_again_at_once(struct loop_timer *timer)
{
    struct alarm *alarm = CONTAINER_OF(timer, struct alarm, timer);
    if (++alarm->calls < 3)
        loop_set_timer(works->loop, timer, -1000);
    else
        loop_stop(works->loop);
}

static void may_be_set_again_by_its_own_call(void **state)
{
    (void)state;
    int64_t begin_ms = loop_now_ms(works->loop);
    set(0, set_again_at_once, 0);
    assert_null(loop_run(works->loop));
    assert_int_equal(works->alarms[0].calls, 3);
    assert_true(clock_mono_ms() - begin_ms >= 2); /* never twice in one round */
}

static void clear_second(struct loop_timer *timer)
{
    note_fire(timer);
    loop_clear_timer(&works->alarms[1].timer);
    loop_clear_timer(&works->alarms[2].timer);
}

static void call_may_clear_others_that_are_due(void **state)
{
    (void)state;
    set(0, clear_second, 1);
    set(1, note_fire, 2);
    set(2, note_fire, 3);
    while (clock_mono_ms() < works->alarms[2].timer.due_ms)
        ; /* all of them due in the first round */
    run_for(5);
    assert_int_equal(works->alarms[0].calls, 1);
    assert_int_equal(works->alarms[1].calls, 0);
    assert_int_equal(works->alarms[2].calls, 0);
}

static void very_long_delays_do_not_wrap(void **state)
{
    (void)state;
    set(0, note_fire, INT64_MAX);
    set(1, note_fire, INT64_MAX - 1);
    run_for(2);
    assert_int_equal(works->fired, 0);
    loop_clear_timer(&works->alarms[0].timer);
    loop_clear_timer(&works->alarms[1].timer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fires_once_and_not_early, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fires_in_order_of_due_times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(survives_any_sequence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(moves_later_and_earlier, set_up, tear_down),
        cmocka_unit_test_setup_teardown(may_be_set_again_by_its_own_call, set_up, tear_down),
        cmocka_unit_test_setup_teardown(call_may_clear_others_that_are_due, set_up, tear_down),
        cmocka_unit_test_setup_teardown(very_long_delays_do_not_wrap, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
