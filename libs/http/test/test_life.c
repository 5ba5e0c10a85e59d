/* Lame duck, drain, stop; many clients at once; more clients than threads. */
#include "check.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/str.h>
#include <conc/group.h>
#include <slog/slog.h>

#include "raw.h"
#include "sample.h"

#define ANSWER_MAX ((size_t)1 << 20)
#define PUBLIC     "GET /public HTTP/1.1\r\nHost: x\r\n\r\n"
#define HOOK       "GET /hook HTTP/1.1\r\nHost: x\r\n\r\n"

static struct http_server *start(struct sample *sample, int threads)
{
    struct http_server_options options = sample_options();
    struct http_server *server = NULL;
    options.address = "127.0.0.1:0";
    options.state = sample;
    options.threads = threads;
    assert_null(http_server_start(&options, &server));
    return server;
}

/* A request that waits inside of its handler: on a pipe, or on its ctx. */
struct gate {
    int entered[2], leave[2];
    struct err *ctx_error;
    bool waits_for_ctx;
};

static void open_gate(struct gate *gate, bool waits_for_ctx)
{
    *gate = (struct gate){.waits_for_ctx = waits_for_ctx};
    assert_int_equal(pipe(gate->entered), 0);
    assert_int_equal(pipe(gate->leave), 0);
}

static void close_gate(struct gate *gate)
{
    for (int i = 0; i < 2; i++) {
        close(gate->entered[i]);
        close(gate->leave[i]);
    }
    err_free(gate->ctx_error);
}

static void wait_inside(struct http_req *req, void *data)
{
    struct gate *gate = data;
    char c = 'x';
    struct ctx *ctx = http_ctx(req);
    assert_int_equal(write(gate->entered[1], &c, 1), 1);
    if (gate->waits_for_ctx)
        gate->ctx_error = ctx_sleep(ctx, 60000);
    else
        assert_int_equal(read(gate->leave[0], &c, 1), 1);
}

static void wait_until_inside(struct gate *gate)
{
    char c;
    assert_int_equal(read(gate->entered[0], &c, 1), 1);
}

struct stopping {
    struct http_server *server;
    int64_t drain_ms;
};

static void *stop_server(void *data)
{
    struct stopping *stopping = data;
    http_server_stop(stopping->server, stopping->drain_ms);
    return NULL;
}

static void test_lame_duck(void **state)
{
    (void)state;
    _cleanup_(buf_deinit) struct buf answer = BUF_INIT(ANSWER_MAX), rest = BUF_INIT(ANSWER_MAX);
    struct http_server *server = start(NULL, 0);
    int fd = raw_connect(server);
    raw_send_text(fd, PUBLIC);
    assert_int_equal(raw_read_answer(fd, &rest, &answer), 200);
    assert_null(strstr(answer.data, "Connection: close"));
    http_server_lame_duck(server);
    buf_reset(&answer);
    raw_send_text(fd, PUBLIC);
    assert_int_equal(raw_read_answer(fd, &rest, &answer), 200);
    assert_non_null(strstr(answer.data, "\r\nConnection: close\r\n"));
    raw_read_all(fd, &rest);
    assert_int_equal(rest.len, 0);
    close(fd);
    assert_true(raw_try_connect(server));
    http_server_stop(server, 0);
}

/* What is in flight finishes; who comes now is refused; who only holds a connection does not delay
 * the end. */
static void test_drain(void **state)
{
    (void)state;
    struct gate gate;
    open_gate(&gate, false);
    struct sample sample = {wait_inside, &gate};
    struct http_server *server = start(&sample, 0);
    _cleanup_(buf_deinit) struct buf answer = BUF_INIT(ANSWER_MAX), rest = BUF_INIT(ANSWER_MAX);
    int idle = raw_connect(server), silent = raw_connect(server), busy = raw_connect(server);
    raw_send_text(idle, PUBLIC);
    assert_int_equal(raw_read_answer(idle, &rest, &answer), 200);
    raw_send_text(busy, HOOK);
    wait_until_inside(&gate);

    pthread_t thread;
    struct stopping stopping = {server, 60000};
    assert_int_equal(pthread_create(&thread, NULL, stop_server, &stopping), 0);
    raw_read_all(idle, &rest);
    raw_read_all(silent, &rest);
    assert_int_equal(rest.len, 0);
    assert_false(raw_try_connect(server));

    int64_t begin_ms = clock_mono_ms();
    assert_int_equal(write(gate.leave[1], "x", 1), 1);
    buf_reset(&answer);
    raw_read_all(busy, &answer);
    assert_true(str_starts_with(answer.data, "HTTP/1.1 204 "));
    assert_non_null(strstr(answer.data, "\r\nConnection: close\r\n"));
    pthread_join(thread, NULL);
    assert_true(clock_mono_ms() - begin_ms < 1500);
    close(idle);
    close(silent);
    close(busy);
    close_gate(&gate);
}

