/* PostgreSQL goes away, in each of the ways it can, and comes back. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <base/clock.h>

#include "ping.h"
#include "relay.h"

/* A database by way of a relay, and one round trip behind it. */
struct scene {
    struct relay *relay;
    struct sql_db *db;
    struct metrics *metrics;
};

static struct scene make_scene(const char *parameters)
{
    struct scene scene = {.relay = relay_new()};
    char url[URL_MAX];
    sql_close(OPEN());
    relay_url(scene.relay, parameters, url);
    OK(metrics_new(&scene.metrics));
    OK(sql_open(&(struct sql_options){.url = url, .metrics = scene.metrics}, &scene.db));
    return scene;
}

static void end_scene(struct scene *scene)
{
    sql_close(scene->db);
    metrics_free(scene->metrics);
    relay_free(scene->relay);
}
DEFINE_CLEANUP_VALUE(struct scene, end_scene);

static int64_t metric_of(struct scene *scene, const char *name, bool is_gauge)
{
    return metric_value(is_gauge ? metric_gauge(scene->metrics, name, "", NULL)
                                 : metric_counter(scene->metrics, name, "", NULL));
}

/* Many at once: whoever comes first finds out within limit_ms, and nobody waits longer. */
static void expect_all_fail(struct sql_db *db, int64_t limit_ms)
{
    struct ping pings[12];
    for (size_t i = 0; i < ARRAY_LEN(pings); i++)
        ping_start(&pings[i], db);
    for (size_t i = 0; i < ARRAY_LEN(pings); i++) {
        pthread_join(pings[i].thread, NULL);
        FAILS(pings[i].e, ERR_UPSTREAM_UNAVAILABLE);
        assert_in_range(pings[i].took_ms, 0, limit_ms + SOON_MS);
    }
}

static void a_server_that_refuses_or_is_silent(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum relay_mode mode;
        int64_t limit_ms;
    } rows[] = {{"refuses", RELAY_REFUSE, 0}, {"is silent", RELAY_SILENT, 1000}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(end_scene) struct scene scene = make_scene("&connect_timeout=1");
        relay_set(scene.relay, rows[i].mode);
        expect_all_fail(scene.db, rows[i].limit_ms);
        expect_fast_failures(scene.db);
        CHECK_INT(rows[i].name, metric_of(&scene, "db_pool_away", true), 1);
        CHECK(rows[i].name, metric_of(&scene, "db_pool_connect_failures_total", false) > 0);
        CHECK_INT(rows[i].name, metric_of(&scene, "db_pool_connects_total", false), 0);
        relay_set(scene.relay, RELAY_PASS);
        expect_back(scene.db);
        CHECK(rows[i].name, metric_of(&scene, "db_pool_connects_total", false) > 0);
        CHECK_INT(rows[i].name, metric_of(&scene, "db_pool_open", true), 1);
        CHECK_INT(rows[i].name, metric_of(&scene, "db_pool_away", true), 0);
        relay_set(scene.relay, RELAY_REFUSE); /* and a second time */
        expect_all_fail(scene.db, 0);
        relay_set(scene.relay, RELAY_PASS);
        expect_back(scene.db);
    }
}

static void *await_away(void *data)
{
    struct ping *ping = data;
    struct ctx ctx;
    ctx_init(&ctx, NULL, 30000);
    ping->e = sql_wait_away(ping->db, &ctx) ? NULL : ctx_check(&ctx);
    ctx_deinit(&ctx);
    return NULL;
}

static bool is_told(struct sql_db *db)
{
    struct ctx ctx;
    ctx_init(&ctx, NULL, 20);
    bool is_told = sql_wait_away(db, &ctx);
    ctx_deinit(&ctx);
    return is_told;
}

