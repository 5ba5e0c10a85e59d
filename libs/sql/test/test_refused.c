/* A PostgreSQL that refuses us a further connection: it is full, or the role may not sign in. */
#include <sched.h>
#include <signal.h>
#include <stdio.h>

#include "ping.h"
#include "relay.h"

static void limit_few(struct sql_db *admin, int connections)
{
    char statement[64];
    snprintf(statement, sizeof(statement), "ALTER ROLE few CONNECTION LIMIT %d", connections);
    run_in(admin, statement);
}

/* A new one each time: of the connections of the last one, some may still count. */
static void make_few(struct sql_db *admin, int connections)
{
    run_in(admin, "DROP ROLE IF EXISTS few");
    run_in(admin, "CREATE ROLE few LOGIN");
    limit_few(admin, connections);
}

static struct sql_db *open_as_few(struct sql_options options)
{
    char url[URL_MAX];
    struct sql_db *db = NULL;
    snprintf(url, sizeof(url), "%s&user=few", database_url());
    if (!options.url)
        options.url = url;
    OK(sql_open(&options, &db));
    return db;
}
#define OPEN_AS_FEW(...) open_as_few((struct sql_options){__VA_ARGS__})

enum { FEW = 8 };

static void start_pings(struct ping *pings, size_t count, struct sql_db *db)
{
    for (size_t i = 0; i < count; i++)
        ping_start(&pings[i], db);
    struct sql_stats stats;
    do {
        sched_yield();
        sql_get_stats(db, &stats);
    } while (stats.waiting < count);
}

static void end_pings(struct ping *pings, size_t count, const struct err_kind *kind)
{
    for (size_t i = 0; i < count; i++) {
        pthread_join(pings[i].thread, NULL);
        expect(pings[i].e, kind, "a ping that had to wait");
        assert_in_range(pings[i].took_ms, 0, BACK_MS + SOON_MS);
    }
}

static void a_full_server_has_us_share(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int limit; /* later */
    } rows[] = {
        {"one of ours comes free", 2},
        {"there is room for one more", 3},
        {"there is room for all", 50},
    };
    _cleanup_(sql_close) struct sql_db *admin = OPEN();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        make_few(admin, 2);
        struct sql_db *db = OPEN_AS_FEW(.wait_ms = 60000);
        struct sql_conn *first = acquire(db), *second = acquire(db);
        struct ping pings[FEW];
        start_pings(pings, FEW, db);
        assert_int_equal(number(second, "SELECT 1"), 1);
        if (i == 0)
            sql_release(TAKE(second));
        else
            limit_few(admin, rows[i].limit);
        end_pings(pings, FEW, NULL);
        sql_release(first);
        sql_release(second);
        sql_close(db);
    }
}

static void a_full_server_that_goes_is_not_waited_for(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *admin = OPEN();
    _cleanup_(relay_free) struct relay *relay = relay_new();
    char url[URL_MAX];
    make_few(admin, 1);
    relay_url(relay, "&user=few", url);
    struct sql_db *db = OPEN_AS_FEW(.url = url, .wait_ms = 60000);
    struct sql_conn *conn = acquire(db);
    struct ping pings[FEW];
    start_pings(pings, FEW, db);
    relay_set(relay, RELAY_REFUSE);
    end_pings(pings, FEW, &ERR_UPSTREAM_UNAVAILABLE);
    sql_release(conn);
    sql_close(db);
}

/* Its lifetime ends; in the place of one that is given up there would be no other, or another client's. */
static void what_we_have_stays_ours(void **state)
{
    (void)state;
    static const struct {
        const char *refuse;
        bool is_known; /* before the lifetime ends */
    } rows[] = {
        {"ALTER ROLE few CONNECTION LIMIT 0", true},
        {"ALTER ROLE few CONNECTION LIMIT 0", false},
        {"ALTER ROLE few NOLOGIN", true},
        {"ALTER ROLE few NOLOGIN", false},
    };
    _cleanup_(sql_close) struct sql_db *admin = OPEN();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        make_few(admin, 50);
        struct sql_db *db = OPEN_AS_FEW(.wait_ms = 20, .max_lifetime_ms = 50);
        struct sql_conn *conn = acquire(db), *none = NULL;
        int64_t process = number(conn, "SELECT pg_backend_pid()");
        run_in(admin, rows[i].refuse);
        if (rows[i].is_known)
            expect(sql_acquire(db, NULL, &none), &ERR_OVERLOADED, rows[i].refuse);
        for (int round = 0; round < 2; round++) { /* as it is released, as it is given out */
            OK(ctx_sleep(NULL, 60));
            sql_release(conn);
            OK(ctx_sleep(NULL, 60));
            conn = acquire(db);
            CHECK_INT(rows[i].refuse, number(conn, "SELECT pg_backend_pid()"), process);
        }
        if (!rows[i].is_known) {
            struct ctx ctx;
            ctx_init(&ctx, NULL, 0);
            assert_false(sql_wait_away(db, &ctx));
            ctx_deinit(&ctx);
        }
        sql_release(conn);
        sql_close(db);
    }
}

