#include "test_database.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <base/str.h>

#define THREADS_MAX 64

/* --- errors --- */

void expect_ok(struct err *e)
{
    char line[ERR_LINE];
    err_format(e, line, sizeof(line));
    if (e)
        fail_msg("expected no error, got \"%s\"", line);
}

void expect_error(struct err *e, const struct err_kind *kind)
{
    char line[ERR_LINE];
    err_format(e, line, sizeof(line));
    if (!err_is(e, kind))
        fail_msg("expected %s, got \"%s\"", kind->slug, line);
    err_free(e);
}

/* --- a database --- */

static void make_schema(struct test_database *database, const char *postgres)
{
    static int count;
    _cleanup_(sql_close) struct sql_db *db = NULL;
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    char statement[96];
    snprintf(database->name, sizeof(database->name), "test_%ld_%d", (long)getpid(), count++);
    snprintf(database->url, sizeof(database->url), "%s&options=-csearch_path%%3D%s", postgres,
             database->name);
    snprintf(statement, sizeof(statement), "CREATE SCHEMA %s", database->name);
    expect_ok(sql_open(&(struct sql_options){.url = postgres}, &db));
    expect_ok(sql_acquire(db, NULL, &conn));
    expect_ok(sql_exec(conn, NULL, statement, NULL));
}

static void make_directory(struct test_database *database)
{
    str_copy(database->name, sizeof(database->name), "/tmp/plankton-test-XXXXXX");
    assert_non_null(mkdtemp(database->name));
    snprintf(database->url, sizeof(database->url), "sqlite:%s/test.db", database->name);
}

static void remove_directory(const char *path)
{
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *files = fdopendir(directory);
    assert_non_null(files);
    for (struct dirent *file; (file = readdir(files)) != NULL;) {
        if (file->d_name[0] != '.')
            unlinkat(directory, file->d_name, 0);
    }
    closedir(files);
    rmdir(path);
}

void test_database_open(struct test_database *database, const struct sql_migrations *migrations)
{
    const char *postgres = getenv("TEST_POSTGRES");
    *database = (struct test_database){0};
    if (postgres)
        make_schema(database, postgres);
    else
        make_directory(database);
    expect_ok(sql_open(&(struct sql_options){.url = database->url}, &database->db));
    expect_ok(sql_migrate(database->db, NULL, migrations, NULL));
}

void test_database_close(struct test_database *database)
{
    bool has_directory = sql_dialect(database->db) == SQL_SQLITE;
    sql_close(database->db);
    if (has_directory)
        remove_directory(database->name);
}

void test_database_run(struct test_database *database, const char *statement)
{
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    expect_ok(sql_acquire(database->db, NULL, &conn));
    expect_ok(sql_exec(conn, NULL, statement, NULL));
}

int64_t test_database_number(struct test_database *database, const char *statement)
{
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    expect_ok(sql_acquire(database->db, NULL, &conn));
    int64_t number = 0;
    expect_ok(sql_fetch_i64(conn, NULL, &number, statement));
    return number;
}

/* --- threads --- */

struct starter {
    size_t index;
    void (*run)(size_t index, void *data);
    void *data;
    pthread_barrier_t *barrier;
};

static void *start(void *data)
{
    struct starter *starter = data;
    pthread_barrier_wait(starter->barrier);
    starter->run(starter->index, starter->data);
    return NULL;
}

void run_threads(size_t count, void (*run)(size_t index, void *data), void *data)
{
    assert_true(count <= THREADS_MAX);
    pthread_t threads[THREADS_MAX];
    struct starter starters[THREADS_MAX];
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, (unsigned)count);
    for (size_t i = 0; i < count; i++) {
        starters[i] = (struct starter){i, run, data, &barrier};
        assert_int_equal(pthread_create(&threads[i], NULL, start, &starters[i]), 0);
    }
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
}
