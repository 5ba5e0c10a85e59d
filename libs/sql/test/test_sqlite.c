/* What is SQLite's alone: URLs, files and their modes, settings, other processes. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/clock.h>

#include "sql_test.h"

static void wrong_urls_are_refused_in_silence(void **state)
{
    (void)state;
    static const char *const rows[] = {
        NULL,
        "",
        "sqlite",
        "sqlite:",
        "sqlite::Memory:",
        "sqlite:file:hunter2.db",
        "sqlite:hunter2.db?mode=ro",
        "sqlite:hunter2.db#x",
        "SQLITE:hunter2.db",
        "mysql://root:hunter2@localhost/x",
        "/hunter2.db",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *name = rows[i] ? rows[i] : "(none)";
        struct sql_db *db = (void *)1;
        char line[ERR_LINE];
        struct err *e = sql_open(&(struct sql_options){.url = rows[i]}, &db);
        err_format(e, line, sizeof(line));
        CHECK(line, !strstr(line, "hunter2"));
        expect(e, &SQL_FAILED, name);
        CHECK(name, db == (void *)1);
    }
}

static struct sql_db *open_path(const char *path)
{
    char url[URL_MAX];
    struct sql_db *db = NULL;
    snprintf(url, sizeof(url), "sqlite:%s", path);
    OK(sql_open(&(struct sql_options){.url = url}, &db));
    return db;
}

static void memory_is_one_connection(void **state)
{
    (void)state;
    struct sql_db *db = NULL;
    OK(sql_open(
        &(struct sql_options){
            .url = "sqlite::memory:", .max_open = 7, .max_lifetime_ms = 1, .wait_ms = 1},
        &db));
    struct sql_conn *conn = acquire(db);
    struct sql_conn *none = NULL;
    FAILS(sql_acquire(db, NULL, &none), ERR_OVERLOADED);
    run(conn, "CREATE TABLE t (n BIGINT)");
    OK(ctx_sleep(NULL, 3));
    sql_release(conn);
    assert_int_equal(number_in(db, "SELECT count(*) FROM t"), 0);
    sql_close(db);
    sql_close(NULL);
    OK(sql_open(&(struct sql_options){.url = "sqlite::memory:"}, &db));
    assert_int_equal(number_in(db, "SELECT count(*) FROM sqlite_schema"), 0);
    sql_close(db);
}

static unsigned mode_of(const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0)
        fail_msg("%s: %s", path, strerror(errno));
    return status.st_mode & 0777;
}

static void new_files_are_private(void **state)
{
    (void)state;
    static const mode_t masks[] = {0, 022, 0777};
    for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
        char path[128], wal[136];
        snprintf(path, sizeof(path), "%s/private-%zu.db", test_directory(), i);
        snprintf(wal, sizeof(wal), "%s-wal", path);
        mode_t former = umask(masks[i]);
        _cleanup_(sql_close) struct sql_db *db = open_path(path);
        run_in(db, "CREATE TABLE t (n BIGINT)");
        umask(former);
        CHECK_INT(path, mode_of(path), 0600);
        CHECK_INT(wal, mode_of(wal), 0600);
    }
}

static void every_connection_has_the_settings(void **state)
{
    (void)state;
    static const struct {
        const char *pragma;
        int64_t value;
    } rows[] = {
        {"PRAGMA synchronous", 2},
        {"PRAGMA foreign_keys", 1},
        {"PRAGMA trusted_schema", 0},
        {"PRAGMA secure_delete", 1},
        {"PRAGMA temp_store", 2},
        {"PRAGMA cache_size", -512},
        {"PRAGMA journal_size_limit", 4194304},
    };
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *first = acquire(db);
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_INT(rows[i].pragma, number(conn, rows[i].pragma), rows[i].value);
    assert_int_equal(
        number(conn, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'"), 1);
    FAILS(sql_exec(conn, NULL, "SELECT \"text\"", NULL), SQL_FAILED); /* a name, not a string */
}

static void strict_tables_keep_their_types(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    run(conn, "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER) STRICT");
    FAILS(sql_exec(conn, NULL, "INSERT INTO t (n) VALUES ($1)", NULL, SQL_TEXT("x")),
          SQL_CONSTRAINT);
    FAILS(sql_exec(conn, NULL, "INSERT INTO t (id) VALUES ($1)", NULL, SQL_TEXT("x")),
          SQL_CONSTRAINT);
}

struct note {
    char text[16];
};

/* SQLite takes any bytes for text; a struct does not. */
static void text_is_checked_on_its_way_out(void **state)
{
    (void)state;
    static const struct field fields[] = {FIELD(struct note, text, STRING)};
    static const struct model note_model = MODEL(struct note, fields, "A note");
    static const struct {
        const char *select;
        bool is_fine;
    } rows[] = {
        {"SELECT CAST(x'61c3a4' AS TEXT) AS text", true},
        {"SELECT CAST(x'61ff' AS TEXT) AS text", false},
        {"SELECT CAST(x'61c3' AS TEXT) AS text", false},
        {"SELECT CAST(x'610062' AS TEXT) AS text", false},
        {"SELECT x'61' AS text", false},
    };
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct note note = {"untouched"};
        struct err *e = sql_fetch_one(conn, NULL, &note_model, &note, NULL, rows[i].select);
        if (!rows[i].is_fine)
            expect(e, &SQL_FAILED, rows[i].select);
        else
            OK(e);
        CHECK_STR(rows[i].select, note.text, rows[i].is_fine ? "a\xc3\xa4" : "untouched");
    }
}

