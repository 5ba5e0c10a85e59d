/* What the upstream gets of a request, and what the client gets of an answer. */
#include "edge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/macros.h>

#define OUT 65536

static struct edge *start(void)
{
    return edge_start(&(struct edge_options){0});
}

/* --- to the upstream --- */

#define CLOSE_LINE "Connection: close\r\n"
#define OURS                                                                                       \
    "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: h\r\n"             \
    "X-Request-Id: r\r\nVia: 1.1 plankton\r\n"
#define H "Host: h\r\nX-Request-Id: r\r\n" CLOSE_LINE

static const struct {
    const char *name;
    const char *request;
    const char *expected; /* without its traceparent */
} requests[] = {
    {"plain", "GET /a?b=c HTTP/1.1\r\n" H "Accept: x\r\n\r\n",
     "GET /a?b=c HTTP/1.1\r\nHost: h\r\nAccept: x\r\n" OURS "\r\n"},
    {"spaces are trimmed", "GET / HTTP/1.1\r\n" H "A: \t x y \t\r\nB:\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: h\r\nA: x y\r\nB: \r\n" OURS "\r\n"},
    {"path is normalised", "GET /%61/b?%61 HTTP/1.1\r\n" H "\r\n",
     "GET /a/b?%61 HTTP/1.1\r\nHost: h\r\n" OURS "\r\n"},
    {"absolute form becomes origin form", "GET http://h?q HTTP/1.1\r\n" H "\r\n",
     "GET /?q HTTP/1.1\r\nHost: h\r\n" OURS "\r\n"},
    {"HTTP/1.0", "GET / HTTP/1.0\r\nHost: h\r\nX-Request-Id: r\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: h\r\n" OURS "\r\n"},
    {"HTTP/1.0 without Host", "GET / HTTP/1.0\r\nX-Request-Id: r\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: origin\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n"
     "X-Request-Id: r\r\nVia: 1.1 plankton\r\n\r\n"},
    {"hop-by-hop headers are dropped",
     "GET / HTTP/1.1\r\n" H "Keep-Alive: x\r\nProxy-Connection: x\r\nTE: trailers\r\n"
     "Upgrade: h2c\r\nHTTP2-Settings: x\r\nTrailer: x\r\nProxy-Authorization: x\r\nA: b\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n" OURS "\r\n"},
    {"so are those that Connection names",
     "GET / HTTP/1.1\r\n" H "Connection: x-a , X-B\r\nX-A: 1\r\nx-b: 2\r\nX-C: 3\r\nX-A: 4\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: h\r\nX-C: 3\r\n" OURS "\r\n"},
    {"forged headers are dropped",
     "GET / HTTP/1.1\r\n" H "X-Forwarded-For: 1.2.3.4\r\nx-forwarded-proto: https\r\n"
     "X-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\nForwarded: for=1.2.3.4\r\n"
     "X-Real-IP: 1.2.3.4\r\nX-User-Id: 1\r\nX.User.Id: 1\r\nx-user-role: admin\r\nX-Internal-Call: "
     "1\r\n"
     "X-Client-IP: 1\r\nTrue-Client-IP: 1\r\nX-Original-URL: /\r\nX-Rewrite-URL: /\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: h\r\n" OURS "\r\n"},
    {"authorization and cookies are passed on",
     "GET / HTTP/1.1\r\n" H "Authorization: Bearer x\r\nCookie: a=b\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer x\r\nCookie: a=b\r\n" OURS "\r\n"},
    {"a trace state without its parent is dropped",
     "GET / HTTP/1.1\r\n" H "tracestate: a=b\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\n" OURS "\r\n"},
    {"body with length", "POST / HTTP/1.1\r\n" H "Content-Length: 005\r\n\r\nhello",
     "POST / HTTP/1.1\r\nHost: h\r\n" OURS "Content-Length: 5\r\n\r\nhello"},
    {"empty body", "POST / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n",
     "POST / HTTP/1.1\r\nHost: h\r\n" OURS "Content-Length: 0\r\n\r\n"},
    {"chunks are made anew",
     "POST / HTTP/1.1\r\n" H "Transfer-Encoding: Chunked\r\n\r\n"
     "2;x=y\r\nhe\r\n003\r\nllo\r\n0\r\nX-Trailer: 1\r\n\r\n",
     "POST / HTTP/1.1\r\nHost: h\r\n" OURS "Transfer-Encoding: chunked\r\n\r\n"
     "5\r\nhello\r\n0\r\n\r\n"},
    {"no chunks at all", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     "POST / HTTP/1.1\r\nHost: h\r\n" OURS "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"any method", "PROPFIND / HTTP/1.1\r\n" H "\r\n",
     "PROPFIND / HTTP/1.1\r\nHost: h\r\n" OURS "\r\n"},
    {"another Via stays", "GET / HTTP/1.1\r\n" H "Via: 1.0 a\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: h\r\nVia: 1.0 a\r\n" OURS "\r\n"},
};

