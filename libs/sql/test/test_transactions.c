/* Transactions: all or nothing, alone in the world, over quickly. */
#include <pthread.h>
#include <stdatomic.h>

#include <base/clock.h>

#include "sql_test.h"

static struct sql_db *open_with_table(void)
{
    struct sql_db *db = OPEN();
    run_in(db, "CREATE TABLE t (n BIGINT NOT NULL PRIMARY KEY)");
    return db;
}

static void all_or_nothing(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = open_with_table();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    OK(sql_begin(conn, NULL));
    run(conn, "INSERT INTO t VALUES (1)");
    assert_int_equal(number(conn, "SELECT count(*) FROM t"), 1);
    assert_int_equal(number_in(db, "SELECT count(*) FROM t"), 0); /* on another connection */
    sql_rollback(conn);
    sql_rollback(conn);
    assert_int_equal(number(conn, "SELECT count(*) FROM t"), 0);
    OK(sql_begin(conn, NULL));
    run(conn, "INSERT INTO t VALUES (1)");
    run(conn, "INSERT INTO t VALUES (2)");
    OK(sql_commit(conn, NULL));
    assert_int_equal(number_in(db, "SELECT count(*) FROM t"), 2);
}

static void calls_out_of_order(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = open_with_table();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    FAILS(sql_commit(conn, NULL), SQL_FAILED);
    sql_rollback(conn);
    OK(sql_begin(conn, NULL));
    run(conn, "INSERT INTO t VALUES (1)");
    FAILS(sql_begin(conn, NULL), SQL_FAILED);
    OK(sql_commit(conn, NULL)); /* a refused call does no harm */
    assert_int_equal(number(conn, "SELECT count(*) FROM t"), 1);
}

static void release_rolls_back(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = open_with_table();
    struct sql_conn *conn = acquire(db);
    struct sql_rows *rows = NULL;
    bool has_row = false;
    OK(sql_begin(conn, NULL));
    run(conn, "INSERT INTO t VALUES (1), (2)");
    OK(sql_query(conn, NULL, &rows, "SELECT n FROM t"));
    OK(sql_rows_next(rows, &has_row));
    sql_release(conn);
    sql_rows_close(rows);
    assert_int_equal(number_in(db, "SELECT count(*) FROM t"), 0);
    run_in(db, "INSERT INTO t VALUES (1)"); /* nothing is locked */
    struct sql_stats stats;
    sql_get_stats(db, &stats);
    assert_int_equal(stats.open, 1);
}

static void rows_end_with_their_transaction(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = open_with_table();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    bool has_row = false;
    for (int is_commit = 0; is_commit < 2; is_commit++) {
        struct sql_rows *rows = NULL;
        OK(sql_begin(conn, NULL));
        run(conn, "INSERT INTO t VALUES (1), (2)");
        OK(sql_query(conn, NULL, &rows, "SELECT n FROM t"));
        OK(sql_rows_next(rows, &has_row));
        if (is_commit)
            FAILS(sql_commit(conn, NULL), SQL_FAILED);
        else
            sql_rollback(conn);
        FAILS(sql_rows_next(rows, &has_row), SQL_FAILED);
        sql_rows_close(rows);
        assert_int_equal(number(conn, "SELECT count(*) FROM t"), 0);
    }
}

static void after_an_error_only_rollback(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = open_with_table();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    int64_t value = 0;
    for (int is_commit = 0; is_commit < 2; is_commit++) {
        OK(sql_begin(conn, NULL));
        run(conn, "INSERT INTO t VALUES (1)");
        FAILS(sql_exec(conn, NULL, "INSERT INTO t VALUES (1)", NULL), SQL_UNIQUE);
        FAILS(sql_fetch_i64(conn, NULL, &value, "SELECT count(*) FROM t"), SQL_FAILED);
        FAILS(sql_exec(conn, NULL, "INSERT INTO t VALUES (2)", NULL), SQL_FAILED);
        if (is_commit)
            FAILS(sql_commit(conn, NULL), SQL_FAILED);
        else
            sql_rollback(conn);
        assert_int_equal(number(conn, "SELECT count(*) FROM t"), 0);
    }
    OK(sql_begin(conn, NULL)); /* no row is no failure */
    FAILS(sql_fetch_i64(conn, NULL, &value, "SELECT n FROM t"), SQL_NO_ROWS);
    run(conn, "INSERT INTO t VALUES (1)");
    OK(sql_commit(conn, NULL));
    assert_int_equal(number(conn, "SELECT count(*) FROM t"), 1);
}

