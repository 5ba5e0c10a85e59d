/* The life of a process: start, readiness, stop, and what may come in between. */
#include "child.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/str.h>
#include <nats_server.h>

/* --- the service: its hooks tell what they do on standard output --- */

static void say(const char *what)
{
    dprintf(STDOUT_FILENO, "[%s]\n", what);
}

/* An assertion of a child, where cmocka's would go on with the parent's tests. */
static void must(bool condition, const char *what)
{
    if (!condition) {
        say(what);
        _exit(99);
    }
}

static struct err *start(struct app_runtime *runtime, void **out_state)
{
    static int state = 42;
    say("start");
    say(runtime->db ? "database" : "no database");
    say(runtime->bus ? "bus" : "no bus");
    *out_state = &state;
    return NULL;
}

static void stop(struct app_runtime *runtime)
{
    must(*(int *)runtime->state == 42, "wrong state in stop()");
    must(ctx_is_done(runtime->ctx), "the ctx goes on in stop()");
    say("stop");
}

static void lame_duck(struct app_runtime *runtime)
{
    (void)runtime;
    say("lame duck");
}

/* Goes on for as long as the name says. */
static struct err *wait_ms(struct http_req *req, struct http_res *res)
{
    int64_t time_ms = strtol(http_param(req, "ms"), NULL, 10);
    say("request");
    struct err *e = ctx_sleep(http_ctx(req), time_ms);
    say(e ? "request cancelled" : "request done");
    TRY(e);
    return http_reply_bytes(res, 200, "text/plain", "done", 4);
}

static const struct route routes[] = {
    {GET, "/wait/{ms}", wait_ms, .summary = "Wait", .allow = ANYONE, .timeout_ms = 30000},
};

static const struct sql_migration rows[] = {
    {.version = 1, .name = "things", .sql = "CREATE TABLE things (id TEXT PRIMARY KEY)"},
    {.version = 2, .name = "names", .sql = "ALTER TABLE things ADD COLUMN name TEXT"},
};
static const struct sql_migrations two = {rows, 2};

static const struct app plain = {
    .name = "plain",
    .routes = ROUTES(routes),
    .start = start,
    .stop = stop,
    .lame_duck = lame_duck,
};

/* --- test directory --- */

static char directory[DIRECTORY_TEXT];
static char database[128]; /* DATABASE_URL=... */

static int set_up(void **state)
{
    (void)state;
    directory_make(directory);
    snprintf(database, sizeof(database), "DATABASE_URL=sqlite:%s/later/test.db", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return directory_remove(directory);
}

static void make_directory(void)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/later", directory);
    assert_int_equal(mkdir(path, 0700), 0);
}

/* --- start and stop --- */

static void test_starts_serves_and_stops(void **state)
{
    (void)state;
    static const int signals[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        struct child child;
        child_start(&child, &plain, i ? ARGS("serve") : NULL, NULL);
        child_await_listening(&child);
        child_await(&child, "\"msg\":\"ready\",\"start_ms\":");
        assert_int_equal(ask(child.address, "/wait/0", NULL, 0), 200);
        char body[256];
        assert_int_equal(ask(child.admin, "/livez", body, sizeof(body)), 200);
        assert_int_equal(ask(child.admin, "/readyz", body, sizeof(body)), 200);
        assert_string_equal(body, "{\"ready\":true,\"reasons\":{}}");
        assert_int_equal(ask(child.admin, "/version", body, sizeof(body)), 200);
        assert_non_null(strstr(body, "\"name\":\"plain\",\"version\":\""));
        assert_true(answer_has(child.admin, "/metrics", "\nprocess_resident_memory_bytes "));
        assert_true(answer_has(child.admin, "/metrics", "\napp_build_info{version=\""));
        assert_true(answer_has(child.admin, "/metrics", "\nlog_lines_lost_total 0\n"));
        await_answer_has(child.admin, "/metrics",
                         "http_server_request_duration_seconds_count{method=\"GET\"");
        child_signal(&child, signals[i]);
        assert_int_equal(child_end(&child), 0);
        child.awaited = 0;
        child_await(&child, "[start]\n[no database]\n[no bus]\n");
        child_await(&child, "\"msg\":\"listening\"");
        child_await(&child, "[lame duck]");
        child_await(&child, "[stop]");
        child_await(&child, "\"msg\":\"stopped\"");
    }
}

