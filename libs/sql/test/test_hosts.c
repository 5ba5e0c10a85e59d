/* What a postgres:// URL can say, and several hosts of which one is wanted. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/str.h>

#include "libpq.h"
#include "relay.h"

#define BACK_MS 2000

static struct sql_db *open_url(const char *url)
{
    struct sql_db *db = NULL;
    expect(sql_open(&(struct sql_options){.url = url}, &db), NULL, url);
    return db;
}

/* --- parameters --- */

/* What the server, asked by a query, knows of a parameter. */
static void parameters_reach_the_server(void **state)
{
    (void)state;
    static const struct {
        const char *parameter, *query;
    } rows[] = {
        {"application_name=shop", "SELECT current_setting('application_name') = 'shop'"},
        {"fallback_application_name=shop", "SELECT current_setting('application_name') = 'shop'"},
        {"connect_timeout=3", "SELECT current_setting('application_name') = 'plankton'"},
        {"client_encoding=LATIN1", "SELECT current_setting('client_encoding') = 'UTF8'"},
        {"options=-cwork_mem%3D1234kB", "SELECT current_setting('work_mem') = '1234kB'"},
        {"dbname=template1", "SELECT current_database() = 'template1'"},
        {"user=other", "SELECT current_user = 'other'"},
        {"target_session_attrs=read-write", "SELECT NOT pg_is_in_recovery()"},
        {"target_session_attrs=primary", "SELECT NOT pg_is_in_recovery()"},
        {"target_session_attrs=prefer-standby", "SELECT NOT pg_is_in_recovery()"},
    };
    postgres_admin("CREATE ROLE other LOGIN");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char url[URL_MAX];
        snprintf(url, sizeof(url), "postgres://plankton@/postgres?host=%s/pg&%s", test_directory(),
                 rows[i].parameter);
        _cleanup_(sql_close) struct sql_db *db = open_url(url);
        CHECK_INT(rows[i].parameter, number_in(db, rows[i].query), 1);
    }
}

/* Every other one that this libpq has is passed on as well: with its own default, it works. */
static void every_parameter_is_taken(void **state)
{
    (void)state;
    static const char *const needed[] = {"host", "user", "dbname", "port", "hostaddr"};
    PQconninfoOption *known = sql_pq.PQconninfoParse("", NULL);
    assert_non_null(known);
    int count = 0;
    for (const PQconninfoOption *option = known; option->keyword; option++) {
        bool is_needed = !option->compiled || !*option->compiled;
        for (size_t i = 0; i < ARRAY_LEN(needed); i++)
            is_needed |= str_equal(option->keyword, needed[i]);
        if (is_needed)
            continue;
        char url[URL_MAX];
        snprintf(url, sizeof(url), "postgres://plankton@/postgres?host=%s/pg&%s=%s",
                 test_directory(), option->keyword, option->compiled);
        _cleanup_(sql_close) struct sql_db *db = open_url(url);
        expect(sql_ping(db, NULL), NULL, option->keyword);
        count++;
    }
    assert_true(count >= 6);
    sql_pq.PQconninfoFree(known);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void parameters_that_have_files(void **state)
{
    (void)state;
    char path[128], text[256], url[URL_MAX];
    snprintf(path, sizeof(path), "%s/services", test_directory());
    snprintf(text, sizeof(text), "[shop]\nhost=%s/pg\nuser=plankton\ndbname=template1\n",
             test_directory());
    write_file(path, text);
    assert_int_equal(setenv("PGSERVICEFILE", path, 1), 0);
    _cleanup_(sql_close) struct sql_db *db = open_url("postgres://?service=shop");
    assert_int_equal(number_in(db, "SELECT current_database() = 'template1'"), 1);
    assert_int_equal(unsetenv("PGSERVICEFILE"), 0);
    snprintf(url, sizeof(url), "postgres://plankton@/postgres?host=%s/pg&requirepeer=nobody",
             test_directory());
    _cleanup_(sql_close) struct sql_db *refused = open_url(url);
    char line[ERR_LINE];
    struct err *e = sql_ping(refused, NULL);
    err_format(e, line, sizeof(line));
    CHECK(line, strstr(line, "requirepeer"));
    expect(e, &ERR_UPSTREAM_UNAVAILABLE, line);
}

static void wrong_parameters_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *url, *told;
    } rows[] = {
        {"postgres://u:hunter2@a,b,c/d?port=1,2", "3 hosts and 2 ports"},
        {"postgres://u:hunter2@a,b/d?hostaddr=127.0.0.1", "do not match"},
        {"postgres://u:hunter2@a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q/d", "more than 16"},
        {"postgres://u:hunter2@a/d?connect_timeout=soon", "connect_timeout"},
        {"postgres://u:hunter2@a/d?connect_timeout=-1", "connect_timeout"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sql_db *db = NULL;
        char line[ERR_LINE];
        struct err *e = sql_open(&(struct sql_options){.url = rows[i].url}, &db);
        err_format(e, line, sizeof(line));
        CHECK(line, strstr(line, rows[i].told) && !strstr(line, "hunter2"));
        expect(e, &SQL_FAILED, rows[i].url);
    }
    char url[URL_MAX], host[300];
    memset(host, 'h', sizeof(host) - 1);
    host[sizeof(host) - 1] = '\0';
    snprintf(url, sizeof(url), "postgres://u@%s/d", host);
    struct sql_db *db = NULL;
    FAILS(sql_open(&(struct sql_options){.url = url}, &db), SQL_FAILED);
}