static void an_interrupted_write_takes_all_with_it(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = open_with_table();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    OK(sql_begin(conn, NULL));
    run(conn, "INSERT INTO t VALUES (-1)");
    struct ctx ctx;
    ctx_init(&ctx, NULL, 20);
    FAILS(sql_exec(conn, &ctx,
                   "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                   "WHERE i < 1000000000) INSERT INTO t SELECT i FROM n",
                   NULL),
          ERR_UPSTREAM_TIMEOUT);
    FAILS(sql_exec(conn, NULL, "INSERT INTO t VALUES (-2)", NULL), SQL_FAILED);
    FAILS(sql_commit(conn, NULL), SQL_FAILED);
    ctx_deinit(&ctx);
    assert_int_equal(number(conn, "SELECT count(*) FROM t"), 0);
}

static void an_ended_ctx_commits_nothing(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = open_with_table();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    struct ctx ctx;
    ctx_init(&ctx, NULL, CTX_NO_TIMEOUT);
    OK(sql_begin(conn, &ctx));
    run(conn, "INSERT INTO t VALUES (1)");
    ctx_cancel(&ctx);
    FAILS(sql_commit(conn, &ctx), ERR_CANCELLED);
    FAILS(sql_begin(conn, &ctx), ERR_CANCELLED);
    ctx_deinit(&ctx);
    assert_int_equal(number(conn, "SELECT count(*) FROM t"), 0);
}

static void constraints_at_commit(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = open_with_table();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    run(conn, "CREATE TABLE u (n BIGINT REFERENCES t (n) DEFERRABLE INITIALLY DEFERRED)");
    OK(sql_begin(conn, NULL));
    run(conn, "INSERT INTO u VALUES (1)");
    FAILS(sql_commit(conn, NULL), SQL_FOREIGN_KEY);
    assert_int_equal(number(conn, "SELECT count(*) FROM u"), 0);
    OK(sql_begin(conn, NULL));
    run(conn, "INSERT INTO u VALUES (1)");
    run(conn, "INSERT INTO t VALUES (1)");
    OK(sql_commit(conn, NULL));
}

static void count_commit(void *data)
{
    ++*(int *)data;
}

static void commits_are_told_of(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = open_with_table();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    int told[SQL_NOTICES_MAX + 1] = {0};
    FAILS(sql_on_commit(conn, count_commit, told), SQL_FAILED); /* no transaction */
    OK(sql_begin(conn, NULL));
    OK(sql_on_commit(conn, count_commit, told));
    OK(sql_on_commit(conn, count_commit, told));
    for (size_t i = 1; i < SQL_NOTICES_MAX; i++)
        OK(sql_on_commit(conn, count_commit, &told[i]));
    FAILS(sql_on_commit(conn, count_commit, &told[SQL_NOTICES_MAX]), SQL_FAILED);
    run(conn, "INSERT INTO t VALUES (1)");
    assert_int_equal(told[0], 0);
    OK(sql_commit(conn, NULL));
    for (size_t i = 0; i <= SQL_NOTICES_MAX; i++)
        assert_int_equal(told[i], i < SQL_NOTICES_MAX);
    OK(sql_begin(conn, NULL)); /* what was told is forgotten */
    OK(sql_commit(conn, NULL));
    assert_int_equal(told[0], 1);
}

static void what_was_not_committed_is_not_told_of(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = open_with_table();
    struct sql_conn *conn = acquire(db);
    int told = 0;
    OK(sql_begin(conn, NULL));
    OK(sql_on_commit(conn, count_commit, &told));
    sql_rollback(conn);
    OK(sql_begin(conn, NULL));
    OK(sql_commit(conn, NULL));
    run(conn, "INSERT INTO t VALUES (1)");
    OK(sql_begin(conn, NULL));
    OK(sql_on_commit(conn, count_commit, &told));
    FAILS(sql_exec(conn, NULL, "INSERT INTO t VALUES (1)", NULL), SQL_UNIQUE);
    FAILS(sql_on_commit(conn, count_commit, &told), SQL_FAILED);
    FAILS(sql_commit(conn, NULL), SQL_FAILED);
    OK(sql_begin(conn, NULL));
    OK(sql_on_commit(conn, count_commit, &told));
    sql_release(conn);
    conn = acquire(db);
    OK(sql_begin(conn, NULL));
    OK(sql_commit(conn, NULL));
    sql_release(conn);
    assert_int_equal(told, 0);
}

static void read_committed_sees_what_came_meanwhile(void **state)
{
    (void)state;
    if (backend->dialect == SQL_SQLITE)
        return; /* there, nothing comes meanwhile */
    _cleanup_(sql_close) struct sql_db *db = open_with_table();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    OK(sql_begin_read_committed(conn, NULL));
    assert_int_equal(number(conn, "SELECT count(*) FROM t"), 0);
    run_in(db, "INSERT INTO t VALUES (1)");
    assert_int_equal(number(conn, "SELECT count(*) FROM t"), 1);
    run(conn, "DELETE FROM t");
    OK(sql_commit(conn, NULL));
    assert_int_equal(number_in(db, "SELECT count(*) FROM t"), 0);
}

