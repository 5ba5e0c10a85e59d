/* Answers that the gateway gives itself. */
#include "edge.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <base/macros.h>

#define OUT  65536
#define HEAD "Host: h\r\nConnection: close\r\n"

static void check_answer(const char *name, const char *got, int status, const char *code)
{
    char member[64];
    snprintf(member, sizeof(member), "\"code\":\"%s\"", code);
    if (status_of(got) != status || !strstr(got, member))
        fail_msg("%s: not %d %s but:\n%.600s", name, status, code, got);
    CHECK(name, strstr(got, "\r\nContent-Type: application/problem+json\r\n"));
    CHECK(name, strstr(got, "\"request_id\":\""));
}

/* --- by the request alone --- */

static const struct {
    const char *name, *request;
    int status;
    const char *code;
} rows[] = {
    {"garbage", "\x16\x03\x01\x02", 400, "bad_request"},
    {"unknown path", "GET /nowhere HTTP/1.1\r\n" HEAD "\r\n", 404, "route_not_found"},
    {"other method", "PUT /get HTTP/1.1\r\n" HEAD "Content-Length: 0\r\n\r\n", 405,
     "method_not_allowed"},
    {"body too large", "POST /small HTTP/1.1\r\n" HEAD "Content-Length: 11\r\n\r\n", 413,
     "body_too_large"},
    {"chunks too large",
     "POST /small HTTP/1.1\r\n" HEAD
     "Transfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n5\r\n12345\r\n0\r\n\r\n",
     413, "body_too_large"},
    {"malformed chunk", "POST /small HTTP/1.1\r\n" HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
     400, "bad_request"},
    {"transfer coding", "POST / HTTP/1.1\r\n" HEAD "Transfer-Encoding: gzip\r\n\r\n", 501,
     "not_implemented"},
    {"version", "GET / HTTP/3.0\r\n" HEAD "\r\n", 505, "http_version_not_supported"},
    {"no token", "GET /private HTTP/1.1\r\n" HEAD "\r\n", 401, "unauthenticated"},
    {"other authorization", "GET /private HTTP/1.1\r\n" HEAD "Authorization: Basic eDp5\r\n\r\n",
     401, "unauthenticated"},
    {"bad token", "GET /private HTTP/1.1\r\n" HEAD "Authorization: Bearer bad\r\n\r\n", 401,
     "unauthenticated"},
    {"bad token where none is needed",
     "GET /get HTTP/1.1\r\n" HEAD "Authorization: bearer bad\r\n\r\n", 401, "unauthenticated"},
    {"no keys", "GET /private HTTP/1.1\r\n" HEAD "Authorization: Bearer later\r\n\r\n", 503,
     "upstream_unavailable"},
    {"upstream is away", "GET /away HTTP/1.1\r\n" HEAD "\r\n", 503, "upstream_unavailable"},
    {"upstream has no address", "GET /nameless HTTP/1.1\r\n" HEAD "\r\n", 503,
     "upstream_unavailable"},
    /* and what passes */
    {"good token", "GET /private HTTP/1.1\r\n" HEAD "Authorization: Bearer  good\r\n\r\n", 200, ""},
    {"no token where none is needed", "GET /get HTTP/1.1\r\n" HEAD "\r\n", 200, ""},
    {"no keys where no token is needed",
     "GET /get HTTP/1.1\r\n" HEAD "Authorization: Bearer later\r\n\r\n", 200, ""},
    {"bad token where nobody looks",
     "GET /open HTTP/1.1\r\n" HEAD "Authorization: Bearer bad\r\n\r\n", 200, ""},
    {"body just small enough",
     "POST /small HTTP/1.1\r\n" HEAD "Content-Length: 10\r\n\r\n1234567890", 200, ""},
    {"chunks just small enough",
     "POST /small HTTP/1.1\r\n" HEAD
     "Transfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n4\r\n1234\r\n0\r\n\r\n",
     200, ""},
};

static struct err *check_token(void *data, struct str token, int64_t *out_expires_s)
{
    (void)data;
    if (token.len == 3)
        return err_new(&ERR_UNAUTHENTICATED, "it is bad");
    if (token.len == 5)
        return err_new(&ERR_UPSTREAM_UNAVAILABLE, "no keys yet");
    *out_expires_s = INT64_MAX;
    return NULL;
}

static uint64_t token_epoch(void *data)
{
    (void)data;
    return 1;
}

/* A port that nobody listens on. */
static int dead_port(void)
{
    struct origin *origin = origin_start(0);
    int port = origin->port;
    origin_stop(origin);
    return port;
}

