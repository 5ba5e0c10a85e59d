/* Every route, and every error that its row in the table promises. */
#include "users_test.h"

#include <base/str.h>

#define NOBODY "0190b5a0-0000-7000-8000-000000000000"

static void check_is(const char *row, const struct reply *reply, const struct user *user)
{
    CHECK_STR(row, reply_text(reply, "id"), user->id);
    CHECK_STR(row, reply_text(reply, "email"), user->email);
    CHECK_STR(row, reply_text(reply, "name"), user->name);
    CHECK_STR(row, reply_text(reply, "role"), user_roles[user->role]);
    CHECK_STR(row, reply_text(reply, "status"), user_statuses[user->status]);
    CHECK_INT(row, json_count(reply_find(reply, "")), 8);
}

/* Who asks, and of whom; the tokens of the fixture by letter. */
enum who {
    NO_ONE,
    ADMIN_,
    ANN,
    BOB,
    GONE_USER,
    GONE_ADMIN,
    FORMER_ADMIN,
    SUSPENDED,
    SUSPENDED_ADMIN
};

static const char *token_of(struct fixture *fixture, enum who who)
{
    static char token[64];
    struct user other = {.id = NOBODY};
    if (who == FORMER_ADMIN) /* the token is from before */
        other = make_user(fixture, "former@example.com", "Former", ROLE_USER, STATUS_ACTIVE);
    if (who == SUSPENDED)
        other = make_user(fixture, "sue@example.com", "Sue", ROLE_USER, STATUS_SUSPENDED);
    if (who == SUSPENDED_ADMIN)
        other = make_user(fixture, "sam@example.com", "Sam", ROLE_ADMIN, STATUS_SUSPENDED);
    write_token(token, who == GONE_USER || who == SUSPENDED ? "user" : "admin", other.id);
    const char *const tokens[] = {
        [NO_ONE] = NULL,
        [ADMIN_] = fixture->admin_token,
        [ANN] = fixture->ann_token,
        [BOB] = fixture->bob_token,
    };
    return who < ARRAY_LEN(tokens) ? tokens[who] : token;
}