static void files_that_are_no_database(void **state)
{
    (void)state;
    char path[128];
    struct sql_conn *conn = (void *)1;
    struct sql_db *db = open_path("/nowhere/at/all.db");
    FAILS(sql_acquire(db, NULL, &conn), ERR_UPSTREAM_UNAVAILABLE);
    FAILS(sql_ping(db, NULL), ERR_UPSTREAM_UNAVAILABLE);
    sql_close(db);
    db = open_path(test_directory());
    FAILS(sql_acquire(db, NULL, &conn), ERR_UPSTREAM_UNAVAILABLE);
    sql_close(db);
    snprintf(path, sizeof(path), "%s/text.db", test_directory());
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    for (int i = 0; i < 100; i++)
        fputs("This is a letter to a friend, and no database at all.\n", file);
    assert_int_equal(fclose(file), 0);
    db = open_path(path);
    FAILS(sql_acquire(db, NULL, &conn), SQL_FAILED);
    assert_ptr_equal(conn, (void *)1);
    struct sql_stats stats;
    sql_get_stats(db, &stats);
    assert_int_equal(stats.open, 0);
    sql_close(db);
}

static void a_full_disk(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    run(conn, "CREATE TABLE t (b BLOB)");
    run(conn, "PRAGMA max_page_count = 10");
    FAILS(sql_exec(conn, NULL, "INSERT INTO t VALUES (zeroblob(1000000))", NULL),
          ERR_UPSTREAM_UNAVAILABLE);
    OK(sql_begin(conn, NULL));
    FAILS(sql_exec(conn, NULL, "INSERT INTO t VALUES (zeroblob(1000000))", NULL),
          ERR_UPSTREAM_UNAVAILABLE);
    sql_rollback(conn);
    run(conn, "INSERT INTO t VALUES (zeroblob(10))");
}

static void an_overlong_result(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    int64_t length = 0;
    FAILS(sql_fetch_i64(conn, NULL, &length, "SELECT length(zeroblob(100000000))"), SQL_FAILED);
    assert_int_equal(number(conn, "SELECT length(zeroblob(16777216))"), 16777216);
}

/* Another process is the writer until its standard output is closed. */
static int hold_the_lock(const char *url)
{
    _cleanup_(sql_close) struct sql_db *db = NULL;
    OK(sql_open(&(struct sql_options){.url = url}, &db));
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    OK(sql_begin(conn, NULL));
    run(conn, "INSERT INTO t VALUES (1)");
    while (write(STDOUT_FILENO, ".", 1) == 1)
        err_free(ctx_sleep(NULL, 1));
    return 0;
}

static void another_process_writes(void **state)
{
    (void)state;
    enum { WAIT_MS = 50 };
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    run(conn, "CREATE TABLE t (n BIGINT)");
    int output = -1;
    char byte = 0;
    int pid = spawn_self((const char *const[]){"hold", database_url(), NULL}, &output);
    assert_int_equal(read(output, &byte, 1), 1);
    struct ctx ctx;
    ctx_init(&ctx, NULL, WAIT_MS);
    FAILS(sql_exec(conn, &ctx, "INSERT INTO t VALUES (2)", NULL), ERR_UPSTREAM_TIMEOUT);
    int64_t late_ms = clock_mono_ms() - ctx.deadline_ms;
    assert_in_range(late_ms, 0, SOON_MS);
    FAILS(sql_begin(conn, &ctx), ERR_UPSTREAM_TIMEOUT);
    assert_int_equal(number(conn, "SELECT count(*) FROM t"), 0); /* readers do not wait */
    ctx_deinit(&ctx);
    close(output); /* it ends by and by, and meanwhile we wait */
    OK(sql_begin(conn, NULL));
    run(conn, "INSERT INTO t VALUES (2)");
    OK(sql_commit(conn, NULL));
    assert_int_equal(await_exit(pid), 0);
    assert_int_equal(number(conn, "SELECT count(*) FROM t"), 1);
}

/* Not an empty database, which would be ready, lack every table, and be in the way of a backup. */
static void a_file_that_was_removed_is_missed(void **state)
{
    (void)state;
    char path[128], kept[136];
    snprintf(path, sizeof(path), "%s/removed.db", test_directory());
    snprintf(kept, sizeof(kept), "%s.kept", path);
    _cleanup_(sql_close) struct sql_db *db = open_path(path);
    run_in(db, "CREATE TABLE t (n BIGINT)");
    assert_int_equal(rename(path, kept), 0);
    FAILS(sql_ping(db, NULL), ERR_UPSTREAM_UNAVAILABLE);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(rename(kept, path), 0);
    run_in(db, "INSERT INTO t (n) VALUES (1)");
}

static void a_read_only_file(void **state)
{
    (void)state;
    if (geteuid() == 0)
        skip(); /* nothing is read-only for root */
    char path[128];
    snprintf(path, sizeof(path), "%s/read-only.db", test_directory());
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0400);
    assert_true(fd >= 0);
    close(fd);
    _cleanup_(sql_close) struct sql_db *db = open_path(path);
    FAILS(sql_ping(db, NULL), ERR_UPSTREAM_UNAVAILABLE);
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        signal(SIGPIPE, SIG_IGN);
        return hold_the_lock(argv[2]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_urls_are_refused_in_silence),
        cmocka_unit_test(memory_is_one_connection),
        cmocka_unit_test(new_files_are_private),
        cmocka_unit_test(every_connection_has_the_settings),
        cmocka_unit_test(strict_tables_keep_their_types),
        cmocka_unit_test(text_is_checked_on_its_way_out),
        cmocka_unit_test(files_that_are_no_database),
        cmocka_unit_test(a_full_disk),
        cmocka_unit_test(an_overlong_result),
        cmocka_unit_test(another_process_writes),
        cmocka_unit_test(a_file_that_was_removed_is_missed),
        cmocka_unit_test(a_read_only_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
