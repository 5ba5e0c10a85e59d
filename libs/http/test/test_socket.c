/* What the server makes of bytes on a real socket. */
#include "check.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <base/str.h>
#include <slog/slog.h>

#include "raw.h"
#include "sample.h"

static struct http_server *start_with(const struct http_server_options *options)
{
    struct http_server *server = NULL;
    struct err *e = http_server_start(options, &server);
    if (e)
        fail_msg("%s", err_detail(e));
    return server;
}

static int start(void **state)
{
    struct http_server_options options = sample_options();
    slog_init(&(struct slog_options){.level = SLOG_OFF});
    options.address = "127.0.0.1:0";
    *state = start_with(&options);
    return 0;
}

static int stop(void **state)
{
    http_server_stop(*state, 1000);
    return 0;
}

#define ANSWER_MAX ((size_t)1 << 20)
#define HOST       "Host: x\r\n"
#define CLOSE      "Connection: close\r\n"
#define END        "\r\n"

/* --- refused requests --- */

static void check_refused(struct http_server *server, const char *name, const char *text,
                          int status, const char *code)
{
    _cleanup_(buf_deinit) struct buf answer = BUF_INIT(ANSWER_MAX);
    int got = raw_call(server, text, &answer);
    if (got != status || !strstr(buf_text(&answer), code))
        fail_msg("%s: not %d %s but: %s", name, status, code, buf_text(&answer));
    CHECK(name, strstr(answer.data, "\r\nContent-Type: application/problem+json\r\n"));
    CHECK(name, strstr(answer.data, "\r\nX-Request-Id: "));
    CHECK(name, strstr(answer.data, "\r\nConnection: close\r\n"));
    /* One answer and no more, however much was sent behind. */
    CHECK(name, !strstr(answer.data, "}HTTP/1.1 "));
}