static struct edge *start(void)
{
    struct edge *edge =
        edge_start(&(struct edge_options){.checker = {check_token, token_epoch, NULL}});
    char json[2048];
    snprintf(json, sizeof(json),
             "{\"upstreams\":{\"o\":{\"servers\":[\"127.0.0.1:%d\"]},"
             "\"away\":{\"servers\":[\"127.0.0.1:%d\"]},"
             "\"nameless\":{\"servers\":[\"no.such.host.invalid:1\"]}},\"routes\":["
             "{\"path\":\"/get\",\"upstream\":\"o\",\"methods\":[\"GET\"]},"
             "{\"path\":\"/small\",\"upstream\":\"o\",\"max_body_bytes\":10},"
             "{\"path\":\"/private\",\"upstream\":\"o\",\"auth\":\"required\"},"
             "{\"path\":\"/open\",\"upstream\":\"o\",\"auth\":\"none\"},"
             "{\"path\":\"/away\",\"upstream\":\"away\"},"
             "{\"path\":\"/nameless\",\"upstream\":\"nameless\"}]}",
             edge->origin->port, dead_port());
    edge_write_routes(edge, json);
    /* The new routes hold as soon as the old ones no longer do. */
    char answer[OUT];
    do
        client_call(edge, "GET / HTTP/1.1\r\n" HEAD "\r\n", answer, sizeof(answer));
    while (status_of(answer) != 404);
    return edge;
}

static void each_with_its_problem(void **state)
{
    (void)state;
    struct edge *edge = start();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char got[OUT];
        CHECK_INT(rows[i].name, client_call(edge, rows[i].request, got, sizeof(got)), END_EOF);
        if (rows[i].status == 200)
            CHECK_INT(rows[i].name, status_of(got), 200);
        else
            check_answer(rows[i].name, got, rows[i].status, rows[i].code);
        CHECK(rows[i].name, strstr(got, "\r\nConnection: close\r\n"));
    }
    edge_stop(edge);
}

static void headers_of_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *name, *request, *line;
    } cases[] = {
        {"Allow", "PUT /get HTTP/1.1\r\n" HEAD "\r\n", "\r\nAllow: HEAD, GET\r\n"},
        {"realm", "GET /private HTTP/1.1\r\n" HEAD "\r\n",
         "\r\nWWW-Authenticate: Bearer realm=\"plankton\"\r\n"},
        {"invalid token", "GET /get HTTP/1.1\r\n" HEAD "Authorization: Bearer bad\r\n\r\n",
         "\r\nWWW-Authenticate: Bearer realm=\"plankton\", error=\"invalid_token\"\r\n"},
        {"retry", "GET /away HTTP/1.1\r\n" HEAD "\r\n", "\r\nRetry-After: 1\r\n"},
    };
    struct edge *edge = start();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char got[OUT];
        client_call(edge, cases[i].request, got, sizeof(got));
        CHECK(cases[i].name, strstr(got, cases[i].line));
    }
    edge_stop(edge);
}

static void a_refusal_of_head_has_no_body(void **state)
{
    (void)state;
    struct edge *edge = start();
    char got[OUT];
    client_call(edge, "HEAD /nowhere HTTP/1.1\r\n" HEAD "\r\n", got, sizeof(got));
    assert_int_equal(status_of(got), 404);
    assert_string_equal(strstr(got, "\r\n\r\n"), "\r\n\r\n");
    edge_stop(edge);
}

/* A refusal that is sure where the next request begins keeps the connection. */
static void connections_survive_what_is_understood(void **state)
{
    (void)state;
    static const struct {
        const char *name, *request;
        bool survives;
    } cases[] = {
        {"no body", "GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n", true},
        {"body that is there", "POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
         true},
        {"chunks that are there",
         "POST /nowhere HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
         "chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
         true},
        {"body that is to come",
         "POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc", false},
        {"malformed chunks",
         "POST /nowhere HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", false},
        {"malformed", "GET /.. HTTP/1.1\r\nHost: h\r\n\r\n", false},
        {"bad token", "GET /get HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer bad\r\n\r\n", true},
        {"upstream away", "GET /away HTTP/1.1\r\nHost: h\r\n\r\n", true},
    };
    struct edge *edge = start();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char got[OUT];
        size_t len = 0;
        int fd = client_connect(edge);
        client_say(fd, cases[i].request);
        client_read_answer(fd, got, sizeof(got));
        CHECK_INT(cases[i].name, strstr(got, "\r\nConnection: close\r\n") == NULL,
                  cases[i].survives);
        if (cases[i].survives) {
            client_say(fd, "GET /get HTTP/1.1\r\nHost: h\r\n\r\n");
            client_read_answer(fd, got, sizeof(got));
            CHECK_INT(cases[i].name, status_of(got), 200);
        } else {
            CHECK_INT(cases[i].name, client_read_all(fd, got, sizeof(got), &len), END_EOF);
            CHECK_INT(cases[i].name, len, 0);
        }
        close(fd);
    }
    edge_stop(edge);
}

/* The answer must arrive although the client goes on sending. */
static void a_large_body_does_not_drown_its_refusal(void **state)
{
    (void)state;
    static char megabytes[4 << 20];
    struct edge *edge = start();
    char got[OUT];
    size_t len;
    int fd = client_connect(edge);
    client_say(fd, "POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 4194304\r\n\r\n");
    client_send(fd, megabytes, sizeof(megabytes));
    client_read_all(fd, got, sizeof(got), &len);
    check_answer("large body", got, 413, "body_too_large");
    close(fd);
    edge_stop(edge);
}