/* --- a chain of the service's own --- */

static struct err *close_the_shop(struct http_req *req, struct http_res *res,
                                  struct http_next *next)
{
    if (strcmp(http_path(req), "/wait/1") == 0)
        return err_new(&ERR_CONFLICT, "closed");
    return http_next(next, req, res);
}
static const struct http_middleware shop = {"shop", close_the_shop};

static void test_a_chain_of_its_own(void **state)
{
    (void)state;
    const struct http_middleware *chain[] = {&HTTP_RECOVER, &shop, &HTTP_DEADLINE, NULL};
    const struct http_server_options http = {.name = "not looked at", .chain = chain};
    const struct app app = {.name = "shop", .routes = ROUTES(routes), .http = &http};
    struct child child;
    child_start(&child, &app, NULL, NULL);
    child_await_listening(&child);
    assert_int_equal(ask(child.address, "/wait/0", NULL, 0), 200);
    assert_int_equal(ask(child.address, "/wait/1", NULL, 0), 409);
    assert_true(answer_has(child.address, "/openapi.json", "\"title\":\"shop\""));
    child_stop(&child);
}

/* A port that somebody else holds. */
static int hold_port(char address[static 64])
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(name);
    assert_int_equal(bind(listener, (struct sockaddr *)&name, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&name, &size), 0);
    snprintf(address, 64, "127.0.0.1:%d", ntohs(name.sin_port));
    return listener;
}

static void test_port_in_use(void **state)
{
    (void)state;
    char address[64];
    int holder = hold_port(address);
    static const char *const names[] = {"LISTEN_ADDR", "ADMIN_ADDR"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char setting[128];
        snprintf(setting, sizeof(setting), "%s=%s", names[i], address);
        struct child child;
        child_start(&child, &plain, NULL, ENV(setting));
        CHECK_INT(names[i], child_end(&child), 1);
        CHECK(names[i], strstr(child.text, setting));
        CHECK(names[i], strstr(child.text, "in use"));
        CHECK(names[i], !strstr(child.text, "[start]") == (i == 1));
        CHECK(names[i], !strstr(child.text, "[stop]") == (i == 1));
    }
    close(holder);
}

static struct err *fail_start(struct app_runtime *runtime, void **out_state)
{
    (void)runtime;
    (void)out_state;
    return err_new(&ERR_INTERNAL, "the stars are not right");
}

static struct err *find_mistake(struct app_runtime *runtime, void **out_state)
{
    (void)runtime;
    (void)out_state;
    return err_new(&CFG_INVALID, "the key does not fit the lock");
}

static void test_failed_start(void **state)
{
    (void)state;
    struct app app = plain;
    app.start = fail_start;
    struct child child;
    child_start(&child, &app, NULL, NULL);
    assert_int_equal(child_end(&child), 1);
    assert_non_null(strstr(child.text, "the stars are not right"));
    assert_null(strstr(child.text, "[stop]"));
    assert_null(strstr(child.text, "[lame duck]"));
    app.start = find_mistake;
    child_start(&child, &app, NULL, NULL);
    assert_int_equal(child_end(&child), 2);
}

/* --- draining --- */

