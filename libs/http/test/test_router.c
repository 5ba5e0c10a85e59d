#include "check.h"

#include <http/http.h>

#include "exchange.h"
#include "router.h"

static struct err *handler(struct http_req *req, struct http_res *res)
{
    (void)req;
    (void)res;
    return NULL;
}

#define ROW(method, path)                                                                          \
    {                                                                                              \
        method, path, handler, .allow = ANYONE                                                     \
    }

static const struct route routes[] = {
    ROW(GET, "/"),
    ROW(GET, "/users"),
    ROW(POST, "/users"),
    ROW(GET, "/users/me"),
    ROW(GET, "/users/{id}"),
    ROW(PATCH, "/users/{id}"),
    ROW(GET, "/users/{id}/keys/{key}"),
    ROW(GET, "/users/me/other"),
    ROW(DELETE, "/{kind}/all"),
    ROW(GET, "/files/{path...}"),
    ROW(GET, "/files/index"),
};

static void add(struct router *router, const struct route *route, struct buf *mistakes)
{
    struct endpoint *endpoint;
    assert_null(http_router_add(router, route, mistakes, &endpoint));
    if (mistakes->len == 0)
        assert_ptr_equal(endpoint->route, route);
    else
        assert_null(endpoint);
}

static void test_match(void **state)
{
    (void)state;
    static const struct {
        enum http_method method;
        const char *path;
        const char *found;  /* the row's path; NULL: none */
        const char *allow;  /* of the path, when none was found */
        const char *params; /* name=first segment, joined with , */
    } rows[] = {
        {GET, "/", "/", NULL, ""},
        {GET, "/users", "/users", NULL, ""},
        {HEAD, "/users", "/users", NULL, ""},
        {GET, "/users/", NULL, "OPTIONS", ""},
        {GET, "/user", NULL, "OPTIONS", ""},
        {GET, "/Users", NULL, "OPTIONS", ""},
        {GET, "/%75sers", "/users", NULL, ""},
        {PUT, "/users", NULL, "GET, HEAD, OPTIONS, POST", ""},
        {OPTIONS, "/users", NULL, "GET, HEAD, OPTIONS, POST", ""},
        {0, "/users", NULL, "GET, HEAD, OPTIONS, POST", ""},
        {GET, "/users/7", "/users/{id}", NULL, "id=7"},
        {GET, "/users/me", "/users/me", NULL, ""},
        {GET, "/users/mee", "/users/{id}", NULL, "id=mee"},
        {PATCH, "/users/me", "/users/{id}", NULL, "id=me"},
        {DELETE, "/users/me", NULL, "GET, HEAD, OPTIONS, PATCH", ""},
        {GET, "/users/me/other", "/users/me/other", NULL, ""},
        {GET, "/users/me/keys/k", "/users/{id}/keys/{key}", NULL, "id=me,key=k"},
        {GET, "/users/7/keys", NULL, "OPTIONS", ""},
        {DELETE, "/users/all", "/{kind}/all", NULL, "kind=users"},
        {DELETE, "/x/all", "/{kind}/all", NULL, "kind=x"},
        {GET, "/files", NULL, "OPTIONS", ""},
        {GET, "/files/", NULL, "OPTIONS", ""},
        {GET, "/files/a", "/files/{path...}", NULL, "path=a"},
        {GET, "/files/a/b/c", "/files/{path...}", NULL, "path=a"},
        {GET, "/files/a/", NULL, "OPTIONS", ""},
        {GET, "/files/index", "/files/index", NULL, ""},
        {GET, "/files/index/b", "/files/{path...}", NULL, "path=index"},
        {GET,
         "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21/22/23/24/25/26/27/28/29/30/31"
         "/32/33",
         NULL, "OPTIONS", ""},
    };
    _cleanup_(http_router_deinit) struct router router;
    assert_null(http_router_init(&router));
    struct buf mistakes = BUF_INIT(4096);
    for (size_t i = 0; i < ARRAY_LEN(routes); i++)
        add(&router, &routes[i], &mistakes);
    assert_string_equal(buf_text(&mistakes), "");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(65536);
        struct path path;
        struct router_match match;
        assert_null(http_path_split(rows[i].path, &arena, &path));
        http_router_match(&router, rows[i].method, &path, &match);
        CHECK_INT(rows[i].path, match.endpoint != NULL, rows[i].found != NULL);
        if (!match.endpoint) {
            CHECK_STR(rows[i].path, http_allow_text(&arena, match.methods), rows[i].allow);
            continue;
        }
        CHECK_STR(rows[i].path, match.endpoint->route->path, rows[i].found);
        _cleanup_(buf_deinit) struct buf params = BUF_INIT(4096);
        for (size_t p = 0; p < match.endpoint->param_count; p++) {
            struct str name = match.endpoint->params[p];
            struct str value = path.segments[match.starts[p]];
            buf_printf(&params, "%s" STR_FORMAT "=" STR_FORMAT, p > 0 ? "," : "", STR_ARGS(name),
                       STR_ARGS(value));
        }
        CHECK_STR(rows[i].path, buf_text(&params), rows[i].params);
    }
}

