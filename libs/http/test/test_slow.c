/* Clients that take their time, with limits small enough to wait for. */
#include "check.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/str.h>
#include <slog/slog.h>

#include "raw.h"
#include "sample.h"

#define LIMIT_MS   150
#define ANSWER_MAX ((size_t)1 << 20)
#define HOST       "Host: x\r\n"

static struct http_server *start_with(int threads)
{
    struct http_server_options options = sample_options();
    struct http_server *server = NULL;
    options.address = "127.0.0.1:0";
    options.threads = threads;
    options.read_timeout_ms = LIMIT_MS;
    options.idle_timeout_ms = LIMIT_MS;
    assert_null(http_server_start(&options, &server));
    return server;
}

static int start(void **state)
{
    slog_init(&(struct slog_options){.level = SLOG_OFF});
    *state = start_with(0);
    return 0;
}

static int stop(void **state)
{
    http_server_stop(*state, 1000);
    return 0;
}

/* Sends one piece after the other, as long as the server lets it. */
static void drip(int fd, const char *piece, size_t len, int64_t pause_ms)
{
    for (int i = 0; i < 100; i++) {
        if (send(fd, piece, len, MSG_NOSIGNAL) < 0)
            return;
        char c;
        struct timeval pause = {.tv_usec = pause_ms * 1000};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &pause, sizeof(pause));
        if (recv(fd, &c, 1, MSG_PEEK) >= 0) /* an answer, or the end: not the pause */
            break;
    }
    struct timeval patience = {.tv_sec = 30};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

#define CHUNKED                                                                                    \
    "POST /echo HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\nTransfer-Encoding: "               \
    "chunked\r\n\r\n"
#define LENGTH                                                                                     \
    "POST /echo HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\nContent-Length: 1000\r\n\r\n"

static void test_late(void **state)
{
    static const struct {
        const char *name, *text, *piece; /* piece NULL: nothing more comes */
    } rows[] = {
        {"request line", "GET /pub", NULL},
        {"headers", "GET /public HTTP/1.1\r\nHost: x\r\n", NULL},
        {"dripping headers", "GET /public HTTP/1.1\r\n", "A: b\r\n"},
        {"body", LENGTH "abc", NULL},
        {"dripping body", LENGTH, "a"},
        {"chunk size", CHUNKED "1", NULL},
        {"dripping chunks", CHUNKED, "1\r\na\r\n"},
        {"dripping chunk", CHUNKED "1000\r\n", "a"},
        {"dripping chunk size", CHUNKED, "0"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf answer = BUF_INIT(ANSWER_MAX);
        int64_t begin_ms = clock_mono_ms();
        int fd = raw_connect(*state);
        raw_send_text(fd, rows[i].text);
        if (rows[i].piece)
            drip(fd, rows[i].piece, strlen(rows[i].piece), LIMIT_MS / 5);
        raw_read_all(fd, &answer);
        close(fd);
        CHECK(rows[i].name, clock_mono_ms() - begin_ms >= LIMIT_MS);
        CHECK(rows[i].name, str_starts_with(buf_text(&answer), "HTTP/1.1 408 "));
        CHECK(rows[i].name, strstr(answer.data, "request_timeout"));
    }
}

static void test_idle(void **state)
{
    for (int requests = 0; requests <= 1; requests++) {
        _cleanup_(buf_deinit) struct buf answer = BUF_INIT(ANSWER_MAX), rest = BUF_INIT(ANSWER_MAX);
        int fd = raw_connect(*state);
        for (int i = 0; i < requests; i++) {
            raw_send_text(fd, "GET /public HTTP/1.1\r\n" HOST "\r\n");
            assert_int_equal(raw_read_answer(fd, &rest, &answer), 200);
        }
        raw_read_all(fd, &rest);
        assert_int_equal(rest.len, 0);
        close(fd);
    }
}

/* Who asks for much and does not take it is cut off: the only thread is free again. */
static void test_slow_reader(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "GET /stream/100000000 HTTP/1.1\r\n" HOST "\r\n",
        "GET /large/60000000 HTTP/1.0\r\n\r\n",
    };
    struct http_server *server = start_with(1);
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        _cleanup_(buf_deinit) struct buf answer = BUF_INIT(ANSWER_MAX);
        int fd = raw_connect(server);
        raw_send_text(fd, requests[i]);
        char c;
        assert_int_equal(recv(fd, &c, 1, 0), 1);
        CHECK_INT(requests[i], raw_call(server, "GET /public HTTP/1.0\r\n\r\n", &answer), 200);
        close(fd);
    }
    http_server_stop(server, 0);
}

static void test_stream_is_not_kept(void **state)
{
    enum { MEGABYTES = 50 };
    struct rusage before, after;
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    int fd = raw_connect(*state);
    raw_send_text(fd, "GET /stream/50000000 HTTP/1.0\r\n\r\n");
    static char piece[65536];
    size_t total = 0;
    for (ssize_t got; (got = recv(fd, piece, sizeof(piece), 0)) > 0;)
        total += (size_t)got;
    close(fd);
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
    assert_true(total > MEGABYTES * 1000000);
    assert_true(after.ru_maxrss - before.ru_maxrss < 10 * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_stream_is_not_kept),
        cmocka_unit_test(test_slow_reader),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
