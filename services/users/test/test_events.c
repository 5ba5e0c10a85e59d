/* What is told of users: each change once, in its transaction, and nothing of what did not happen. */
#include "users_test.h"

#include <stdio.h>

#include <base/str.h>

#include "handlers.h"

struct told {
    const char *type, *about, *body;
};
static const struct field told_fields[] = {
    FIELD(struct told, type, STRING),
    FIELD(struct told, about, STRING),
    FIELD(struct told, body, STRING),
};
static const struct model told_model = MODEL(struct told, told_fields, "A row of the outbox");

/* All that was told since the last call, as "type type ...", and the last body. */
struct news {
    struct arena arena;
    char types[256];
    struct told last;
    struct json_doc *json;
};

static void news_deinit(struct news *news)
{
    arena_deinit(&news->arena);
    json_free(news->json);
}
DEFINE_CLEANUP_VALUE(struct news, news_deinit);

static struct news take_news(struct fixture *fixture)
{
    struct news news = {.arena = ARENA_INIT((size_t)1 << 20)};
    void *items = NULL;
    size_t count = 0;
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    expect_ok(sql_acquire(fixture->database.db, NULL, &conn));
    expect_ok(sql_fetch_all(conn, NULL, &told_model, 100, &news.arena, &items, &count,
                            "SELECT type, about, body FROM outbox ORDER BY seq"));
    expect_ok(sql_exec(conn, NULL, "DELETE FROM outbox", NULL));
    const struct told *rows = items;
    for (size_t i = 0; i < count; i++) {
        static const char prefix[] = "users.v1.events.";
        size_t len = strlen(news.types);
        assert_true(str_starts_with(rows[i].type, prefix));
        snprintf(news.types + len, sizeof(news.types) - len, "%s%s", i ? " " : "",
                 rows[i].type + sizeof(prefix) - 1);
        news.last = rows[i];
    }
    if (count > 0)
        expect_ok(json_parse(news.last.body, strlen(news.last.body), &news.json));
    return news;
}

static const char *text_of(const struct news *news, const char *name)
{
    const char *text = json_string(json_get(json_get(json_root(news->json), "data"), name));
    return text ? text : "(none)";
}

static int64_t version_of(const struct news *news)
{
    int64_t version = 0;
    json_i64(json_get(json_get(json_root(news->json), "data"), "version"), &version);
    return version;
}

static struct err *call_activate(struct fixture *fixture, const char *id, struct user *out_user)
{
    struct user_id in = {0};
    str_copy(in.id, sizeof(in.id), id);
    struct bus_call call = {.in = &in, .out = out_user, .state = &fixture->service};
    return method_activate(&call);
}

static void test_registration(void **state)
{
    struct fixture *fixture = *state;
    struct user active = {0};
    _cleanup_(news_deinit) struct news before = take_news(fixture); /* the fixture's three */
    assert_string_equal(before.types, "created created created");
    struct user user =
        make_user(fixture, "New@example.com", "N\xc3\xbc", ROLE_ADMIN, STATUS_PENDING);
    _cleanup_(news_deinit) struct news none = take_news(fixture);
    assert_string_equal(none.types, "");
    for (int again = 0; again < 2; again++) {
        expect_ok(call_activate(fixture, user.id, &active));
        _cleanup_(news_deinit) struct news news = take_news(fixture);
        assert_string_equal(news.types, again ? "" : "created");
        if (again)
            continue;
        assert_string_equal(news.last.about, user.id);
        assert_string_equal(text_of(&news, "id"), user.id);
        assert_string_equal(text_of(&news, "email"), "New@example.com");
        assert_string_equal(text_of(&news, "name"), "N\xc3\xbc");
        assert_string_equal(text_of(&news, "role"), "admin");
        assert_string_equal(text_of(&news, "status"), "active");
        assert_int_equal(version_of(&news), active.version);
        assert_int_equal(active.version, 2);
    }
}

