/* What a server is made of: checks at the start, its chain, CORS, limits, metrics, logs. */
#include "check.h"

#include <stdio.h>
#include <unistd.h>

#include <slog/slog.h>

#include "alloc_fail.h"
#include "rate.h"
#include "sample.h"

static struct err *reply(struct http_req *req, struct http_res *res)
{
    (void)req;
    return http_reply_empty(res, 204);
}

/* --- start --- */

static const struct field broken_fields[] = {FIELD(struct item, name, UUID)};
static const struct model broken_model = MODEL(struct item, broken_fields, "Of a wrong size");

static void test_mistakes(void **state)
{
    (void)state;
    static const struct route routes[] = {
        {GET, "/a", .handler = reply},
        {GET, "/b", .allow = ANYONE},
        {HEAD, "/c", reply, .allow = ANYONE},
        {OPTIONS, "/c", reply, .allow = ANYONE},
        {0, "/c", reply, .allow = ANYONE},
        {GET, "/d", reply, .allow = SIGNED_IN},
        {GET, "/e", reply, .allow = ANYONE, .in = &item_model},
        {POST, "/f", reply, .allow = ANYONE, .in = &item_model, .takes = "a/b"},
        {GET, "/g", reply, .allow = ANYONE, .status = 404},
        {GET, "/k", reply, .allow = ANYONE, .list = true},
        {GET, NULL, reply, .allow = ANYONE},
        {GET, "/h/", reply, .allow = ANYONE},
        {GET, "/i", reply, .allow = ANYONE},
        {GET, "/i", reply, .allow = ANYONE},
        {POST, "/j", reply, .allow = ANYONE, .in = &broken_model},
        {GET, "/openapi.json", reply, .allow = ANYONE},
    };
    static const char *const expected[] = {
        "/a: it does not say who is allowed",
        "/b: it has no handler",
        "/c: its method is not one that a row can have; /c: its method is not one",
        "/d: it needs an authenticator",
        "/e: a GET takes no body",
        "/f: it has both .in and .takes",
        "/g: its .status is not one of success",
        "/k: a .list needs .out",
        "(no path): it has no path",
        "/h/: it ends with a slash",
        "GET /i and /i match the same paths",
        "/j: its in: ",
        "GET /openapi.json and /openapi.json match the same paths",
    };
    const struct route_table tables[] = {ROUTES(routes), {0}};
    struct http_server *server = NULL;
    _cleanup_(err_free) struct err *e =
        http_server_start(&(struct http_server_options){.tables = tables}, &server);
    assert_ptr_equal(err_kind(e), &ERR_INTERNAL);
    assert_null(server);
    for (size_t i = 0; i < ARRAY_LEN(expected); i++)
        if (!strstr(err_detail(e), expected[i]))
            fail_msg("no \"%s\" in \"%s\"", expected[i], err_detail(e));
}

static void test_self_needs_id(void **state)
{
    (void)state;
    static const struct route routes[] = {{GET, "/{user}", reply, .allow = SELF_OR_ADMIN}};
    const struct route_table tables[] = {ROUTES(routes), {0}};
    struct http_server *server = NULL;
    _cleanup_(err_free) struct err *e = http_server_start(
        &(struct http_server_options){.tables = tables, .authenticator = &sample_authenticator},
        &server);
    assert_string_equal(err_detail(e), "routes: /{user}: SELF_OR_ADMIN needs the parameter {id}");
}

static void test_start_without_memory(void **state)
{
    (void)state;
    for (size_t successes = 0;; successes++) {
        struct http_server_options options = sample_options();
        options.rate_limit = (struct http_rate_limit){.per_second = 1};
        struct http_server *server = NULL;
        alloc_fail_after(successes);
        struct err *e = http_server_start(&options, &server);
        bool has_failed = alloc_fail_stop();
        assert_int_equal(e != NULL, server == NULL);
        if (e)
            assert_true(err_is(e, &ERR_OUT_OF_MEMORY));
        err_free(e);
        http_server_stop(server, 0);
        if (!has_failed)
            break;
    }
}

static struct http_server *start_with(const struct http_server_options *options)
{
    struct http_server *server = NULL;
    assert_null(http_server_start(options, &server));
    return server;
}

/* --- chain --- */

static char steps[64];

static void step(char c)
{
    size_t len = strlen(steps);
    steps[len] = c;
    steps[len + 1] = '\0';
}

static struct err *run_outer(struct http_req *req, struct http_res *res, struct http_next *next)
{
    step('a');
    struct err *e = http_next(next, req, res);
    step(e ? 'x' : 'z');
    return e;
}