/* --- several hosts --- */

/* Sockets in one directory, told apart by their ports: 5432 writes, 5433 is a standby, behind 1
 * there is nothing. */
static void make_url(const char *ports, const char *session, char out[static URL_MAX])
{
    const char *directory = test_directory();
    char hosts[256];
    int length = snprintf(hosts, sizeof(hosts), "%s/pg", directory);
    for (const char *comma = strchr(ports, ','); comma; comma = strchr(comma + 1, ','))
        length += snprintf(hosts + length, sizeof(hosts) - (size_t)length, ",%s/pg", directory);
    snprintf(out, URL_MAX, "postgres://plankton@/postgres?host=%s&port=%s%s%s", hosts, ports,
             *session ? "&target_session_attrs=" : "", session);
}

static void the_host_that_is_wanted(void **state)
{
    (void)state;
    enum { NONE, PRIMARY, STANDBY };
    static const struct {
        const char *ports, *session;
        int expected;
    } rows[] = {
        {"5432,5433", "", PRIMARY},
        {"5433,5432", "", STANDBY},
        {"5433,5432", "any", STANDBY},
        {"1,5433,5432", "", STANDBY},
        {"5433,5432", "read-write", PRIMARY},
        {"1,5433,5432", "read-write", PRIMARY},
        {"5433,5432", "primary", PRIMARY},
        {"5432,5433", "read-only", STANDBY},
        {"5432,5433", "standby", STANDBY},
        {"5432,5433", "prefer-standby", STANDBY},
        {"5432,1", "prefer-standby", PRIMARY},
        {"5433,1", "read-write", NONE},
        {"5433", "read-write", NONE},
    };
    postgres_copy("standby", true);
    int standby = postgres_spawn("standby", "-c port=5433");
    char url[URL_MAX];
    make_url("5433", "", url);
    struct sql_db *db = open_url(url);
    await_database(db);
    sql_close(db);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char line[ERR_LINE], name[64];
        snprintf(name, sizeof(name), "%s %s", rows[i].ports, rows[i].session);
        make_url(rows[i].ports, rows[i].session, url);
        db = open_url(url);
        struct err *e = sql_ping(db, NULL);
        err_format(e, line, sizeof(line));
        if (rows[i].expected == NONE) {
            CHECK(line, strstr(line, "read-only"));
            CHECK(line, !strchr(rows[i].ports, ',') || strstr(line, "No such file"));
        }
        expect(e, rows[i].expected == NONE ? &ERR_UPSTREAM_UNAVAILABLE : NULL, name);
        if (!e)
            CHECK_INT(name, number_in(db, "SELECT pg_is_in_recovery()"),
                      rows[i].expected == STANDBY);
        sql_close(db);
    }
    postgres_end(standby);
}