/* A connection that sends one request and stays; the answer is read by read_answer(). */
static int send_request(const char *address, const char *path)
{
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    name.sin_port = htons((uint16_t)strtol(strchr(address, ':') + 1, NULL, 10));
    assert_int_equal(connect(connection, (struct sockaddr *)&name, sizeof(name)), 0);
    dprintf(connection, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    return connection;
}

/* Reads until the body has come or the connection ends. */
static bool read_answer(int connection, const char *body, char out[static 4096])
{
    size_t len = 0;
    out[0] = '\0';
    while (len < 4095 && !strstr(out, body)) {
        ssize_t count = read(connection, out + len, 4095 - len);
        if (count <= 0)
            return false;
        len += (size_t)count;
        out[len] = '\0';
    }
    return true;
}

static void test_requests_in_flight_finish(void **state)
{
    (void)state;
    struct child child;
    child_start(&child, &plain, NULL, NULL);
    child_await_listening(&child);
    int connection = send_request(child.address, "/wait/500");
    child_await(&child, "[request]");
    child_signal(&child, SIGTERM);
    char answer[4096];
    assert_true(read_answer(connection, "done", answer));
    assert_non_null(strstr(answer, "200 OK"));
    close(connection);
    assert_int_equal(child_end(&child), 0);
    child.awaited = 0;
    child_await(&child, "[request done]");
    child_await(&child, "[stop]");
}

static void test_what_takes_too_long_is_cancelled(void **state)
{
    (void)state;
    struct child child;
    child_start(&child, &plain, NULL, ENV("SHUTDOWN_DRAIN_MS=200"));
    child_await_listening(&child);
    int connection = send_request(child.address, "/wait/20000");
    child_await(&child, "[request]");
    int64_t began_ms = clock_mono_ms();
    child_stop(&child);
    assert_in_range(clock_mono_ms() - began_ms, 190, 10000);
    child_await(&child, "[request cancelled]");
    child_await(&child, "[stop]");
    close(connection);
}

/* In the lame duck everything is served, new connections too, but each answer ends its own. */
static void test_lame_duck(void **state)
{
    (void)state;
    struct child child;
    child_start(&child, &plain, NULL, ENV("SHUTDOWN_LAME_DUCK_MS=1000"));
    child_await_listening(&child);
    char answer[4096];
    int kept_alive = send_request(child.address, "/wait/0");
    assert_true(read_answer(kept_alive, "done", answer));
    assert_null(strcasestr(answer, "Connection: close"));

    int64_t began_ms = clock_mono_ms();
    child_signal(&child, SIGTERM);
    child_await(&child, "[lame duck]");
    await_status(child.admin, "/readyz", 503);
    assert_true(answer_has(child.admin, "/readyz", "stopping"));
    assert_int_equal(ask(child.admin, "/livez", NULL, 0), 200);
    assert_int_equal(ask(child.admin, "/metrics", NULL, 0), 200);
    dprintf(kept_alive, "GET /wait/0 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(read_answer(kept_alive, "done", answer));
    assert_non_null(strcasestr(answer, "Connection: close"));
    int late = send_request(child.address, "/wait/1");
    assert_true(read_answer(late, "done", answer));
    assert_non_null(strcasestr(answer, "Connection: close"));
    assert_int_equal(child_end(&child), 0);
    assert_in_range(clock_mono_ms() - began_ms, 1000, 10000);
    close(kept_alive);
    close(late);
}

static void test_idle_connections_do_not_hold_up_the_end(void **state)
{
    (void)state;
    struct child child;
    child_start(&child, &plain, NULL, NULL);
    child_await_listening(&child);
    int connections[4];
    char answer[4096];
    for (size_t i = 0; i < ARRAY_LEN(connections); i++) {
        connections[i] = send_request(child.address, "/wait/0");
        assert_true(read_answer(connections[i], "done", answer));
    }
    int64_t began_ms = clock_mono_ms();
    child_stop(&child);
    assert_in_range(clock_mono_ms() - began_ms, 0, 5000);
    for (size_t i = 0; i < ARRAY_LEN(connections); i++)
        close(connections[i]);
}

static void test_second_signal_ends_at_once(void **state)
{
    (void)state;
    struct child child;
    child_start(&child, &plain, NULL, ENV("SHUTDOWN_LAME_DUCK_MS=600000"));
    child_await_listening(&child);
    child_signal(&child, SIGTERM);
    child_await(&child, "[lame duck]");
    child_signal(&child, SIGTERM);
    assert_int_equal(child_end(&child), 1);
    assert_null(strstr(child.text, "[stop]"));
}

/* --- what is away --- */

static void test_database_comes_late(void **state)
{
    (void)state;
    struct app app = plain;
    app.needs = APP_DATABASE;
    app.migrations = &two;
    struct child child;
    child_start(&child, &app, NULL, ENV(database));
    child_await_admin(&child);
    child_await(&child, "waiting for the database");
    char body[4096];
    assert_int_equal(ask(child.admin, "/readyz", body, sizeof(body)), 503);
    assert_non_null(strstr(body, "\"ready\":false"));
    assert_non_null(strstr(body, "\"database\":\""));
    assert_int_equal(ask(child.admin, "/livez", NULL, 0), 200);
    make_directory();
    child_await(&child, "database migrated");
    child_await(&child, "[start]");
    await_status(child.admin, "/readyz", 200);
    child_stop(&child);
}

/* First there is no such directory, then a directory where the file should be. */
static void test_each_reason_to_wait_is_told(void **state)
{
    (void)state;
    struct app app = plain;
    app.needs = APP_DATABASE;
    struct child child;
    child_start(&child, &app, NULL, ENV(database));
    child_await(&child, "waiting for the database");
    char whole[128], part[128];
    snprintf(whole, sizeof(whole), "%s/other/test.db", directory);
    snprintf(part, sizeof(part), "%s/other", directory);
    assert_int_equal(mkdir(part, 0700), 0);
    assert_int_equal(mkdir(whole, 0700), 0);
    snprintf(whole, sizeof(whole), "%s/later", directory);
    assert_int_equal(rename(part, whole), 0);
    child_await(&child, "waiting for the database");
    child_stop(&child);
}

static void test_stopped_while_the_database_is_away(void **state)
{
    (void)state;
    struct app app = plain;
    app.needs = APP_DATABASE;
    struct child child;
    child_start(&child, &app, NULL, ENV(database));
    child_await(&child, "waiting for the database");
    child_stop(&child);
    assert_null(strstr(child.text, "[start]"));
    assert_null(strstr(child.text, "cannot start"));
}

/* As an initContainer, where it is the first process, of which the kernel keeps unhandled signals. */
static void test_migrate_stopped_while_the_database_is_away(void **state)
{
    (void)state;
    struct app app = plain;
    app.needs = APP_DATABASE;
    app.migrations = &two;
    struct child child;
    child_start(&child, &app, ARGS("migrate"), ENV(database));
    child_await(&child, "waiting for the database");
    child_signal(&child, SIGTERM);
    assert_int_equal(child_end(&child), 1);
    assert_non_null(strstr(child.text, "\"msg\":\"stopping\""));
}

static struct err *answer_call(struct bus_call *call)
{
    must(*(int *)call->state == 42, "wrong state in a method");
    return NULL;
}

static const struct bus_method methods[] = {{"test.call", answer_call, NULL, NULL, NULL}};
static const struct bus_stream streams[] = {{.name = "THINGS", .subjects = "things.>"}};

/* Asks over NATS and publishes an event, from a child: this process is to stay without threads. */
static struct err *use_bus(struct app_runtime *runtime, void **out_state)
{
    *out_state = NULL;
    TRY(bus_wait(runtime->bus, runtime->ctx));
    struct err *e =
        bus_request(runtime->bus, runtime->ctx, "test.call", NULL, NULL, NULL, NULL, NULL, NULL);
    if (!e)
        e = bus_publish(runtime->bus, runtime->ctx, "things.made", NULL, "{}", 2);
    say(e ? "bus failed" : "bus works");
    return e;
}

static void expect_working_bus(const char *url)
{
    struct app app = {.name = "asker", .needs = APP_BUS, .start = use_bus};
    struct child child;
    child_start(&child, &app, NULL, ENV(url));
    child_await(&child, "[bus works]");
    child_await(&child, "\"msg\":\"listening\"");
    child_stop(&child);
}

static void test_bus_goes_and_comes(void **state)
{
    (void)state;
    struct nats_server server;
    nats_server_start(&server);
    nats_server_kill(&server);
    char url[128];
    snprintf(url, sizeof(url), "NATS_URL=%s", server.url);
    struct app app = plain;
    app.needs = APP_BUS;
    app.methods = methods;
    app.method_count = ARRAY_LEN(methods);
    app.streams = streams;
    app.stream_count = ARRAY_LEN(streams);
    struct child child;
    child_start(&child, &app, NULL, ENV(url));
    child_await_listening(&child);
    for (int round = 0; round < 2; round++) {
        await_answer_has(child.admin, "/readyz", "\"bus\":\"");
        /* Not before the bus was there; but who was ready stays so. */
        assert_int_equal(ask(child.admin, "/readyz", NULL, 0), round == 0 ? 503 : 200);
        assert_int_equal(ask(child.address, "/wait/0", NULL, 0), 200);
        assert_int_equal(strstr(child.text, "\"msg\":\"ready\"") != NULL, round != 0);
        nats_server_restart(&server);
        int64_t back_ms = clock_mono_ms();
        if (round == 0)
            child_await(&child, "\"msg\":\"ready\"");
        await_answer_has(child.admin, "/readyz", "{\"ready\":true,\"reasons\":{}}");
        assert_in_range(clock_mono_ms() - back_ms, 0, 2000);
        expect_working_bus(url);
        nats_server_kill(&server);
    }
    child_stop(&child);
    assert_null(strstr(child.text + child.awaited, "\"msg\":\"ready\"")); /* it is told once */
    nats_server_stop(&server);
}

static struct err *not_ready(struct app_runtime *runtime)
{
    must(*(int *)runtime->state == 42, "wrong state in ready()");
    return err_new(&ERR_UPSTREAM_UNAVAILABLE, "still warming up");
}

static void test_own_condition_of_readiness(void **state)
{
    (void)state;
    struct app app = plain;
    app.ready = not_ready;
    struct child child;
    child_start(&child, &app, NULL, NULL);
    child_await_listening(&child);
    char body[4096];
    assert_int_equal(ask(child.admin, "/readyz", body, sizeof(body)), 503);
    assert_non_null(strstr(body, "\"service\":\"still warming up"));
    child_stop(&child);
}

/* --- a service that listens itself --- */

static void drain(struct app_runtime *runtime, int64_t drain_ms)
{
    (void)runtime;
    must(drain_ms == 1234, "wrong drain_ms");
    say("drain");
}

static void test_own_listener(void **state)
{
    (void)state;
    struct app app = plain;
    app.needs = APP_OWN_LISTENER;
    app.drain = drain;
    struct child child;
    child_start(&child, &app, NULL, ENV("SHUTDOWN_DRAIN_MS=1234"));
    child_await_admin(&child);
    child_await(&child, "[start]");
    await_status(child.admin, "/readyz", 200);
    child_stop(&child);
    child_await(&child, "[lame duck]\n[drain]\n[stop]");
    assert_null(strstr(child.text, "\"msg\":\"listening\""));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_starts_serves_and_stops),
        CASE(test_a_chain_of_its_own),
        CASE(test_port_in_use),
        CASE(test_failed_start),
        CASE(test_requests_in_flight_finish),
        CASE(test_what_takes_too_long_is_cancelled),
        CASE(test_lame_duck),
        CASE(test_idle_connections_do_not_hold_up_the_end),
        CASE(test_second_signal_ends_at_once),
        CASE(test_database_comes_late),
        CASE(test_each_reason_to_wait_is_told),
        CASE(test_stopped_while_the_database_is_away),
        CASE(test_migrate_stopped_while_the_database_is_away),
        CASE(test_bus_goes_and_comes),
        CASE(test_own_condition_of_readiness),
        CASE(test_own_listener),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
