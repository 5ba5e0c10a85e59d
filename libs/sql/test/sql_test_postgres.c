/* A private PostgreSQL: its files in the directory of the test, its socket beside them, no port. */
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <base/str.h>

#include "sql_test.h"

#define START_MS 60000

static pid_t server;
static struct sql_db *admin;
static char programs[256]; /* the directory of initdb and postgres */

/* PostgreSQL does not run as root: then it runs as the user postgres. */
int spawn_as_owner(const char *command)
{
    char line[1024];
    snprintf(line, sizeof(line), "exec setpriv %s --pdeathsig INT -- %s",
             geteuid() == 0 ? "--reuid postgres --regid postgres --clear-groups" : "", command);
    char shell[] = "sh", option[] = "-c";
    pid_t pid = -1;
    assert_int_equal(
        posix_spawn(&pid, "/bin/sh", NULL, NULL, (char *[]){shell, option, line, NULL}, environ),
        0);
    return pid;
}

/* The newest that is installed. */
static bool find_programs(void)
{
    glob_t found;
    bool is_found = glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) == 0;
    const char *newest = is_found ? found.gl_pathv[0] : "";
    for (size_t i = 1; is_found && i < found.gl_pathc; i++)
        if (strverscmp(found.gl_pathv[i], newest) > 0)
            newest = found.gl_pathv[i];
    if (is_found)
        is_found = str_copy(programs, sizeof(programs), newest);
    globfree(&found);
    return is_found;
}

static void url_of(const char *schema, char url[static URL_MAX])
{
    snprintf(url, URL_MAX, "postgres://plankton@/postgres?host=%s/pg&options=-csearch_path%%3D%s",
             test_directory(), schema);
}

void await_database(struct sql_db *db)
{
    struct ctx ctx;
    ctx_init(&ctx, NULL, START_MS);
    struct err *e = sql_ping(db, &ctx);
    while (e && !ctx_is_done(&ctx)) {
        err_free(e);
        err_free(ctx_sleep(&ctx, 20));
        e = sql_ping(db, &ctx);
    }
    OK(e);
    ctx_deinit(&ctx);
}

void postgres_await(void)
{
    await_database(admin);
}

int postgres_spawn(const char *name, const char *options)
{
    char command[1024];
    snprintf(command, sizeof(command),
             "%s/postgres -D %s/pg/%s -k %s/pg -c listen_addresses= -c max_connections=60 "
             "-c fsync=off %s 2>>%s/pg/%s.log",
             programs, test_directory(), name, test_directory(), options, test_directory(), name);
    return spawn_as_owner(command);
}

void postgres_end(int pid)
{
    kill(pid, SIGINT); /* does not wait for clients */
    await_exit(pid);
}

void postgres_copy(const char *name, bool is_standby)
{
    char command[512];
    postgres_halt();
    snprintf(command, sizeof(command), "cp -a %s/pg/data %s/pg/%s", test_directory(),
             test_directory(), name);
    assert_int_equal(await_exit(spawn_as_owner(command)), 0);
    postgres_run();
    postgres_await();
    snprintf(command, sizeof(command), "%s/pg/%s/standby.signal", test_directory(), name);
    if (is_standby)
        close(creat(command, 0644));
}

void postgres_run(void)
{
    server = postgres_spawn("data", "");
}

void postgres_signal(int signal)
{
    assert_int_equal(kill(server, signal), 0);
}

void postgres_halt(void)
{
    postgres_end(server);
}

/* Once in a process. */
static void make_cluster(void)
{
    char command[768], data[128];
    snprintf(data, sizeof(data), "%s/pg", test_directory());
    if (access(data, F_OK) == 0)
        return;
    assert_int_equal(chmod(test_directory(), 0711), 0);
    assert_int_equal(mkdir(data, 0700), 0);
    if (geteuid() == 0) {
        snprintf(command, sizeof(command), "chown postgres %s", data);
        assert_int_equal(system(command), 0);
    }
    snprintf(command, sizeof(command),
             "%s/initdb -D %s/data -U plankton -A trust -E UTF8 --locale C.UTF-8 --no-sync "
             ">%s/initdb.log",
             programs, data, data);
    assert_int_equal(await_exit(spawn_as_owner(command)), 0);
}

static bool postgres_start(void)
{
    if (!find_programs())
        return false;
    make_cluster();
    postgres_run();
    char url[URL_MAX];
    url_of("public", url);
    OK(sql_open(&(struct sql_options){.url = url}, &admin));
    postgres_await();
    print_message("PostgreSQL of %s\n", programs);
    return true;
}

static void postgres_stop(void)
{
    sql_close(admin);
    postgres_halt();
}

void postgres_admin(const char *statement)
{
    run_in(admin, statement);
}

/* A schema of its own is as good as a database, and made in no time. */
static void postgres_make_database(char url[static URL_MAX])
{
    static int schemas;
    char name[32], statement[64];
    snprintf(name, sizeof(name), "test%d", schemas++);
    snprintf(statement, sizeof(statement), "CREATE SCHEMA %s", name);
    run_in(admin, statement);
    url_of(name, url);
}

static void postgres_sever(struct sql_conn *conn, const char *url)
{
    (void)url;
    int64_t is_gone = 0, process = number(conn, "SELECT pg_backend_pid()");
    _cleanup_(sql_release) struct sql_conn *other = acquire(admin);
    OK(sql_fetch_i64(other, NULL, &is_gone,
                     "SELECT pg_terminate_backend(CAST($1 AS INTEGER), 10000)", SQL_I64(process)));
    assert_int_equal(is_gone, 1);
}

const struct backend postgres_backend = {
    .name = "PostgreSQL",
    .dialect = SQL_POSTGRES,
    .blob = "BYTEA",
    .start = postgres_start,
    .stop = postgres_stop,
    .make_database = postgres_make_database,
    .sever = postgres_sever,
};