static struct err *run_inner(struct http_req *req, struct http_res *res, struct http_next *next)
{
    step('b');
    if (http_header(req, "X-Stop"))
        return http_reply_empty(res, 202);
    if (http_header(req, "X-Silent"))
        return NULL;
    if (http_header(req, "X-Fail"))
        return err_new(&ERR_CONFLICT, "stopped");
    return http_next(next, req, res);
}

static struct err *step_handler(struct http_req *req, struct http_res *res)
{
    (void)req;
    step('h');
    assert_int_equal(http_status(res), 0);
    TRY(http_reply_empty(res, 204));
    assert_int_equal(http_status(res), 204);
    return NULL;
}

static void test_chain(void **state)
{
    (void)state;
    static const struct http_middleware outer = {"outer", run_outer}, inner = {"inner", run_inner};
    static const struct http_middleware *const chain[] = {&outer, &inner, NULL};
    static const struct http_middleware *const recovering[] = {&outer, &HTTP_RECOVER, &inner, NULL};
    static const struct route routes[] = {{GET, "/", step_handler, .allow = ANYONE}};
    static const struct {
        const char *name;
        const struct http_middleware *const *chain;
        const char *target, *header;
        int status;
        const char *steps;
    } rows[] = {
        {"through", chain, "/", "X-Go", 204, "abhz"},
        {"replies on the way", chain, "/", "X-Stop", 202, "abz"},
        {"fails on the way", chain, "/", "X-Fail", 409, "abx"},
        {"says nothing", chain, "/", "X-Silent", 500, "abz"},
        {"fails below recover", recovering, "/", "X-Fail", 409, "abz"},
        {"runs for a 404 too", chain, "/a", "X-Go", 404, "abx"},
    };
    const struct route_table tables[] = {ROUTES(routes), {0}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(http_answer_deinit) struct http_answer answer = {0};
        struct http_server *server =
            start_with(&(struct http_server_options){.tables = tables, .chain = rows[i].chain});
        steps[0] = '\0';
        CHECK(rows[i].name, !http_test_call(server, GET, rows[i].target,
                                            HTTP_HEADERS({rows[i].header, "1"}), NULL, &answer));
        CHECK_INT(rows[i].name, answer.status, rows[i].status);
        CHECK_STR(rows[i].name, steps, rows[i].steps);
        http_server_stop(server, 0);
    }
}

/* --- CORS --- */

#define PREFLIGHT                                                                                  \
    {                                                                                              \
        "Access-Control-Request-Method", "PATCH"                                                   \
    }

static const char *const some[] = {"https://a.example", "https://b.example", NULL};
static const char *const any[] = {"*", NULL};

static const struct {
    const char *name;
    const char *const *origins;
    enum http_method method;
    struct http_header_pair headers[3];
    int status;
    const char *origin, *vary, *methods;
} cors_rows[] = {
    {"no origin", some, GET, {{0}}, 200, NULL, "Origin", NULL},
    {"allowed",
     some,
     GET,
     {{"Origin", "https://b.example"}},
     200,
     "https://b.example",
     "Origin",
     NULL},
    {"not allowed", some, GET, {{"Origin", "https://c.example"}}, 200, NULL, "Origin", NULL},
    {"another case", some, GET, {{"Origin", "https://B.example"}}, 200, NULL, "Origin", NULL},
    {"any", any, GET, {{"Origin", "https://c.example"}}, 200, "*", NULL, NULL},
    {"preflight",
     some,
     OPTIONS,
     {{"Origin", "https://a.example"}, PREFLIGHT},
     204,
     "https://a.example",
     "Origin",
     "DELETE, GET, HEAD, OPTIONS, PATCH"},
    {"preflight not allowed",
     some,
     OPTIONS,
     {{"Origin", "https://c.example"}, PREFLIGHT},
     204,
     NULL,
     "Origin",
     NULL},
    {"plain OPTIONS",
     some,
     OPTIONS,
     {{"Origin", "https://a.example"}},
     204,
     "https://a.example",
     "Origin",
     NULL},
};

static void test_cors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cors_rows); i++) {
        _cleanup_(http_answer_deinit) struct http_answer answer = {0};
        struct http_server_options options = sample_options();
        options.cors = &(struct http_cors){.origins = cors_rows[i].origins, .max_age_s = 600};
        struct http_server *server = start_with(&options);
        CHECK(cors_rows[i].name, !http_test_call(server, cors_rows[i].method, "/items/1",
                                                 cors_rows[i].headers, NULL, &answer));
        CHECK_INT(cors_rows[i].name, answer.status, cors_rows[i].status);
        const struct {
            const char *header, *value;
        } expected[] = {{"Access-Control-Allow-Origin", cors_rows[i].origin},
                        {"Vary", cors_rows[i].vary},
                        {"Access-Control-Allow-Methods", cors_rows[i].methods},
                        {"Access-Control-Max-Age", cors_rows[i].methods ? "600" : NULL},
                        {"Access-Control-Allow-Credentials", NULL}};
        for (size_t h = 0; h < ARRAY_LEN(expected); h++) {
            const char *value = http_answer_header(&answer, expected[h].header);
            if (expected[h].value)
                CHECK_STR(cors_rows[i].name, value, expected[h].value);
            else
                CHECK(cors_rows[i].name, !value);
        }
        http_server_stop(server, 0);
    }
}

