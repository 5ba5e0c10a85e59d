#include "check.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/str.h>
#include <http/client.h>
#include <slog/slog.h>
#include <slog/trace.h>

#include "alloc_fail.h"
#include "script.h"

static struct http_client *new_client(int64_t timeout_ms)
{
    struct http_client *client = NULL;
    assert_null(http_client_new(
        &(struct http_client_options){.timeout_ms = timeout_ms, .max_answer = 1000}, &client));
    return client;
}

static struct err *get(struct http_client *client, const char *url, struct http_answer *out)
{
    const struct http_request request = {.method = GET, .url = url};
    return http_client_call(client, NULL, &request, out);
}

#define LENGTH(n) "Content-Length: " #n "\r\n\r\n"
#define CHUNKED   "Transfer-Encoding: chunked\r\n\r\n"
#define OK        "HTTP/1.1 200 OK\r\n"

static void test_answers(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum http_method method;
        const char *answer;
        int status;
        const char *body;
    } rows[] = {
        {"length", GET, OK LENGTH(5) "hello", 200, "hello"},
        {"empty", GET, OK LENGTH(0), 200, ""},
        {"error", GET, "HTTP/1.1 503 Away\r\n" LENGTH(2) "no", 503, "no"},
        {"chunks", GET, OK CHUNKED "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", 200, "hello"},
        {"to the end", GET, "!" OK "\r\nhello", 200, "hello"},
        {"1.0", GET, "!HTTP/1.0 200 OK\r\n\r\nhello", 200, "hello"},
        {"no content", DELETE, "HTTP/1.1 204 No Content\r\n\r\n", 204, ""},
        {"HEAD", HEAD, OK LENGTH(5), 200, ""},
        {"interim", GET,
         "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\n" OK LENGTH(5) "hello",
         200, "hello"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(http_answer_deinit) struct http_answer answer = {0};
        struct script script = {.answers = (const char *const[]){rows[i].answer, NULL}};
        script_start(&script);
        struct http_client *client = new_client(0);
        const struct http_request request = {.method = rows[i].method, .url = script.url};
        CHECK(rows[i].name, !http_client_call(client, NULL, &request, &answer));
        CHECK_INT(rows[i].name, answer.status, rows[i].status);
        CHECK_STR(rows[i].name, answer.body, rows[i].body);
        CHECK_INT(rows[i].name, answer.body_len, strlen(rows[i].body));
        http_client_free(client);
        script_stop(&script);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *answer, *detail;
    } rows[] = {
        {"nothing", "!", "closed the connection before"},
        {"half a head", "!HTTP/1.1 200 OK\r\nA:", "closed the connection before"},
        {"garbage", "!hello\r\n\r\n", "status line is malformed"},
        {"half a body", "!" OK LENGTH(5) "hel", "closed the connection before"},
        {"half a chunk", "!" OK CHUNKED "5\r\nhel", "closed the connection before"},
        {"wrong chunk", OK CHUNKED "x\r\n", "chunk size is malformed"},
        {"words after a chunk size", OK CHUNKED "1 x\r\na\r\n0\r\n\r\n", "chunk size is malformed"},
        {"both lengths", OK "Content-Length: 1\r\n" CHUNKED, "framing is malformed"},
        {"too long", OK LENGTH(1001) "a", "more than 1000 bytes"},
        {"too many chunks", OK CHUNKED "3e9\r\n", "more than 1000 bytes"},
        {"another protocol", "HTTP/1.1 101 Switching\r\n\r\n", "none to this request"},
#define INTERIM "HTTP/1.1 100 Continue\r\n\r\n"
        {"interim for ever",
         INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM,
         "none to this request"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(http_answer_deinit) struct http_answer answer = {0};
        struct script script = {.answers = (const char *const[]){rows[i].answer, NULL}};
        script_start(&script);
        struct http_client *client = new_client(0);
        _cleanup_(err_free) struct err *e = get(client, script.url, &answer);
        CHECK(rows[i].name, err_kind(e) == &ERR_UPSTREAM_UNAVAILABLE);
        if (!strstr(err_detail(e), rows[i].detail))
            fail_msg("%s: %s", rows[i].name, err_detail(e));
        CHECK_INT(rows[i].name, answer.status, 0);
        http_client_free(client);
        script_stop(&script);
    }
}

static void test_large_ones(void **state)
{
    (void)state;
    static char head[80000], to_the_end[2000];
    memcpy(head, OK "A: ", sizeof(OK) + 2);
    memset(head + sizeof(OK) + 2, 'a', sizeof(head) - sizeof(OK) - 3);
    memcpy(to_the_end, "!" OK "\r\n", sizeof(OK) + 2);
    memset(to_the_end + sizeof(OK) + 2, 'a', sizeof(to_the_end) - sizeof(OK) - 3);
    const struct {
        const char *answer, *detail;
    } rows[] = {{head, "the answer's header section has more than 65536 bytes"},
                {to_the_end, "the answer has more than 1000 bytes"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(http_answer_deinit) struct http_answer answer = {0};
        struct script script = {.answers = (const char *const[]){rows[i].answer, NULL}};
        script_start(&script);
        struct http_client *client = new_client(0);
        _cleanup_(err_free) struct err *e = get(client, script.url, &answer);
        assert_string_equal(err_detail(e), rows[i].detail);
        http_client_free(client);
        script_stop(&script);
    }
}

/* --- what is sent --- */

static void test_request(void **state)
{
    (void)state;
    struct trace trace;
    trace_start(&trace, "the-id", "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01");
    const struct {
        const char *name;
        struct http_request request;
        const char *expected[4];
        const char *missing;
    } rows[] = {
        {"GET", {.method = GET}, {"GET /x HTTP/1.1\r\nHost: 127.0.0.1:"}, "Content-Length"},
        {"trace",
         {.method = GET},
         {"\r\ntraceparent: 00-0123456789abcdef0123456789abcdef-", "\r\nX-Request-Id: the-id\r\n"},
         "Content-Type"},
        {"own trace",
         {.method = GET, .headers = HTTP_HEADERS({"x-request-id", "mine"})},
         {"\r\nx-request-id: mine\r\n"},
         "the-id"},
        {"POST",
         {.method = POST, .body = "{}", .body_len = 2},
         {"POST /x HTTP/1.1\r\n", "\r\nContent-Type: application/json\r\n",
          "\r\nContent-Length: 2\r\n\r\n{}"},
         "Transfer-Encoding"},
        {"type",
         {.method = PUT,
          .body = "a",
          .body_len = 1,
          .headers = HTTP_HEADERS({"Content-Type", "text/plain"})},
         {"PUT /x HTTP/1.1\r\n", "\r\nContent-Type: text/plain\r\n"},
         "application/json"},
        {"empty POST", {.method = POST}, {"\r\nContent-Length: 0\r\n\r\n"}, "Content-Type"},
        {"headers",
         {.method = GET, .headers = HTTP_HEADERS({"A", "b"}, {"C", "d\te"})},
         {"\r\nA: b\r\nC: d\te\r\n"},
         "Content-Length"},
    };
    const struct trace *outer = trace_set_current(&trace);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(http_answer_deinit) struct http_answer answer = {0};
        struct script script = {
            .answers = (const char *const[]){OK "X-A: b\r\nx-c: d\r\n" LENGTH(0), NULL}};
        script_start(&script);
        struct http_client *client = new_client(0);
        struct http_request request = rows[i].request;
        request.url = script.url;
        CHECK(rows[i].name, !http_client_call(client, NULL, &request, &answer));
        CHECK_STR(rows[i].name, http_answer_header(&answer, "x-a"), "b");
        CHECK_STR(rows[i].name, http_answer_header(&answer, "X-C"), "d");
        CHECK(rows[i].name, !http_answer_header(&answer, "X-D"));
        http_client_free(client);
        script_stop(&script);
        const char *sent = script.request;
        for (size_t p = 0; p < 4 && rows[i].expected[p]; p++)
            if (!strstr(sent, rows[i].expected[p]))
                fail_msg("%s: no %s in %s", rows[i].name, rows[i].expected[p], sent);
        CHECK(rows[i].name, !strstr(sent, rows[i].missing));
    }
    trace_set_current(outer);
}

static void test_not_sent(void **state)
{
    (void)state;
    static const struct {
        const char *name, *url;
        struct http_header_pair headers[2];
    } rows[] = {
        {"split value", "http://127.0.0.1:1/", {{"A", "b\r\nC: d"}}},
        {"split name", "http://127.0.0.1:1/", {{"A: b\r\nC", "d"}}},
        {"Host", "http://127.0.0.1:1/", {{"host", "x"}}},
        {"length", "http://127.0.0.1:1/", {{"Content-Length", "7"}}},
        {"coding", "http://127.0.0.1:1/", {{"Transfer-Encoding", "chunked"}}},
        {"URL", "ftp://127.0.0.1:1/", {{0}}},
    };
    struct http_client *client = new_client(0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_answer answer = {0};
        const struct http_request request = {
            .url = rows[i].url, .headers = rows[i].headers, .method = GET};
        _cleanup_(err_free) struct err *e = http_client_call(client, NULL, &request, &answer);
        CHECK(rows[i].name, err_kind(e) == &ERR_INTERNAL);
    }
    http_client_free(client);
}

/* --- connections --- */

static void test_reuse(void **state)
{
    (void)state;
#define FINE   OK LENGTH(1) "a"
#define FINAL  OK "Connection: close\r\n" LENGTH(1) "a"
#define EXCESS OK LENGTH(1) "ab"
    static const struct {
        const char *name;
        const char *answers[5];
        int calls, connections;
    } rows[] = {
        {"kept", {FINE, FINE, FINE}, 3, 1},
        {"closed by the server's word", {FINAL, FINAL, FINE}, 3, 3},
        {"closed in silence", {"!" FINE, "!" FINE, FINE}, 3, 3},
        {"more than was asked for", {EXCESS, FINE}, 2, 2},
        {"closed when used again", {FINE, "!", FINE}, 2, 2},
        {"chunks", {OK CHUNKED "1\r\na\r\n0\r\n\r\n", FINE}, 2, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct script script = {.answers = rows[i].answers};
        script_start(&script);
        struct http_client *client = new_client(0);
        for (int n = 0; n < rows[i].calls; n++) {
            _cleanup_(http_answer_deinit) struct http_answer answer = {0};
            CHECK(rows[i].name, !get(client, script.url, &answer));
            CHECK_STR(rows[i].name, answer.body, "a");
        }
        http_client_free(client);
        script_stop(&script);
        CHECK_INT(rows[i].name, script.connections, rows[i].connections);
    }
}

/* What may have been done already is not done twice. */
static void test_no_second_post(void **state)
{
    (void)state;
    _cleanup_(http_answer_deinit) struct http_answer answer = {0};
    struct script script = {.answers = (const char *const[]){FINE, "!", FINE, NULL}};
    script_start(&script);
    struct http_client *client = new_client(0);
    const struct http_request request = {.method = POST, .url = script.url};
    assert_null(http_client_call(client, NULL, &request, &answer));
    _cleanup_(err_free) struct err *e = http_client_call(client, NULL, &request, &answer);
    assert_ptr_equal(err_kind(e), &ERR_UPSTREAM_UNAVAILABLE);
    assert_int_equal(answer.status, 0);
    http_client_free(client);
    script_stop(&script);
    assert_int_equal(script.connections, 1);
}

/* The answer to a body that the server does not want to read. */
static void test_early_answer(void **state)
{
    (void)state;
    enum { LARGE = 20000000 };
    _cleanup_(http_answer_deinit) struct http_answer answer = {0};
    char *body = malloc(LARGE);
    assert_non_null(body);
    memset(body, 'a', LARGE);
    struct script script = {.is_impatient = true,
                            .answers =
                                (const char *const[]){"!HTTP/1.1 413 No\r\n" LENGTH(0), NULL}};
    script_start(&script);
    struct http_client *client = new_client(0);
    const struct http_request request = {
        .method = POST, .url = script.url, .body = body, .body_len = LARGE};
    struct err *e = http_client_call(client, NULL, &request, &answer);
    /* A reset may overtake the answer; then the send is what failed. */
    if (e)
        assert_ptr_equal(err_kind(e), &ERR_UPSTREAM_UNAVAILABLE);
    else
        assert_int_equal(answer.status, 413);
    err_free(e);
    http_client_free(client);
    script_stop(&script);
    free(body);
}

static void test_nobody_listens(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0); /* bound and not listening: no one else takes it */
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ntohs(address.sin_port));
    struct http_client *client = new_client(0);
    struct http_answer answer = {0};
    _cleanup_(err_free) struct err *e = get(client, url, &answer);
    assert_ptr_equal(err_kind(e), &ERR_UPSTREAM_UNAVAILABLE);
    assert_string_equal(err_detail(e), "connect: Connection refused");
    http_client_free(client);
    close(fd);
}