static void requests_are_written_anew(void **state)
{
    (void)state;
    struct edge *edge = start();
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        char answer[OUT], got[OUT];
        client_call(edge, requests[i].request, answer, sizeof(answer));
        CHECK_INT(requests[i].name, status_of(answer), 200);
        origin_last(edge->origin, got, sizeof(got));
        CHECK(requests[i].name, strstr(got, "\r\ntraceparent: 00-"));
        cut_line(got, "traceparent: ");
        CHECK_STR(requests[i].name, got, requests[i].expected);
    }
    edge_stop(edge);
}

/* --- to the client --- */

static const struct {
    const char *name;
    const char *request; /* NULL: a plain GET */
    struct script script;
    const char *expected; /* without Date and X-Request-Id */
    enum end end;
} answers[] = {
    {"length",
     NULL,
     {"HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nA: b\r\n\r\nhi", 0, KEEP, WHOLE},
     "HTTP/1.1 200 Fine\r\nA: b\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
     END_EOF},
    {"request id of the upstream is replaced",
     NULL,
     {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Request-Id: x\r\n\r\n", 0, KEEP, WHOLE},
     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
     END_EOF},
    {"hop-by-hop headers are dropped",
     NULL,
     {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x-a\r\nX-A: 1\r\nKeep-Alive: x\r\n"
      "Upgrade: x\r\nProxy-Authenticate: x\r\nTrailer: x\r\nX-B: 2\r\n\r\n",
      0, KEEP, WHOLE},
     "HTTP/1.1 200 OK\r\nX-B: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
     END_EOF},
    {"chunked",
     NULL,
     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nhe\r\n3\r\nllo\r\n0\r\nT: "
      "1\r\n\r\n",
      0, KEEP, WHOLE},
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
     "5\r\nhello\r\n0\r\n\r\n",
     END_EOF},
    {"until close becomes chunks",
     NULL,
     {"HTTP/1.1 200 OK\r\n\r\nhello", 0, CLOSE, WHOLE},
     "*hello",
     END_EOF},
    {"until close for HTTP/1.0",
     "GET / HTTP/1.0\r\n\r\n",
     {"HTTP/1.1 200 OK\r\n\r\nhello", 0, CLOSE, WHOLE},
     "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
     END_EOF},
    {"chunks for HTTP/1.0",
     "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 0, KEEP,
      WHOLE},
     "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
     END_EOF},
    {"HEAD",
     "HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
     {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 0, KEEP, WHOLE},
     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n",
     END_EOF},
    {"HEAD of chunks",
     "HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 0, KEEP, WHOLE},
     "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
     END_EOF},
    {"a body to HEAD is cut off",
     "HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
     {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 0, KEEP, WHOLE},
     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n",
     END_EOF},
    {"204",
     NULL,
     {"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 0, KEEP, WHOLE},
     "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
     END_EOF},
    {"304 keeps the length of what it stands for",
     NULL,
     {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 0, KEEP, WHOLE},
     "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nConnection: close\r\n\r\n",
     END_EOF},
    {"interim answers are not passed on",
     NULL,
     {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
      0, KEEP, WHOLE},
     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
     END_EOF},
    {"what follows the answer is cut off",
     NULL,
     {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n\r\n", 0, KEEP, WHOLE},
     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
     END_EOF},
    {"several cookies",
     NULL,
     {"HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n", 0, KEEP,
      WHOLE},
     "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 0\r\n"
     "Connection: close\r\n\r\n",
     END_EOF},
    {"HTTP/1.0 upstream",
     NULL,
     {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 0, CLOSE, WHOLE},
     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
     END_EOF},

    /* answers that break */
    {"length not reached",
     NULL,
     {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", 0, CLOSE, WHOLE},
     NULL,
     END_RESET},
    {"last chunk missing",
     NULL,
     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", 0, CLOSE, WHOLE},
     NULL,
     END_RESET},
    {"chunk cut off",
     NULL,
     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhi", 0, RESET, WHOLE},
     NULL,
     END_RESET},
    {"malformed chunk",
     NULL,
     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 0, KEEP, WHOLE},
     NULL,
     END_RESET},
    {"reset instead of a close",
     NULL,
     {"HTTP/1.1 200 OK\r\n\r\nhello", 0, RESET, WHOLE},
     NULL,
     END_RESET},

    /* answers that never begin */
    {"closed without an answer", NULL, {"", 0, CLOSE, WHOLE}, "!503 upstream_unavailable", END_EOF},
    {"reset without an answer", NULL, {"", 0, RESET, WHOLE}, "!503 upstream_unavailable", END_EOF},
    {"closed unread", NULL, {"", 0, CLOSE, NOTHING}, "!503 upstream_unavailable", END_EOF},
    {"head cut off",
     NULL,
     {"HTTP/1.1 200 OK\r\nA:", 0, CLOSE, WHOLE},
     "!503 upstream_unavailable",
     END_EOF},
    {"not HTTP", NULL, {"hello there\r\n", 0, KEEP, WHOLE}, "!502 bad_gateway", END_EOF},
    {"both lengths",
     NULL,
     {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nhi", 0, KEEP,
      WHOLE},
     "!502 bad_gateway",
     END_EOF},
    {"protocol switched",
     NULL,
     {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", 0, KEEP, WHOLE},
     "!502 bad_gateway",
     END_EOF},
};

/* A problem document with this status and code; a 503 says when to try again. */
static void check_problem(const char *name, const char *got, const char *status_and_code)
{
    char code[64];
    snprintf(code, sizeof(code), "\"code\":\"%s\"", status_and_code + 4);
    CHECK_INT(name, status_of(got), strtol(status_and_code, NULL, 10));
    CHECK(name, strstr(got, "\r\nContent-Type: application/problem+json\r\n"));
    CHECK(name, strstr(got, code));
    CHECK(name, status_of(got) != 503 || strstr(got, "\r\nRetry-After: 1\r\n"));
}

static void answers_are_written_anew(void **state)
{
    (void)state;
    struct edge *edge = start();
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        const char *request = answers[i].request ? answers[i].request
                                                 : "GET / HTTP/1.1\r\nHost: h\r\n"
                                                   "Connection: close\r\n\r\n";
        char got[OUT];
        origin_play(edge->origin, answers[i].script);
        enum end end = client_call(edge, request, got, sizeof(got));
        CHECK_INT(answers[i].name, end, answers[i].end);
        const char *expected = answers[i].expected;
        if (expected && expected[0] == '!')
            check_problem(answers[i].name, got, expected + 1);
        else if (expected && expected[0] == '*')
            CHECK(answers[i].name, strstr(got, expected + 1) && strstr(got, "\r\n0\r\n\r\n"));
        else if (expected)
            CHECK_STR(answers[i].name, got, expected);
    }
    edge_stop(edge);
}

/* --- ids --- */

/* "\r\nName: value" of a head; "" when it is not there. */
static void header_line(const char *head, const char *name, char *out, size_t cap)
{
    char pattern[64];
    snprintf(pattern, sizeof(pattern), "\r\n%s: ", name);
    const char *line = strstr(head, pattern);
    if (line)
        snprintf(out, cap, "\r\n%.*s", (int)strcspn(line + 2, "\r"), line + 2);
}

static void request_ids(void **state)
{
    (void)state;
    static const struct {
        const char *name, *id;
        bool is_kept;
    } cases[] = {
        {"sane", "abc-DEF_1.2", true},
        {"with a space", "a b", false},
        {"with a quote", "a\"b", false},
        {"empty", "", false},
        {"64 characters", "0123456789012345678901234567890123456789012345678901234567890123", true},
        {"65 characters", "01234567890123456789012345678901234567890123456789012345678901234",
         false},
    };
    struct edge *edge = start();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char request[512], line[128], answer[OUT], last[OUT];
        size_t len;
        snprintf(request, sizeof(request),
                 "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Request-Id: %s\r\n\r\n",
                 cases[i].id);
        snprintf(line, sizeof(line), "\r\nX-Request-Id: %s\r\n", cases[i].id);
        int fd = client_connect(edge);
        client_say(fd, request);
        client_read_all(fd, answer, sizeof(answer), &len);
        close(fd);
        CHECK_INT(cases[i].name, strstr(answer, line) != NULL, cases[i].is_kept);
        /* One and the same on both sides. */
        char id[128] = "";
        header_line(answer, "X-Request-Id", id, sizeof(id));
        origin_last(edge->origin, last, sizeof(last));
        CHECK(cases[i].name, strlen(id) > 17 && strstr(last, id));
    }
    edge_stop(edge);
}

