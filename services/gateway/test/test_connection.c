/* Connections on both sides: kept alive, pipelined, stale, and gone at every stage. */
#include "edge.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <base/buf.h>
#include <base/macros.h>

#define OUT  65536
#define GET  "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
#define POST "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
#define LAST "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

static void both_sides_are_kept_alive(void **state)
{
    (void)state;
    struct edge *edge = edge_start(&(struct edge_options){0});
    char got[OUT];
    int fd = client_connect(edge);
    for (int i = 0; i < 20; i++) {
        client_say(fd, i % 2 ? GET : POST);
        client_read_answer(fd, got, sizeof(got));
        assert_int_equal(status_of(got), 200);
    }
    close(fd);
    assert_int_equal(origin_count(edge->origin, &edge->origin->requests), 20);
    assert_int_equal(origin_count(edge->origin, &edge->origin->connections), 1);
    edge_await(edge, "gateway_client_connections", 0);
    edge_stop(edge);
}

static void http_1_0_is_kept_alive_on_request(void **state)
{
    (void)state;
    struct edge *edge = edge_start(&(struct edge_options){0});
    char got[OUT];
    size_t len;
    int fd = client_connect(edge);
    for (int i = 0; i < 2; i++) {
        client_say(fd, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        client_read_answer(fd, got, sizeof(got));
        assert_non_null(strstr(got, "\r\nConnection: keep-alive\r\n"));
    }
    client_say(fd, "GET / HTTP/1.0\r\n\r\n");
    assert_int_equal(client_read_all(fd, got, sizeof(got), &len), END_EOF);
    assert_non_null(strstr(got, "\r\nConnection: close\r\n"));
    close(fd);
    edge_stop(edge);
}

static void count_answers(const char *text, int *out_answers)
{
    int answers = 0;
    for (const char *at = text; (at = strstr(at, "HTTP/1.1 ")); at++)
        answers++;
    *out_answers = answers;
}

static void pipelines_are_answered_in_order(void **state)
{
    (void)state;
    static const char pipeline[] =
        GET POST "GET /.well HTTP/1.1\r\nHost: h\r\n\r\n"
                 "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "3\r\nabc\r\n0\r\n\r\n" POST LAST GET; /* the last one comes after a close */
    struct edge *edge = edge_start(&(struct edge_options){0});
    /* In two writes, cut at each place; most cuts fall between two rounds of the gateway. */
    for (size_t split = 0; split < sizeof(pipeline) - 1; split += 5) {
        static char got[OUT];
        int answers;
        size_t len;
        int fd = client_connect(edge);
        assert_true(client_send(fd, pipeline, split));
        assert_true(client_send(fd, pipeline + split, sizeof(pipeline) - 1 - split));
        client_read_all(fd, got, sizeof(got), &len);
        count_answers(got, &answers);
        assert_int_equal(answers, 6);
        close(fd);
    }
    assert_int_equal(origin_count(edge->origin, &edge->origin->connections), 1);
    edge_stop(edge);
}

static void a_pipeline_of_refusals(void **state)
{
    (void)state;
    struct edge *edge = edge_start(&(struct edge_options){0});
    edge_write_routes(edge, "{\"upstreams\":{},\"routes\":[]}");
    static char got[1 << 20];
    _cleanup_(buf_deinit) struct buf pipeline = BUF_INIT(OUT);
    do
        client_call(edge, LAST, got, sizeof(got));
    while (status_of(got) != 404);
    for (int i = 0; i < 1000; i++)
        buf_append_str(&pipeline, GET);
    buf_append_str(&pipeline, LAST);
    int answers;
    client_call(edge, buf_text(&pipeline), got, sizeof(got));
    count_answers(got, &answers);
    assert_int_equal(answers, 1001);
    edge_stop(edge);
}

static void a_half_closed_client_gets_its_answer(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        int status;
    } cases[] = {
        {GET, 200},
        {POST, 200},
        {"GET / HTTP/1.1\r\nHo", 400},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab", 400},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", 400},
        {"", 0},
    };
    struct edge *edge = edge_start(&(struct edge_options){0});
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char got[OUT];
        size_t len;
        int fd = client_connect(edge);
        client_say(fd, cases[i].request);
        shutdown(fd, SHUT_WR);
        CHECK_INT(cases[i].request, client_read_all(fd, got, sizeof(got), &len), END_EOF);
        CHECK_INT(cases[i].request, status_of(got), cases[i].status);
        close(fd);
    }
    edge_stop(edge);
}

static void idle_connections_end_by_themselves(void **state)
{
    (void)state;
    struct edge *edge = edge_start(
        &(struct edge_options){.idle_timeout_ms = 50, .upstream = ",\"idle_timeout_ms\":30"});
    char got[OUT];
    size_t len;
    int fd = client_connect(edge);
    client_say(fd, GET);
    client_read_answer(fd, got, sizeof(got));
    origin_await(edge->origin, &edge->origin->open, 0);
    assert_int_equal(client_read_all(fd, got, sizeof(got), &len), END_EOF);
    assert_int_equal(len, 0);
    close(fd);
    edge_stop(edge);
}

