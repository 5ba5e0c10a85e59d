#include "check.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <base/buf.h>
#include <base/macros.h>

#include "alloc_fail.h"
#include "sendq.h"

/* A socket that takes little at once, and who reads from it. */
struct fixture {
    int near, far;
    struct slab_pool slabs;
    struct sendq q;
    char scratch[SLAB_BYTES];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int pair[2], small = 4096;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    f->near = pair[0];
    f->far = pair[1];
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    sendq_clear(&f->q, &f->slabs);
    assert_int_equal(f->slabs.taken, 0);
    slab_pool_deinit(&f->slabs);
    close(f->near);
    if (f->far >= 0)
        close(f->far);
    free(f);
    return 0;
}

static size_t drain(struct fixture *f, char *out, size_t len)
{
    ssize_t got;
    while ((got = recv(f->far, out + len, 1000, 0)) > 0)
        len += (size_t)got;
    return len;
}

/* Flushes until all is sent, spoiling the scratch memory after each try; what has arrived. */
static size_t flush_all(struct fixture *f, char *out, int *out_blocked)
{
    size_t len = 0, sent = 0, total = 0;
    enum send_status status;
    *out_blocked = 0;
    while ((status = sendq_flush(&f->q, f->near, &f->slabs, &sent)) == SEND_BLOCKED) {
        memset(f->scratch, '#', sizeof(f->scratch));
        total += sent;
        (*out_blocked)++;
        len = drain(f, out, len);
    }
    assert_int_equal(status, SEND_DONE);
    len = drain(f, out, len);
    assert_int_equal(total + sent, len);
    assert_true(sendq_is_empty(&f->q));
    assert_int_equal(f->slabs.taken, 0);
    return len;
}

static void pieces_arrive_in_order(void **state)
{
    static const struct {
        const char *name;
        size_t scratch, piece;
        int framing; /* 0: as it is, 1: a chunk, 2: the last chunk */
    } cases[] = {
        {"head alone", 100, 0, 0},
        {"head and small body", 100, 50, 0},
        {"head and large body", 100, 50000, 0},
        {"large head", SLAB_BYTES, 0, 0},
        {"large head and large body", SLAB_BYTES, 50000, 0},
        {"no head", 0, 50000, 0},
        {"small chunk", 100, 50, 1},
        {"large chunk", 100, 50000, 1},
        {"large head and large chunk", SLAB_BYTES, 50000, 1},
        {"last chunk", 100, 50000, 2},
        {"only the last chunk", 100, 0, 2},
        {"only the last chunk, no head", 0, 0, 2},
        {"nothing", 0, 0, 0},
        {"empty chunk", 0, 0, 1},
    };
    struct fixture *f = *state;
    static char body[50000], got[200000];
    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (char)('a' + i % 23);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_(buf_deinit) struct buf expected = BUF_INIT(200000);
        int blocked;
        memset(f->scratch, 'h', cases[i].scratch);
        buf_append(&expected, f->scratch, cases[i].scratch);
        if (cases[i].scratch > 0)
            sendq_add_scratch(&f->q, f->scratch, cases[i].scratch, SLAB_BYTES - cases[i].scratch);
        if (cases[i].framing && cases[i].piece > 0)
            buf_printf(&expected, "%zx\r\n", cases[i].piece);
        buf_append(&expected, body, cases[i].piece);
        if (cases[i].framing && cases[i].piece > 0)
            buf_append_str(&expected, "\r\n");
        if (cases[i].framing == 2)
            buf_append_str(&expected, "0\r\n\r\n");
        if (cases[i].framing)
            sendq_add_chunk(&f->q, body, cases[i].piece, cases[i].framing == 2);
        else
            sendq_add(&f->q, body, cases[i].piece);
        size_t len = flush_all(f, got, &blocked);
        CHECK_INT(cases[i].name, len, expected.len);
        CHECK(cases[i].name, memcmp(got, buf_text(&expected), len) == 0);
        CHECK_INT(cases[i].name, blocked > 0, expected.len > 15000);
    }
}

static void a_peer_that_is_gone_is_a_failure(void **state)
{
    struct fixture *f = *state;
    size_t sent = 99;
    close(f->far);
    f->far = -1;
    sendq_add(&f->q, "x", 1);
    assert_int_equal(sendq_flush(&f->q, f->near, &f->slabs, &sent), SEND_FAILED);
    assert_int_equal(sent, 0);
}

static void without_memory_for_the_rest_it_fails(void **state)
{
    struct fixture *f = *state;
    size_t sent;
    sendq_add_scratch(&f->q, f->scratch, sizeof(f->scratch), 0);
    alloc_fail_after(0);
    enum send_status status = sendq_flush(&f->q, f->near, &f->slabs, &sent);
    assert_true(alloc_fail_stop());
    assert_int_equal(status, SEND_FAILED);
}

static void few_unused_slabs_are_kept(void **state)
{
    struct fixture *f = *state;
    struct slab *slabs[SLABS_KEPT + 5];
    for (size_t i = 0; i < ARRAY_LEN(slabs); i++)
        slabs[i] = slab_take(&f->slabs);
    slabs[0]->start = slabs[0]->end = 7;
    assert_int_equal(f->slabs.taken, ARRAY_LEN(slabs));
    for (size_t i = ARRAY_LEN(slabs); i-- > 0;)
        slab_give(&f->slabs, slabs[i]);
    slab_give(&f->slabs, NULL);
    assert_int_equal(f->slabs.unused_count, SLABS_KEPT);
    struct slab *again = slab_take(&f->slabs);
    assert_int_equal(again->start + again->end, 0);
    assert_int_equal(slab_room(again), SLAB_BYTES);
    slab_give(&f->slabs, again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pieces_arrive_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_peer_that_is_gone_is_a_failure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_memory_for_the_rest_it_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(few_unused_slabs_are_kept, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("sendq", tests, NULL, NULL);
}