/* What does not finish in time is told, and still gets an answer. */
static void test_drain_ends(void **state)
{
    (void)state;
    struct gate gate;
    open_gate(&gate, true);
    struct sample sample = {wait_inside, &gate};
    struct http_server *server = start(&sample, 0);
    _cleanup_(buf_deinit) struct buf answer = BUF_INIT(ANSWER_MAX);
    int busy = raw_connect(server);
    raw_send_text(busy, HOOK);
    wait_until_inside(&gate);
    http_server_stop(server, 10);
    raw_read_all(busy, &answer);
    assert_true(str_starts_with(buf_text(&answer), "HTTP/1.1 204 "));
    assert_ptr_equal(err_kind(gate.ctx_error), &ERR_CANCELLED);
    close(busy);
    close_gate(&gate);
}

/* A connection that is kept but not used gives way when another one waits for its thread. */
static void test_more_connections_than_threads(void **state)
{
    (void)state;
    enum { THREADS = 2, CONNECTIONS = 5 };
    struct http_server *server = start(NULL, THREADS);
    int fds[CONNECTIONS];
    for (int i = 0; i < CONNECTIONS; i++) {
        _cleanup_(buf_deinit) struct buf answer = BUF_INIT(ANSWER_MAX), rest = BUF_INIT(ANSWER_MAX);
        fds[i] = raw_connect(server);
        raw_send_text(fds[i], PUBLIC);
        assert_int_equal(raw_read_answer(fds[i], &rest, &answer), 200);
    }
    for (int i = 0; i < CONNECTIONS; i++)
        close(fds[i]);
    http_server_stop(server, 1000);
}

/* Connections that say nothing, or not all of it, hold up nobody for long. */
static void test_silent_connections(void **state)
{
    (void)state;
    enum { THREADS = 2, SILENT = 40 };
    _cleanup_(buf_deinit) struct buf answer = BUF_INIT(ANSWER_MAX), rest = BUF_INIT(ANSWER_MAX);
    struct http_server *server = start(NULL, THREADS);
    int fds[SILENT];
    for (int i = 0; i < SILENT; i++) {
        fds[i] = raw_connect(server);
        if (i % 2 == 0)
            raw_send_text(fds[i], "GET /pub");
    }
    int fd = raw_connect(server);
    raw_send_text(fd, PUBLIC);
    assert_int_equal(raw_read_answer(fd, &rest, &answer), 200);
    close(fd);
    for (int i = 0; i < SILENT; i++)
        close(fds[i]);
    http_server_stop(server, 1000);
}

struct caller {
    struct http_client *client;
    const char *url;
};

static struct err *call_often(struct ctx *ctx, void *data)
{
    const struct caller *caller = data;
    for (int i = 0; i < 20; i++) {
        _cleanup_(http_answer_deinit) struct http_answer answer = {0};
        bool is_post = i % 3 == 0;
        const struct http_request request = {.method = is_post ? POST : GET,
                                             .url = caller->url,
                                             .body = is_post ? "{\"name\":\"x\"}" : NULL,
                                             .body_len = is_post ? 12 : 0};
        TRY(http_client_call(caller->client, ctx, &request, &answer));
        if (answer.status != (is_post ? 201 : 200))
            return err_new(&ERR_INTERNAL, "status %d", answer.status);
    }
    return NULL;
}

static void test_many_clients(void **state)
{
    (void)state;
    enum { CLIENTS = 64 };
    struct metrics *metrics = NULL;
    struct http_server_options options = sample_options();
    struct http_server *server = NULL;
    assert_null(metrics_new(&metrics));
    options.address = "127.0.0.1:0";
    options.threads = CLIENTS;
    options.metrics = metrics;
    assert_null(http_server_start(&options, &server));
    char url[128];
    snprintf(url, sizeof(url), "http://%s/items", http_server_address(server));
    struct caller caller = {.url = url};
    struct group *group = NULL;
    assert_null(
        http_client_new(&(struct http_client_options){.max_idle = CLIENTS}, &caller.client));
    assert_null(group_new(NULL, CLIENTS, &group));
    for (int i = 0; i < CLIENTS; i++)
        assert_null(group_go(group, call_often, &caller));
    struct err *e = group_wait(group);
    if (e) {
        char line[ERR_LINE];
        err_format(e, line, sizeof(line));
        fail_msg("%s", line);
    }
    http_client_free(caller.client);
    http_server_stop(server, 1000);
    metrics_free(metrics);
}

static int quiet(void **state)
{
    (void)state;
    slog_init(&(struct slog_options){.level = SLOG_OFF});
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lame_duck),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_drain_ends),
        cmocka_unit_test(test_more_connections_than_threads),
        cmocka_unit_test(test_silent_connections),
        cmocka_unit_test(test_many_clients),
    };
    return cmocka_run_group_tests(tests, quiet, NULL);
}