static void traces_go_on(void **state)
{
    (void)state;
    struct edge *edge = start();
    char answer[OUT];
    client_call(edge,
                "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\ntracestate: a=b\r\n"
                "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n",
                answer, sizeof(answer));
    char last[OUT];
    origin_last(edge->origin, last, sizeof(last));
    assert_non_null(strstr(last, "traceparent: 00-0af7651916cd43dd8448eb211c80319c-"));
    assert_null(strstr(last, "b7ad6b7169203331"));
    assert_non_null(strstr(last, "\r\ntracestate: a=b\r\n"));
    edge_stop(edge);
}

static void errors_have_ids_too(void **state)
{
    (void)state;
    struct edge *edge = start();
    char answer[OUT];
    size_t len;
    int fd = client_connect(edge);
    client_say(fd, "GET /.. HTTP/1.1\r\nHost: h\r\nX-Request-Id: mine\r\n\r\n");
    client_read_all(fd, answer, sizeof(answer), &len);
    close(fd);
    /* Refused before its fields were read: the id is new, and in the document as well. */
    char id[128] = "", text[64];
    header_line(answer, "X-Request-Id", id, sizeof(id));
    assert_true(strlen(id) > 16 + 35);
    snprintf(text, sizeof(text), "\"request_id\":\"%.36s\"", id + 16);
    assert_non_null(strstr(answer, text));
    edge_stop(edge);
}