static void it_is_told_when_it_goes(void **state)
{
    (void)state;
    _cleanup_(end_scene) struct scene scene = make_scene("");
    OK(sql_ping(scene.db, NULL));
    assert_false(is_told(scene.db));
    struct ping ping = {.db = scene.db};
    assert_int_equal(pthread_create(&ping.thread, NULL, await_away, &ping), 0);
    relay_set(scene.relay, RELAY_REFUSE);
    FAILS(sql_ping(scene.db, NULL), ERR_UPSTREAM_UNAVAILABLE);
    pthread_join(ping.thread, NULL);
    OK(ping.e);
    assert_true(is_told(scene.db));
    relay_set(scene.relay, RELAY_PASS);
    expect_back(scene.db);
    while (is_told(scene.db)) /* the connection is there first */
        OK(ctx_sleep(NULL, 5));
}

/* Deadlines are mostly shorter than the time that is given to a server. */
static void a_deadline_tells_of_silence_as_well(void **state)
{
    (void)state;
    _cleanup_(end_scene) struct scene scene = make_scene("&connect_timeout=60");
    struct ctx ctx;
    relay_set(scene.relay, RELAY_SILENT);
    ctx_init(&ctx, NULL, 1050);
    FAILS(sql_ping(scene.db, &ctx), ERR_UPSTREAM_TIMEOUT);
    ctx_deinit(&ctx);
    expect_fast_failures(scene.db);
}

static void a_database_that_is_away_can_be_closed(void **state)
{
    (void)state;
    struct scene scene = make_scene("&connect_timeout=60");
    struct ctx ctx;
    relay_set(scene.relay, RELAY_SILENT);
    ctx_init(&ctx, NULL, 1050);
    FAILS(sql_ping(scene.db, &ctx), ERR_UPSTREAM_TIMEOUT);
    ctx_deinit(&ctx);
    OK(ctx_sleep(NULL, 300)); /* the next try is under way */
    int64_t begin_ms = clock_mono_ms();
    end_scene(&scene);
    assert_in_range(clock_mono_ms() - begin_ms, 0, SOON_MS);
}

/* The machine of the server is gone: nobody ends the connections to it. */
static void idle_connections_to_nowhere(void **state)
{
    (void)state;
    _cleanup_(end_scene) struct scene scene = make_scene("&connect_timeout=1");
    struct sql_conn *conns[6];
    for (size_t i = 0; i < ARRAY_LEN(conns); i++)
        conns[i] = acquire(scene.db);
    for (size_t i = 0; i < ARRAY_LEN(conns); i++)
        sql_release(conns[i]);
    relay_set(scene.relay, RELAY_SILENT);
    OK(ctx_sleep(NULL, 550)); /* so long, and a connection is no longer trusted */
    int64_t begin_ms = clock_mono_ms();
    FAILS(sql_ping(scene.db, NULL), ERR_UPSTREAM_UNAVAILABLE);
    assert_in_range(clock_mono_ms() - begin_ms, 900, 1000 + SOON_MS);
    expect_fast_failures(scene.db); /* the five others cost nobody anything */
    struct sql_stats stats;
    sql_get_stats(scene.db, &stats);
    assert_int_equal(stats.open, 0);
    relay_set(scene.relay, RELAY_PASS);
    expect_back(scene.db);
}

/* A statement waits for an answer that does not come, and nobody hears its cancellation. */
static void a_statement_to_nowhere(void **state)
{
    (void)state;
    _cleanup_(end_scene) struct scene scene = make_scene("");
    struct sql_conn *conn = acquire(scene.db);
    struct ctx ctx;
    assert_int_equal(number(conn, "SELECT 1"), 1);
    relay_set(scene.relay, RELAY_SILENT);
    ctx_init(&ctx, NULL, 30);
    int64_t begin_ms = clock_mono_ms();
    FAILS(sql_exec(conn, &ctx, "SELECT 2", NULL), ERR_UPSTREAM_TIMEOUT);
    assert_in_range(clock_mono_ms() - begin_ms, 0, 2030 + SOON_MS);
    ctx_deinit(&ctx);
    sql_release(conn);
    struct sql_stats stats;
    sql_get_stats(scene.db, &stats);
    assert_int_equal(stats.open, 0);
    relay_set(scene.relay, RELAY_PASS); /* or the thread that cancels waits for ever */
}

