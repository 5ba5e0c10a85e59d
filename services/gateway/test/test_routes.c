#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <base/str.h>
#include <cfg/cfg.h>

#include "alloc_fail.h"
#include "routes_file.h"

static struct str text(const char *string)
{
    return (struct str){string, strlen(string)};
}

static struct routes *parse(const char *json)
{
    struct routes *routes = NULL;
    struct err *e = routes_parse(json, strlen(json), &routes);
    if (e)
        fail_msg("%s", err_detail(e));
    return routes;
}

/* --- matching --- */

static const char table[] =
    "{\"upstreams\":{\"a\":{\"servers\":[\"h:1\"]},\"b\":{\"servers\":[\"h:2\"]},"
    "\"c\":{\"servers\":[\"h:3\"]},\"d\":{\"servers\":[\"h:4\"]}},"
    "\"routes\":["
    "{\"path\":\"/api/users\",\"upstream\":\"a\"},"
    "{\"path\":\"/api/users/me\",\"upstream\":\"b\",\"methods\":[\"GET\",\"PUT\"]},"
    "{\"path\":\"/api/users/me\",\"upstream\":\"c\",\"methods\":[\"DELETE\"]},"
    "{\"path\":\"/api/user\",\"upstream\":\"d\",\"methods\":[\"HEAD\",\"GET\"]},"
    "{\"path\":\"/b\",\"upstream\":\"c\"},"
    "{\"path\":\"/b\",\"upstream\":\"b\",\"methods\":[\"POST\"]}]}";

static void the_longest_prefix_on_a_segment_boundary_wins(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path;
        const char *expected; /* name of the upstream, "404", or "405 " with Allow */
    } cases[] = {
        {"GET", "/api/users", "a"},
        {"GET", "/api/users/", "a"},
        {"GET", "/api/users/1", "a"},
        {"GET", "/api/users/1/2/3", "a"},
        {"GET", "/api/users2", "404"},
        {"GET", "/api/user", "d"},
        {"GET", "/api/users/me", "b"},
        {"HEAD", "/api/users/me", "b"},
        {"PUT", "/api/users/me/x", "b"},
        {"DELETE", "/api/users/me", "c"},
        {"POST", "/api/users/me", "405 HEAD, GET, PUT, DELETE"},
        {"get", "/api/users/me", "405 HEAD, GET, PUT, DELETE"},
        {"GE", "/api/users/me", "405 HEAD, GET, PUT, DELETE"},
        {"POST", "/api/user", "405 HEAD, GET"},
        {"GET", "/api/users/mee", "a"},
        {"GET", "/api/users/m", "a"},
        {"GET", "/b", "c"},
        {"POST", "/b", "b"},
        {"GET", "/api", "404"},
        {"GET", "/", "404"},
        {"GET", "/API/users", "404"},
        {"OPTIONS", "*", "404"},
    };
    _cleanup_(routes_unref) struct routes *routes = parse(table);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct path_route *route = NULL;
        char got[128] = "404", name[64];
        snprintf(name, sizeof(name), "%s %s", cases[i].method, cases[i].path);
        switch (routes_match(routes, text(cases[i].path), text(cases[i].method), &route)) {
        case ROUTE_FOUND:
            snprintf(got, sizeof(got), "%s", routes_upstream(routes, route->upstream)->name);
            break;
        case ROUTE_OTHER_METHODS:
            str_copy(got, sizeof(got), "405 ");
            routes_allowed(routes, route, got + 4, sizeof(got) - 4);
            break;
        case ROUTE_UNKNOWN_PATH:
            CHECK(name, route == NULL);
            break;
        }
        CHECK_STR(name, got, cases[i].expected);
    }
}

static void the_root_takes_everything(void **state)
{
    (void)state;
    _cleanup_(routes_unref) struct routes *routes =
        parse("{\"upstreams\":{\"a\":{\"servers\":[\"h:1\"]}},"
              "\"routes\":[{\"path\":\"/\",\"upstream\":\"a\"}]}");
    static const char *const paths[] = {"/", "/a", "/a/b/", "*"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        const struct path_route *route = NULL;
        CHECK_INT(paths[i], routes_match(routes, text(paths[i]), text("GET"), &route), ROUTE_FOUND);
        CHECK_STR(paths[i], route->path, "/");
    }
}