static const struct {
    const char *name, *text;
    int status;
    const char *code;
} refused[] = {
    {"garbage", "\x16\x03\x01\x02 not HTTP\r\n\r\n", 400, "bad_request"},
    {"one byte", "\x01", 400, "bad_request"},
    {"no version", "GET /\r\n\r\n", 400, "bad_request"},
    {"HTTP/0.9", "GET / HTTP/0.9\r\n\r\n", 505, "http_version_not_supported"},
    {"HTTP/2", "GET / HTTP/2.0\r\n\r\n", 505, "http_version_not_supported"},
    {"other protocol", "GET / HTPP/1.1\r\n\r\n", 400, "bad_request"},
    {"method", "BREW /items HTTP/1.1\r\n" HOST END, 405, "method_not_allowed"},
    {"method nowhere", "BREW /nowhere?a HTTP/1.1\r\n" HOST END, 404, "route_not_found"},
    {"method in lower case", "get /items HTTP/1.1\r\n" HOST END, 405, "method_not_allowed"},
    {"TRACE", "TRACE /items HTTP/1.1\r\n" HOST END, 405, "method_not_allowed"},
    {"empty lines first", "\r\n\r\nGET /public HTTP/1.1\r\n" HOST END, 400, "bad_request"},
    {"an empty line first", "\r\nGET /public HTTP/1.1\r\n" HOST END, 400, "bad_request"},
    {"bare LF", "GET /public HTTP/1.1\n" HOST "\n", 400, "bad_request"},
    {"bare LF in a header", "GET /public HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", 400, "bad_request"},
    {"bare CR", "GET /public HTTP/1.1\r\nHost: x\rA: b\r\n\r\n", 400, "bad_request"},
    {"folded", "GET /public HTTP/1.1\r\nHost: x\r\n y\r\n\r\n", 400, "bad_request"},
    {"space before the colon", "GET /public HTTP/1.1\r\nHost : x\r\n\r\n", 400, "bad_request"},
    {"no colon", "GET /public HTTP/1.1\r\nHost: x\r\nA\r\n\r\n", 400, "bad_request"},
    {"no name", "GET /public HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n", 400, "bad_request"},
    {"odd name", "GET /public HTTP/1.1\r\nHost: x\r\nA[]: a\r\n\r\n", 400, "bad_request"},
    {"control character", "GET /public HTTP/1.1\r\nHost: x\x02\r\n\r\n", 400, "bad_request"},
    {"two spaces", "GET  /public HTTP/1.1\r\n" HOST END, 400, "bad_request"},
    {"no Host", "GET /public HTTP/1.1\r\n\r\n", 400, "bad_request"},
    {"two Hosts", "GET /public HTTP/1.1\r\n" HOST HOST END, 400, "bad_request"},
    {"not a path", "GET public HTTP/1.1\r\n" HOST END, 400, "bad_request"},
    {"not ASCII", "GET /caf\xc3\xa9 HTTP/1.1\r\n" HOST END, 400, "bad_request"},
    {"both lengths",
     "POST /echo HTTP/1.1\r\n" HOST
     "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     400, "bad_request"},
    {"length twice",
     "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400,
     "bad_request"},
    {"length list", "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n\r\na", 400,
     "bad_request"},
    {"signed length", "POST /echo HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\na", 400,
     "bad_request"},
    {"negative length", "POST /echo HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\na", 400,
     "bad_request"},
    {"no length", "POST /echo HTTP/1.1\r\n" HOST "Content-Length: x\r\n\r\na", 400, "bad_request"},
    {"coding", "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", 400,
     "bad_request"},
    {"coding list", "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 400,
     "bad_request"},
    {"identity", "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n", 400,
     "bad_request"},
    {"coding twice",
     "POST /echo HTTP/1.1\r\n" HOST
     "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
     400, "bad_request"},
    {"chunks in 1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
     "bad_request"},
#define CHUNKED                                                                                    \
    "POST /echo HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\nTransfer-Encoding: "               \
    "chunked\r\n\r\n"
    {"chunk size", CHUNKED "x\r\na\r\n0\r\n\r\n", 400, "bad_request"},
    {"empty chunk size", CHUNKED "\r\na\r\n0\r\n\r\n", 400, "bad_request"},
    {"chunk too long", CHUNKED "1\r\nab\r\n0\r\n\r\n", 400, "bad_request"},
    {"huge chunk", CHUNKED "ffffffffffffffff\r\na\r\n0\r\n\r\n", 400, "bad_request"},
    {"length too large",
     "POST /echo HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\nContent-Length: 1048577\r\n\r\n",
     413, "body_too_large"},
    {"length absurd",
     "POST /echo HTTP/1.1\r\n" HOST
     "Content-Type: text/plain\r\nContent-Length: 9223372036854775807\r\n\r\n",
     413, "body_too_large"},
};

static void test_refused(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        check_refused(*state, refused[i].name, refused[i].text, refused[i].status, refused[i].code);
}

/* Whatever a thread sees first, it answers what comes later. */
static void test_empty_lines_first(void **state)
{
    (void)state;
    /* As many bytes as malloc() aligns to: a thread that does not know its buffer yet cannot tell
     * that the request does not begin there. */
    static const char late[] =
        END END END END END END END END "GET /public HTTP/1.1\r\n" HOST CLOSE END;
    static const struct {
        const char *text;
        int status;
    } rows[] = {
        {late, 200},
        {"GET /public HTTP/1.1\r\n" HOST CLOSE END, 200},
        {late, 400},
        {"GET /public HTTP/1.1\r\n" HOST CLOSE END, 200},
    };
    struct http_server_options options = sample_options();
    options.address = "127.0.0.1:0";
    options.threads = 1;
    struct http_server *server = start_with(&options);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf answer = BUF_INIT(ANSWER_MAX);
        CHECK_INT(rows[i].text, raw_call(server, rows[i].text, &answer), rows[i].status);
    }
    http_server_stop(server, 1000);
}

static void test_half_requests(void **state)
{
    static const char *const beginnings[] = {
        "GET /pub",
        "GET /public HTTP/1.1\r\n",
        "GET /public HTTP/1.1\r\nHost: x\r\n",
        CHUNKED,
        CHUNKED "5\r\nab",
        "POST /echo HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\nContent-Length: 9\r\n\r\nabc"};
    for (size_t i = 0; i < ARRAY_LEN(beginnings); i++) {
        _cleanup_(buf_deinit) struct buf answer = BUF_INIT(ANSWER_MAX);
        int fd = raw_connect(*state);
        raw_send_text(fd, beginnings[i]);
        shutdown(fd, SHUT_WR);
        raw_read_all(fd, &answer);
        close(fd);
        CHECK(beginnings[i], str_starts_with(buf_text(&answer), "HTTP/1.1 400 "));
        /* And one who does not even wait for it. */
        fd = raw_connect(*state);
        raw_send_text(fd, beginnings[i]);
        close(fd);
    }
}