struct cutter {
    struct scene *scene;
    struct sql_db *admin;
    struct ctx ctx;
    pthread_t thread;
};

/* Once the statement waits, it is given up; the cancellation is the next that the relay hears. */
static void *cut_cancellation(void *data)
{
    struct cutter *cutter = data;
    while (number_in(cutter->admin, "SELECT count(*) FROM pg_locks"
                                    " WHERE locktype = 'advisory' AND NOT granted") == 0)
        sched_yield();
    relay_set(cutter->scene->relay, RELAY_CUT);
    ctx_cancel(&cutter->ctx);
    return NULL;
}

static void a_cancellation_that_is_lost_is_sent_again(void **state)
{
    (void)state;
    _cleanup_(end_scene) struct scene scene = make_scene("");
    _cleanup_(sql_close) struct sql_db *admin = OPEN();
    struct sql_conn *conn = acquire(scene.db), *holder = acquire(admin);
    int64_t process = number(conn, "SELECT pg_backend_pid()");
    run(holder, "SELECT pg_advisory_lock(1)"); /* for as long as the test takes */
    struct cutter cutter = {.scene = &scene, .admin = admin};
    ctx_init(&cutter.ctx, NULL, CTX_NO_TIMEOUT);
    assert_int_equal(pthread_create(&cutter.thread, NULL, cut_cancellation, &cutter), 0);
    FAILS(sql_exec(conn, &cutter.ctx, "SELECT pg_advisory_lock(1)", NULL), ERR_CANCELLED);
    pthread_join(cutter.thread, NULL);
    ctx_deinit(&cutter.ctx);
    /* Who does not follow loses the connection. */
    assert_int_equal(number(conn, "SELECT pg_backend_pid()"), process);
    sql_release(conn);
    sql_release(holder);
}

/* The kernel takes connections, the postmaster does not; what is connected goes on. */
static void a_postmaster_that_is_stopped(void **state)
{
    (void)state;
    _cleanup_(end_scene) struct scene scene = make_scene("&connect_timeout=1");
    struct sql_conn *conn = acquire(scene.db);
    postgres_signal(SIGSTOP);
    expect_all_fail(scene.db, 1000);
    expect_fast_failures(scene.db);
    assert_int_equal(number(conn, "SELECT 1"), 1);
    sql_release(conn);
    OK(sql_ping(scene.db, NULL));
    conn = acquire(scene.db);
    expect_fast_failures(scene.db);
    postgres_signal(SIGCONT);
    expect_back(scene.db);
    sql_release(conn);
}

static void a_server_that_starts_up(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    OK(sql_ping(db, NULL));
    postgres_copy("starting", true);
    postgres_halt();
    int starting = postgres_spawn("starting", "-c hot_standby=off");
    char line[ERR_LINE] = "";
    while (!strstr(line, "not accepting connections")) {
        OK(ctx_sleep(NULL, 10));
        struct err *e = sql_ping(db, NULL);
        err_format(e, line, sizeof(line));
        expect(e, &ERR_UPSTREAM_UNAVAILABLE, line);
    }
    expect_fast_failures(db);
    postgres_end(starting);
    expect_fast_failures(db);
    postgres_run();
    postgres_await();
    expect_back(db);
}

/* --- connections that break --- */

static void terminate(struct sql_conn *other, int64_t process)
{
    int64_t is_gone = 0;
    OK(sql_fetch_i64(other, NULL, &is_gone,
                     "SELECT pg_terminate_backend(CAST($1 AS INTEGER), 10000)", SQL_I64(process)));
    assert_int_equal(is_gone, 1);
}