/* libpq alone would stay with a host that is silent. */
static void a_silent_host_is_passed_over(void **state)
{
    (void)state;
    char silent[URL_MAX], url[URL_MAX];
    _cleanup_(relay_free) struct relay *relay = relay_new();
    sql_close(OPEN());
    relay_url(relay, "", silent);
    relay_set(relay, RELAY_SILENT);
    char *host = strstr(silent, "host=") + strlen("host=");
    *strchr(host, '&') = '\0';
    snprintf(url, sizeof(url), "postgres://plankton@/postgres?host=%s,%s/pg&connect_timeout=1",
             host, test_directory());
    _cleanup_(sql_close) struct sql_db *db = open_url(url);
    int64_t begin_ms = clock_mono_ms();
    OK(sql_ping(db, NULL));
    assert_in_range(clock_mono_ms() - begin_ms, 900, 1000 + SOON_MS);
    begin_ms = clock_mono_ms();
    OK(sql_ping(db, NULL)); /* and costs nothing any more */
    assert_in_range(clock_mono_ms() - begin_ms, 0, 900);
}

static bool can_write(struct sql_db *db)
{
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    struct err *e = sql_acquire(db, NULL, &conn);
    if (!e)
        e = sql_exec(conn, NULL, "INSERT INTO notes VALUES (1)", NULL);
    bool is_written = !e;
    if (e && !err_is(e, &ERR_UPSTREAM_UNAVAILABLE))
        OK(e);
    err_free(e);
    return is_written;
}

/* The primary dies and its standby takes over: nobody has to be told. */
static void a_standby_takes_over(void **state)
{
    (void)state;
    char url[URL_MAX];
    postgres_admin("CREATE TABLE notes (n BIGINT)");
    postgres_copy("heir", true);
    int heir = postgres_spawn("heir", "-c port=5433");
    make_url("5433", "", url);
    _cleanup_(sql_close) struct sql_db *direct = open_url(url);
    await_database(direct);
    make_url("5432,5433", "read-write", url);
    _cleanup_(sql_close) struct sql_db *db = open_url(url);
    assert_true(can_write(db));
    postgres_halt();
    assert_false(can_write(db));
    assert_int_equal(number_in(direct, "SELECT pg_promote()"), 1);
    int64_t begin_ms = clock_mono_ms();
    while (!can_write(db) && clock_mono_ms() - begin_ms < BACK_MS)
        OK(ctx_sleep(NULL, 10));
    assert_true(can_write(db));
    postgres_end(heir);
    postgres_run();
    postgres_await();
    assert_true(can_write(db));
    postgres_admin("DROP TABLE notes");
}

/* A primary that may not be written to any more: the connection to it is given up. */
static void a_primary_becomes_read_only(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    run_in(db, "CREATE TABLE notes (n BIGINT)");
    assert_true(can_write(db));
    run_in(db, "SET default_transaction_read_only = on");
    assert_false(can_write(db));
    assert_true(can_write(db));
}

int main(void)
{
    static const struct backend *const backends[] = {&postgres_backend};
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_reach_the_server),
        cmocka_unit_test(every_parameter_is_taken),
        cmocka_unit_test(parameters_that_have_files),
        cmocka_unit_test(wrong_parameters_are_told),
        cmocka_unit_test(the_host_that_is_wanted),
        cmocka_unit_test(a_silent_host_is_passed_over),
        cmocka_unit_test(a_standby_takes_over),
        cmocka_unit_test(a_primary_becomes_read_only),
    };
    return run_over(backends, ARRAY_LEN(backends), "hosts", tests, ARRAY_LEN(tests));
}