/* {ann} stands for Ann's id. */
static const struct {
    const char *name;
    enum who who;
    enum http_method method;
    const char *target, *body;
    int status;
    const char *code;
} requests[] = {
    {"me", ANN, GET, "/api/v1/users/me", NULL, 200, ""},
    {"me, head", ANN, HEAD, "/api/v1/users/me", NULL, 200, ""},
    {"me without a token", NO_ONE, GET, "/api/v1/users/me", NULL, 401, "unauthenticated"},
    {"patch me without a token", NO_ONE, PATCH, "/api/v1/users/me", "{}", 401, "unauthenticated"},
    {"delete me without a token", NO_ONE, DELETE, "/api/v1/users/me", NULL, 401, "unauthenticated"},
    {"me who is gone", GONE_USER, GET, "/api/v1/users/me", NULL, 404, "user_not_found"},
    {"patch me who is gone", GONE_USER, PATCH, "/api/v1/users/me", "{\"name\":\"x\"}", 404,
     "user_not_found"},
    {"delete me who is gone", GONE_USER, DELETE, "/api/v1/users/me", NULL, 404, "user_not_found"},
    {"me suspended", SUSPENDED, GET, "/api/v1/users/me", NULL, 403, "account_suspended"},
    {"patch me suspended", SUSPENDED, PATCH, "/api/v1/users/me", "{\"name\":\"x\"}", 403,
     "account_suspended"},
    {"delete me suspended", SUSPENDED, DELETE, "/api/v1/users/me", NULL, 403, "account_suspended"},
    {"a suspended admin lifts it", SUSPENDED_ADMIN, PATCH, "/api/v1/users/me",
     "{\"status\":\"active\"}", 403, "account_suspended"},

    {"one: self", ANN, GET, "/api/v1/users/{ann}", NULL, 200, ""},
    {"one: admin", ADMIN_, GET, "/api/v1/users/{ann}", NULL, 200, ""},
    {"one: another", BOB, GET, "/api/v1/users/{ann}", NULL, 403, "forbidden"},
    {"one without a token", NO_ONE, GET, "/api/v1/users/{ann}", NULL, 401, "unauthenticated"},
    {"one: nobody", ADMIN_, GET, "/api/v1/users/" NOBODY, NULL, 404, "user_not_found"},
    {"one: no id", ADMIN_, GET, "/api/v1/users/x", NULL, 404, "user_not_found"},
    {"one: nobody, by a user", BOB, GET, "/api/v1/users/" NOBODY, NULL, 403, "forbidden"},
    {"one: former admin", FORMER_ADMIN, GET, "/api/v1/users/{ann}", NULL, 403, "forbidden"},
    {"one: admin who is gone", GONE_ADMIN, GET, "/api/v1/users/{ann}", NULL, 403, "forbidden"},
    {"one: suspended admin", SUSPENDED_ADMIN, GET, "/api/v1/users/{ann}", NULL, 403,
     "account_suspended"},

    {"patch: self", ANN, PATCH, "/api/v1/users/{ann}", "{\"name\":\"A\"}", 200, ""},
    {"patch: admin", ADMIN_, PATCH, "/api/v1/users/{ann}", "{\"name\":\"A\"}", 200, ""},
    {"patch: another", BOB, PATCH, "/api/v1/users/{ann}", "{\"name\":\"A\"}", 403, "forbidden"},
    {"patch: nobody", ADMIN_, PATCH, "/api/v1/users/" NOBODY, "{\"name\":\"A\"}", 404,
     "user_not_found"},
    {"patch: former admin", FORMER_ADMIN, PATCH, "/api/v1/users/{ann}", "{\"name\":\"A\"}", 403,
     "forbidden"},
    {"own role", ANN, PATCH, "/api/v1/users/me", "{\"role\":\"admin\"}", 403, "forbidden"},
    {"own role by id", ANN, PATCH, "/api/v1/users/{ann}", "{\"role\":\"admin\"}", 403, "forbidden"},
    {"own status", ANN, PATCH, "/api/v1/users/me", "{\"status\":\"active\"}", 403, "forbidden"},
    {"own role of a former admin", FORMER_ADMIN, PATCH, "/api/v1/users/me", "{\"role\":\"admin\"}",
     403, "forbidden"},
    {"role by an admin", ADMIN_, PATCH, "/api/v1/users/{ann}", "{\"role\":\"admin\"}", 200, ""},
    {"an admin's own role", ADMIN_, PATCH, "/api/v1/users/me", "{\"role\":\"user\"}", 200, ""},

    {"delete: self", ANN, DELETE, "/api/v1/users/{ann}", NULL, 204, ""},
    {"delete: admin", ADMIN_, DELETE, "/api/v1/users/{ann}", NULL, 204, ""},
    {"delete: me", ANN, DELETE, "/api/v1/users/me", NULL, 204, ""},
    {"delete: another", BOB, DELETE, "/api/v1/users/{ann}", NULL, 403, "forbidden"},
    {"delete: nobody", ADMIN_, DELETE, "/api/v1/users/" NOBODY, NULL, 404, "user_not_found"},

    {"list: admin", ADMIN_, GET, "/api/v1/users", NULL, 200, ""},
    {"list: user", ANN, GET, "/api/v1/users", NULL, 403, "forbidden"},
    {"list: former admin", FORMER_ADMIN, GET, "/api/v1/users", NULL, 403, "forbidden"},
    {"list: suspended admin", SUSPENDED_ADMIN, GET, "/api/v1/users", NULL, 403,
     "account_suspended"},
    {"list without a token", NO_ONE, GET, "/api/v1/users", NULL, 401, "unauthenticated"},

    {"invite: user", ANN, POST, "/api/v1/users", "{\"email\":\"n@example.com\",\"name\":\"N\"}",
     403, "forbidden"},
    {"invite: former admin", FORMER_ADMIN, POST, "/api/v1/users",
     "{\"email\":\"n@example.com\",\"name\":\"N\"}", 403, "forbidden"},
    {"invite: suspended admin", SUSPENDED_ADMIN, POST, "/api/v1/users",
     "{\"email\":\"n@example.com\",\"name\":\"N\"}", 403, "account_suspended"},
    {"invite without a token", NO_ONE, POST, "/api/v1/users",
     "{\"email\":\"n@example.com\",\"name\":\"N\"}", 401, "unauthenticated"},

    {"no route", ADMIN_, GET, "/api/v1/nothing", NULL, 404, "route_not_found"},
    {"no method", ADMIN_, PUT, "/api/v1/users/me", "{}", 405, "method_not_allowed"},
};