static void thousands_of_routes_are_all_found(void **state)
{
    (void)state;
    _cleanup_(routes_unref) struct routes *routes = NULL;
    const struct upstream_config upstream = {.name = "a"};
    assert_null(routes_new(&routes));
    assert_null(routes_add_upstream(routes, &upstream));
    char path[64];
    for (int i = 0; i < 5000; i++) {
        snprintf(path, sizeof(path), "/v%d/%d", i * 7919 % 100, i * 104729 % 5003);
        assert_null(routes_add(routes, &(struct path_route){.path = path, .timeout_ms = i}));
    }
    for (int i = 0; i < 5000; i++) {
        const struct path_route *route = NULL;
        snprintf(path, sizeof(path), "/v%d/%d/x", i * 7919 % 100, i * 104729 % 5003);
        assert_int_equal(routes_match(routes, text(path), text("GET"), &route), ROUTE_FOUND);
        assert_int_equal(route->timeout_ms, i);
    }
}

static void the_numbers_of_routes_and_upstreams_are_limited(void **state)
{
    (void)state;
    _cleanup_(routes_unref) struct routes *routes = NULL;
    assert_null(routes_new(&routes));
    struct err *e = NULL;
    int count = 0;
    for (; !e; count++) {
        struct upstream_config upstream = {0};
        snprintf(upstream.name, sizeof(upstream.name), "u%d", count);
        e = routes_add_upstream(routes, &upstream);
    }
    assert_true(err_is(e, &ERR_CONFLICT));
    err_free(TAKE(e));
    assert_int_equal(count, UPSTREAMS_MAX + 1);
    for (count = 0; !e; count++) {
        char path[32];
        snprintf(path, sizeof(path), "/%d/%d", count % 100, count);
        e = routes_add(routes, &(struct path_route){.path = path});
    }
    assert_true(err_is(e, &ERR_CONFLICT));
    err_free(e);
    assert_int_equal(count, ROUTES_MAX + 1);
}

/* --- the file --- */

static void defaults_and_values(void **state)
{
    (void)state;
    _cleanup_(routes_unref) struct routes *routes =
        parse("{\"upstreams\":{"
              "\"a\":{\"servers\":[\"h:1\",\"[::1]:2\"]},"
              "\"b\":{\"servers\":[\"h:1\"],\"max_connections\":3,\"max_waiting\":0,"
              "\"connect_timeout_ms\":4,\"idle_timeout_ms\":5,\"wait_timeout_ms\":6}},"
              "\"routes\":[{\"path\":\"/a\",\"upstream\":\"a\"},"
              "{\"path\":\"/b\",\"upstream\":\"b\",\"auth\":\"required\",\"max_body_bytes\":0,"
              "\"timeout_ms\":7,\"methods\":[\"GET\",\"M-SEARCH\"]}]}");
    const struct upstream_config *a = routes_upstream(routes, 0), *b = routes_upstream(routes, 1);
    assert_int_equal(a->server_count, 2);
    assert_string_equal(a->servers[1], "[::1]:2");
    assert_int_equal(a->max_connections, DEFAULT_MAX_CONNECTIONS);
    assert_int_equal(a->max_waiting, DEFAULT_MAX_WAITING);
    assert_int_equal(a->connect_timeout_ms, DEFAULT_CONNECT_TIMEOUT_MS);
    assert_int_equal(a->idle_timeout_ms, DEFAULT_IDLE_TIMEOUT_MS);
    assert_int_equal(a->wait_timeout_ms, DEFAULT_WAIT_TIMEOUT_MS);
    assert_int_equal(b->max_connections, 3);
    assert_int_equal(b->max_waiting, 0);
    assert_int_equal(b->connect_timeout_ms, 4);
    assert_int_equal(b->idle_timeout_ms, 5);
    assert_int_equal(b->wait_timeout_ms, 6);
    const struct path_route *route = NULL;
    assert_int_equal(routes_match(routes, text("/a"), text("X"), &route), ROUTE_FOUND);
    assert_int_equal(route->auth, AUTH_OPTIONAL);
    assert_int_equal(route->max_body_bytes, DEFAULT_MAX_BODY_BYTES);
    assert_int_equal(route->timeout_ms, DEFAULT_TIMEOUT_MS);
    assert_int_equal(routes_match(routes, text("/b"), text("M-SEARCH"), &route), ROUTE_FOUND);
    assert_int_equal(route->auth, AUTH_REQUIRED);
    assert_int_equal(route->max_body_bytes, 0);
    assert_int_equal(route->timeout_ms, 7);
    assert_string_equal(route->methods, "GET, M-SEARCH");
}