/* --- connections that the upstream has closed meanwhile --- */

/* Answers one request, and closes when the second one comes. */
static void serve_once(struct origin *origin, int fd)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    if (origin_read(origin, fd, WHOLE) && send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) > 0)
        origin_read(origin, fd, WHOLE);
}

static void a_stale_connection_is_replaced(void **state)
{
    (void)state;
    static const struct {
        const char *name, *request;
        int status;
    } cases[] = {
        {"GET", GET, 200},
        {"PUT with a body", "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", 200},
        {"PUT with chunks",
         "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
         200},
        {"DELETE", "DELETE / HTTP/1.1\r\nHost: h\r\n\r\n", 200},
        {"HEAD", "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", 200},
        {"POST must not be sent twice", POST, 503},
        {"nor PATCH", "PATCH / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 503},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct edge *edge = edge_start(&(struct edge_options){0});
        edge->origin->serve = serve_once;
        char got[OUT];
        size_t len;
        int fd = client_connect(edge);
        client_say(fd, GET);
        client_read_answer(fd, got, sizeof(got));
        client_say(fd, cases[i].request);
        shutdown(fd, SHUT_WR);
        client_read_all(fd, got, sizeof(got), &len);
        CHECK_INT(cases[i].name, status_of(got), cases[i].status);
        close(fd);
        long retries = cases[i].status == 200;
        CHECK_INT(cases[i].name, edge_metric(edge, "gateway_upstream_retries_total"), retries);
        char last[OUT];
        origin_last(edge->origin, last, sizeof(last));
        if (strstr(cases[i].request, "hello"))
            CHECK(cases[i].name, strstr(last, "hello"));
        edge_stop(edge);
    }
}

#define BIG 400000

/* Answers one request, and closes in the body of the second one. */
static void serve_once_and_a_half(struct origin *origin, int fd)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    if (!origin_read(origin, fd, WHOLE) || send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) < 0)
        return;
    char waste[4096];
    ssize_t got = 1;
    for (ssize_t all = 0; all < BIG / 2 && got > 0; all += got)
        got = recv(fd, waste, sizeof(waste), 0);
}

static void what_is_not_held_any_more_is_not_sent_again(void **state)
{
    (void)state;
    struct edge *edge = edge_start(&(struct edge_options){0});
    edge->origin->serve = serve_once_and_a_half;
    static char body[BIG];
    char head[128], got[OUT];
    size_t len;
    int fd = client_connect(edge);
    client_say(fd, GET);
    client_read_answer(fd, got, sizeof(got));
    snprintf(head, sizeof(head),
             "PUT / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", BIG);
    client_say(fd, head);
    client_send(fd, body, sizeof(body));
    client_read_all(fd, got, sizeof(got), &len);
    assert_int_equal(status_of(got), 503);
    assert_int_equal(edge_metric(edge, "gateway_upstream_retries_total"), 0);
    close(fd);
    edge_stop(edge);
}