/* --- by the clock --- */

static void slow_clients(void **state)
{
    (void)state;
    static const struct {
        const char *name, *request;
        int status; /* 0: closed without a word */
    } cases[] = {
        {"nothing", "", 0},
        {"half a head", "GET / HTTP/1.1\r\nHos", 408},
        {"no body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n", 408},
        {"half a body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab", 408},
        {"half a chunk", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
         408},
    };
    struct edge *edge = edge_start(&(struct edge_options){
        .header_timeout_ms = 30, .body_timeout_ms = 30, .idle_timeout_ms = 30});
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char got[OUT];
        CHECK_INT(cases[i].name, client_call(edge, cases[i].request, got, sizeof(got)), END_EOF);
        if (cases[i].status)
            check_answer(cases[i].name, got, cases[i].status, "request_timeout");
        else
            CHECK_STR(cases[i].name, got, "");
    }
    edge_stop(edge);
}

static void a_drop_now_and_then_does_not_help(void **state)
{
    (void)state;
    static const char *const beginnings[] = {
        "GET / HTTP/1.1\r\nX: ", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n"};
    struct edge *edge =
        edge_start(&(struct edge_options){.header_timeout_ms = 100, .body_timeout_ms = 100});
    for (size_t i = 0; i < ARRAY_LEN(beginnings); i++) {
        char got[OUT];
        size_t len;
        int fd = client_connect(edge);
        client_say(fd, beginnings[i]);
        /* A byte each 5 ms: far within the time limit, if that began anew with each. */
        for (int drops = 0; drops < 4000 && client_send(fd, "x", 1); drops++) {
            char one;
            struct pollfd answer = {.fd = fd, .events = POLLIN};
            if (poll(&answer, 1, 5) == 1 && recv(fd, &one, 1, MSG_PEEK) == 1)
                break;
        }
        client_read_all(fd, got, sizeof(got), &len);
        check_answer(beginnings[i], got, 408, "request_timeout");
        close(fd);
    }
    edge_stop(edge);
}

/* "Processing", every few milliseconds, for as long as somebody listens. */
static void never_answer(struct origin *origin, int fd)
{
    static const char interim[] = "HTTP/1.1 102 Processing\r\n\r\n";
    struct pollfd end = {.fd = fd, .events = POLLIN};
    if (origin_read(origin, fd, WHOLE))
        while (poll(&end, 1, 5) == 0 && send(fd, interim, strlen(interim), MSG_NOSIGNAL) > 0)
            ;
}

static void interim_answers_do_not_prolong_the_wait(void **state)
{
    (void)state;
    struct edge *edge = edge_start(&(struct edge_options){.route = ",\"timeout_ms\":50"});
    edge->origin->serve = never_answer;
    char got[OUT];
    client_call(edge, "GET / HTTP/1.1\r\n" HEAD "\r\n", got, sizeof(got));
    check_answer("interim answers only", got, 504, "upstream_timeout");
    edge_stop(edge);
}

static void a_slow_upstream_times_out(void **state)
{
    (void)state;
    struct edge *edge = edge_start(&(struct edge_options){.route = ",\"timeout_ms\":30"});
    char got[OUT];
    origin_play(edge->origin, (struct script){"", 0, HANG, WHOLE});
    client_call(edge, "GET / HTTP/1.1\r\n" HEAD "\r\n", got, sizeof(got));
    check_answer("no answer", got, 504, "upstream_timeout");
    origin_await(edge->origin, &edge->origin->open, 0);

    origin_play(edge->origin, (struct script){"HTTP/1.1 200 OK\r\nA:", 0, HANG, WHOLE});
    client_call(edge, "GET / HTTP/1.1\r\n" HEAD "\r\n", got, sizeof(got));
    check_answer("half a head", got, 504, "upstream_timeout");

    origin_play(edge->origin, (struct script){"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", 0,
                                              HANG, WHOLE});
    assert_int_equal(client_call(edge, "GET / HTTP/1.1\r\n" HEAD "\r\n", got, sizeof(got)),
                     END_RESET);
    edge_stop(edge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_with_its_problem),
        cmocka_unit_test(headers_of_refusals),
        cmocka_unit_test(a_refusal_of_head_has_no_body),
        cmocka_unit_test(connections_survive_what_is_understood),
        cmocka_unit_test(a_large_body_does_not_drown_its_refusal),
        cmocka_unit_test(slow_clients),
        cmocka_unit_test(a_drop_now_and_then_does_not_help),
        cmocka_unit_test(a_slow_upstream_times_out),
        cmocka_unit_test(interim_answers_do_not_prolong_the_wait),
    };
    return cmocka_run_group_tests_name("refuse", tests, NULL, NULL);
}
