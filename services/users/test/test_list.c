/* Pages: every sort and filter, while users come and go, and cursors that are not ours. */
#include "users_test.h"

#include <stdio.h>
#include <string.h>

#include <base/encode.h>
#include <base/str.h>

#define LIST    "/api/v1/users"
#define IDS_MAX 256

struct ids {
    char ids[IDS_MAX][UUID_TEXT];
    size_t count;
};

static void add_page(const struct reply *reply, struct ids *ids)
{
    json_foreach (item, reply_find(reply, "items")) {
        assert_true(ids->count < IDS_MAX);
        str_copy(ids->ids[ids->count++], UUID_TEXT, json_string(json_get(item, "id")));
    }
}

/* A page of the query behind the cursor ("": the first), which becomes that of the next ("": no
 * next one). */
static void read_page(struct fixture *fixture, const char *query,
                      char cursor[static SQL_CURSOR_MAX], struct ids *ids)
{
    char target[SQL_CURSOR_MAX + 256];
    snprintf(target, sizeof(target), LIST "?%s%s%s", query, *cursor ? "&cursor=" : "", cursor);
    _cleanup_(reply_deinit) struct reply reply =
        CALL(fixture->server, GET, target, .token = fixture->admin_token);
    check_reply(query, &reply, 200, "");
    CHECK(query, json_count(reply_find(&reply, "")) == 2);
    add_page(&reply, ids);
    assert_true(str_copy(cursor, SQL_CURSOR_MAX, reply_text(&reply, "next_cursor")));
}

static void read_all(struct fixture *fixture, const char *query, struct ids *ids)
{
    char cursor[SQL_CURSOR_MAX] = "";
    do
        read_page(fixture, query, cursor, ids);
    while (*cursor);
}

static bool has(const struct ids *ids, const char *id)
{
    for (size_t i = 0; i < ids->count; i++) {
        if (strcmp(ids->ids[i], id) == 0)
            return true;
    }
    return false;
}

/* People whose names and addresses sort otherwise than they were made, some of them equal. */
static void people(struct fixture *fixture, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char email[64], name[64];
        snprintf(email, sizeof(email), "%c%zu@example.com", "zQmAk"[i % 5], i);
        snprintf(name, sizeof(name), "%s", ((const char *[]){"Zoë", "Émile", "bob", "Bob"})[i % 4]);
        make_user(fixture, email, name, i % 3 == 0 ? ROLE_ADMIN : ROLE_USER,
                  i % 4 == 0 ? STATUS_SUSPENDED : STATUS_ACTIVE);
    }
    make_user(fixture, "pending@example.com", "Nobody sees me", ROLE_USER, STATUS_PENDING);
}

static void test_sorts_and_filters(void **state)
{
    struct fixture *fixture = *state;
    people(fixture, 40);
    static const struct {
        const char *sort, *order;
    } sorts[] = {
        {"", "created_at, id"},
        {"&sort=created_at", "created_at, id"},
        {"&sort=-created_at", "created_at DESC, id DESC"},
        {"&sort=email", "email_key, id"},
        {"&sort=-email", "email_key DESC, id DESC"},
        {"&sort=name", "name, id"},
        {"&sort=-name", "name DESC, id DESC"},
    };
    static const struct {
        const char *filter, *where;
    } filters[] = {
        {"", "TRUE"},
        {"&status=active", "status = 'active'"},
        {"&status=suspended", "status = 'suspended'"},
        {"&role=admin", "role = 'admin'"},
        {"&role=user&status=active", "role = 'user' AND status = 'active'"},
        {"&email=ANN@example.com", "email_key = 'ann@example.com'"},
        {"&email=z0%40example.com&role=admin", "email_key = 'z0@example.com'"},
        {"&email=nobody@example.com", "FALSE"},
        {"&email=not%20an%20address", "FALSE"},
    };
    static const int limits[] = {1, 7, 200};
    for (size_t i = 0; i < ARRAY_LEN(sorts) * ARRAY_LEN(filters) * ARRAY_LEN(limits); i++) {
        size_t sort = i % ARRAY_LEN(sorts), filter = i / ARRAY_LEN(sorts) % ARRAY_LEN(filters);
        char query[256], statement[512];
        snprintf(query, sizeof(query), "limit=%d%s%s",
                 limits[i / (ARRAY_LEN(sorts) * ARRAY_LEN(filters))], sorts[sort].sort,
                 filters[filter].filter);
        struct ids *ids = calloc(1, sizeof(*ids));
        assert_non_null(ids);
        read_all(fixture, query, ids);
        snprintf(statement, sizeof(statement),
                 "SELECT " USER_COLUMNS " FROM users WHERE status <> 'pending' AND %s ORDER BY %s",
                 filters[filter].where, sorts[sort].order);
        _cleanup_(arena_deinit) struct arena arena = ARENA_INIT((size_t)1 << 20);
        _cleanup_(sql_release) struct sql_conn *conn = NULL;
        expect_ok(sql_acquire(fixture->database.db, NULL, &conn));
        void *rows = NULL;
        size_t count = 0;
        expect_ok(
            sql_fetch_all(conn, NULL, &user_model, IDS_MAX, &arena, &rows, &count, statement));
        CHECK_INT(query, ids->count, count);
        for (size_t j = 0; j < count; j++)
            CHECK_STR(query, ids->ids[j], ((struct user *)rows)[j].id);
        free(ids);
    }
}