/* What an upstream says behind its answer must never be taken for the next one. */
static void a_connection_that_is_not_clean_is_not_used_again(void **state)
{
    (void)state;
    static const struct {
        const char *name, *answer;
    } cases[] = {
        {"another answer behind the body", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
                                           "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"},
        {"bytes behind the chunks",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nmore"},
        {"a close that was announced",
         "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"},
        {"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct edge *edge = edge_start(&(struct edge_options){0});
        origin_play(edge->origin, (struct script){cases[i].answer, 0, KEEP, WHOLE});
        for (int calls = 1; calls <= 3; calls++) {
            char got[OUT];
            client_call(edge, LAST, got, sizeof(got));
            CHECK_INT(cases[i].name, status_of(got), 200);
            CHECK_INT(cases[i].name, origin_count(edge->origin, &edge->origin->connections), calls);
        }
        edge_stop(edge);
    }
}

static void a_fresh_connection_is_not_retried(void **state)
{
    (void)state;
    struct edge *edge = edge_start(&(struct edge_options){0});
    char got[OUT];
    origin_play(edge->origin, (struct script){"", 0, CLOSE, WHOLE});
    client_call(edge, LAST, got, sizeof(got));
    assert_int_equal(status_of(got), 503);
    assert_int_equal(origin_count(edge->origin, &edge->origin->requests), 1);
    edge_stop(edge);
}

static void an_idle_upstream_that_speaks_is_dropped(void **state)
{
    (void)state;
    struct edge *edge = edge_start(&(struct edge_options){0});
    char got[OUT];
    origin_play(edge->origin,
                (struct script){"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 0, CLOSE, WHOLE});
    for (int i = 1; i <= 3; i++) {
        client_call(edge, LAST, got, sizeof(got));
        assert_int_equal(status_of(got), 200);
        origin_await(edge->origin, &edge->origin->open, 0);
        edge_await(edge, "gateway_upstream_connections", 0);
        assert_int_equal(origin_count(edge->origin, &edge->origin->connections), i);
    }
    edge_stop(edge);
}

static void another_server_takes_over(void **state)
{
    (void)state;
    struct origin *other = origin_start(0);
    struct edge *edge = edge_start(&(struct edge_options){.other_port = other->port});
    char got[OUT];
    for (int i = 0; i < 40; i++) {
        client_call(edge, LAST, got, sizeof(got));
        assert_int_equal(status_of(got), 200);
    }
    /* Both are drawn; 40 times the same one happens once in 2^39 runs. */
    assert_true(origin_count(edge->origin, &edge->origin->requests) > 0);
    assert_true(origin_count(other, &other->requests) > 0);
    origin_stop(other);
    edge->fds_before--; /* it was there before */
    int failed = 0;
    for (int i = 0; i < 40; i++) {
        client_call(edge, LAST, got, sizeof(got));
        failed += status_of(got) != 200;
    }
    /* A request is tried twice, and both draws may be of the dead one. */
    assert_in_range(failed, 0, 30);
    edge_stop(edge);
}

/* --- one side dies --- */

static void reset(int fd)
{
    const struct linger none = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    close(fd);
}

/* The upstream is told whenever the client of its request is gone. */
static void the_client_dies(void **state)
{
    (void)state;
    static const struct {
        const char *name, *request;
        struct script script;
        bool reaches_upstream;
    } cases[] = {
        {"before a byte", "", {"", 0, HANG, WHOLE}, false},
        {"in the head", "GET / HT", {"", 0, HANG, WHOLE}, false},
        {"in the body",
         "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf",
         {"", 0, HANG, HEAD_ONLY},
         true},
        {"in a chunk",
         "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf",
         {"", 0, HANG, HEAD_ONLY},
         true},
        {"while it waits", GET, {"", 0, HANG, WHOLE}, true},
        {"while the head comes", GET, {"HTTP/1.1 200 OK\r\nA:", 0, HANG, WHOLE}, true},
        {"while the body comes",
         GET,
         {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", 0, HANG, WHOLE},
         true},
        {"with more to say", GET GET, {"", 0, HANG, WHOLE}, true},
    };
    struct edge *edge = edge_start(&(struct edge_options){0});
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int before = origin_count(edge->origin, &edge->origin->requests);
        origin_play(edge->origin, cases[i].script);
        int fd = client_connect(edge);
        edge_await(edge, "gateway_client_connections", 1);
        client_say(fd, cases[i].request);
        if (cases[i].reaches_upstream)
            origin_await(edge->origin, &edge->origin->requests, before + 1);
        reset(fd);
        origin_await(edge->origin, &edge->origin->open, 0);
        edge_await(edge, "gateway_client_connections", 0);
    }
    edge_stop(edge);
}

static void the_upstream_dies(void **state)
{
    (void)state;
    static const char body[] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 900\r\n\r\nhalf";
    static const struct {
        const char *name, *request;
        struct script script;
        int status; /* 0: the connection is reset */
    } cases[] = {
        {"at once", GET, {"", 0, RESET, NOTHING}, 503},
        {"after the request", GET, {"", 0, RESET, WHOLE}, 503},
        {"in the answer's head", GET, {"HTTP/1.1 200", 0, RESET, WHOLE}, 503},
        {"in the request's body", body, {"", 0, RESET, HEAD_ONLY}, 503},
        {"in the answer's body",
         GET,
         {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", 0, RESET, WHOLE},
         0},
        {"after an answer to half a body",
         body,
         {"HTTP/1.1 413 Large\r\nContent-Length: 2\r\n\r\nno", 0, CLOSE, HEAD_ONLY},
         413},
    };
    struct edge *edge = edge_start(&(struct edge_options){0});
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char got[OUT] = "";
        size_t len;
        origin_play(edge->origin, cases[i].script);
        int fd = client_connect(edge);
        client_say(fd, cases[i].request);
        if (cases[i].request != body)
            shutdown(fd, SHUT_WR);
        enum end end = client_read_all(fd, got, sizeof(got), &len);
        CHECK_INT(cases[i].name, end, cases[i].status ? END_EOF : END_RESET);
        if (cases[i].status)
            CHECK_INT(cases[i].name, status_of(got), cases[i].status);
        close(fd);
        origin_await(edge->origin, &edge->origin->open, 0);
    }
    edge_stop(edge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_are_kept_alive),
        cmocka_unit_test(http_1_0_is_kept_alive_on_request),
        cmocka_unit_test(pipelines_are_answered_in_order),
        cmocka_unit_test(a_pipeline_of_refusals),
        cmocka_unit_test(a_half_closed_client_gets_its_answer),
        cmocka_unit_test(idle_connections_end_by_themselves),
        cmocka_unit_test(a_stale_connection_is_replaced),
        cmocka_unit_test(what_is_not_held_any_more_is_not_sent_again),
        cmocka_unit_test(a_connection_that_is_not_clean_is_not_used_again),
        cmocka_unit_test(a_fresh_connection_is_not_retried),
        cmocka_unit_test(an_idle_upstream_that_speaks_is_dropped),
        cmocka_unit_test(another_server_takes_over),
        cmocka_unit_test(the_client_dies),
        cmocka_unit_test(the_upstream_dies),
    };
    return cmocka_run_group_tests_name("connection", tests, NULL, NULL);
}
