/* The whole way of a request through router, chain and handler, by the in-memory transport. */
#include "check.h"

#include <stdio.h>
#include <unistd.h>

#include <base/str.h>
#include <base/uuid.h>
#include <slog/slog.h>

#include "alloc_fail.h"
#include "sample.h"

static struct http_server *start_with(const struct http_server_options *options)
{
    struct http_server *server = NULL;
    struct err *e = http_server_start(options, &server);
    if (e) {
        char line[ERR_LINE];
        err_format(e, line, sizeof(line));
        err_free(e);
        fail_msg("%s", line);
    }
    return server;
}

static int start(void **state)
{
    struct http_server_options options = sample_options();
    slog_init(&(struct slog_options){.level = SLOG_OFF});
    *state = start_with(&options);
    return 0;
}

static int stop(void **state)
{
    http_server_stop(*state, 0);
    return 0;
}

#define JSON                                                                                       \
    {                                                                                              \
        "Content-Type", "application/json"                                                         \
    }
#define USER                                                                                       \
    {                                                                                              \
        "Authorization", "Bearer user"                                                             \
    }
#define ADMIN_TOKEN                                                                                \
    {                                                                                              \
        "Authorization", "Bearer admin"                                                            \
    }

struct call {
    const char *name;
    enum http_method method;
    const char *target;
    struct http_header_pair headers[4];
    const char *body;
    int status;
    const char *expected; /* a part of the body; of a header line, if it has a colon in front */
};

/* "Name: value", or "!Name" for one that is not there. */
static void check_header(const struct call *call, const struct http_answer *answer)
{
    char name[64] = "";
    const char *colon = strstr(call->expected, ": ");
    if (call->expected[0] == '!') {
        CHECK(call->name, !http_answer_header(answer, call->expected + 1));
        return;
    }
    str_copy_n(name, sizeof(name), call->expected, (size_t)(colon - call->expected));
    CHECK_STR(call->name, http_answer_header(answer, name), colon + 2);
}

static void check_call(struct http_server *server, const struct call *call, bool is_header)
{
    _cleanup_(http_answer_deinit) struct http_answer answer = {0};
    struct err *e =
        http_test_call(server, call->method, call->target, call->headers, call->body, &answer);
    CHECK(call->name, !e);
    CHECK_INT(call->name, answer.status, call->status);
    CHECK(call->name, http_answer_header(&answer, "Date"));
    CHECK(call->name, uuid_is_valid(http_answer_header(&answer, "X-Request-Id")));
    if (answer.status >= 400 && call->method != HEAD)
        CHECK_STR(call->name, http_answer_header(&answer, "Content-Type"),
                  "application/problem+json");
    if (call->expected && is_header)
        check_header(call, &answer);
    else if (call->expected && !strstr(answer.body, call->expected))
        fail_msg("%s: no %s in %s", call->name, call->expected, answer.body);
}