static void test_who_may(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        void *own_state = NULL;
        fixture_start(&own_state);
        struct fixture *fixture = own_state;
        const char *target = str_ends_with(requests[i].target, "{ann}") ? user_path(fixture->ann.id)
                                                                        : requests[i].target;
        const struct call call = {
            .method = requests[i].method,
            .target = target,
            .token = token_of(fixture, requests[i].who),
            .body = requests[i].body,
        };
        _cleanup_(reply_deinit) struct reply reply = test_call(fixture->server, &call);
        if (requests[i].method == HEAD)
            CHECK_INT(requests[i].name, reply.status, requests[i].status);
        else
            check_reply(requests[i].name, &reply, requests[i].status, requests[i].code);
        fixture_stop(&own_state);
    }
}

static void test_read(void **state)
{
    struct fixture *fixture = *state;
    const char *const paths[] = {"/api/v1/users/me", user_path(fixture->ann.id)};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        _cleanup_(reply_deinit) struct reply reply =
            CALL(fixture->server, GET, paths[i], .token = fixture->ann_token);
        check_reply(paths[i], &reply, 200, "");
        check_is(paths[i], &reply, &fixture->ann);
        CHECK_STR(paths[i], reply_header(&reply, "ETag"), "\"v1\"");
    }
}

static void test_conditional_read(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        enum http_method method;
        const char *if_none_match, *if_match;
        int status;
    } rows[] = {
        {GET, "\"v1\"", NULL, 304},  {GET, "W/\"v1\"", NULL, 304},
        {GET, "*", NULL, 304},       {GET, "\"v0\", \"v1\"", NULL, 304},
        {GET, "\"v2\"", NULL, 200},  {GET, "\"v11\"", NULL, 200},
        {HEAD, "\"v1\"", NULL, 304}, {HEAD, "\"v2\"", NULL, 200},
        {GET, NULL, "\"v1\"", 200},  {GET, NULL, "\"v2\"", 412},
        {GET, "*", "\"v2\"", 412},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *row = rows[i].if_match ? rows[i].if_match : rows[i].if_none_match;
        _cleanup_(reply_deinit) struct reply reply =
            CALL(fixture->server, rows[i].method, "/api/v1/users/me", .token = fixture->ann_token,
                 .if_none_match = rows[i].if_none_match, .if_match = rows[i].if_match);
        CHECK_INT(row, reply.status, rows[i].status);
        if (rows[i].status == 412)
            continue;
        CHECK_INT(row, reply.answer.body_len > 0, rows[i].method == GET && rows[i].status == 200);
        CHECK_STR(row, reply_header(&reply, "ETag"), "\"v1\"");
    }
}