/* Errors have the CORS headers too, or a script could not read them. */
static void test_cors_of_errors(void **state)
{
    (void)state;
    static const char *const origins[] = {"https://a.example", NULL};
    struct http_server_options options = sample_options();
    options.cors = &(struct http_cors){.origins = origins};
    struct http_server *server = start_with(&options);
    static const char *const targets[] = {"/nowhere", "/me", "/fail/inside", "/items//"};
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        _cleanup_(http_answer_deinit) struct http_answer answer = {0};
        CHECK(targets[i],
              !http_test_call(server, GET, targets[i],
                              HTTP_HEADERS({"Origin", "https://a.example"}), NULL, &answer));
        CHECK(targets[i], answer.status >= 400);
        CHECK_STR(targets[i], http_answer_header(&answer, "Access-Control-Allow-Origin"),
                  "https://a.example");
    }
    http_server_stop(server, 0);
}

/* --- rate limit --- */

static void test_rate(void **state)
{
    (void)state;
    static const struct {
        const char *name, *address;
        int64_t at_ms, wait_ms;
    } rows[] = {
        {"first", "10.0.0.1", 1000, 0},
        {"burst", "10.0.0.1", 1000, 0},
        {"empty", "10.0.0.1", 1000, 501},
        {"still empty", "10.0.0.1", 1100, 401},
        {"someone else", "10.0.0.2", 1100, 0},
        {"a token again", "10.0.0.1", 1502, 0},
        {"used up", "10.0.0.1", 1502, 499},
        {"full, not fuller", "10.0.0.1", 900000, 0},
        {"second of the burst", "10.0.0.1", 900000, 0},
        {"third", "10.0.0.1", 900000, 501},
        {"the clock of another thread", "10.0.0.1", 899999, 501},
        {"IPv6", "2001:db8::1", 900000, 0},
        {"its /64", "2001:db8::2", 900000, 0},
        {"is one client", "2001:db8::3:4", 900000, 501},
        {"another /64", "2001:db8:0:1::1", 900000, 0},
    };
    struct rate_table *table = NULL;
    assert_null(http_rate_new(&(struct http_rate_limit){.per_second = 2, .burst = 2}, &table));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_INT(rows[i].name, http_rate_take(table, rows[i].address, rows[i].at_ms),
                  rows[i].wait_ms);
    http_rate_free(table);
}