/* --- proxies in front --- */

static void trusted_proxies_are_believed(void **state)
{
    (void)state;
    static const struct {
        const char *name, *fields;
        const char *expected; /* for, proto and host */
    } cases[] = {
        {"none", "", "127.0.0.1|http|h"},
        {"one", "X-Forwarded-For: 1.2.3.4\r\n", "1.2.3.4, 127.0.0.1|http|h"},
        {"two lines", "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2 , 3.3.3.3\r\n",
         "1.1.1.1, 2.2.2.2 , 3.3.3.3, 127.0.0.1|http|h"},
        {"https", "X-Forwarded-Proto: HTTPS\r\n", "127.0.0.1|https|h"},
        {"nonsense as protocol", "X-Forwarded-Proto: x\r\n", "127.0.0.1|http|h"},
        {"host", "X-Forwarded-Host: a.example:81\r\n", "127.0.0.1|http|a.example:81"},
        {"nonsense as host", "X-Forwarded-Host: a b\r\n", "127.0.0.1|http|h"},
        {"not the others", "X-Real-IP: 1.1.1.1\r\nX-Forwarded-Port: 1\r\n", "127.0.0.1|http|h"},
    };
    char trusted[] = "127.0.0.0/8,::1";
    struct edge *edge = edge_start(&(struct edge_options){.trusted = trusted});
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char request[512], answer[OUT], last[OUT], expected[512], parts[3][256];
        snprintf(request, sizeof(request),
                 "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n", cases[i].fields);
        client_call(edge, request, answer, sizeof(answer));
        CHECK_INT(
            cases[i].name,
            sscanf(cases[i].expected, "%255[^|]|%255[^|]|%255s", parts[0], parts[1], parts[2]), 3);
        snprintf(
            expected, sizeof(expected),
            "\r\nX-Forwarded-For: %.99s\r\nX-Forwarded-Proto: %.99s\r\nX-Forwarded-Host: %.99s\r\n",
            parts[0], parts[1], parts[2]);
        origin_last(edge->origin, last, sizeof(last));
        CHECK(cases[i].name, strstr(last, expected));
        CHECK(cases[i].name, !strstr(last, "X-Real-IP"));
    }
    edge_stop(edge);
}