#define ROUTE(members)    "{\"upstreams\":{\"a\":{\"servers\":[\"h:1\"]}},\"routes\":[{" members "}]}"
#define UPSTREAM(members) "{\"upstreams\":{\"a\":{" members "}},\"routes\":[]}"

static void mistakes_are_named_by_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *places; /* joined with ' '; "!" for malformed JSON */
    } cases[] = {
        {"", "!"},
        {"[]", "!"},
        {"{}x", "!"},
        {"{\"routes\":[],\"routes\":[]}", "!"},
        {"{}", "upstreams routes"},
        {"{\"upstreams\":[],\"routes\":{}}", "upstreams routes"},
        {"{\"upstreams\":{},\"routes\":[],\"x\":1}", "x"},
        {UPSTREAM(""), "upstreams/a/servers"},
        {UPSTREAM("\"servers\":[]"), "upstreams/a/servers"},
        {UPSTREAM("\"servers\":\"h:1\""), "upstreams/a/servers"},
        {UPSTREAM("\"servers\":[1]"), "upstreams/a/servers/0"},
        {UPSTREAM("\"servers\":[\"h\"]"), "upstreams/a/servers/0"},
        {UPSTREAM("\"servers\":[\"h:1\",\"h:0\",\":1\"]"),
         "upstreams/a/servers/1 upstreams/a/servers/2"},
        {UPSTREAM("\"servers\":[\"h:1\"],\"x\":1"), "upstreams/a/x"},
        {UPSTREAM("\"servers\":[\"h:1\"],\"max_connections\":0"), "upstreams/a/max_connections"},
        {UPSTREAM("\"servers\":[\"h:1\"],\"idle_timeout_ms\":\"1\""),
         "upstreams/a/idle_timeout_ms"},
        {"{\"upstreams\":{\"A\":{\"servers\":[\"h:1\"]}},\"routes\":[]}", "upstreams/A"},
        {"{\"upstreams\":{\"a\":1},\"routes\":[]}", "upstreams/a"},
        {ROUTE(""), "routes/0/path routes/0/upstream"},
        {ROUTE("\"path\":\"/a\",\"upstream\":\"b\""), "routes/0/upstream"},
        {ROUTE("\"path\":\"a\",\"upstream\":\"a\""), "routes/0/path"},
        {ROUTE("\"path\":\"/a/\",\"upstream\":\"a\""), "routes/0/path"},
        {ROUTE("\"path\":\"/a//b\",\"upstream\":\"a\""), "routes/0/path"},
        {ROUTE("\"path\":\"/../a\",\"upstream\":\"a\""), "routes/0/path"},
        {ROUTE("\"path\":\"/%61\",\"upstream\":\"a\""), "routes/0/path"},
        {ROUTE("\"path\":\"/a?b\",\"upstream\":\"a\""), "routes/0/path"},
        {ROUTE("\"path\":\"/{id}\",\"upstream\":\"a\""), "routes/0/path"},
        {ROUTE("\"path\":\"/\xc3\xa9\",\"upstream\":\"a\""), "routes/0/path"},
        {ROUTE("\"path\":\"/a\",\"upstream\":\"a\",\"methods\":[]"), "routes/0/methods"},
        {ROUTE("\"path\":\"/a\",\"upstream\":\"a\",\"methods\":[\"GET\",\"get\",\"\"]"),
         "routes/0/methods/1 routes/0/methods/2"},
        {ROUTE("\"path\":\"/a\",\"upstream\":\"a\",\"auth\":\"yes\""), "routes/0/auth"},
        {ROUTE("\"path\":\"/a\",\"upstream\":\"a\",\"timeout_ms\":0"), "routes/0/timeout_ms"},
        {ROUTE("\"path\":\"/a\",\"upstream\":\"a\",\"max_body_bytes\":-1"),
         "routes/0/max_body_bytes"},
        {ROUTE("\"path\":\"/a\",\"upstream\":\"a\",\"pth\":1"), "routes/0/pth"},
        {ROUTE("\"path\":\"/a\",\"upstream\":\"a\"},{\"path\":\"/a\",\"upstream\":\"a\""),
         "routes/1"},
        {ROUTE("\"path\":\"/a\",\"upstream\":\"a\",\"methods\":[\"GET\"]},"
               "{\"path\":\"/a\",\"upstream\":\"a\",\"methods\":[\"PUT\",\"GET\"]"),
         "routes/1"},
        {ROUTE("\"path\":\"x\",\"upstream\":\"a\"},{\"path\":\"/a\",\"upstream\":\"z\""),
         "routes/0/path routes/1/upstream"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct routes *routes = NULL;
        const struct err_field *fields = NULL;
        char got[256] = "";
        _cleanup_(err_free) struct err *e =
            routes_parse(cases[i].json, strlen(cases[i].json), &routes);
        CHECK(cases[i].json, e && !routes);
        size_t count = err_fields(e, &fields);
        for (size_t j = 0; j < count; j++)
            snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", j > 0 ? " " : "",
                     fields[j].field);
        CHECK_STR(cases[i].json, count > 0 ? got : "!", cases[i].places);
    }
}