/* --- time --- */

static void test_timeout(void **state)
{
    (void)state;
    static const char *const answers[] = {"-", OK LENGTH(5) "hel", OK CHUNKED "5\r\nhel",
                                          "HTTP/1.1 2"};
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct http_answer answer = {0};
        struct script script = {.answers = (const char *const[]){answers[i], NULL}};
        script_start(&script);
        struct http_client *client = new_client(100);
        int64_t begin_ms = clock_mono_ms();
        _cleanup_(err_free) struct err *e = get(client, script.url, &answer);
        CHECK(answers[i], err_kind(e) == &ERR_UPSTREAM_TIMEOUT);
        CHECK(answers[i], clock_mono_ms() - begin_ms >= 99);
        http_client_free(client);
        script_stop(&script);
    }
}

static void *cancel(void *data)
{
    ctx_cancel(data);
    return NULL;
}

static void test_cancel(void **state)
{
    (void)state;
    struct http_client *client = new_client(0);
    struct script script = {.answers = (const char *const[]){"-", "-", NULL}};
    script_start(&script);
    const struct http_request request = {.method = GET, .url = script.url};
    for (int is_before = 0; is_before <= 1; is_before++) {
        struct http_answer answer = {0};
        struct ctx ctx;
        pthread_t thread;
        ctx_init(&ctx, NULL, CTX_NO_TIMEOUT);
        if (is_before)
            ctx_cancel(&ctx);
        else
            assert_int_equal(pthread_create(&thread, NULL, cancel, &ctx), 0);
        _cleanup_(err_free) struct err *e = http_client_call(client, &ctx, &request, &answer);
        assert_ptr_equal(err_kind(e), &ERR_CANCELLED);
        if (!is_before)
            pthread_join(thread, NULL);
        ctx_deinit(&ctx);
    }
    http_client_free(client);
    script_stop(&script);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    for (size_t successes = 0;; successes++) {
        struct http_answer answer = {0};
        struct script script = {.answers = (const char *const[]){FINE, NULL}};
        script_start(&script);
        struct http_client *client = NULL;
        alloc_fail_after(successes);
        struct err *e = http_client_new(
            &(struct http_client_options){.ca_file = "not looked at for http"}, &client);
        if (!e)
            e = get(client, script.url, &answer);
        bool has_failed = alloc_fail_stop();
        assert_int_equal(e != NULL, has_failed);
        if (e)
            assert_ptr_equal(err_kind(e), &ERR_OUT_OF_MEMORY);
        else
            assert_string_equal(answer.body, "a");
        err_free(e);
        http_answer_deinit(&answer);
        http_client_free(client);
        script_stop(&script);
        if (!has_failed)
            break;
    }
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
        cmocka_unit_test(test_answers),        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_large_ones),     cmocka_unit_test(test_request),
        cmocka_unit_test(test_not_sent),       cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_no_second_post), cmocka_unit_test(test_early_answer),
        cmocka_unit_test(test_nobody_listens), cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_cancel),         cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, quiet, NULL);
}
