/* The pool: how many connections there are, who gets the next one, how long one lives. */
#include <pthread.h>
#include <sched.h>

#include <base/clock.h>

#include "sql_test.h"

/* A temporary table lives as long as its connection: so the test sees which one it has. */
static void mark(struct sql_conn *conn)
{
    run(conn, "CREATE TEMPORARY TABLE mark (n BIGINT)");
}

static bool is_marked(struct sql_conn *conn)
{
    struct err *e = sql_exec(conn, NULL, "SELECT n FROM mark", NULL);
    bool is_there = !e;
    err_free(e);
    return is_there;
}

static void expect_stats(struct sql_db *db, const char *when, size_t open, size_t idle)
{
    struct sql_stats stats;
    sql_get_stats(db, &stats);
    CHECK_INT(when, stats.open, open);
    CHECK_INT(when, stats.idle, idle);
    CHECK_INT(when, stats.waiting, 0);
}

static void few_connections_stay(void **state)
{
    (void)state;
    struct sql_conn *conns[5];
    _cleanup_(sql_close) struct sql_db *db = OPEN(.max_open = 5, .max_idle = 2);
    expect_stats(db, "opened", 0, 0);
    for (size_t i = 0; i < ARRAY_LEN(conns); i++)
        conns[i] = acquire(db);
    expect_stats(db, "all in use", 5, 0);
    mark(conns[4]);
    for (size_t i = 0; i < ARRAY_LEN(conns); i++)
        sql_release(conns[i]);
    expect_stats(db, "all released", 2, 2);
    conns[0] = acquire(db);
    assert_true(is_marked(conns[0])); /* the last one used is the first one used again */
    expect_stats(db, "one in use", 2, 1);
    sql_release(conns[0]);
    sql_release(NULL);
    expect_stats(db, "at the end", 2, 2);
}

static void the_default_limits(void **state)
{
    (void)state;
    struct sql_conn *conns[25];
    _cleanup_(sql_close) struct sql_db *db = OPEN(.wait_ms = 1);
    for (size_t i = 0; i < ARRAY_LEN(conns); i++)
        conns[i] = acquire(db);
    struct sql_conn *none = NULL;
    FAILS(sql_acquire(db, NULL, &none), ERR_OVERLOADED);
    for (size_t i = 0; i < ARRAY_LEN(conns); i++)
        sql_release(conns[i]);
    expect_stats(db, "at the end", 10, 10);
}

static void waiting_ends(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t wait_ms, timeout_ms;
        const struct err_kind *kind;
    } rows[] = {
        {"by the pool's own limit", 20, CTX_NO_TIMEOUT, &ERR_OVERLOADED},
        {"by the pool's own limit, before the deadline", 20, 10000, &ERR_OVERLOADED},
        {"by the deadline", 10000, 20, &ERR_UPSTREAM_TIMEOUT},
        {"before it begins", 10000, 0, &ERR_UPSTREAM_TIMEOUT},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(sql_close) struct sql_db *db = OPEN(.max_open = 1, .wait_ms = rows[i].wait_ms);
        _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
        struct sql_conn *none = (void *)1;
        struct ctx ctx;
        ctx_init(&ctx, NULL, rows[i].timeout_ms);
        int64_t begin_ms = clock_mono_ms();
        struct err *e = sql_acquire(db, &ctx, &none);
        CHECK(rows[i].name, clock_mono_ms() - begin_ms < 20 + SOON_MS);
        CHECK_INT(rows[i].name, err_retry_after_ms(e) > 0, rows[i].kind == &ERR_OVERLOADED);
        expect(e, rows[i].kind, rows[i].name);
        ctx_deinit(&ctx);
        assert_ptr_equal(none, (void *)1);
        expect_stats(db, rows[i].name, 1, 0);
    }
}

struct waiter {
    struct sql_db *db;
    struct ctx *ctx;
    pthread_t thread;
    int *served;
    int place; /* in which it was served, from 1 */
    struct err *e;
};

static void *wait_for_connection(void *data)
{
    struct waiter *waiter = data;
    struct sql_conn *conn = NULL;
    waiter->e = sql_acquire(waiter->db, waiter->ctx, &conn);
    if (!waiter->e)
        waiter->place = ++*waiter->served; /* with the only connection in hand */
    sql_release(conn);
    return NULL;
}

static void await_waiting(struct sql_db *db, size_t count)
{
    struct sql_stats stats;
    do {
        sched_yield();
        sql_get_stats(db, &stats);
    } while (stats.waiting != count);
}

static void first_come_first_served(void **state)
{
    (void)state;
    enum { WAITERS = 6, QUITTER = 2 };
    struct waiter waiters[WAITERS];
    struct ctx quits;
    int served = 0;
    _cleanup_(sql_close) struct sql_db *db = OPEN(.max_open = 1, .wait_ms = 60000);
    struct sql_conn *conn = acquire(db);
    ctx_init(&quits, NULL, CTX_NO_TIMEOUT);
    for (size_t i = 0; i < WAITERS; i++) {
        waiters[i] =
            (struct waiter){.db = db, .served = &served, .ctx = i == QUITTER ? &quits : NULL};
        assert_int_equal(pthread_create(&waiters[i].thread, NULL, wait_for_connection, &waiters[i]),
                         0);
        await_waiting(db, i + 1);
    }
    ctx_cancel(&quits);
    await_waiting(db, WAITERS - 1);
    sql_release(conn);
    for (int i = 0; i < WAITERS; i++) {
        pthread_join(waiters[i].thread, NULL);
        expect(waiters[i].e, i == QUITTER ? &ERR_CANCELLED : NULL, "a waiter");
        assert_int_equal(waiters[i].place, i == QUITTER ? 0 : i < QUITTER ? i + 1 : i);
    }
    ctx_deinit(&quits);
    expect_stats(db, "at the end", 1, 1);
}