static const struct err_kind OTHER = {"other", 400, "Other", false, ""};

struct attempts {
    int runs, collisions;
    const struct err_kind *last;
};

static struct err *collide(struct sql_conn *conn, struct ctx *ctx, void *data)
{
    struct attempts *attempts = data;
    attempts->runs++;
    TRY(sql_exec(conn, ctx, "INSERT INTO t VALUES (1)", NULL));
    if (attempts->runs <= attempts->collisions)
        return err_new(&SQL_SERIALIZATION, "collision %d", attempts->runs);
    return attempts->last ? err_new(attempts->last, "last") : NULL;
}

static void collisions_run_again(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int collisions;
        const struct err_kind *last;
        int runs;
        const struct err_kind *kind;
    } rows[] = {
        {"none", 0, NULL, 1, NULL},
        {"two", 2, NULL, 3, NULL},
        {"nine", 9, NULL, 10, NULL},
        {"ten are enough", 10, NULL, 10, &SQL_SERIALIZATION},
        {"another error", 0, &OTHER, 1, &OTHER},
        {"another error after one", 1, &OTHER, 2, &OTHER},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(sql_close) struct sql_db *db = open_with_table();
        struct attempts attempts = {.collisions = rows[i].collisions, .last = rows[i].last};
        struct err *e = sql_transact(db, NULL, collide, &attempts);
        CHECK_INT(rows[i].name, err_retry_after_ms(e),
                  rows[i].kind == &SQL_SERIALIZATION ? 1000 : 0);
        expect(e, rows[i].kind, rows[i].name);
        CHECK_INT(rows[i].name, attempts.runs, rows[i].runs);
        CHECK_INT(rows[i].name, number_in(db, "SELECT count(*) FROM t"), !rows[i].kind);
    }
}

static void the_ctx_ends_the_attempts(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = open_with_table();
    struct attempts attempts = {.collisions = 100};
    struct ctx ctx;
    ctx_init(&ctx, NULL, 12);
    FAILS(sql_transact(db, &ctx, collide, &attempts), ERR_UPSTREAM_TIMEOUT);
    ctx_deinit(&ctx);
}

enum { THREADS = 8, ROUNDS = 25 };

struct worker {
    struct sql_db *db;
    pthread_t thread;
    int done;
};

/* Reads, thinks, writes: only in a serializable world does nothing get lost. */
static struct err *increment(struct sql_conn *conn, struct ctx *ctx, void *data)
{
    (void)data;
    int64_t value = 0;
    TRY(sql_fetch_i64(conn, ctx, &value, "SELECT value FROM counter"));
    return sql_exec(conn, ctx, "UPDATE counter SET value = $1", NULL, SQL_I64(value + 1));
}

static void *keep_incrementing(void *data)
{
    struct worker *worker = data;
    while (worker->done < ROUNDS) {
        struct err *e = sql_transact(worker->db, NULL, increment, NULL);
        if (e && !err_is(e, &SQL_SERIALIZATION))
            return e;
        worker->done += !e;
        err_free(e);
    }
    return NULL;
}

static void threads_lose_nothing(void **state)
{
    (void)state;
    struct worker workers[THREADS];
    _cleanup_(sql_close) struct sql_db *db = OPEN(.max_open = 5);
    run_in(db, "CREATE TABLE counter (value BIGINT)");
    run_in(db, "INSERT INTO counter VALUES (0)");
    for (size_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.db = db};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, keep_incrementing, &workers[i]),
                         0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *e = NULL;
        pthread_join(workers[i].thread, &e);
        OK(e);
    }
    assert_int_equal(number_in(db, "SELECT value FROM counter"), THREADS * ROUNDS);
    struct sql_stats stats;
    sql_get_stats(db, &stats);
    assert_in_range(stats.open, 1, 5);
    assert_int_equal(stats.idle, stats.open);
}

struct doctor {
    struct sql_db *db;
    const char *name;
    atomic_int *readers; /* that have looked who is on call */
    pthread_t thread;
    struct err *e;
};