/* --- sizes --- */

static void fill(struct buf *out, const char *before, size_t count, const char *after)
{
    buf_reset(out);
    buf_append_str(out, before);
    for (size_t i = 0; i < count; i++)
        buf_append_char(out, 'a');
    buf_append_str(out, after);
    assert_int_equal(buf_status(out), BUF_OK);
}

static void test_sizes(void **state)
{
    static const struct {
        const char *name, *before;
        size_t count;
        const char *after;
        int status;
        const char *code;
    } rows[] = {
        {"target that fits", "GET /files/", 8000, " HTTP/1.1\r\n" HOST CLOSE END, 200, "aaaa"},
        {"target", "GET /", 8192, " HTTP/1.1\r\n" HOST END, 414, "uri_too_long"},
        {"query", "GET /public?", 9000, " HTTP/1.1\r\n" HOST END, 414, "uri_too_long"},
        {"target of 16 KiB", "GET /", 16384, " HTTP/1.1\r\n" HOST END, 414, "uri_too_long"},
        {"header that fits", "GET /public HTTP/1.1\r\n" HOST CLOSE "A: ", 16000, "\r\n\r\n", 200,
         "nobody"},
        {"header", "GET /public HTTP/1.1\r\n" HOST "A: ", 16384, "\r\n\r\n", 431,
         "headers_too_large"},
        {"header of 40 KB", "GET /public HTTP/1.1\r\n" HOST "A: ", 40000, "\r\n\r\n", 431,
         "headers_too_large"},
        {"header of 1 MB", "GET /public HTTP/1.1\r\n" HOST "A: ", 1000000, "\r\n\r\n", 431,
         "headers_too_large"},
        {"no end", "GET /public HTTP/1.1\r\n" HOST "A: ", 100000, "", 431, "headers_too_large"},
        {"target of 100 KB", "GET /", 100000, " HTTP/1.1\r\n" HOST END, 431, "headers_too_large"},
        {"body that fits",
         "POST /echo HTTP/1.1\r\n" HOST CLOSE
         "Content-Type: text/plain\r\nContent-Length: 1048576\r\n\r\n",
         1048576, "", 200, "aaaa"},
        {"body",
         "POST /echo HTTP/1.1\r\n" HOST
         "Content-Type: text/plain\r\nContent-Length: 3000000\r\n\r\n",
         3000000, "", 413, "body_too_large"},
        {"chunked body", CHUNKED "200000\r\n", 2097152, "\r\n0\r\n\r\n", 413, "body_too_large"},
    };
    _cleanup_(buf_deinit) struct buf request = BUF_INIT(4 << 20);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        /* As the first and as the second request of a connection. */
        for (int earlier = 0; earlier <= 1; earlier++) {
            _cleanup_(buf_deinit) struct buf answer = BUF_INIT(4 << 20), rest = BUF_INIT(4 << 20);
            int fd = raw_connect(*state);
            if (earlier) {
                raw_send_text(fd, "GET /public HTTP/1.1\r\n" HOST END);
                CHECK_INT(rows[i].name, raw_read_answer(fd, &rest, &answer), 200);
                buf_reset(&answer);
            }
            fill(&request, rows[i].before, rows[i].count, rows[i].after);
            raw_send(fd, request.data, request.len);
            CHECK_INT(rows[i].name, raw_read_answer(fd, &rest, &answer), rows[i].status);
            CHECK(rows[i].name, strstr(buf_text(&answer), rows[i].code));
            raw_read_all(fd, &rest);
            CHECK_INT(rows[i].name, rest.len, 0);
            close(fd);
        }
    }
}

static void test_many_headers(void **state)
{
    _cleanup_(buf_deinit) struct buf request = BUF_INIT(65536);
    for (int count = 62; count <= 70; count += 1) {
        _cleanup_(buf_deinit) struct buf answer = BUF_INIT(ANSWER_MAX);
        buf_reset(&request);
        buf_append_str(&request, "GET /public HTTP/1.1\r\n" HOST);
        for (int i = 2; i < count; i++)
            buf_append_str(&request, "A: b\r\n");
        buf_append_str(&request, CLOSE END);
        int status = raw_call(*state, buf_text(&request), &answer);
        assert_int_equal(status, count <= 63 ? 200 : 431);
    }
}