static void a_connection_that_broke_fails_nothing(void **state)
{
    (void)state;
    static const char *const rows[] = {"before it is acquired", "before a statement",
                                       "before a transaction", "after BEGIN"};
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *other = acquire(db);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sql_conn *conn = acquire(db);
        int64_t process = number(conn, "SELECT pg_backend_pid()");
        sql_release(conn);
        if (i == 0)
            terminate(other, process);
        conn = acquire(db);
        if (i == 3)
            OK(sql_begin(conn, NULL));
        if (i > 0)
            terminate(other, process);
        if (i == 2)
            OK(sql_begin(conn, NULL));
        CHECK(rows[i], number(conn, "SELECT pg_backend_pid()") != process);
        if (i >= 2)
            OK(sql_commit(conn, NULL));
        sql_release(conn);
    }
}

static void a_restart_fails_nothing(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    struct sql_conn *conns[4];
    for (size_t i = 0; i < ARRAY_LEN(conns); i++)
        conns[i] = acquire(db);
    for (size_t i = 0; i < ARRAY_LEN(conns); i++)
        sql_release(conns[i]);
    postgres_halt();
    postgres_run();
    postgres_await();
    for (size_t i = 0; i < ARRAY_LEN(conns); i++) {
        conns[i] = acquire(db);
        assert_int_equal(number(conns[i], "SELECT 1"), 1);
    }
    for (size_t i = 0; i < ARRAY_LEN(conns); i++)
        sql_release(conns[i]);
}

/* The network breaks after the last look at the connection. What cannot have had an effect is done
 * once more, what can have had one is not. */
static void what_is_done_again(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum relay_mode mode;
        bool is_transaction, is_second, succeeds;
        int64_t rows;
    } rows[] = {
        {"first in a transaction", RELAY_CUT, true, false, true, 1},
        {"first in a transaction, without an answer", RELAY_CUT_ANSWER, true, false, true, 1},
        {"second in a transaction", RELAY_CUT, true, true, false, 0},
        {"second in a transaction, without an answer", RELAY_CUT_ANSWER, true, true, false, 0},
        {"on its own", RELAY_CUT, false, false, false, 0},
        {"on its own, without an answer", RELAY_CUT_ANSWER, false, false, false, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(end_scene) struct scene scene = make_scene("");
        struct sql_conn *conn = acquire(scene.db);
        run(conn, "CREATE TABLE t (n BIGINT)");
        OK(sql_exec(conn, NULL, "INSERT INTO t VALUES ($1)", NULL, SQL_I64(1))); /* is prepared */
        run(conn, "DELETE FROM t");
        sql_release(conn);
        conn = acquire(scene.db);
        if (rows[i].is_transaction)
            OK(sql_begin(conn, NULL));
        if (rows[i].is_second)
            run(conn, "SELECT 1");
        relay_set(scene.relay, rows[i].mode);
        expect(sql_exec(conn, NULL, "INSERT INTO t VALUES ($1)", NULL, SQL_I64(1)),
               rows[i].succeeds ? NULL : &ERR_UPSTREAM_UNAVAILABLE, rows[i].name);
        if (rows[i].succeeds)
            OK(sql_commit(conn, NULL));
        sql_release(conn);
        CHECK_INT(rows[i].name, number_in(scene.db, "SELECT count(*) FROM t"), rows[i].rows);
    }
}

int main(void)
{
    static const struct backend *const backends[] = {&postgres_backend};
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_refuses_or_is_silent),
        cmocka_unit_test(it_is_told_when_it_goes),
        cmocka_unit_test(a_deadline_tells_of_silence_as_well),
        cmocka_unit_test(a_database_that_is_away_can_be_closed),
        cmocka_unit_test(idle_connections_to_nowhere),
        cmocka_unit_test(a_statement_to_nowhere),
        cmocka_unit_test(a_cancellation_that_is_lost_is_sent_again),
        cmocka_unit_test(a_postmaster_that_is_stopped),
        cmocka_unit_test(a_server_that_starts_up),
        cmocka_unit_test(a_connection_that_broke_fails_nothing),
        cmocka_unit_test(a_restart_fails_nothing),
        cmocka_unit_test(what_is_done_again),
    };
    return run_over(backends, ARRAY_LEN(backends), "away", tests, ARRAY_LEN(tests));
}
