#include "conc_test.h"

#include <conc/chan.h>

#include "alloc_fail.h"

static struct chan *new_chan(size_t capacity, void (*drop)(void *item))
{
    struct chan *chan = NULL;
    expect_kind(chan_new(capacity, drop, &chan), NULL, "a new channel");
    return chan;
}

static void a_capacity_has_limits(void **state)
{
    (void)state;
    static const size_t wrong[] = {0, CHAN_CAPACITY_MAX + 1, SIZE_MAX};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct chan *chan = (void *)1;
        expect_kind(chan_new(wrong[i], NULL, &chan), &ERR_INTERNAL, "a wrong capacity");
        assert_ptr_equal(chan, (void *)1);
    }
    chan_free(NULL);
}

static void memory_that_is_short_is_an_error(void **state)
{
    (void)state;
    struct chan *chan = (void *)1;
    alloc_fail_after(0);
    struct err *e = chan_new(4, NULL, &chan);
    assert_true(alloc_fail_stop());
    expect_kind(e, &ERR_OUT_OF_MEMORY, "a new channel");
    assert_ptr_equal(chan, (void *)1);
}

static void first_in_first_out_round_the_ring(void **state)
{
    (void)state;
    static int items[7];
    struct chan *chan = new_chan(3, NULL);
    void *got = NULL;
    assert_int_equal(chan_try_receive(chan, &got), CHAN_EMPTY);
    assert_null(got);
    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        assert_int_equal(chan_send(chan, NULL, &items[i]), CHAN_OK);
        if (i < 2)
            continue;
        assert_int_equal(chan_count(chan), 3);
        assert_int_equal(chan_try_send(chan, NULL), CHAN_FULL);
        assert_int_equal(chan_receive(chan, NULL, &got), CHAN_OK);
        assert_ptr_equal(got, &items[i - 2]);
    }
    assert_int_equal(chan_count(chan), 2);
    chan_free(chan);
}

static void null_is_an_item(void **state)
{
    (void)state;
    struct chan *chan = new_chan(1, NULL);
    void *got = chan;
    assert_int_equal(chan_send(chan, NULL, NULL), CHAN_OK);
    assert_int_equal(chan_receive(chan, NULL, &got), CHAN_OK);
    assert_null(got);
    chan_free(chan);
}

static void a_closed_channel_gives_what_it_has(void **state)
{
    (void)state;
    int item = 0;
    struct chan *chan = new_chan(2, NULL);
    assert_int_equal(chan_try_send(chan, &item), CHAN_OK);
    chan_close(chan);
    chan_close(chan);
    assert_int_equal(chan_try_send(chan, &item), CHAN_CLOSED);
    assert_int_equal(chan_send(chan, NULL, &item), CHAN_CLOSED);
    void *got = NULL;
    assert_int_equal(chan_receive(chan, NULL, &got), CHAN_OK);
    assert_ptr_equal(got, &item);
    got = NULL;
    assert_int_equal(chan_receive(chan, NULL, &got), CHAN_CLOSED);
    assert_int_equal(chan_try_receive(chan, &got), CHAN_CLOSED);
    assert_null(got);
    chan_free(chan);
}

static void drop_item(void *item)
{
    ++*(int *)item;
}

static void what_is_left_is_dropped(void **state)
{
    (void)state;
    int items[3] = {0};
    struct chan *chan = new_chan(2, drop_item);
    void *got = NULL;
    assert_int_equal(chan_try_send(chan, &items[0]), CHAN_OK);
    assert_int_equal(chan_try_send(chan, &items[1]), CHAN_OK);
    assert_int_equal(chan_try_receive(chan, &got), CHAN_OK);
    assert_int_equal(chan_try_send(chan, &items[2]), CHAN_OK);
    assert_int_equal(chan_try_send(chan, &items[0]), CHAN_FULL); /* stays the sender's */
    chan_free(chan);
    assert_int_equal(items[0], 0);
    assert_int_equal(items[1], 1);
    assert_int_equal(items[2], 1);
}

