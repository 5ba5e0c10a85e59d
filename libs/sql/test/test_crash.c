/* A process is killed: what was acknowledged is there, what was not finished is not. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "sql_test.h"

/* One byte for each row that is committed, which the parent counts. */
static struct err *commit_rows(struct sql_db *db)
{
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    for (int64_t n = 1;; n++) {
        TRY(sql_begin(conn, NULL));
        TRY(sql_exec(conn, NULL, "INSERT INTO t VALUES ($1)", NULL, SQL_I64(2 * n)));
        TRY(sql_exec(conn, NULL, "INSERT INTO t VALUES ($1)", NULL, SQL_I64(2 * n + 1)));
        TRY(sql_commit(conn, NULL));
        if (write(STDOUT_FILENO, ".", 1) != 1)
            return NULL;
    }
}

static struct err *stop_in_the_middle(struct sql_db *db)
{
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    TRY(sql_begin(conn, NULL));
    TRY(sql_exec(conn, NULL, "INSERT INTO t VALUES (1)", NULL));
    if (write(STDOUT_FILENO, ".", 1) == 1)
        pause();
    return NULL;
}

static int run_child(const char *what, const char *url)
{
    _cleanup_(sql_close) struct sql_db *db = NULL;
    OK(sql_open(&(struct sql_options){.url = url, .is_unprepared = is_behind_pooler(url)}, &db));
    OK(strcmp(what, "commit") == 0 ? commit_rows(db) : stop_in_the_middle(db));
    return 1; /* not killed */
}

/* Kills the child after that many bytes, and returns how many there were in the end. */
static int64_t kill_after(const char *what, int bytes)
{
    int output = -1, count = 0;
    char byte = 0;
    int pid = spawn_self((const char *const[]){what, database_url(), NULL}, &output);
    while (count < bytes && read(output, &byte, 1) == 1)
        count++;
    assert_int_equal(count, bytes);
    assert_int_equal(kill(pid, SIGKILL), 0);
    while (read(output, &byte, 1) == 1)
        count++;
    close(output);
    assert_int_equal(await_exit(pid), -1);
    return count;
}

static void acknowledged_rows_are_there(void **state)
{
    (void)state;
    for (int bytes = 1; bytes < 60; bytes += 23) {
        _cleanup_(sql_close) struct sql_db *db = OPEN();
        run_in(db, "CREATE TABLE t (n BIGINT)");
        int64_t acknowledged = kill_after("commit", bytes);
        int64_t pairs = number_in(db, "SELECT count(*) FROM t WHERE n % 2 = 0");
        assert_in_range(pairs, acknowledged, acknowledged + 1);
        assert_int_equal(number_in(db, "SELECT count(*) FROM t"), 2 * pairs);
        assert_int_equal(number_in(db, "SELECT max(n) FROM t"), 2 * pairs + 1);
    }
}

static void an_unfinished_transaction_leaves_nothing(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    run_in(db, "CREATE TABLE t (n BIGINT NOT NULL PRIMARY KEY)");
    kill_after("stop", 1);
    struct ctx ctx;
    ctx_init(&ctx, NULL, 10000);
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    OK(sql_exec(conn, &ctx, "INSERT INTO t VALUES (1)", NULL)); /* and no lock */
    ctx_deinit(&ctx);
    assert_int_equal(number(conn, "SELECT count(*) FROM t"), 1);
}

int main(int argc, char **argv)
{
    if (argc == 3)
        return run_child(argv[1], argv[2]);
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(acknowledged_rows_are_there),
        cmocka_unit_test(an_unfinished_transaction_leaves_nothing),
    };
    return RUN_CONTRACT("crash", tests);
}