static void a_file_is_explained(void **state)
{
    (void)state;
    char path[] = "/tmp/routes-XXXXXX";
    int fd = mkstemp(path);
    const char wrong[] = "{\"upstreams\":{},\"routes\":[{\"path\":\"a\",\"upstream\":\"b\"}]}";
    assert_int_equal(write(fd, wrong, strlen(wrong)), strlen(wrong));
    struct routes *routes = NULL;
    _cleanup_(err_free) struct err *e = routes_file_load(path, &routes);
    assert_true(err_is(e, &CFG_INVALID));
    assert_non_null(strstr(err_detail(e), path));
    assert_non_null(strstr(err_detail(e), "routes/0/path: "));

    assert_int_equal(ftruncate(fd, 0), 0);
    _cleanup_(err_free) struct err *empty = routes_file_load(path, &routes);
    assert_true(err_is(empty, &CFG_INVALID));

    assert_int_equal(ftruncate(fd, ROUTES_FILE_MAX + 1), 0);
    _cleanup_(err_free) struct err *large = routes_file_load(path, &routes);
    assert_true(err_is(large, &CFG_INVALID));

    close(fd);
    unlink(path);
    _cleanup_(err_free) struct err *missing = routes_file_load(path, &routes);
    assert_true(err_is(missing, &CFG_INVALID));
    _cleanup_(err_free) struct err *folder = routes_file_load("/tmp", &routes);
    assert_true(err_is(folder, &CFG_INVALID));
    assert_null(routes);
}

static void the_default_routes(void **state)
{
    (void)state;
    static const struct {
        const char *path, *upstream;
    } cases[] = {
        {"/api/v1/users/me", "users"},
        {"/api/v1/auth/login", "auth"},
        {"/.well-known/jwks.json", "auth"},
        {"/oauth2/token", "auth"},
    };
    _cleanup_(routes_unref) struct routes *routes = NULL;
    assert_null(routes_default(&routes));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct path_route *route = NULL;
        CHECK_INT(cases[i].path, routes_match(routes, text(cases[i].path), text("GET"), &route),
                  ROUTE_FOUND);
        CHECK_STR(cases[i].path, routes_upstream(routes, route->upstream)->name, cases[i].upstream);
    }
}

static void memory_that_runs_out_is_an_error(void **state)
{
    (void)state;
    for (size_t successes = 0;; successes++) {
        struct routes *routes = NULL;
        alloc_fail_after(successes);
        struct err *e = routes_parse(table, strlen(table), &routes);
        if (!alloc_fail_stop()) {
            assert_null(e);
            routes_unref(routes);
            return;
        }
        assert_non_null(e);
        assert_null(routes);
        err_free(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_prefix_on_a_segment_boundary_wins),
        cmocka_unit_test(the_root_takes_everything),
        cmocka_unit_test(thousands_of_routes_are_all_found),
        cmocka_unit_test(the_numbers_of_routes_and_upstreams_are_limited),
        cmocka_unit_test(defaults_and_values),
        cmocka_unit_test(mistakes_are_named_by_their_place),
        cmocka_unit_test(a_file_is_explained),
        cmocka_unit_test(the_default_routes),
        cmocka_unit_test(memory_that_runs_out_is_an_error),
    };
    return cmocka_run_group_tests_name("routes", tests, NULL, NULL);
}