static void an_ended_ctx_does_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t timeout_ms;
        bool cancel;
        enum chan_status status;
    } rows[] = {
        {"deadline passed", 0, false, CHAN_TIMEOUT},
        {"cancelled", 60000, true, CHAN_CANCELLED},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int item = 0;
        void *got = NULL;
        struct chan *chan = new_chan(2, NULL);
        struct ctx ctx;
        ctx_init(&ctx, NULL, rows[i].timeout_ms);
        if (rows[i].cancel)
            ctx_cancel(&ctx);
        assert_int_equal(chan_try_send(chan, &item), CHAN_OK);
        assert_int_equal(chan_send(chan, &ctx, &item), rows[i].status);
        assert_int_equal(chan_count(chan), 1);
        assert_int_equal(chan_receive(chan, &ctx, &got), rows[i].status);
        assert_null(got);
        ctx_deinit(&ctx);
        chan_free(chan);
    }
}

/* One thread that waits on the channel, and what it got. */
struct waiter {
    struct chan *chan;
    struct ctx *ctx;
    bool is_sender;
    void *item;
    enum chan_status status;
    pthread_t thread;
};

static void *wait_on_chan(void *data)
{
    struct waiter *waiter = data;
    waiter->status = waiter->is_sender ? chan_send(waiter->chan, waiter->ctx, waiter->item)
                                       : chan_receive(waiter->chan, waiter->ctx, &waiter->item);
    return NULL;
}

static void *queued_item(struct chan *chan)
{
    void *item = NULL;
    assert_int_equal(chan_try_receive(chan, &item), CHAN_OK);
    assert_int_equal(chan_count(chan), 0);
    return item;
}

static void a_wait_ends_as_it_should(void **state)
{
    (void)state;
    enum end { BY_DEADLINE, BY_CANCEL, BY_CLOSE, BY_PEER };
    static const struct {
        const char *name;
        bool is_sender;
        enum end end;
        enum chan_status status;
    } rows[] = {
        {"send, deadline", true, BY_DEADLINE, CHAN_TIMEOUT},
        {"send, cancelled", true, BY_CANCEL, CHAN_CANCELLED},
        {"send, closed", true, BY_CLOSE, CHAN_CLOSED},
        {"send, room comes", true, BY_PEER, CHAN_OK},
        {"receive, deadline", false, BY_DEADLINE, CHAN_TIMEOUT},
        {"receive, cancelled", false, BY_CANCEL, CHAN_CANCELLED},
        {"receive, closed", false, BY_CLOSE, CHAN_CLOSED},
        {"receive, an item comes", false, BY_PEER, CHAN_OK},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int old = 0, item = 0;
        void *got = NULL;
        struct chan *chan = new_chan(1, NULL);
        if (rows[i].is_sender)
            assert_int_equal(chan_try_send(chan, &old), CHAN_OK);
        struct ctx ctx;
        ctx_init(&ctx, NULL, rows[i].end == BY_DEADLINE ? 20 : 60000);
        struct waiter waiter = {.chan = chan,
                                .ctx = &ctx,
                                .is_sender = rows[i].is_sender,
                                .item = rows[i].is_sender ? &item : NULL};
        assert_int_equal(pthread_create(&waiter.thread, NULL, wait_on_chan, &waiter), 0);
        if (rows[i].end != BY_DEADLINE)
            await_waiter(&ctx);
        if (rows[i].end == BY_CANCEL)
            ctx_cancel(&ctx);
        else if (rows[i].end == BY_CLOSE)
            chan_close(chan);
        else if (rows[i].end == BY_PEER && rows[i].is_sender)
            assert_int_equal(chan_try_receive(chan, &got), CHAN_OK);
        else if (rows[i].end == BY_PEER)
            assert_int_equal(chan_try_send(chan, &item), CHAN_OK);
        pthread_join(waiter.thread, NULL);
        if (waiter.status != rows[i].status)
            fail_msg("%s: status %d", rows[i].name, (int)waiter.status);
        if (rows[i].is_sender)
            assert_ptr_equal(queued_item(chan), rows[i].end == BY_PEER ? &item : &old);
        else
            assert_ptr_equal(waiter.item, rows[i].end == BY_PEER ? &item : NULL);
        ctx_deinit(&ctx);
        chan_free(chan);
    }
}

/* Many to many: nothing is lost, nothing comes twice, each sender's order is kept. */
#define SENDERS    3
#define RECEIVERS  3
#define PER_SENDER 4000

struct parcel {
    size_t sender, number;
};

struct stress {
    struct chan *chan;
    struct parcel parcels[SENDERS][PER_SENDER];
    atomic_int received[SENDERS][PER_SENDER];
    atomic_bool out_of_order;
};

struct stress_thread {
    struct stress *stress;
    size_t index;
    pthread_t thread;
};