/* --- the log --- */

static void each_request_is_logged_without_its_secrets(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        const char *expected[6];
    } cases[] = {
        {"GET /a/b?token=hidden HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Request-Id: one\r\n"
         "Authorization: Bearer hidden\r\nX-Forwarded-For: 1.1.1.1, 2.2.2.2, 127.0.0.9\r\n\r\n",
         {"\"request_id\":\"one\"", "\"method\":\"GET\"", "\"path\":\"/a/b\"", "\"status\":200",
          "\"bytes\":2,", "\"client\":\"2.2.2.2\""}},
        {"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Request-Id: two\r\n"
         "X-Forwarded-For: 1.1.1.1, hidden\r\n\r\n",
         {"\"request_id\":\"two\"", "\"client\":\"127.0.0.1\"", "\"upstream\":\"origin\""}},
        {"GET /hidden/.. HTTP/1.1\r\nHost: h\r\n\r\n",
         {"\"status\":400", "\"upstream\":null", "\"path\":\"\""}},
    };
    char name[] = "/tmp/gateway-log-XXXXXX", trusted[] = "127.0.0.0/8";
    int log = mkstemp(name);
    unlink(name);
    struct edge *edge = edge_start(&(struct edge_options){.trusted = trusted, .log_fd = log});
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char answer[OUT], text[OUT];
        client_call(edge, cases[i].request, answer, sizeof(answer));
        edge_await(edge, "gateway_client_connections", 0);
        ssize_t len = pread(log, text, sizeof(text) - 1, 0);
        text[len] = '\0';
        for (size_t j = 0; j < 6 && cases[i].expected[j]; j++)
            CHECK(cases[i].expected[j], strstr(text, cases[i].expected[j]));
        CHECK(cases[i].request, !strstr(text, "hidden"));
        assert_int_equal(ftruncate(log, 0), 0);
        lseek(log, 0, SEEK_SET);
    }
    edge_stop(edge);
    close(log);
}

static void a_broken_answer_is_logged_with_its_reason(void **state)
{
    (void)state;
    char name[] = "/tmp/gateway-log-XXXXXX", text[OUT], answer[OUT];
    int log = mkstemp(name);
    unlink(name);
    struct edge *edge = edge_start(&(struct edge_options){.log_fd = log});
    origin_play(edge->origin,
                (struct script){"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", 0, CLOSE, WHOLE});
    client_call(edge, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", answer, sizeof(answer));
    edge_await(edge, "gateway_client_connections", 0);
    ssize_t len = pread(log, text, sizeof(text) - 1, 0);
    text[len] = '\0';
    assert_non_null(strstr(text, "\"failure\":\"the upstream broke off its answer\""));
    edge_stop(edge);
    close(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_written_anew),
        cmocka_unit_test(answers_are_written_anew),
        cmocka_unit_test(request_ids),
        cmocka_unit_test(traces_go_on),
        cmocka_unit_test(errors_have_ids_too),
        cmocka_unit_test(trusted_proxies_are_believed),
        cmocka_unit_test(each_request_is_logged_without_its_secrets),
        cmocka_unit_test(a_broken_answer_is_logged_with_its_reason),
    };
    return cmocka_run_group_tests_name("forward", tests, NULL, NULL);
}