static const struct call body_calls[] = {
    {"list with defaults",
     GET,
     "/items",
     {{0}},
     NULL,
     200,
     "{\"items\":[{\"name\":\"first\",\"size\":50},{\"name\":\"second\",\"size\":2}],"
     "\"next_cursor\":\"next\"}"},
    {"query",
     GET,
     "/items?limit=3&name=a+b%21",
     {{0}},
     NULL,
     200,
     "[{\"name\":\"first\",\"size\":3},{\"name\":\"a b!\""},
    {"empty query", GET, "/items?", {{0}}, NULL, 200, "\"size\":50"},
    {"odd query", GET, "/items?&limit=4&", {{0}}, NULL, 200, "\"size\":4"},
    {"query of a path that takes none", GET, "/public?x=1", {{0}}, NULL, 200, "nobody"},
    {"unknown query",
     GET,
     "/items?colour=red",
     {{0}},
     NULL,
     422,
     "\"errors\":[{\"field\":\"colour\",\"code\":\"unknown\""},
    {"query twice",
     GET,
     "/items?limit=3&limit=3",
     {{0}},
     NULL,
     422,
     "{\"field\":\"limit\",\"code\":\"duplicate\""},
    {"query out of range", GET, "/items?limit=201", {{0}}, NULL, 422, "\"code\":\"too_large\""},
    {"all query mistakes", GET, "/items?limit=x&a=b", {{0}}, NULL, 422, "2 fields are wrong"},
    {"broken query", GET, "/items?name=%4", {{0}}, NULL, 400, "\"code\":\"bad_request\""},
    {"NUL in query", GET, "/items?name=a%00", {{0}}, NULL, 400, "\"code\":\"bad_request\""},
    {"query not UTF-8", GET, "/items?name=%ff", {{0}}, NULL, 400, "\"code\":\"bad_request\""},
    {"create", POST, "/items", {{0}}, "{\"name\":\"x\"}", 201, "{\"name\":\"x\",\"size\":7}"},
    {"charset",
     POST,
     "/items",
     {{"Content-Type", "application/JSON; charset=\"UTF-8\""}},
     "{\"name\":\"x\"}",
     201,
     NULL},
    {"charset without quotes",
     POST,
     "/items",
     {{"Content-Type", "application/json;charset=utf-8 ; a=b"}},
     "{\"name\":\"x\"}",
     201,
     NULL},
    {"other charset",
     POST,
     "/items",
     {{"Content-Type", "application/json; charset=latin1"}},
     "{\"name\":\"x\"}",
     415,
     "\"code\":\"unsupported_media_type\""},
    {"other type",
     POST,
     "/items",
     {{"Content-Type", "text/plain"}},
     "{}",
     415,
     "must be application/json"},
    {"merge patch for a POST",
     POST,
     "/items",
     {{"Content-Type", "application/merge-patch+json"}},
     "{}",
     415,
     NULL},
    {"encoded", POST, "/items", {JSON, {"Content-Encoding", "gzip"}}, "{}", 415, NULL},
    {"not encoded",
     POST,
     "/items",
     {JSON, {"Content-Encoding", "identity"}},
     "{\"name\":\"x\"}",
     201,
     NULL},
    {"malformed", POST, "/items", {{0}}, "{\"name\":}", 400, "\"code\":\"malformed_json\""},
    {"no body", POST, "/items", {{0}}, NULL, 400, "\"code\":\"malformed_json\""},
    {"empty body", POST, "/items", {{0}}, "", 400, "\"code\":\"malformed_json\""},
    {"fields", POST, "/items", {{0}}, "{\"size\":-1,\"b\":2}", 422, "3 fields are wrong"},
    {"no body wanted", POST, "/nothing", {ADMIN_TOKEN}, "{}", 422, "this takes no body"},
    {"none given", POST, "/nothing", {{0}}, NULL, 204, ""},
    {"empty given", POST, "/nothing", {{0}}, "", 204, ""},
    {"patch", PATCH, "/items/a", {{0}}, "{\"size\":9}", 200, "{\"name\":\"a\",\"size\":9}"},
    {"patch type",
     PATCH,
     "/items/a",
     {{"Content-Type", "application/merge-patch+json"}},
     "{}",
     200,
     "{\"name\":\"a\",\"size\":5}"},
    {"patch fields", PATCH, "/items/a", {{0}}, "{\"size\":-9}", 422, "\"field\":\"size\""},
    {"patch malformed", PATCH, "/items/a", {{0}}, "{", 400, "\"code\":\"malformed_json\""},
    {"raw", POST, "/echo", {{"Content-Type", "text/plain"}}, "as it is", 200, "as it is"},
    {"raw type", POST, "/echo", {JSON}, "{}", 415, "must be text/plain"},
    {"own limit", PUT, "/echo/a", {{"Content-Type", "text/plain"}}, "0123456789", 200, "0123"},
    {"beyond the own limit",
     PUT,
     "/echo/a",
     {{"Content-Type", "text/plain"}},
     "01234567890",
     413,
     "\"code\":\"body_too_large\""},
};

static void test_bodies(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(body_calls); i++)
        check_call(*state, &body_calls[i], false);
}