/* --- bodies --- */

static void test_bodies(void **state)
{
    static const struct {
        const char *name, *text, *body;
    } rows[] = {
        {"length",
         "POST /echo HTTP/1.1\r\n" HOST CLOSE
         "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
         "hello"},
        {"spaces around",
         "POST /echo HTTP/1.1\r\n" HOST CLOSE
         "Content-Type:text/plain  \r\nContent-Length:   5 \r\n\r\nhello",
         "hello"},
        {"1.0", "POST /echo HTTP/1.0\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
         "hello"},
        {"chunked",
         "POST /echo HTTP/1.1\r\n" HOST CLOSE "Content-Type: text/plain\r\n"
         "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n006\r\n world\r\n0\r\n\r\n",
         "hello world"},
        {"no chunk",
         "POST /echo HTTP/1.1\r\n" HOST CLOSE "Content-Type: text/plain\r\n"
         "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf answer = BUF_INIT(ANSWER_MAX);
        int status = raw_call(*state, rows[i].text, &answer);
        CHECK_INT(rows[i].name, status, 200);
        CHECK_STR(rows[i].name, strstr(answer.data, "\r\n\r\n") + 4, rows[i].body);
    }
}

static void test_continue(void **state)
{
    _cleanup_(buf_deinit) struct buf answer = BUF_INIT(ANSWER_MAX), rest = BUF_INIT(ANSWER_MAX);
    int fd = raw_connect(*state);
    raw_send_text(fd, "POST /echo HTTP/1.1\r\n" HOST CLOSE "Expect: 100-continue\r\n"
                      "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\n");
    assert_int_equal(raw_read_answer(fd, &rest, &answer), 100);
    assert_string_equal(answer.data, "HTTP/1.1 100 Continue\r\n\r\n");
    raw_send_text(fd, "hello");
    buf_reset(&answer);
    assert_int_equal(raw_read_answer(fd, &rest, &answer), 200);
    assert_true(str_ends_with(answer.data, "\r\n\r\nhello"));
    close(fd);
    /* Who is not_asked is not asked for the body; who asks nothing gets no interim answer. */
    static const char *const not_asked[] = {
        ("POST /echo HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
         "Content-Type: text/plain\r\nContent-Length: 3000000\r\n\r\n"),
        "POST /nowhere HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
        ("POST /echo HTTP/1.0\r\nExpect: 100-continue\r\n"
         "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"),
    };
    for (size_t i = 0; i < ARRAY_LEN(not_asked); i++) {
        buf_reset(&answer);
        CHECK(not_asked[i], raw_call(*state, not_asked[i], &answer) != 100);
        CHECK(not_asked[i], strstr(answer.data, "\r\nConnection: close\r\n"));
    }
}

/* --- connections --- */

static void test_keep_alive(void **state)
{
    static const struct {
        const char *text;
        int status;
    } rows[] = {
        {"GET /public HTTP/1.1\r\n" HOST END, 200},
        {"GET /nowhere HTTP/1.1\r\n" HOST END, 404},
        {"POST /nowhere HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", 404},
        {"POST /items HTTP/1.1\r\n" HOST
         "Content-Type: application/json\r\nContent-Length: 1\r\n\r\n{",
         400},
        {"POST /me HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
         405},
        {"GET /stream/10 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", -1},
    };
    _cleanup_(buf_deinit) struct buf rest = BUF_INIT(ANSWER_MAX);
    int fd = raw_connect(*state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf answer = BUF_INIT(ANSWER_MAX);
        raw_send_text(fd, rows[i].text);
        if (rows[i].status > 0) {
            CHECK_INT(rows[i].text, raw_read_answer(fd, &rest, &answer), rows[i].status);
            CHECK(rows[i].text, !strstr(answer.data, "Connection: close"));
        } else {
            /* 1.0 knows no chunks: the stream ends with the connection. */
            raw_read_all(fd, &rest);
            CHECK(rows[i].text, strstr(rest.data, "\r\nConnection: close\r\n"));
            CHECK(rows[i].text, str_ends_with(rest.data, "\r\n\r\nxxxxxxxxxx"));
        }
    }
    close(fd);
}

/* No body follows the length. */
static void test_head(void **state)
{
    _cleanup_(buf_deinit) struct buf answer = BUF_INIT(ANSWER_MAX);
    assert_int_equal(raw_call(*state,
                              "HEAD /public HTTP/1.1\r\n" HOST END
                              "GET /public HTTP/1.1\r\n" HOST CLOSE END,
                              &answer),
                     200);
    const char *end = strstr(answer.data, "\r\n\r\n") + 4;
    assert_non_null(strstr(answer.data, "\r\nContent-Length: 6\r\n"));
    assert_true(str_starts_with(end, "HTTP/1.1 200 OK\r\n"));
    assert_true(str_ends_with(end, "\r\n\r\nnobody"));
}

static void test_versions(void **state)
{
    static const struct {
        const char *text, *connection; /* NULL: no such header, and it goes on */
    } rows[] = {
        {"GET /public HTTP/1.1\r\n" HOST END, NULL},
        {"GET /public HTTP/1.1\r\n" HOST "Connection: keep-alive\r\n\r\n", NULL},
        {"GET /public HTTP/1.1\r\n" HOST "Connection: TE\r\n\r\n", "close"},
        {"GET /public HTTP/1.1\r\n" HOST CLOSE END, "close"},
        {"GET /public HTTP/1.0\r\n\r\n", "close"},
        {"GET /public HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive"},
        {"GET /public HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
         "close"},
        {"GET /public HTTP/1.1\r\n" HOST "Connection: keep-alive, Upgrade\r\nUpgrade: h2c\r\n\r\n",
         "close"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf answer = BUF_INIT(ANSWER_MAX), rest = BUF_INIT(ANSWER_MAX);
        int fd = raw_connect(*state);
        raw_send_text(fd, rows[i].text);
        CHECK_INT(rows[i].text, raw_read_answer(fd, &rest, &answer), 200);
        const char *connection = strstr(answer.data, "\r\nConnection: ");
        if (rows[i].connection)
            CHECK(rows[i].text, connection && str_starts_with(connection + 14, rows[i].connection));
        else
            CHECK(rows[i].text, !connection);
        bool goes_on = !rows[i].connection || strcmp(rows[i].connection, "close") != 0;
        raw_send_text(fd, "GET /public HTTP/1.1\r\n" HOST CLOSE END);
        buf_reset(&answer);
        CHECK_INT(rows[i].text, raw_read_answer(fd, &rest, &answer), goes_on ? 200 : 0);
        close(fd);
    }
}

static void test_pipelining(void **state)
{
    _cleanup_(buf_deinit) struct buf rest = BUF_INIT(ANSWER_MAX);
    int fd = raw_connect(*state);
    raw_send_text(fd,
                  "GET /files/1 HTTP/1.1\r\n" HOST END "POST /items HTTP/1.1\r\n" HOST
                  "Content-Type: application/json\r\n"
                  "Content-Length: 12\r\n\r\n{\"name\":\"2\"}"
                  "GET /files/3 HTTP/1.1\r\n" HOST END "GET /files/4 HTTP/1.1\r\n" HOST CLOSE END
                  "GET /files/5 HTTP/1.1\r\n" HOST END);
    static const char *const endings[] = {"\r\n\r\n1", "\r\n\r\n{\"name\":\"2\",\"size\":7}",
                                          "\r\n\r\n3", "\r\n\r\n4"};
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        _cleanup_(buf_deinit) struct buf answer = BUF_INIT(ANSWER_MAX);
        CHECK_INT(endings[i], raw_read_answer(fd, &rest, &answer), i == 1 ? 201 : 200);
        CHECK(endings[i], str_ends_with(answer.data, endings[i]));
    }
    raw_read_all(fd, &rest);
    assert_int_equal(rest.len, 0);
    close(fd);
}

static void test_targets(void **state)
{
    const char *port = strchr(http_server_address(*state), ':') + 1;
    static const struct {
        const char *name, *before, *after;
        int status;
    } rows[] = {
        {"absolute", "GET http://x:", "/public HTTP/1.1\r\n" HOST CLOSE END, 200},
        {"absolute without a path", "GET http://x:", " HTTP/1.1\r\n" HOST CLOSE END, 400},
        {"another port", "GET http://x:1", "/public HTTP/1.1\r\n" HOST CLOSE END, 0},
        {"authority", "CONNECT x:", " HTTP/1.1\r\n" HOST CLOSE END, 400},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf answer = BUF_INIT(ANSWER_MAX);
        char text[256];
        snprintf(text, sizeof(text), "%s%s%s", rows[i].before, rows[i].status == 0 ? "" : port,
                 rows[i].after);
        CHECK_INT(rows[i].name, raw_call(*state, text, &answer), rows[i].status);
    }
    _cleanup_(buf_deinit) struct buf answer = BUF_INIT(ANSWER_MAX);
    assert_int_equal(raw_call(*state, "OPTIONS * HTTP/1.1\r\n" HOST CLOSE END, &answer), 0);
}

/* Nothing of what civetweb can do by itself is there. */
static void test_civetweb_is_hidden(void **state)
{
    static const char *const requests[] = {
        "GET /etc/passwd HTTP/1.1\r\n" HOST CLOSE END,
        "GET /test_socket.c HTTP/1.1\r\n" HOST CLOSE END,
        "GET /x.cgi HTTP/1.1\r\n" HOST CLOSE END,
        "PROPFIND /raw.c HTTP/1.1\r\n" HOST CLOSE END,
        "PUT /new.txt HTTP/1.1\r\n" HOST CLOSE "Content-Length: 1\r\n\r\na",
        "OPTIONS /new.txt HTTP/1.1\r\n" HOST CLOSE
        "Origin: http://a\r\nAccess-Control-Request-Method: GET\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        _cleanup_(buf_deinit) struct buf answer = BUF_INIT(ANSWER_MAX);
        CHECK_INT(requests[i], raw_call(*state, requests[i], &answer), 404);
        CHECK(requests[i], strstr(answer.data, "route_not_found"));
    }
}

/* --- listening --- */

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *address, *begin;
    } rows[] = {{"127.0.0.1:0", "127.0.0.1:"}, {":0", ":"}, {"localhost:0", "localhost:"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf answer = BUF_INIT(ANSWER_MAX);
        struct http_server_options options = sample_options();
        options.address = rows[i].address;
        struct http_server *server = start_with(&options);
        const char *address = http_server_address(server);
        CHECK(rows[i].address, str_starts_with(address, rows[i].begin));
        CHECK(rows[i].address, !str_ends_with(address, ":0"));
        CHECK_INT(rows[i].address,
                  raw_call(server, "GET /public HTTP/1.1\r\n" HOST CLOSE END, &answer), 200);
        http_server_stop(server, 0);
    }
}