static void test_limits(void **state)
{
    struct fixture *fixture = *state;
    people(fixture, 60);
    static const struct {
        const char *query;
        size_t count;
        bool has_next;
    } rows[] = {{"", 50, true},
                {"?limit=1", 1, true},
                {"?limit=62", 62, true},
                {"?limit=63", 63, false},
                {"?limit=200", 63, false}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char target[128];
        snprintf(target, sizeof(target), LIST "%s", rows[i].query);
        _cleanup_(reply_deinit) struct reply reply =
            CALL(fixture->server, GET, target, .token = fixture->admin_token);
        CHECK_INT(target, json_count(reply_find(&reply, "items")), rows[i].count);
        CHECK_INT(target, json_is(reply_find(&reply, "next_cursor"), JSON_STRING),
                  rows[i].has_next);
        CHECK(target, rows[i].has_next || json_is(reply_find(&reply, "next_cursor"), JSON_NULL));
    }
}

static void test_bad_queries(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *query, *field;
    } rows[] = {
        {"limit=0", "limit"},      {"limit=201", "limit"},
        {"limit=-1", "limit"},     {"limit=x", "limit"},
        {"limit=", "limit"},       {"limit=1.0", "limit"},
        {"limit=1e1", "limit"},    {"limit=99999999999999999999", "limit"},
        {"sort=password", "sort"}, {"sort=id;drop", "sort"},
        {"sort=", "sort"},         {"status=pending", "status"},
        {"status=", "status"},     {"role=root", "role"},
        {"email=", "email"},       {"cursor=", "cursor"},
        {"unknown=1", "unknown"},  {"limit=1&limit=2", "limit"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char target[128];
        snprintf(target, sizeof(target), LIST "?%s", rows[i].query);
        _cleanup_(reply_deinit) struct reply reply =
            CALL(fixture->server, GET, target, .token = fixture->admin_token);
        check_reply(target, &reply, 422, "invalid_request");
        CHECK_STR(target, reply_text(&reply, "errors/0/field"), rows[i].field);
    }
}

static void check_bad_cursor(struct fixture *fixture, const char *row, const char *sort,
                             const char *cursor)
{
    char target[2 * SQL_CURSOR_MAX + 256];
    snprintf(target, sizeof(target), LIST "?sort=%s&cursor=%s", sort, cursor);
    _cleanup_(reply_deinit) struct reply reply =
        CALL(fixture->server, GET, target, .token = fixture->admin_token);
    check_reply(row, &reply, 422, "invalid_request");
    CHECK_STR(row, reply_text(&reply, "errors/0/field"), "cursor");
}

#define SOME_ID "0190b5a0-0000-7000-8000-000000000000"