static void *send_all(void *data)
{
    struct stress_thread *self = data;
    for (size_t i = 0; i < PER_SENDER; i++) {
        struct parcel *parcel = &self->stress->parcels[self->index][i];
        *parcel = (struct parcel){self->index, i};
        /* Every third send has a deadline that may well pass, and is repeated until it succeeds. */
        enum chan_status status = CHAN_TIMEOUT;
        while (status != CHAN_OK) {
            struct ctx ctx;
            ctx_init(&ctx, NULL, i % 3 ? CTX_NO_TIMEOUT : 1);
            status = chan_send(self->stress->chan, &ctx, parcel);
            ctx_deinit(&ctx);
        }
    }
    return NULL;
}

static void *receive_all(void *data)
{
    struct stress *stress = ((struct stress_thread *)data)->stress;
    size_t next[SENDERS] = {0};
    void *item;
    while (chan_receive(stress->chan, NULL, &item) == CHAN_OK) {
        const struct parcel *parcel = item;
        if (parcel->number < next[parcel->sender])
            atomic_store(&stress->out_of_order, true);
        next[parcel->sender] = parcel->number + 1;
        atomic_fetch_add(&stress->received[parcel->sender][parcel->number], 1);
    }
    return NULL;
}

static void many_to_many_loses_nothing(void **state)
{
    (void)state;
    struct stress *stress = calloc(1, sizeof(*stress));
    assert_non_null(stress);
    stress->chan = new_chan(8, NULL);
    struct stress_thread senders[SENDERS], receivers[RECEIVERS];
    for (size_t i = 0; i < RECEIVERS; i++) {
        receivers[i] = (struct stress_thread){.stress = stress, .index = i};
        assert_int_equal(pthread_create(&receivers[i].thread, NULL, receive_all, &receivers[i]), 0);
    }
    for (size_t i = 0; i < SENDERS; i++) {
        senders[i] = (struct stress_thread){.stress = stress, .index = i};
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    for (size_t i = 0; i < SENDERS; i++)
        pthread_join(senders[i].thread, NULL);
    chan_close(stress->chan);
    for (size_t i = 0; i < RECEIVERS; i++)
        pthread_join(receivers[i].thread, NULL);
    for (size_t sender = 0; sender < SENDERS; sender++) {
        for (size_t i = 0; i < PER_SENDER; i++)
            assert_int_equal(stress->received[sender][i], 1);
    }
    assert_false(stress->out_of_order);
    chan_free(stress->chan);
    free(stress);
}

static void one_cancel_wakes_every_waiter_of_it(void **state)
{
    (void)state;
    struct chan *chan = new_chan(1, NULL);
    struct ctx ended, other;
    ctx_init(&ended, NULL, CTX_NO_TIMEOUT);
    ctx_init(&other, NULL, CTX_NO_TIMEOUT);
    struct waiter waiters[4];
    for (size_t i = 0; i < ARRAY_LEN(waiters); i++) {
        waiters[i] = (struct waiter){.chan = chan, .ctx = i == 0 ? &other : &ended};
        assert_int_equal(pthread_create(&waiters[i].thread, NULL, wait_on_chan, &waiters[i]), 0);
    }
    await_waiter(&other);
    await_waiter(&ended);
    ctx_cancel(&ended);
    for (size_t i = 1; i < ARRAY_LEN(waiters); i++) {
        pthread_join(waiters[i].thread, NULL);
        assert_int_equal(waiters[i].status, CHAN_CANCELLED);
    }
    int item = 0;
    assert_int_equal(chan_send(chan, NULL, &item), CHAN_OK);
    pthread_join(waiters[0].thread, NULL);
    assert_int_equal(waiters[0].status, CHAN_OK);
    assert_ptr_equal(waiters[0].item, &item);
    ctx_deinit(&other);
    ctx_deinit(&ended);
    chan_free(chan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_capacity_has_limits),
        cmocka_unit_test(memory_that_is_short_is_an_error),
        cmocka_unit_test(first_in_first_out_round_the_ring),
        cmocka_unit_test(null_is_an_item),
        cmocka_unit_test(a_closed_channel_gives_what_it_has),
        cmocka_unit_test(what_is_left_is_dropped),
        cmocka_unit_test(an_ended_ctx_does_nothing),
        cmocka_unit_test(a_wait_ends_as_it_should),
        cmocka_unit_test(one_cancel_wakes_every_waiter_of_it),
        cmocka_unit_test(many_to_many_loses_nothing),
    };
    return cmocka_run_group_tests_name("chan", tests, NULL, NULL);
}