static void test_wrong_addresses(void **state)
{
    const char *taken = http_server_address(*state);
    char in_use[128];
    snprintf(in_use, sizeof(in_use), "listen on %s: Address already in use", taken);
    const struct {
        const char *address, *error;
    } rows[] = {
        {taken, in_use},
        {"", "listen on : not host:port, :port or [v6]:port"},
        {"8080", "listen on 8080: not host:port, :port or [v6]:port"},
        {"127.0.0.1:", "listen on 127.0.0.1:: not host:port, :port or [v6]:port"},
        {"127.0.0.1:65536", "listen on 127.0.0.1:65536: not host:port, :port or [v6]:port"},
        {"127.0.0.1:8080s", "listen on 127.0.0.1:8080s: not host:port, :port or [v6]:port"},
        {"1.1.1.1:1,127.0.0.1:2",
         "listen on 1.1.1.1:1,127.0.0.1:2: not host:port, :port or [v6]:port"},
        {"::1:80", "listen on ::1:80: not host:port, :port or [v6]:port"},
        {"192.0.2.1:80", "listen on 192.0.2.1:80: Cannot assign requested address"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_server_options options = sample_options();
        struct http_server *server = NULL;
        options.address = rows[i].address;
        _cleanup_(err_free) struct err *e = http_server_start(&options, &server);
        CHECK(rows[i].address, e && !server);
        CHECK_STR(rows[i].address, err_detail(e), rows[i].error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_empty_lines_first),
        cmocka_unit_test(test_half_requests),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_many_headers),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_continue),
        cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_pipelining),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_civetweb_is_hidden),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_wrong_addresses),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