/* The table never grows: a flood of addresses makes others be forgotten, and no more. */
static void test_rate_flood(void **state)
{
    (void)state;
    struct rate_table *table = NULL;
    assert_null(http_rate_new(&(struct http_rate_limit){.per_second = 1, .burst = 1}, &table));
    assert_int_equal(http_rate_take(table, "10.0.0.1", 1000), 0);
    assert_int_not_equal(http_rate_take(table, "10.0.0.1", 1000), 0);
    for (int i = 0; i < 20 * RATE_BUCKETS; i++) {
        char address[32];
        snprintf(address, sizeof(address), "11.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
        assert_int_equal(http_rate_take(table, address, 1001 + i / 1000), 0);
    }
    assert_int_equal(http_rate_take(table, "10.0.0.1", 1400), 0);
    http_rate_free(table);
}

static void test_rate_limited(void **state)
{
    (void)state;
    struct http_server_options options = sample_options();
    options.rate_limit = (struct http_rate_limit){.per_second = 0.01, .burst = 2};
    struct http_server *server = start_with(&options);
    for (int i = 0; i < 3; i++) {
        _cleanup_(http_answer_deinit) struct http_answer answer = {0};
        assert_null(http_test_call(server, GET, "/public", NULL, NULL, &answer));
        assert_int_equal(answer.status, i < 2 ? 200 : 429);
        if (i == 2) {
            assert_non_null(strstr(answer.body, "rate_limited"));
            assert_non_null(http_answer_header(&answer, "Retry-After"));
        }
    }
    http_server_stop(server, 0);
}

/* --- what it tells about itself --- */

static void test_metrics(void **state)
{
    (void)state;
    struct http_server_options options = sample_options();
    assert_null(metrics_new(&options.metrics));
    struct http_server *server = start_with(&options);
    static const struct {
        enum http_method method;
        const char *target;
        int times;
    } calls[] = {{GET, "/items/a", 2},
                 {GET, "/items/missing", 1},
                 {HEAD, "/items/a", 1},
                 {GET, "/nowhere", 3},
                 {PUT, "/items", 1}};
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        for (int n = 0; n < calls[i].times; n++) {
            _cleanup_(http_answer_deinit) struct http_answer answer = {0};
            assert_null(
                http_test_call(server, calls[i].method, calls[i].target, NULL, NULL, &answer));
        }
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(1 << 20);
    assert_null(metrics_write(options.metrics, &text));
#define COUNT "http_server_request_duration_seconds_count"
    static const char *const expected[] = {
        COUNT "{method=\"GET\",route=\"/items/{id}\",status=\"200\"} 3\n",
        COUNT "{method=\"GET\",route=\"/items/{id}\",status=\"404\"} 1\n",
        COUNT "{method=\"GET\",route=\"\",status=\"404\"} 3\n",
        COUNT "{method=\"PUT\",route=\"\",status=\"405\"} 1\n",
        "http_server_requests_in_flight 0\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(expected); i++)
        if (!strstr(buf_text(&text), expected[i]))
            fail_msg("no %s in %s", expected[i], buf_text(&text));
    http_server_stop(server, 0);
    metrics_free(options.metrics);
}

static void read_log(int fd, char *out, size_t cap)
{
    ssize_t got = read(fd, out, cap - 1);
    assert_true(got > 0);
    out[got] = '\0';
}

static void call(struct http_server *server, const char *target,
                 const struct http_header_pair *headers)
{
    _cleanup_(http_answer_deinit) struct http_answer answer = {0};
    assert_null(http_test_call(server, GET, target, headers, NULL, &answer));
}

static void test_logs(void **state)
{
    (void)state;
    int ends[2];
    char log[8192];
    assert_int_equal(pipe(ends), 0);
    slog_init(&(struct slog_options){.service = "sample", .level = SLOG_INFO, .fd = ends[1]});
    struct http_server_options options = sample_options();
    options.access_log = true;
    struct http_server *server = start_with(&options);

    call(server, "/me?token=hidden",
         HTTP_HEADERS({"Authorization", "Bearer user"}, {"X-Request-Id", "the-id"}));
    read_log(ends[0], log, sizeof(log));
    static const char *const parts[] = {
        "\"request_id\":\"the-id\"", "\"msg\":\"request\",\"method\":\"GET\",\"path\":\"/me\"",
        "\"route\":\"/me\",\"status\":200,\"bytes\":4,\"duration_us\":",
        "\"client\":\"127.0.0.1\",\"user_id\":\"user\"", "\"aborted\":false"};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (!strstr(log, parts[i]))
            fail_msg("no %s in %s", parts[i], log);
    assert_null(strstr(log, "hidden"));
    assert_null(strstr(log, "Bearer"));

    call(server, "/fail/inside", HTTP_HEADERS({"X-Request-Id", "the-other"}));
    read_log(ends[0], log, sizeof(log));
    const char *first = strstr(log, "\"error\":\"save it: the disk is on fire [internal]\"");
    assert_non_null(first);
    assert_null(strstr(first + 1, "\"error\":"));
    assert_non_null(strstr(log, "\"level\":\"error\""));
    assert_non_null(strstr(log, "\"route\":\"/fail/{how}\""));

    slog_init(&(struct slog_options){.level = SLOG_OFF});
    http_server_stop(server, 0);
    close(ends[0]);
    close(ends[1]);
}

/* --- the ctx of a request --- */

static void take_ctx(struct http_req *req, void *data)
{
    *(int64_t *)data = ctx_remaining_ms(http_ctx(req), CTX_NO_TIMEOUT);
    assert_ptr_equal(http_ctx(req), http_ctx(req));
    assert_null(ctx_check(http_ctx(req)));
}

static void test_deadline(void **state)
{
    (void)state;
    int64_t left_ms = -7;
    struct sample sample = {take_ctx, &left_ms};
    struct http_server_options options = sample_options();
    options.state = &sample;
    options.timeout_ms = 60000;
    struct http_server *server = start_with(&options);
    call(server, "/hook", NULL);
    assert_in_range(left_ms, 50000, 60000);
    http_server_stop(server, 0);

    static const struct http_middleware *const bare[] = {NULL};
    options.chain = bare;
    server = start_with(&options);
    call(server, "/hook", NULL);
    assert_int_equal(left_ms, CTX_NO_TIMEOUT);
    http_server_stop(server, 0);
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
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_self_needs_id),
        cmocka_unit_test(test_start_without_memory),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_cors),
        cmocka_unit_test(test_cors_of_errors),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_rate_flood),
        cmocka_unit_test(test_rate_limited),
        cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_logs),
        cmocka_unit_test(test_deadline),
    };
    return cmocka_run_group_tests(tests, quiet, NULL);
}