static void test_delete_is_for_good(void **state)
{
    struct fixture *fixture = *state;
    const char *path = user_path(fixture->ann.id);
    static const struct {
        const char *if_match;
        int status;
        const char *code;
    } rows[] = {
        {"\"v2\"", 412, "precondition_failed"}, {"\"v1\"", 204, ""}, {NULL, 404, "user_not_found"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(reply_deinit) struct reply reply =
            CALL(fixture->server, DELETE, path, .token = fixture->admin_token,
                 .if_match = rows[i].if_match);
        check_reply(rows[i].if_match ? rows[i].if_match : "again", &reply, rows[i].status,
                    rows[i].code);
    }
    _cleanup_(reply_deinit) struct reply gone =
        CALL(fixture->server, GET, path, .token = fixture->admin_token);
    check_reply("gone", &gone, 404, "user_not_found");
    /* The address is free again. */
    make_user(fixture, "ann@example.com", "Another Ann", ROLE_USER, STATUS_ACTIVE);
}

static void test_invite(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *name, *body;
        int status;
        const char *code, *role;
    } rows[] = {
        {"plain", "{\"email\":\"New@Example.com\",\"name\":\"New\"}", 201, "", "user"},
        {"admin", "{\"email\":\"new2@example.com\",\"name\":\"New\",\"role\":\"admin\"}", 201, "",
         "admin"},
        {"taken", "{\"email\":\"ann@example.com\",\"name\":\"New\"}", 409, "email_taken", NULL},
        {"taken, other case", "{\"email\":\"BOB@EXAMPLE.COM\",\"name\":\"New\"}", 409,
         "email_taken", NULL},
        {"no name", "{\"email\":\"new3@example.com\"}", 422, "invalid_request", NULL},
        {"no such role", "{\"email\":\"new3@example.com\",\"name\":\"N\",\"role\":\"root\"}", 422,
         "invalid_request", NULL},
        {"own id", "{\"email\":\"new3@example.com\",\"name\":\"N\",\"id\":\"" NOBODY "\"}", 422,
         "invalid_request", NULL},
        {"status", "{\"email\":\"new3@example.com\",\"name\":\"N\",\"status\":\"active\"}", 422,
         "invalid_request", NULL},
        {"half", "{\"email\":", 400, "malformed_json", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *row = rows[i].name;
        _cleanup_(reply_deinit) struct reply reply =
            CALL(fixture->server, POST, "/api/v1/users", .token = fixture->admin_token,
                 .body = rows[i].body);
        check_reply(row, &reply, rows[i].status, rows[i].code);
        if (rows[i].status != 201)
            continue;
        CHECK_STR(row, reply_text(&reply, "role"), rows[i].role);
        CHECK_STR(row, reply_text(&reply, "status"), "active");
        CHECK_STR(row, reply_header(&reply, "Location"), user_path(reply_text(&reply, "id")));
        CHECK_STR(row, reply_header(&reply, "ETag"), "\"v1\"");
        _cleanup_(reply_deinit) struct reply read = CALL(
            fixture->server, GET, reply_header(&reply, "Location"), .token = fixture->admin_token);
        check_reply(row, &read, 200, "");
        CHECK_STR(row, read.answer.body, reply.answer.body);
    }
}

static void test_pending_users_do_not_exist(void **state)
{
    struct fixture *fixture = *state;
    struct user pending = make_user(fixture, "late@example.com", "Late", ROLE_USER, STATUS_PENDING);
    char own_token[64];
    write_token(own_token, "user", pending.id);
    const struct {
        const char *name;
        struct call call;
    } rows[] = {
        {"self", {GET, "/api/v1/users/me", .token = own_token}},
        {"admin", {GET, user_path(pending.id), .token = fixture->admin_token}},
        {"patch",
         {PATCH, user_path(pending.id), .token = fixture->admin_token, .body = "{\"name\":\"X\"}"}},
        {"delete", {DELETE, user_path(pending.id), .token = fixture->admin_token}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(reply_deinit) struct reply reply = test_call(fixture->server, &rows[i].call);
        check_reply(rows[i].name, &reply, 404, "user_not_found");
    }
    _cleanup_(reply_deinit) struct reply list =
        CALL(fixture->server, GET, "/api/v1/users", .token = fixture->admin_token);
    assert_int_equal(json_count(reply_find(&list, "items")), 3);
}

static void test_database_away(void **state)
{
    struct fixture *fixture = *state;
    test_database_run(&fixture->database, "ALTER TABLE users RENAME TO elsewhere");
    const struct call rows[] = {
        {GET, "/api/v1/users/me", .token = fixture->ann_token},
        {GET, "/api/v1/users", .token = fixture->admin_token},
        {PATCH, "/api/v1/users/me", .token = fixture->ann_token, .body = "{\"name\":\"X\"}"},
        {DELETE, "/api/v1/users/me", .token = fixture->ann_token},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(reply_deinit) struct reply reply = test_call(fixture->server, &rows[i]);
        CHECK_INT(rows[i].target, reply.status, 500);
        CHECK(rows[i].target, !strstr(reply.answer.body, "elsewhere"));
    }
}

static void test_openapi(void **state)
{
    struct fixture *fixture = *state;
    _cleanup_(buf_deinit) struct buf document = BUF_INIT((size_t)1 << 20);
    expect_ok(http_server_openapi(fixture->server, &document));
    _cleanup_(json_free) struct json_doc *json = NULL;
    expect_ok(json_parse(buf_text(&document), document.len, &json));
    const struct json_value *paths = json_get(json_root(json), "paths");
    assert_int_equal(json_count(paths), 3);
    assert_non_null(json_get(json_get(paths, "/api/v1/users/{id}"), "patch"));
    assert_null(strstr(buf_text(&document), "pending"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_may), TEST(test_read),    TEST(test_conditional_read),
        TEST(test_delete_is_for_good),  TEST(test_invite),  TEST(test_pending_users_do_not_exist),
        TEST(test_database_away),       TEST(test_openapi),
    };
    return cmocka_run_group_tests_name("users.routes", tests, NULL, NULL);
}
