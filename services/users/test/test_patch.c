/* Merge patches, versions, and many who change the same user at once. */
#include "users_test.h"

#include <stdatomic.h>
#include <stdio.h>

#define ME "/api/v1/users/me"

static const struct {
    const char *name, *body;
    int status;
    const char *code, *field; /* of the first field error */
    const char *email_after, *name_after, *etag;
} patches[] = {
    {"empty", "{}", 200, "", "", NULL, NULL, "\"v1\""},
    {"name", "{\"name\":\"Änn\"}", 200, "", "", NULL, "Änn", "\"v2\""},
    {"the same name", "{\"name\":\"Änn\"}", 200, "", "", NULL, NULL, "\"v2\""},
    {"100 characters",
     "{\"name\":\"éééééééééééééééééééééééééééééééééééééééééééééééééé"
     "éééééééééééééééééééééééééééééééééééééééééééééééééé\"}",
     200, "", "", NULL,
     "éééééééééééééééééééééééééééééééééééééééééééééééééé"
     "éééééééééééééééééééééééééééééééééééééééééééééééééé",
     "\"v3\""},
    {"address, other case", "{\"email\":\"ann@example.com\"}", 200, "", "", "ann@example.com", NULL,
     "\"v4\""},
    {"both", "{\"email\":\"ann2@example.com\",\"name\":\"Ann\"}", 200, "", "", "ann2@example.com",
     "Ann", "\"v5\""},
    {"taken", "{\"email\":\"BOB@example.com\",\"name\":\"Not\"}", 409, "email_taken", "", NULL,
     NULL, NULL},
    {"null", "{\"name\":null}", 422, "invalid_request", "name", NULL, NULL, NULL},
    {"empty name", "{\"name\":\"\"}", 422, "invalid_request", "name", NULL, NULL, NULL},
    {"101 characters",
     "{\"name\":"
     "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
     "xxxxxxxxxxxxxxxxxxxxx\"}",
     422, "invalid_request", "name", NULL, NULL, NULL},
    {"no address", "{\"email\":\"nowhere\"}", 422, "invalid_request", "email", NULL, NULL, NULL},
    {"wrong type", "{\"email\":7}", 422, "invalid_request", "email", NULL, NULL, NULL},
    {"no such status", "{\"status\":\"pending\"}", 422, "invalid_request", "status", NULL, NULL,
     NULL},
    {"no such role", "{\"role\":\"root\"}", 422, "invalid_request", "role", NULL, NULL, NULL},
    {"id", "{\"id\":\"x\"}", 422, "invalid_request", "id", NULL, NULL, NULL},
    {"verified", "{\"email_verified\":true}", 422, "invalid_request", "email_verified", NULL, NULL,
     NULL},
    {"version", "{\"version\":1}", 422, "invalid_request", "version", NULL, NULL, NULL},
    {"array", "[]", 422, "invalid_request", "", NULL, NULL, NULL},
    {"text", "\"x\"", 422, "invalid_request", "", NULL, NULL, NULL},
    {"nothing", "", 400, "malformed_json", "", NULL, NULL, NULL},
    {"half", "{\"name\":", 400, "malformed_json", "", NULL, NULL, NULL},
    {"role and a wrong name", "{\"role\":\"admin\",\"name\":\"\"}", 422, "invalid_request", "name",
     NULL, NULL, NULL},
    {"status with a name", "{\"status\":\"suspended\",\"name\":\"Not\"}", 403, "forbidden", "",
     NULL, NULL, NULL},
};

static void test_merge_patch(void **state)
{
    struct fixture *fixture = *state;
    /* What Ann is after each row; NULL: as before. */
    char email[EMAIL_TEXT], name[sizeof(fixture->ann.name)];
    snprintf(email, sizeof(email), "%s", fixture->ann.email);
    snprintf(name, sizeof(name), "%s", fixture->ann.name);
    for (size_t i = 0; i < ARRAY_LEN(patches); i++) {
        const char *row = patches[i].name;
        _cleanup_(reply_deinit) struct reply reply =
            CALL(fixture->server, PATCH, ME, .token = fixture->ann_token, .body = patches[i].body);
        check_reply(row, &reply, patches[i].status, patches[i].code);
        if (patches[i].field[0])
            CHECK_STR(row, reply_text(&reply, "errors/0/field"), patches[i].field);
        if (patches[i].etag)
            CHECK_STR(row, reply_header(&reply, "ETag"), patches[i].etag);
        if (patches[i].email_after)
            snprintf(email, sizeof(email), "%s", patches[i].email_after);
        if (patches[i].name_after)
            snprintf(name, sizeof(name), "%s", patches[i].name_after);
        _cleanup_(reply_deinit) struct reply read =
            CALL(fixture->server, GET, ME, .token = fixture->ann_token);
        CHECK_STR(row, reply_text(&read, "email"), email);
        CHECK_STR(row, reply_text(&read, "name"), name);
        if (reply.status == 200)
            CHECK_STR(row, reply.answer.body, read.answer.body);
    }
}