/* One after the other, to Bob. */
static const struct {
    const char *name;
    enum http_method method;
    const char *body, *if_match;
    int status;
    const char *told;
    int64_t version;
} rows[] = {
    {"a new name", PATCH, "{\"name\":\"Bobby\"}", NULL, 200, "updated", 2},
    {"the same again", PATCH, "{\"name\":\"Bobby\"}", NULL, 200, "", 0},
    {"a new address", PATCH, "{\"email\":\"bobby@example.com\"}", NULL, 200, "updated", 3},
    {"an address that is taken", PATCH, "{\"email\":\"ann@example.com\"}", NULL, 409, "", 0},
    {"what is wrong", PATCH, "{\"email\":\"nowhere\"}", NULL, 422, "", 0},
    {"an old version", PATCH, "{\"name\":\"Bob\"}", "\"1\"", 412, "", 0},
    {"suspended", PATCH, "{\"status\":\"suspended\"}", NULL, 200, "updated", 4},
    {"an old version deleted", DELETE, NULL, "\"1\"", 412, "", 0},
    {"deleted", DELETE, NULL, NULL, 204, "deleted", 5},
    {"deleted again", DELETE, NULL, NULL, 404, "", 0},
};

static void test_changes(void **state)
{
    struct fixture *fixture = *state;
    _cleanup_(news_deinit) struct news before = take_news(fixture);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct call call = {.method = rows[i].method,
                            .target = user_path(fixture->bob.id),
                            .token = fixture->admin_token,
                            .body = rows[i].body,
                            .if_match = rows[i].if_match};
        _cleanup_(reply_deinit) struct reply reply = test_call(fixture->server, &call);
        CHECK_INT(rows[i].name, reply.status, rows[i].status);
        _cleanup_(news_deinit) struct news news = take_news(fixture);
        CHECK_STR(rows[i].name, news.types, rows[i].told);
        if (!rows[i].told[0])
            continue;
        CHECK_STR(rows[i].name, news.last.about, fixture->bob.id);
        CHECK_STR(rows[i].name, text_of(&news, "id"), fixture->bob.id);
        CHECK_INT(rows[i].name, version_of(&news), rows[i].version);
        bool is_deleted = rows[i].method == DELETE;
        CHECK_STR(rows[i].name, text_of(&news, "role"), is_deleted ? "(none)" : "user");
    }
}

static void test_invitation(void **state)
{
    struct fixture *fixture = *state;
    _cleanup_(news_deinit) struct news before = take_news(fixture);
    static const struct {
        const char *email;
        int status;
        const char *told;
    } invited[] = {{"new@example.com", 201, "created"}, {"NEW@example.com", 409, ""}};
    for (size_t i = 0; i < ARRAY_LEN(invited); i++) {
        char body[128];
        snprintf(body, sizeof(body), "{\"email\":\"%s\",\"name\":\"New\"}", invited[i].email);
        _cleanup_(reply_deinit) struct reply reply = CALL(
            fixture->server, POST, "/api/v1/users", .token = fixture->admin_token, .body = body);
        CHECK_INT(invited[i].email, reply.status, invited[i].status);
        _cleanup_(news_deinit) struct news news = take_news(fixture);
        CHECK_STR(invited[i].email, news.types, invited[i].told);
    }
}

/* An event that cannot be kept is a change that does not happen. */
static void test_no_change_without_its_event(void **state)
{
    struct fixture *fixture = *state;
    struct user user = make_user(fixture, "new@example.com", "New", ROLE_USER, STATUS_PENDING);
    struct user out = {.version = 42};
    test_database_run(&fixture->database, "ALTER TABLE outbox RENAME TO parked");
    expect_error(call_activate(fixture, user.id, &out), &SQL_FAILED);
    assert_int_equal(out.version, 42);
    _cleanup_(reply_deinit) struct reply reply =
        CALL(fixture->server, DELETE, user_path(fixture->bob.id), .token = fixture->admin_token);
    assert_int_equal(reply.status, 500);
    test_database_run(&fixture->database, "ALTER TABLE parked RENAME TO outbox");
    expect_error(store_fetch(fixture->database.db, NULL, user.id, &out), &USER_NOT_FOUND);
    expect_ok(store_fetch(fixture->database.db, NULL, fixture->bob.id, &out));
    expect_ok(call_activate(fixture, user.id, &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_registration),
        TEST(test_changes),
        TEST(test_invitation),
        TEST(test_no_change_without_its_event),
    };
    return cmocka_run_group_tests_name("users.events", tests, NULL, NULL);
}