/* "Busy" would be said of a database that does not answer. */
static void a_deadline_is_told_while_refused(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *admin = OPEN();
    make_few(admin, 2);
    struct sql_db *db = OPEN_AS_FEW(.wait_ms = 20);
    struct sql_conn *conns[2] = {acquire(db), acquire(db)}, *none = NULL;
    pid_t processes[2];
    FAILS(sql_acquire(db, NULL, &none), ERR_OVERLOADED);
    for (size_t i = 0; i < 2; i++) {
        processes[i] = (pid_t)number(conns[i], "SELECT pg_backend_pid()");
        sql_release(conns[i]);
        assert_int_equal(kill(processes[i], SIGSTOP), 0);
    }
    OK(ctx_sleep(NULL, 550)); /* so long, and a connection is no longer trusted */
    struct ctx ctx;
    ctx_init(&ctx, NULL, 300);
    struct err *e = sql_ping(db, &ctx);
    ctx_deinit(&ctx);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(kill(processes[i], SIGCONT), 0);
    FAILS(e, ERR_UPSTREAM_TIMEOUT);
    sql_close(db);
}

static void a_full_server_does_not_give_back_what_broke(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *admin = OPEN();
    make_few(admin, 2);
    struct sql_db *db = OPEN_AS_FEW(.wait_ms = 60000);
    struct sql_conn *first = acquire(db), *second = acquire(db);
    struct ping ping;
    start_pings(&ping, 1, db);
    limit_few(admin, 1);
    backend->sever(second, database_url());
    sql_release(second);
    struct sql_stats stats;
    do { /* who waits is given that one, and has no other in its place */
        sched_yield();
        sql_get_stats(db, &stats);
    } while (stats.open > 1);
    sql_release(first);
    end_pings(&ping, 1, NULL);
    sql_close(db);
}

/* It alone can have room again. */
static void a_full_server_beside_one_that_is_gone(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *admin = OPEN();
    _cleanup_(relay_free) struct relay *gone = relay_new();
    char relayed[URL_MAX], urls[2][URL_MAX];
    relay_set(gone, RELAY_REFUSE);
    relay_url(gone, "", relayed);
    const char *place = strstr(relayed, "host=") + strlen("host=");
    int length = (int)strcspn(place, "&");
    snprintf(urls[0], URL_MAX, "postgres://few@/postgres?host=%.*s,%s/pg", length, place,
             test_directory());
    snprintf(urls[1], URL_MAX, "postgres://few@/postgres?host=%s/pg,%.*s", test_directory(), length,
             place);
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        make_few(admin, 1);
        struct sql_db *db = OPEN_AS_FEW(.url = urls[i], .wait_ms = 20);
        struct sql_conn *conn = acquire(db), *none = NULL;
        expect(sql_acquire(db, NULL, &none), &ERR_OVERLOADED, urls[i]);
        sql_release(conn);
        sql_close(db);
    }
}

static void a_full_server_is_waited_for_until(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *admin = OPEN();
    make_few(admin, 1);
    _cleanup_(sql_close) struct sql_db *db = OPEN_AS_FEW(.wait_ms = 20);
    struct sql_conn *conn = acquire(db), *none = NULL;
    for (int i = 0; i < 2; i++) /* found out by this one; known by then */
        FAILS(sql_acquire(db, NULL, &none), ERR_OVERLOADED);
    /* Without any of ours it is as good as away. */
    limit_few(admin, 0);
    backend->sever(conn, database_url());
    sql_release(conn);
    char line[ERR_LINE];
    struct err *e = sql_acquire(db, NULL, &none);
    err_format(e, line, sizeof(line));
    CHECK(line,
          strstr(line, "no further connection is taken [") && strstr(line, "too many connections"));
    CHECK(line, !strstr(line, "LOCATION"));
    expect(e, &ERR_UPSTREAM_UNAVAILABLE, line);
    expect_fast_failures(db);
    limit_few(admin, 1);
    expect_back(db);
}

int main(void)
{
    static const struct backend *const backends[] = {&postgres_backend};
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_server_has_us_share),
        cmocka_unit_test(a_full_server_that_goes_is_not_waited_for),
        cmocka_unit_test(what_we_have_stays_ours),
        cmocka_unit_test(a_deadline_is_told_while_refused),
        cmocka_unit_test(a_full_server_does_not_give_back_what_broke),
        cmocka_unit_test(a_full_server_beside_one_that_is_gone),
        cmocka_unit_test(a_full_server_is_waited_for_until),
    };
    return run_over(backends, ARRAY_LEN(backends), "refused", tests, ARRAY_LEN(tests));
}