/* Goes off call if somebody else is on call, having looked at the same time as the other one. */
static struct err *go_off_call(struct sql_conn *conn, struct ctx *ctx, void *data)
{
    const struct doctor *doctor = data;
    int64_t on_call = 0;
    TRY(sql_fetch_i64(conn, ctx, &on_call, "SELECT count(*) FROM doctors WHERE on_call = 1"));
    atomic_fetch_add(doctor->readers, 1);
    for (int i = 0; i < 20 && atomic_load(doctor->readers) < 2; i++) /* in SQLite they take turns */
        TRY(ctx_sleep(ctx, 5));
    if (on_call < 2)
        return NULL;
    return sql_exec(conn, ctx, "UPDATE doctors SET on_call = 0 WHERE name = $1", NULL,
                    SQL_TEXT(doctor->name));
}

static void *leave(void *data)
{
    struct doctor *doctor = data;
    doctor->e = sql_transact(doctor->db, NULL, go_off_call, doctor);
    return NULL;
}

/* Neither changes what the other one changes, and yet both together are wrong. */
static void write_skew_is_refused(void **state)
{
    (void)state;
    atomic_int readers = 0;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    run_in(db, "CREATE TABLE doctors (name TEXT PRIMARY KEY, on_call BIGINT NOT NULL)");
    run_in(db, "INSERT INTO doctors VALUES ('ann', 1), ('bob', 1)");
    struct doctor doctors[] = {{.db = db, .name = "ann", .readers = &readers},
                               {.db = db, .name = "bob", .readers = &readers}};
    for (size_t i = 0; i < ARRAY_LEN(doctors); i++)
        assert_int_equal(pthread_create(&doctors[i].thread, NULL, leave, &doctors[i]), 0);
    for (size_t i = 0; i < ARRAY_LEN(doctors); i++) {
        pthread_join(doctors[i].thread, NULL);
        OK(doctors[i].e);
    }
    assert_int_equal(number_in(db, "SELECT count(*) FROM doctors WHERE on_call = 1"), 1);
}

static void readers_do_not_wait_for_a_writer(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = open_with_table();
    _cleanup_(sql_release) struct sql_conn *writer = acquire(db);
    _cleanup_(sql_release) struct sql_conn *reader = acquire(db);
    struct ctx ctx;
    ctx_init(&ctx, NULL, 5000);
    OK(sql_begin(writer, NULL));
    run(writer, "INSERT INTO t VALUES (1)");
    int64_t count = -1;
    OK(sql_fetch_i64(reader, &ctx, &count, "SELECT count(*) FROM t"));
    assert_int_equal(count, 0);
    OK(sql_commit(writer, NULL));
    OK(sql_fetch_i64(reader, &ctx, &count, "SELECT count(*) FROM t"));
    assert_int_equal(count, 1);
    ctx_deinit(&ctx);
}

static void who_waits_for_a_writer_has_a_deadline(void **state)
{
    (void)state;
    enum { WAIT_MS = 30 };
    _cleanup_(sql_close) struct sql_db *db = open_with_table();
    _cleanup_(sql_release) struct sql_conn *first = acquire(db);
    _cleanup_(sql_release) struct sql_conn *second = acquire(db);
    OK(sql_begin(first, NULL));
    run(first, "INSERT INTO t VALUES (1)");
    struct ctx ctx;
    ctx_init(&ctx, NULL, WAIT_MS);
    FAILS(sql_exec(second, &ctx, "INSERT INTO t VALUES (1)", NULL), ERR_UPSTREAM_TIMEOUT);
    int64_t late_ms = clock_mono_ms() - ctx.deadline_ms;
    assert_in_range(late_ms, 0, SOON_MS);
    ctx_deinit(&ctx);
    OK(sql_commit(first, NULL));
    FAILS(sql_exec(second, NULL, "INSERT INTO t VALUES (1)", NULL), SQL_UNIQUE);
    run(second, "INSERT INTO t VALUES (2)");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_or_nothing),
        cmocka_unit_test(calls_out_of_order),
        cmocka_unit_test(release_rolls_back),
        cmocka_unit_test(rows_end_with_their_transaction),
        cmocka_unit_test(after_an_error_only_rollback),
        cmocka_unit_test(an_interrupted_write_takes_all_with_it),
        cmocka_unit_test(an_ended_ctx_commits_nothing),
        cmocka_unit_test(constraints_at_commit),
        cmocka_unit_test(commits_are_told_of),
        cmocka_unit_test(what_was_not_committed_is_not_told_of),
        cmocka_unit_test(read_committed_sees_what_came_meanwhile),
        cmocka_unit_test(collisions_run_again),
        cmocka_unit_test(the_ctx_ends_the_attempts),
        cmocka_unit_test(threads_lose_nothing),
        cmocka_unit_test(write_skew_is_refused),
        cmocka_unit_test(readers_do_not_wait_for_a_writer),
        cmocka_unit_test(who_waits_for_a_writer_has_a_deadline),
    };
    return RUN_CONTRACT("transactions", tests);
}