static void test_bad_cursors(void **state)
{
    struct fixture *fixture = *state;
    char cursor[SQL_CURSOR_MAX] = "";
    struct ids ids = {0};
    read_page(fixture, "limit=1&sort=name", cursor, &ids);
    assert_true(*cursor);
    static const char *const others[] = {"created_at", "-created_at", "email", "-email", "-name"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        check_bad_cursor(fixture, "of another sort", others[i], cursor);
    char longer[SQL_CURSOR_MAX + 2];
    snprintf(longer, sizeof(longer), "%sA", cursor);
    check_bad_cursor(fixture, "longer", "name", longer);
    memset(longer, 'A', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    check_bad_cursor(fixture, "too long", "name", longer);
    for (size_t cut = 1; cut < strlen(cursor); cut++) {
        char part[SQL_CURSOR_MAX];
        str_copy_n(part, sizeof(part), cursor, cut);
        check_bad_cursor(fixture, "cut short", "name", part);
    }
    static const struct {
        const char *bytes;
        size_t len;
    } forged[] = {
#define ROW(bytes) {bytes, sizeof(bytes) - 1}
        ROW(""),
        ROW("users"),
        ROW("users\0name\0A"),
        ROW("users\0name\0A\0x"),
        ROW("users\0name\0\xff\0" SOME_ID),
        ROW("users\0name\0A\0" SOME_ID "\0"),
        ROW("notes\0name\0A\0" SOME_ID),
        ROW("users\0status\0pending\0" SOME_ID),
#undef ROW
    };
    for (size_t i = 0; i < ARRAY_LEN(forged); i++) {
        base64url_encode(longer, forged[i].bytes, forged[i].len);
        check_bad_cursor(fixture, longer, "name", longer);
    }
}

/* A cursor that somebody changed with care is a place in the list, and no more. */
static void test_forged_cursors_find_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    static const char bytes[] = "users\0name\0' OR 1=1 --\0" SOME_ID;
    char cursor[SQL_CURSOR_MAX];
    base64url_encode(cursor, bytes, sizeof(bytes) - 1);
    struct ids ids = {0};
    read_page(fixture, "sort=name", cursor, &ids);
    assert_int_equal(ids.count, 3);
}

static void remove_user(struct fixture *fixture, const char *id)
{
    _cleanup_(reply_deinit) struct reply reply =
        CALL(fixture->server, DELETE, user_path(id), .token = fixture->admin_token);
    check_reply(id, &reply, 204, "");
}

/* Whoever is there from the beginning to the end is seen exactly once. */
static void test_users_come_and_go_between_pages(void **state)
{
    struct fixture *fixture = *state;
    static const char *const sorts[] = {"created_at", "-created_at", "email",
                                        "-email",     "name",        "-name"};
    people(fixture, 40);
    for (size_t i = 0; i < ARRAY_LEN(sorts); i++) {
        struct ids before = {0}, seen = {0};
        read_all(fixture, "limit=200", &before);
        char query[64], cursor[SQL_CURSOR_MAX] = "", email[64];
        snprintf(query, sizeof(query), "limit=5&sort=%s", sorts[i]);
        size_t victim = 7 * i + 3;
        unsigned page = 0;
        do {
            read_page(fixture, query, cursor, &seen);
            if (page == 1)
                remove_user(fixture, before.ids[victim]);
            if (page++ > 4)
                continue;
            snprintf(email, sizeof(email), "%s-a%u@example.com", sorts[i] + 1, page);
            make_user(fixture, email, "Aaron", ROLE_USER, STATUS_ACTIVE);
            snprintf(email, sizeof(email), "%s-z%u@example.com", sorts[i] + 1, page);
            make_user(fixture, email, "Zz", ROLE_USER, STATUS_ACTIVE);
        } while (*cursor);
        for (size_t j = 0; j < before.count; j++)
            CHECK(sorts[i], j == victim || has(&seen, before.ids[j]));
        for (size_t j = 0; j + 1 < seen.count; j++) {
            for (size_t k = j + 1; k < seen.count; k++)
                CHECK(sorts[i], strcmp(seen.ids[j], seen.ids[k]) != 0);
        }
    }
}

static void test_description(void **state)
{
    (void)state;
    expect_ok(sql_table_check(&users_table, &user_query_model));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sorts_and_filters),
        TEST(test_limits),
        TEST(test_bad_queries),
        TEST(test_bad_cursors),
        TEST(test_forged_cursors_find_nothing_else),
        TEST(test_users_come_and_go_between_pages),
        cmocka_unit_test(test_description),
    };
    return cmocka_run_group_tests_name("users.list", tests, NULL, NULL);
}