static void test_a_new_address_is_not_verified(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *body;
        bool is_verified;
    } rows[] = {{"{\"email\":\"ANN@example.com\"}", true},
                {"{\"name\":\"A\"}", true},
                {"{\"email\":\"anna@example.com\"}", false},
                {"{\"email\":\"ann@example.com\"}", false}};
    test_database_run(&fixture->database, "UPDATE users SET email_verified = TRUE");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(reply_deinit) struct reply reply =
            CALL(fixture->server, PATCH, ME, .token = fixture->ann_token, .body = rows[i].body);
        check_reply(rows[i].body, &reply, 200, "");
        bool is_verified = !rows[i].is_verified;
        json_bool(reply_find(&reply, "email_verified"), &is_verified);
        CHECK_INT(rows[i].body, is_verified, rows[i].is_verified);
    }
}

static void test_admin_patches(void **state)
{
    struct fixture *fixture = *state;
    const char *ann = user_path(fixture->ann.id);
    static const struct {
        const char *body, *role, *status;
    } rows[] = {
        {"{\"status\":\"suspended\"}", "user", "suspended"},
        {"{\"name\":\"Still suspended\"}", "user", "suspended"},
        {"{\"status\":\"active\",\"role\":\"admin\"}", "admin", "active"},
        {"{\"role\":\"user\"}", "user", "active"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(reply_deinit) struct reply reply =
            CALL(fixture->server, PATCH, ann, .token = fixture->admin_token, .body = rows[i].body);
        check_reply(rows[i].body, &reply, 200, "");
        CHECK_STR(rows[i].body, reply_text(&reply, "role"), rows[i].role);
        CHECK_STR(rows[i].body, reply_text(&reply, "status"), rows[i].status);
    }
}

static void test_if_match(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *if_match, *body;
        int status;
        const char *code, *etag;
    } rows[] = {
        {"\"v1\"", "{\"name\":\"1\"}", 200, "", "\"v2\""},
        {"\"v1\"", "{\"name\":\"2\"}", 412, "precondition_failed", NULL},
        {"\"v9\", \"v2\"", "{\"name\":\"3\"}", 200, "", "\"v3\""},
        {"*", "{\"name\":\"4\"}", 200, "", "\"v4\""},
        {"W/\"v4\"", "{\"name\":\"5\"}", 412, "precondition_failed", NULL}, /* weak never matches */
        {"v4", "{\"name\":\"6\"}", 412, "precondition_failed", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(reply_deinit) struct reply reply =
            CALL(fixture->server, PATCH, ME, .token = fixture->ann_token, .body = rows[i].body,
                 .if_match = rows[i].if_match);
        check_reply(rows[i].body, &reply, rows[i].status, rows[i].code);
        if (rows[i].etag)
            CHECK_STR(rows[i].body, reply_header(&reply, "ETag"), rows[i].etag);
    }
}

static void test_pending_users_give_way_to_a_change_of_address(void **state)
{
    struct fixture *fixture = *state;
    make_user(fixture, "wanted@example.com", "Late", ROLE_USER, STATUS_PENDING);
    _cleanup_(reply_deinit) struct reply reply =
        CALL(fixture->server, PATCH, ME, .token = fixture->ann_token,
             .body = "{\"email\":\"Wanted@example.com\"}");
    check_reply("patch", &reply, 200, "");
    assert_int_equal(test_database_number(&fixture->database,
                                          "SELECT count(*) FROM users WHERE status = 'pending'"),
                     0);
}

/* --- many at once --- */

#define WRITERS   16
#define ROUNDS    8
#define STRANGERS 8

struct race {
    struct fixture *fixture;
    atomic_int ok, conflicts, others;
};

static void patch_over_and_over(size_t index, void *data)
{
    struct race *race = data;
    for (int round = 0; round < ROUNDS; round++) {
        char body[64];
        snprintf(body, sizeof(body), "{\"name\":\"%zu-%d\"}", index, round);
        _cleanup_(reply_deinit) struct reply reply =
            CALL(race->fixture->server, PATCH, ME, .token = race->fixture->ann_token, .body = body);
        bool is_conflict =
            reply.status == 409 && strcmp(reply_text(&reply, "code"), "user_changed") == 0;
        atomic_fetch_add(reply.status == 200 ? &race->ok
                         : is_conflict       ? &race->conflicts
                                             : &race->others,
                         1);
    }
}

/* What was answered with 200 is there, and nothing else. PostgreSQL has collisions that it cannot
 * resolve (they are answered with 409), SQLite has none. */
static void test_no_change_is_lost(void **state)
{
    struct race race = {.fixture = *state};
    struct sql_db *db = race.fixture->database.db;
    run_threads(WRITERS, patch_over_and_over, &race);
    if (sql_dialect(db) == SQL_SQLITE)
        assert_int_equal(atomic_load(&race.conflicts), 0);
    assert_int_equal(atomic_load(&race.others), 0);
    struct user ann = {0};
    expect_ok(store_fetch(db, NULL, race.fixture->ann.id, &ann));
    assert_int_equal(ann.version, 1 + atomic_load(&race.ok));
}

static void patch_own_user(size_t index, void *data)
{
    struct race *race = data;
    char email[64], token[64];
    snprintf(email, sizeof(email), "own-%zu@example.com", index);
    struct user user = make_user(race->fixture, email, "Own", ROLE_USER, STATUS_ACTIVE);
    write_token(token, "user", user.id);
    for (int round = 0; round < ROUNDS; round++) {
        char body[96];
        snprintf(body, sizeof(body), "{\"name\":\"%d\",\"email\":\"own-%zu-%d@example.com\"}",
                 round, index, round);
        _cleanup_(reply_deinit) struct reply reply =
            CALL(race->fixture->server, PATCH, ME, .token = token, .body = body);
        atomic_fetch_add(reply.status == 200 ? &race->ok : &race->others, 1);
    }
}

static void test_strangers_do_not_collide(void **state)
{
    struct race race = {.fixture = *state};
    run_threads(STRANGERS, patch_own_user, &race);
    assert_int_equal(atomic_load(&race.others), 0);
}

static void patch_version_1(size_t index, void *data)
{
    struct race *race = data;
    char body[64];
    snprintf(body, sizeof(body), "{\"name\":\"%zu\"}", index);
    _cleanup_(reply_deinit) struct reply reply =
        CALL(race->fixture->server, PATCH, ME, .token = race->fixture->ann_token, .body = body,
             .if_match = "\"v1\"");
    atomic_fetch_add(reply.status == 200 ? &race->ok : &race->conflicts, 1);
}

static void test_if_match_lets_one_through(void **state)
{
    struct race race = {.fixture = *state};
    run_threads(WRITERS, patch_version_1, &race);
    assert_int_equal(atomic_load(&race.ok), 1);
    assert_int_equal(atomic_load(&race.conflicts), WRITERS - 1);
}

static void claim_address(size_t index, void *data)
{
    struct race *race = data;
    struct fixture *fixture = race->fixture;
    static const char body[] = "{\"email\":\"Wanted@example.com\",\"name\":\"W\"}";
    const struct call rows[] = {
        {PATCH, ME, .token = fixture->ann_token, .body = body},
        {PATCH, ME, .token = fixture->bob_token, .body = body},
        {POST, "/api/v1/users", .token = fixture->admin_token, .body = body},
    };
    _cleanup_(reply_deinit) struct reply reply =
        test_call(fixture->server, &rows[index % ARRAY_LEN(rows)]);
    atomic_fetch_add(reply.status < 300 ? &race->ok : &race->conflicts, 1);
}

static void test_an_address_goes_to_one(void **state)
{
    struct race race = {.fixture = *state};
    run_threads(3, claim_address, &race);
    assert_int_equal(atomic_load(&race.ok), 1);
    assert_int_equal(test_database_number(&race.fixture->database,
                                          "SELECT count(*) FROM users WHERE email_key"
                                          " = 'wanted@example.com'"),
                     1);
}

static void delete_ann(size_t index, void *data)
{
    struct race *race = data;
    (void)index;
    _cleanup_(reply_deinit) struct reply reply =
        CALL(race->fixture->server, DELETE, ME, .token = race->fixture->ann_token);
    atomic_fetch_add(reply.status == 204 ? &race->ok : &race->conflicts, 1);
}

static void test_one_delete_wins(void **state)
{
    struct race race = {.fixture = *state};
    run_threads(WRITERS, delete_ann, &race);
    assert_int_equal(atomic_load(&race.ok), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_merge_patch),
        TEST(test_a_new_address_is_not_verified),
        TEST(test_admin_patches),
        TEST(test_if_match),
        TEST(test_pending_users_give_way_to_a_change_of_address),
        TEST(test_no_change_is_lost),
        TEST(test_strangers_do_not_collide),
        TEST(test_if_match_lets_one_through),
        TEST(test_an_address_goes_to_one),
        TEST(test_one_delete_wins),
    };
    return cmocka_run_group_tests_name("users.patch", tests, NULL, NULL);
}
