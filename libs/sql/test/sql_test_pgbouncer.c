/* The private PostgreSQL behind a PgBouncer that gives each transaction any of its connections. */
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/str.h>

#include "sql_test.h"

#define PROGRAM "/usr/sbin/pgbouncer"

static int pooler;

bool is_behind_pooler(const char *url)
{
    return strstr(url, "/bouncer") != NULL;
}

static void url_of(const char *database, char url[static URL_MAX])
{
    snprintf(url, URL_MAX, "postgres://plankton@/%s?host=%s/bouncer", database, test_directory());
}

#define DATABASES_MAX 64

/* What is a database to the pooler is a schema to the server, which is made in no time. */
static void write_settings(const char *path)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file, "[databases]\npostgres = host=%s/pg user=plankton\n", test_directory());
    for (int i = 0; i < DATABASES_MAX; i++)
        fprintf(file,
                "pooled%d = host=%s/pg user=plankton dbname=postgres "
                "connect_query='SET search_path = pooled%d'\n",
                i, test_directory(), i);
    fprintf(file,
            "[pgbouncer]\npool_mode = transaction\nlisten_port = 5432\nlisten_addr =\n"
            "unix_socket_dir = %s/bouncer\nauth_type = any\ndefault_pool_size = 40\n"
            "server_idle_timeout = 1\n",
            test_directory());
    fclose(file);
}

static void await_pooler(void)
{
    _cleanup_(sql_close) struct sql_db *db = NULL;
    char url[URL_MAX];
    url_of("postgres", url);
    OK(sql_open(&(struct sql_options){.url = url, .is_unprepared = true}, &db));
    await_database(db);
}

static bool pgbouncer_start(void)
{
    char command[512], directory[128], settings[160];
    if (access(PROGRAM, X_OK) != 0 || !postgres_backend.start())
        return false;
    snprintf(directory, sizeof(directory), "%s/bouncer", test_directory());
    snprintf(settings, sizeof(settings), "%s/bouncer.ini", test_directory());
    assert_int_equal(mkdir(directory, 0700), 0);
    assert_int_equal(chmod(directory, 0777), 0); /* whoever it runs as */
    write_settings(settings);
    snprintf(command, sizeof(command), "%s -q %s 2>>%s/log", PROGRAM, settings, directory);
    pooler = spawn_as_owner(command);
    await_pooler();
    return true;
}

static void pgbouncer_stop(void)
{
    kill(pooler, SIGKILL); /* what the others mean differs from version to version */
    await_exit(pooler);
    postgres_backend.stop();
}

static void pgbouncer_make_database(char url[static URL_MAX])
{
    static int databases;
    char name[32], statement[64];
    assert_true(databases < DATABASES_MAX);
    snprintf(name, sizeof(name), "pooled%d", databases++);
    snprintf(statement, sizeof(statement), "CREATE SCHEMA %s", name);
    postgres_admin(statement);
    url_of(name, url);
}

const struct backend pgbouncer_backend = {
    .name = "PostgreSQL behind PgBouncer",
    .dialect = SQL_POSTGRES,
    .blob = "BYTEA",
    .start = pgbouncer_start,
    .stop = pgbouncer_stop,
    .make_database = pgbouncer_make_database,
};