/* A tree of them takes many times the memory of the text. */
static void test_values_of_a_body_are_bounded(void **state)
{
    static const struct {
        const char *name;
        int values, status;
    } rows[] = {{"a 16th of max_body", (1 << 20) / 16, 422}, {"one more", (1 << 20) / 16 + 1, 400}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf body = BUF_INIT(1 << 20);
        buf_append_str(&body, "{\"name\":[1"); /* three values */
        for (int values = 3; values < rows[i].values; values++)
            buf_append_str(&body, ",1");
        buf_append_str(&body, "]}");
        const struct call call = {rows[i].name,
                                  POST,
                                  "/items",
                                  {{0}},
                                  buf_text(&body),
                                  rows[i].status,
                                  rows[i].status == 400 ? "\"code\":\"malformed_json\"" : NULL};
        check_call(*state, &call, false);
    }
}

static void test_paths(void **state)
{
    static const struct call calls[] = {
        {"parameter", GET, "/items/a%20b", {{0}}, NULL, 200, "\"name\":\"a b\""},
        {"rest", GET, "/files/a/b%20c/d", {{0}}, NULL, 200, "a/b c/d"},
        {"nothing there", GET, "/nowhere", {{0}}, NULL, 404, "\"code\":\"route_not_found\""},
        {"slash at the end", GET, "/items/", {{0}}, NULL, 404, "\"code\":\"route_not_found\""},
        {"empty segment", GET, "/items//a", {{0}}, NULL, 400, "\"code\":\"bad_request\""},
        {"dots", GET, "/items/../me", {{0}}, NULL, 400, "\"code\":\"bad_request\""},
        {"encoded dots", GET, "/items/%2e%2e/me", {{0}}, NULL, 400, "\"code\":\"bad_request\""},
        {"NUL", GET, "/items/%00", {{0}}, NULL, 400, "\"code\":\"bad_request\""},
        {"encoded slash", GET, "/items/a%2fb", {{0}}, NULL, 400, "\"code\":\"bad_request\""},
        {"method", PUT, "/items", {{0}}, "{}", 405, "\"code\":\"method_not_allowed\""},
        {"kind of the service",
         GET,
         "/items/missing",
         {{0}},
         NULL,
         404,
         "\"detail\":\"there is no item missing\",\"code\":\"item_not_found\""},
        {"HEAD", HEAD, "/items", {{0}}, NULL, 200, ""},
        {"HEAD of nothing", HEAD, "/nowhere", {{0}}, NULL, 404, ""},
        {"document", GET, "/openapi.json", {{0}}, NULL, 200, "\"openapi\":\"3.1.0\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        check_call(*state, &calls[i], false);
}

static void test_headers(void **state)
{
    static const struct call calls[] = {
        {"405", PUT, "/items", {{0}}, NULL, 405, "Allow: GET, HEAD, OPTIONS, POST"},
        {"OPTIONS",
         OPTIONS,
         "/items/7",
         {{0}},
         NULL,
         204,
         "Allow: DELETE, GET, HEAD, OPTIONS, PATCH"},
        {"OPTIONS needs no token", OPTIONS, "/me", {{0}}, NULL, 204, "Allow: GET, HEAD, OPTIONS"},
        {"OPTIONS of nothing", OPTIONS, "/nowhere", {{0}}, NULL, 404, "!Allow"},
        {"no CORS",
         OPTIONS,
         "/items",
         {{"Origin", "https://a"}, {"Access-Control-Request-Method", "GET"}},
         NULL,
         204,
         "!Access-Control-Allow-Origin"},
        {"type", GET, "/items", {{0}}, NULL, 200, "Content-Type: application/json"},
        {"length", GET, "/public", {{0}}, NULL, 200, "Content-Length: 6"},
        {"length of a HEAD", HEAD, "/public", {{0}}, NULL, 200, "Content-Length: 6"},
        {"no length without a body", POST, "/nothing", {{0}}, NULL, 204, "!Content-Length"},
        {"kept", GET, "/public", {{0}}, NULL, 200, "!Connection"},
        {"kept after an error", GET, "/nowhere", {{0}}, NULL, 404, "!Connection"},
        {"closed", GET, "/public", {{"Connection", "close"}}, NULL, 200, "Connection: close"},
        {"location", POST, "/items", {{0}}, "{\"name\":\"x\"}", 201, "Location: /items/x"},
        {"no token", GET, "/me", {{0}}, NULL, 401, "WWW-Authenticate: Bearer realm=\"plankton\""},
        {"wrong token",
         GET,
         "/me",
         {{"Authorization", "Bearer x"}},
         NULL,
         401,
         "WWW-Authenticate: Bearer realm=\"plankton\", error=\"invalid_token\""},
        {"busy", GET, "/fail/busy", {{0}}, NULL, 503, "Retry-After: 2"},
        {"headers of a failed handler", GET, "/fail/late", {{0}}, NULL, 500, "!X-Half"},
    };
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        check_call(*state, &calls[i], true);
}

static void test_tokens(void **state)
{
    static const struct call calls[] = {
        {"signed in", GET, "/me", {USER}, NULL, 200, "user"},
        {"scheme in another case",
         GET,
         "/me",
         {{"authorization", "bEARER user"}},
         NULL,
         200,
         "user"},
        {"spaces", GET, "/me", {{"Authorization", "Bearer   user"}}, NULL, 200, "user"},
        {"none", GET, "/me", {{0}}, NULL, 401, "an access token is needed"},
        {"other scheme",
         GET,
         "/me",
         {{"Authorization", "Basic dTpw"}},
         NULL,
         401,
         "not a Bearer token"},
        {"scheme alone",
         GET,
         "/me",
         {{"Authorization", "Bearer"}},
         NULL,
         401,
         "not a Bearer token"},
        {"empty", GET, "/me", {{"Authorization", "Bearer "}}, NULL, 401, "malformed"},
        {"two", GET, "/me", {{"Authorization", "Bearer a b"}}, NULL, 401, "malformed"},
        {"odd", GET, "/me", {{"Authorization", "Bearer a,b"}}, NULL, 401, "malformed"},
        {"invalid",
         GET,
         "/me",
         {{"Authorization", "Bearer a.b.c="}},
         NULL,
         401,
         "\"detail\":\"the signature is wrong\",\"code\":\"unauthenticated\""},
        {"no keys",
         GET,
         "/me",
         {{"Authorization", "Bearer away"}},
         NULL,
         503,
         "\"code\":\"upstream_unavailable\""},
        {"self", GET, "/people/user", {USER}, NULL, 200, "user"},
        {"someone else", GET, "/people/other", {USER}, NULL, 403, "\"code\":\"forbidden\""},
        {"admin for someone", GET, "/people/other", {ADMIN_TOKEN}, NULL, 200, "admin"},
        {"admin only", DELETE, "/items/1", {ADMIN_TOKEN}, NULL, 204, ""},
        {"not for users", DELETE, "/items/1", {USER}, NULL, 403, "\"code\":\"forbidden\""},
        {"a token where none is needed", GET, "/public", {USER}, NULL, 200, "nobody"},
        {"a wrong one there", GET, "/public", {{"Authorization", "nonsense"}}, NULL, 200, "nobody"},
        {"404 needs none", GET, "/nowhere", {{0}}, NULL, 404, NULL},
        {"the token comes before the body", POST, "/me", {JSON}, "{", 405, NULL},
        {"two tokens",
         GET,
         "/public",
         {USER, ADMIN_TOKEN},
         NULL,
         400,
         "more than one Authorization"},
    };
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        check_call(*state, &calls[i], false);
}

static void test_failures(void **state)
{
    static const struct call calls[] = {
        {"inside", GET, "/fail/inside", {{0}}, NULL, 500, "\"code\":\"internal\""},
        {"silent", GET, "/fail/silent", {{0}}, NULL, 500, "\"code\":\"internal\""},
        {"twice", GET, "/fail/twice", {{0}}, NULL, 500, "\"code\":\"internal\""},
        {"after the reply", GET, "/fail/late", {{0}}, NULL, 500, "\"code\":\"internal\""},
        {"split header", GET, "/fail/header", {{0}}, NULL, 500, "\"code\":\"internal\""},
        {"cancelled",
         GET,
         "/fail/cancelled",
         {{0}},
         NULL,
         503,
         "\"code\":\"upstream_unavailable\""},
        {"busy", GET, "/fail/busy", {{0}}, NULL, 503, "\"code\":\"overloaded\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        check_call(*state, &calls[i], false);
    _cleanup_(http_answer_deinit) struct http_answer answer = {0};
    assert_null(http_test_call(*state, GET, "/fail/inside", NULL, NULL, &answer));
    assert_null(strstr(answer.body, "disk"));
}

static void test_streams(void **state)
{
    static const struct call calls[] = {
        {"stream", GET, "/stream/2500", {{0}}, NULL, 200, "Transfer-Encoding: chunked"},
        {"empty stream", GET, "/stream/0", {{0}}, NULL, 200, "Transfer-Encoding: chunked"},
        {"HEAD of a stream", HEAD, "/stream/2500", {{0}}, NULL, 200, "Content-Type: text/plain"},
    };
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        check_call(*state, &calls[i], true);
    static const struct {
        const char *target;
        size_t len;
    } sizes[] = {{"/stream/0", 0},        {"/stream/100000", 100000}, {"/large/0", 0},
                 {"/large/65536", 65536}, {"/large/65537", 65537},    {"/large/5000000", 5000000}};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        _cleanup_(http_answer_deinit) struct http_answer answer = {0};
        CHECK(sizes[i].target, !http_test_call(*state, GET, sizes[i].target, NULL, NULL, &answer));
        CHECK_INT(sizes[i].target, answer.body_len, sizes[i].len);
        CHECK_INT(sizes[i].target, strspn(answer.body, "x"), sizes[i].len);
    }
    /* The missing end tells the client. */
    struct http_answer answer = {.status = 7};
    _cleanup_(err_free) struct err *e =
        http_test_call(*state, GET, "/stream/broken", NULL, NULL, &answer);
    assert_ptr_equal(err_kind(e), &ERR_UPSTREAM_UNAVAILABLE);
    assert_int_equal(answer.status, 7);
    http_answer_deinit(&answer);
    assert_null(http_test_call(*state, GET, "/large/70000000", NULL, NULL, &answer));
    assert_int_equal(answer.status, 500);
    http_answer_deinit(&answer);
}

static void test_request_id(void **state)
{
    static const struct {
        const char *sent;
        bool is_kept;
    } rows[] = {{"abc.DEF-1_2", true}, {"a b", false}, {"", false}, {"a\"b", false}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(http_answer_deinit) struct http_answer answer = {0};
        assert_null(http_test_call(*state, GET, "/nowhere",
                                   HTTP_HEADERS({"X-Request-Id", rows[i].sent}), NULL, &answer));
        const char *id = http_answer_header(&answer, "X-Request-Id");
        CHECK_INT(rows[i].sent, strcmp(id, rows[i].sent) == 0, rows[i].is_kept);
        CHECK(rows[i].sent, rows[i].is_kept || uuid_is_valid(id));
        CHECK(rows[i].sent, strstr(answer.body, id));
    }
}

/* Out of memory at every place: an answer all the same, or none, and nothing lost. */
static void test_out_of_memory(void **state)
{
    for (size_t successes = 0;; successes++) {
        struct http_answer answer = {0};
        alloc_fail_after(successes);
        struct err *e = http_test_call(*state, POST, "/items", HTTP_HEADERS({"X-A", "b"}),
                                       "{\"name\":\"x\"}", &answer);
        bool has_failed = alloc_fail_stop();
        if (!e)
            assert_true(answer.status == 201 || answer.status == 503);
        err_free(e);
        http_answer_deinit(&answer);
        if (!has_failed)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),        cmocka_unit_test(test_values_of_a_body_are_bounded),
        cmocka_unit_test(test_paths),         cmocka_unit_test(test_headers),
        cmocka_unit_test(test_tokens),        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_streams),       cmocka_unit_test(test_request_id),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
