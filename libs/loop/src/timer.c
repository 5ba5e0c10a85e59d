/*
 * Timers in a pairing heap: intrusive, so that setting one cannot fail.
 *
 * A timer that is moved to a later time keeps its place (key_ms); when its place comes up and it is
 * not due yet, it is put where it belongs. A connection that pushes its timeout back with each
 * request thus pays for the heap once per timeout, not once per request.
 *
 *            root                child: the first of those below
 *           /                    sibling: the next one of the same parent
 *       child ── sibling ── ...  before: the sibling on the left, of the first one the parent
 */
#include "internal.h"

#include <limits.h>

#include <base/clock.h>

/* Both are roots; the later one becomes the first child of the other. */
static struct loop_timer *meld(struct loop_timer *a, struct loop_timer *b)
{
    if (!a || !b)
        return a ? a : b;
    struct loop_timer *top = a->key_ms <= b->key_ms ? a : b;
    struct loop_timer *below = top == a ? b : a;
    below->before = top;
    below->sibling = top->child;
    if (top->child)
        top->child->before = below;
    top->child = below;
    return top;
}

/* The two passes of a pairing heap: pairs from the left, then all pairs from the right. */
static struct loop_timer *meld_all(struct loop_timer *first)
{
    struct loop_timer *pairs = NULL;
    while (first) {
        struct loop_timer *a = first, *b = a->sibling;
        first = b ? b->sibling : NULL;
        a->sibling = a->before = NULL;
        if (b)
            b->sibling = b->before = NULL;
        struct loop_timer *pair = meld(a, b);
        pair->sibling = pairs;
        pairs = pair;
    }
    struct loop_timer *root = NULL;
    while (pairs) {
        struct loop_timer *next = pairs->sibling;
        pairs->sibling = NULL;
        root = meld(root, pairs);
        pairs = next;
    }
    return root;
}

static void insert(struct loop *loop, struct loop_timer *timer)
{
    timer->key_ms = timer->due_ms;
    timer->child = timer->sibling = timer->before = NULL;
    loop->timers = meld(loop->timers, timer);
}

static void take_out(struct loop *loop, struct loop_timer *timer)
{
    struct loop_timer *below = meld_all(timer->child);
    if (!timer->before) {
        loop->timers = below;
        return;
    }
    if (timer->before->child == timer)
        timer->before->child = timer->sibling;
    else
        timer->before->sibling = timer->sibling;
    if (timer->sibling)
        timer->sibling->before = timer->before;
    loop->timers = meld(loop->timers, below);
}

void loop_set_timer(struct loop *loop, struct loop_timer *timer, int64_t delay_ms)
{
    timer->due_ms = loop->now_ms + MIN(MAX(delay_ms, 1), INT64_MAX - loop->now_ms);
    if (timer->loop && timer->due_ms >= timer->key_ms)
        return;
    if (timer->loop)
        take_out(loop, timer);
    timer->loop = loop;
    insert(loop, timer);
}

void loop_clear_timer(struct loop_timer *timer)
{
    if (!timer->loop)
        return;
    take_out(timer->loop, timer);
    timer->loop = NULL;
}

int loop_timers_wait_ms(const struct loop *loop)
{
    if (!loop->timers)
        return -1;
    /* Not now_ms: the callbacks of this round may have taken long. */
    int64_t wait_ms = loop->timers->key_ms - clock_mono_ms();
    return (int)MIN(MAX(wait_ms, 0), INT_MAX);
}

void loop_timers_fire(struct loop *loop)
{
    while (loop->timers && loop->timers->key_ms <= loop->now_ms) {
        struct loop_timer *timer = loop->timers;
        take_out(loop, timer);
        if (timer->due_ms > loop->now_ms) {
            insert(loop, timer);
            continue;
        }
        timer->loop = NULL;
        timer->fire(timer);
    }
}