static void a_place_that_becomes_free_is_passed_on(void **state)
{
    (void)state;
    int served = 0;
    _cleanup_(sql_close) struct sql_db *db = OPEN(.max_open = 1, .max_lifetime_ms = 1);
    struct sql_conn *conn = acquire(db);
    struct waiter waiter = {.db = db, .served = &served};
    assert_int_equal(pthread_create(&waiter.thread, NULL, wait_for_connection, &waiter), 0);
    await_waiting(db, 1);
    OK(ctx_sleep(NULL, 2)); /* now it is too old to be given to the waiter, who makes a new one */
    sql_release(conn);
    pthread_join(waiter.thread, NULL);
    OK(waiter.e);
    assert_int_equal(waiter.place, 1);
}

static void a_lifetime_ends(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN(.max_lifetime_ms = 20);
    struct sql_conn *conn = acquire(db);
    mark(conn);
    sql_release(conn);
    OK(ctx_sleep(NULL, 23));
    conn = acquire(db);
    assert_false(is_marked(conn));
    mark(conn);
    OK(ctx_sleep(NULL, 23));
    sql_release(conn);
    expect_stats(db, "after the second life", 1, 1);
    conn = acquire(db);
    assert_false(is_marked(conn));
    sql_release(conn);
}

static void a_broken_connection_is_replaced(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    struct sql_conn *conn = acquire(db);
    mark(conn);
    sql_release(conn);
    conn = acquire(db);
    assert_true(is_marked(conn));
    backend->sever(conn, database_url());
    sql_release(conn);
    conn = acquire(db); /* no request fails */
    assert_false(is_marked(conn));
    assert_int_equal(number(conn, "SELECT 1"), 1);
    sql_release(conn);
    expect_stats(db, "at the end", 1, 1);
}

static void metrics_tell_the_same(void **state)
{
    (void)state;
    _cleanup_(metrics_free) struct metrics *metrics = NULL;
    OK(metrics_new(&metrics));
    struct metric *open = metric_gauge(metrics, "db_pool_open", "", NULL);
    struct metric *idle = metric_gauge(metrics, "db_pool_idle", "", NULL);
    struct metric *in_use = metric_gauge(metrics, "db_pool_in_use", "", NULL);
    struct metric *timeouts = metric_counter(metrics, "db_pool_wait_timeouts_total", "", NULL);
    struct metric *waits = metric_histogram(metrics, "db_pool_wait_seconds", "", NULL, NULL, 0);
    struct metric *waited = metric_counter(metrics, "db_pool_waits_total", "", NULL);
    struct metric *connects = metric_counter(metrics, "db_pool_connects_total", "", NULL);
    struct metric *failures = metric_counter(metrics, "db_pool_connect_failures_total", "", NULL);
    struct sql_db *db = OPEN(.max_open = 2, .wait_ms = 1, .metrics = metrics);
    struct sql_conn *first = acquire(db);
    struct sql_conn *second = acquire(db);
    struct sql_conn *none = NULL;
    FAILS(sql_acquire(db, NULL, &none), ERR_OVERLOADED);
    assert_int_equal(metric_value(open), 2);
    assert_int_equal(metric_value(in_use), 2);
    sql_release(first);
    assert_int_equal(metric_value(in_use), 1);
    assert_int_equal(metric_value(idle), 1);
    assert_int_equal(metric_value(timeouts), 1);
    assert_int_equal(metric_value(waits), 2);
    assert_int_equal(metric_value(waited), 1);
    assert_int_equal(metric_value(connects), 2);
    assert_int_equal(metric_value(failures), 0);
    assert_int_equal(metric_value(metric_gauge(metrics, "db_pool_max_open", "", NULL)), 2);
    sql_release(second);
    sql_close(db);
    assert_int_equal(metric_value(open), 0);
    assert_int_equal(metric_value(idle), 0);
    assert_int_equal(metric_value(in_use), 0);
}

static void ping(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    OK(sql_ping(db, NULL));
    assert_int_equal(sql_dialect(db), backend->dialect);
    assert_int_equal(sql_conn_dialect(conn), backend->dialect);
}

/* It says so before its own time is over, which would look like silence. */
static void ping_tells_busy_from_away(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN(.max_open = 1);
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    struct ctx ctx;
    ctx_init(&ctx, NULL, 2 * SOON_MS);
    FAILS(sql_ping(db, &ctx), ERR_OVERLOADED);
    assert_false(ctx_is_done(&ctx));
    ctx_deinit(&ctx);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_connections_stay),
        cmocka_unit_test(the_default_limits),
        cmocka_unit_test(waiting_ends),
        cmocka_unit_test(first_come_first_served),
        cmocka_unit_test(a_place_that_becomes_free_is_passed_on),
        cmocka_unit_test(a_lifetime_ends),
        cmocka_unit_test(a_broken_connection_is_replaced),
        cmocka_unit_test(metrics_tell_the_same),
        cmocka_unit_test(ping),
        cmocka_unit_test(ping_tells_busy_from_away),
    };
    return RUN_IN_SESSIONS("pool", tests);
}
