#include "sql_test.h"

#include <fcntl.h>
#include <ftw.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <base/str.h>

const struct backend *backend = &sqlite_backend;

static char directory[] = "/tmp/plankton-sql-XXXXXX";
static bool has_directory;
static char last_url[URL_MAX];

static int remove_entry(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
    (void)status, (void)flag, (void)walk;
    return remove(path);
}

static void remove_directory(void)
{
    nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *test_directory(void)
{
    if (!has_directory) {
        assert_non_null(mkdtemp(directory));
        has_directory = true;
        atexit(remove_directory);
    }
    return directory;
}

void expect(struct err *e, const struct err_kind *kind, const char *what)
{
    char line[ERR_LINE];
    if (err_kind(e) != kind) {
        err_format(e, line, sizeof(line));
        fail_msg("%s: got \"%s\", not %s", what, line, kind ? kind->slug : "success");
    }
    err_free(e);
}

struct sql_db *open_database(const struct sql_options *options)
{
    struct sql_options fresh = *options;
    backend->make_database(last_url);
    fresh.url = last_url;
    fresh.is_unprepared = is_behind_pooler(last_url);
    struct sql_db *db = NULL;
    OK(sql_open(&fresh, &db));
    return db;
}

const char *database_url(void)
{
    return last_url;
}

struct sql_conn *acquire(struct sql_db *db)
{
    struct sql_conn *conn = NULL;
    OK(sql_acquire(db, NULL, &conn));
    return conn;
}

void run(struct sql_conn *conn, const char *statement)
{
    expect(sql_exec(conn, NULL, statement, NULL), NULL, statement);
}

int64_t number(struct sql_conn *conn, const char *statement)
{
    int64_t result = -1;
    expect(sql_fetch_i64(conn, NULL, &result, statement), NULL, statement);
    return result;
}

void run_in(struct sql_db *db, const char *statement)
{
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    run(conn, statement);
}

int64_t number_in(struct sql_db *db, const char *statement)
{
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    return number(conn, statement);
}

int spawn_self(const char *const *arguments, int *out_fd)
{
    enum { ARGUMENTS_MAX = 8 };
    static char self[] = "child";
    char *argv[ARGUMENTS_MAX + 2] = {self};
    for (size_t i = 0; arguments[i] && i < ARGUMENTS_MAX; i++)
        argv[i + 1] = (char *)(uintptr_t)arguments[i];
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    pid_t pid = -1;
    assert_int_equal(posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    *out_fd = ends[0];
    return pid;
}

int await_exit(int pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int run_over(const struct backend *const *backends, size_t backend_count, const char *name,
             const struct CMUnitTest *tests, size_t count)
{
    int failed = 0;
    for (size_t i = 0; i < backend_count; i++) {
        backend = backends[i];
        if (!backend->start()) {
            print_message("%s: %s is not here\n", name, backend->name);
            continue;
        }
        char group[128];
        snprintf(group, sizeof(group), "%s over %s", name, backend->name);
        failed += _cmocka_run_group_tests(group, tests, count, NULL, NULL);
        backend->stop();
    }
    return failed;
}

int run_contract(const char *name, const struct CMUnitTest *tests, size_t count)
{
    static const struct backend *const backends[] = {&sqlite_backend, &postgres_backend,
                                                     &pgbouncer_backend};
    return run_over(backends, ARRAY_LEN(backends), name, tests, count);
}

int run_in_sessions(const char *name, const struct CMUnitTest *tests, size_t count)
{
    static const struct backend *const backends[] = {&sqlite_backend, &postgres_backend};
    return run_over(backends, ARRAY_LEN(backends), name, tests, count);
}

static bool sqlite_start(void)
{
    return true;
}

static void sqlite_stop(void)
{
}

static void sqlite_make_database(char url[static URL_MAX])
{
    static int databases;
    snprintf(url, URL_MAX, "sqlite:%s/%d.db", test_directory(), databases++);
}

/* The file is replaced by an empty one. */
static void sqlite_sever(struct sql_conn *conn, const char *url)
{
    (void)conn;
    const char *path = url + strlen("sqlite:");
    char copy[URL_MAX + 8];
    snprintf(copy, sizeof(copy), "%s.copy", path);
    int fd = open(copy, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(rename(copy, path), 0);
}

const struct backend sqlite_backend = {
    .name = "SQLite",
    .dialect = SQL_SQLITE,
    .blob = "BLOB",
    .start = sqlite_start,
    .stop = sqlite_stop,
    .make_database = sqlite_make_database,
    .sever = sqlite_sever,
};