static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct route first, second;
        const char *mistakes;
    } rows[] = {
        {"the same", ROW(GET, "/a"), ROW(GET, "/a"), "GET /a and /a match the same paths; "},
        {"the same with a parameter", ROW(GET, "/a/{x}"), ROW(GET, "/a/{x}"),
         "GET /a/{x} and /a/{x} match the same paths; "},
        {"another name", ROW(GET, "/a/{x}"), ROW(PUT, "/a/{y}"),
         "/a/{y}: a parameter has another name in a row with the same path; "},
        {"other method", ROW(GET, "/a"), ROW(PUT, "/a"), ""},
        {"literal beside parameter", ROW(GET, "/a/b"), ROW(GET, "/a/{x}"), ""},
        {"rest beside parameter", ROW(GET, "/a/{x}"), ROW(GET, "/a/{y...}"), ""},
        {"no slash", ROW(GET, "/a"), ROW(GET, "b"), "b: it does not begin with a slash; "},
        {"slash at the end", ROW(GET, "/a"), ROW(GET, "/b/"), "/b/: it ends with a slash; "},
        {"empty segment", ROW(GET, "/a"), ROW(GET, "/b//c"),
         "/b//c: a segment is empty, dots or has a character that must be encoded; "},
        {"dots", ROW(GET, "/a"), ROW(GET, "/b/.."),
         "/b/..: a segment is empty, dots or has a character that must be encoded; "},
        {"space", ROW(GET, "/a"), ROW(GET, "/b c"),
         "/b c: a segment is empty, dots or has a character that must be encoded; "},
        {"part of a segment", ROW(GET, "/a"), ROW(GET, "/b/{id}.json"),
         "/b/{id}.json: a parameter is a whole segment: {name}; "},
        {"open", ROW(GET, "/a"), ROW(GET, "/b/{id"),
         "/b/{id: a parameter is a whole segment: {name}; "},
        {"empty name", ROW(GET, "/a"), ROW(GET, "/b/{}"),
         "/b/{}: a parameter is a whole segment: {name}; "},
        {"bad name", ROW(GET, "/a"), ROW(GET, "/b/{Id}"),
         "/b/{Id}: a parameter's name is a-z, 0-9 and _; "},
        {"twice", ROW(GET, "/a"), ROW(GET, "/{id}/{id}"),
         "/{id}/{id}: two parameters have the same name; "},
        {"rest in the middle", ROW(GET, "/a"), ROW(GET, "/{id...}/b"),
         "/{id...}/b: {name...} is only possible at the end; "},
        {"too many parameters", ROW(GET, "/a"), ROW(GET, "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}"),
         "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}: too many parameters; "},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(http_router_deinit) struct router router;
        _cleanup_(buf_deinit) struct buf mistakes = BUF_INIT(4096);
        assert_null(http_router_init(&router));
        add(&router, &rows[i].first, &mistakes);
        CHECK_STR(rows[i].name, buf_text(&mistakes), "");
        add(&router, &rows[i].second, &mistakes);
        CHECK_STR(rows[i].name, buf_text(&mistakes), rows[i].mistakes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
