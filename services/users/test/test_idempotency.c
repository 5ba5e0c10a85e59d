/* Idempotency-Key over a real database: an invitation is made once, whoever dies on the way. */
#include "users_test.h"

#include <stdatomic.h>
#include <stdio.h>

#include <base/clock.h>
#include <base/str.h>

#define USERS "/api/v1/users"
#define EVE   "{\"email\":\"eve@example.com\",\"name\":\"Eve\"}"
#define ADAM  "{\"email\":\"adam@example.com\",\"name\":\"Adam\"}"

static struct reply invite(struct fixture *fixture, const char *key, const char *body)
{
    return CALL(fixture->server, POST, USERS, .token = fixture->admin_token, .body = body,
                .idempotency_key = key);
}

static int64_t count_rows(struct fixture *fixture, const char *where)
{
    char statement[256];
    snprintf(statement, sizeof(statement), "SELECT count(*) FROM %s", where);
    return test_database_number(&fixture->database, statement);
}

static bool is_replayed(const struct reply *reply)
{
    return reply_header(reply, "Idempotency-Replayed");
}

static void test_invites_once(void **state)
{
    struct fixture *fixture = *state;
    _cleanup_(reply_deinit) struct reply first = invite(fixture, "k", EVE);
    _cleanup_(reply_deinit) struct reply again = invite(fixture, "k", EVE);
    _cleanup_(reply_deinit) struct reply other = invite(fixture, "k", ADAM);
    _cleanup_(reply_deinit) struct reply taken = invite(fixture, "l", EVE);
    _cleanup_(reply_deinit) struct reply taken_again = invite(fixture, "l", EVE);
    check_reply("first", &first, 201, "");
    check_reply("again", &again, 201, "");
    check_reply("another body", &other, 422, "idempotency_key_reused");
    check_reply("another key", &taken, 409, "email_taken");
    check_reply("another key, again", &taken_again, 409, "email_taken");
    assert_false(is_replayed(&first));
    assert_true(is_replayed(&again));
    assert_false(is_replayed(&taken));
    assert_true(is_replayed(&taken_again));
    assert_string_equal(again.answer.body, first.answer.body);
    assert_string_equal(reply_header(&again, "Location"), reply_header(&first, "Location"));
    assert_string_equal(reply_header(&again, "ETag"), "\"v1\"");
    assert_int_equal(count_rows(fixture, "users"), 4);
    assert_int_equal(count_rows(fixture, "idempotency_keys WHERE status IS NOT NULL"), 2);
}

/* What fails for a while leaves the key free. */
static void test_releases(void **state)
{
    struct fixture *fixture = *state;
    char token[64];
    struct user sam = make_user(fixture, "sam@example.com", "Sam", ROLE_ADMIN, STATUS_SUSPENDED);
    write_token(token, "admin", sam.id);
    _cleanup_(reply_deinit) struct reply refused =
        CALL(fixture->server, POST, USERS, .token = token, .body = EVE, .idempotency_key = "k");
    check_reply("suspended", &refused, 403, "account_suspended");
    assert_int_equal(count_rows(fixture, "idempotency_keys"), 0);
    test_database_run(&fixture->database, "UPDATE users SET status = 'active'");
    _cleanup_(reply_deinit) struct reply done =
        CALL(fixture->server, POST, USERS, .token = token, .body = EVE, .idempotency_key = "k");
    check_reply("active", &done, 201, "");
    assert_false(is_replayed(&done));
}

/* --- the store itself --- */

static struct http_key_claim make_claim(const char *id, const char *fingerprint)
{
    struct http_key_claim claim = {0};
    str_copy(claim.id, sizeof(claim.id), id);
    str_copy(claim.fingerprint, sizeof(claim.fingerprint), fingerprint);
    uuid_new(claim.owner);
    return claim;
}

static struct http_key_found try_claim(struct fixture *fixture, const struct http_key_claim *claim,
                                       struct arena *arena)
{
    struct http_key_found found = {0};
    const struct http_idempotency *store = &fixture->keys.store;
    expect_ok(store->claim(store->data, NULL, claim, 60000, arena, &found));
    return found;
}

static const struct http_kept_answer answers[] = {
    {201, "application/json", "/api/v1/users/1", "\"v1\"", "{\"name\":\"\xc3\xa4\"}"},
    {204, NULL, NULL, NULL, NULL},
    {409, "application/problem+json", NULL, NULL, ""},
};

static void test_store(void **state)
{
    struct fixture *fixture = *state;
    const struct http_idempotency *store = &fixture->keys.store;
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 20);
        char id[8];
        snprintf(id, sizeof(id), "id%zu", i);
        const struct http_key_claim first = make_claim(id, "f"), second = make_claim(id, "g");
        assert_int_equal(try_claim(fixture, &first, &arena).state, HTTP_KEY_CLAIMED);
        struct http_key_found found = try_claim(fixture, &second, &arena);
        assert_int_equal(found.state, HTTP_KEY_AT_WORK);
        assert_string_equal(found.fingerprint, "f");
        /* Only who has it may settle it. */
        expect_ok(store->keep(store->data, NULL, &second, &answers[0]));
        expect_ok(store->release(store->data, NULL, &second, false));
        assert_int_equal(try_claim(fixture, &second, &arena).state, HTTP_KEY_AT_WORK);
        expect_ok(store->keep(store->data, NULL, &first, &answers[i]));
        expect_ok(store->release(store->data, NULL, &first, false));
        found = try_claim(fixture, &second, &arena);
        assert_int_equal(found.state, HTTP_KEY_ANSWERED);
        assert_string_equal(found.fingerprint, "f");
        const char *const got[] = {found.answer.content_type, found.answer.location,
                                   found.answer.etag, found.answer.body};
        const char *const kept[] = {answers[i].content_type, answers[i].location, answers[i].etag,
                                    answers[i].body};
        assert_int_equal(found.answer.status, answers[i].status);
        for (size_t k = 0; k < ARRAY_LEN(got); k++) {
            assert_int_equal(!got[k], !kept[k]);
            assert_true(!got[k] || str_equal(got[k], kept[k]));
        }
    }
    int64_t left_ms =
        test_database_number(&fixture->database, "SELECT max(expires_at) FROM idempotency_keys") -
        clock_now_ms();
    assert_in_range(left_ms, HTTP_KEY_KEPT_MS - 60000, HTTP_KEY_KEPT_MS);
}

/* A process that died with the key, and one that came back too late to settle it. */
static void test_lease_ends(void **state)
{
    struct fixture *fixture = *state;
    const struct http_idempotency *store = &fixture->keys.store;
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 20);
    const struct http_key_claim dead = make_claim("id", "f"), next = make_claim("id", "g");
    try_claim(fixture, &dead, &arena);
    test_database_run(&fixture->database, "UPDATE idempotency_keys SET expires_at = 1");
    assert_int_equal(try_claim(fixture, &next, &arena).state, HTTP_KEY_CLAIMED);
    expect_ok(store->keep(store->data, NULL, &dead, &answers[0]));
    expect_ok(store->release(store->data, NULL, &dead, false));
    struct http_key_found found = try_claim(fixture, &dead, &arena);
    assert_int_equal(found.state, HTTP_KEY_AT_WORK);
    assert_string_equal(found.fingerprint, "g");
    /* And an answer that is a day old. */
    expect_ok(store->keep(store->data, NULL, &next, &answers[0]));
    test_database_run(&fixture->database, "UPDATE idempotency_keys SET expires_at = 1");
    assert_int_equal(try_claim(fixture, &dead, &arena).state, HTTP_KEY_CLAIMED);
    assert_int_equal(count_rows(fixture, "idempotency_keys WHERE status IS NULL AND body IS NULL"),
                     1);
}

static void test_sweeps(void **state)
{
    struct fixture *fixture = *state;
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 20);
    char id[16];
    for (int i = 0; i < 100; i++) {
        snprintf(id, sizeof(id), "old%d", i);
        const struct http_key_claim claim = make_claim(id, "f");
        try_claim(fixture, &claim, &arena);
    }
    test_database_run(&fixture->database, "UPDATE idempotency_keys SET expires_at = 1"
                                          " WHERE id <> 'old0'");
    for (int i = 0; i < 48; i++) {
        snprintf(id, sizeof(id), "new%d", i);
        const struct http_key_claim claim = make_claim(id, "f");
        try_claim(fixture, &claim, &arena);
    }
    assert_int_equal(count_rows(fixture, "idempotency_keys"), 49);
}

/* --- what is made --- */

static void ask_id(struct fixture *fixture, const struct http_key_claim *claim,
                   char out_id[static UUID_TEXT])
{
    const struct http_idempotency *store = &fixture->keys.store;
    out_id[0] = '\0';
    expect_ok(store->creation_id(store->data, NULL, claim, out_id));
    assert_true(uuid_is_valid(out_id));
}

static void test_creation_ids(void **state)
{
    struct fixture *fixture = *state;
    const struct http_idempotency *store = &fixture->keys.store;
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 20);
    const struct http_key_claim first = make_claim("id", "f"), second = make_claim("id", "f"),
                                body = make_claim("id", "g"), key = make_claim("other", "f");
    char id[UUID_TEXT], again[UUID_TEXT], other[UUID_TEXT];
    try_claim(fixture, &first, &arena);
    ask_id(fixture, &first, id);
    ask_id(fixture, &body, other);
    assert_string_not_equal(other, id);
    ask_id(fixture, &key, other);
    assert_string_not_equal(other, id);
    /* It outlives the row of the key, and the word of who has lost that. */
    expect_ok(store->release(store->data, NULL, &first, false));
    try_claim(fixture, &second, &arena);
    expect_ok(store->release(store->data, NULL, &first, true));
    ask_id(fixture, &second, again);
    assert_string_equal(again, id);
    /* A refusal ends it, and so does its time. */
    expect_ok(store->release(store->data, NULL, &second, true));
    ask_id(fixture, &second, again);
    assert_string_not_equal(again, id);
    test_database_run(&fixture->database, "UPDATE creation_ids SET expires_at = 1");
    ask_id(fixture, &second, id);
    assert_string_not_equal(again, id);
    int64_t left_ms =
        test_database_number(&fixture->database, "SELECT max(expires_at) FROM creation_ids") -
        clock_now_ms();
    assert_in_range(left_ms, HTTP_KEY_KEPT_MS - 60000, HTTP_KEY_KEPT_MS);
    for (int i = 0; i < 16; i++) /* and what has expired goes */
        ask_id(fixture, &second, again);
    assert_string_equal(again, id);
    assert_int_equal(count_rows(fixture, "creation_ids"), 1);
}

/* As if the process had died at this moment: the answer is lost, and the lease is over. */
static void lose_answers(struct fixture *fixture)
{
    test_database_run(&fixture->database,
                      "UPDATE idempotency_keys SET expires_at = 1, status = NULL, body = NULL");
}

static void test_retry_after_a_crash(void **state)
{
    struct fixture *fixture = *state;
    _cleanup_(reply_deinit) struct reply first = invite(fixture, "k", EVE);
    check_reply("first", &first, 201, "");
    lose_answers(fixture);
    _cleanup_(reply_deinit) struct reply again = invite(fixture, "k", EVE);
    check_reply("again", &again, 201, "");
    assert_string_equal(again.answer.body, first.answer.body);
    assert_string_equal(reply_header(&again, "Location"), reply_header(&first, "Location"));
    assert_string_equal(reply_header(&again, "ETag"), reply_header(&first, "ETag"));
    assert_false(is_replayed(&again));
    _cleanup_(reply_deinit) struct reply third = invite(fixture, "k", EVE);
    check_reply("third", &third, 201, "");
    assert_true(is_replayed(&third));
    assert_int_equal(count_rows(fixture, "users WHERE name = 'Eve'"), 1);
    assert_int_equal(count_rows(fixture, "outbox WHERE body LIKE '%eve@example.com%'"), 1);
}

/* The present state is told, wherever the user has moved to. */
static void test_retry_after_a_change(void **state)
{
    struct fixture *fixture = *state;
    _cleanup_(reply_deinit) struct reply first = invite(fixture, "k", EVE);
    lose_answers(fixture);
    _cleanup_(reply_deinit) struct reply change =
        CALL(fixture->server, PATCH, user_path(reply_text(&first, "id")),
             .token = fixture->admin_token, .body = "{\"email\":\"moved@example.com\"}");
    check_reply("change", &change, 200, "");
    _cleanup_(reply_deinit) struct reply again = invite(fixture, "k", EVE);
    check_reply("again", &again, 201, "");
    assert_string_equal(again.answer.body, change.answer.body);
    assert_string_equal(reply_header(&again, "ETag"), "\"v2\"");
    /* Her address is free, for another request. */
    _cleanup_(reply_deinit) struct reply other = invite(fixture, "l", EVE);
    check_reply("other", &other, 201, "");
    assert_string_not_equal(reply_text(&other, "id"), reply_text(&first, "id"));
}

/* An id never comes back. */
static void test_retry_after_a_deletion(void **state)
{
    struct fixture *fixture = *state;
    _cleanup_(reply_deinit) struct reply first = invite(fixture, "k", EVE);
    lose_answers(fixture);
    _cleanup_(reply_deinit) struct reply gone =
        CALL(fixture->server, DELETE, user_path(reply_text(&first, "id")),
             .token = fixture->admin_token);
    check_reply("delete", &gone, 204, "");
    _cleanup_(reply_deinit) struct reply again = invite(fixture, "k", EVE);
    check_reply("again", &again, 404, "user_not_found");
    assert_int_equal(count_rows(fixture, "users WHERE name = 'Eve'"), 0);
    int64_t forgotten = -1;
    expect_ok(store_forget_deleted(fixture->database.db, NULL, &forgotten));
    assert_int_equal(forgotten, 0);
    test_database_run(&fixture->database,
                      "UPDATE deleted_users SET deleted_at = deleted_at - 90000001");
    expect_ok(store_forget_deleted(fixture->database.db, NULL, &forgotten));
    assert_int_equal(forgotten, 1);
}

/* Nobody says the id of a user but users' own tables and other services. */
static void test_no_id_from_outside(void **state)
{
    struct fixture *fixture = *state;
    _cleanup_(reply_deinit) struct reply reply =
        invite(fixture, "k",
               "{\"email\":\"eve@example.com\",\"name\":\"Eve\","
               "\"id\":\"0190b5a0-0000-7000-8000-000000000000\"}");
    check_reply("id", &reply, 422, "invalid_request");
}

/* --- at once --- */

struct race {
    struct fixture *fixture;
    atomic_int made, replayed, in_progress, others;
};

static void run_race(size_t index, void *data)
{
    (void)index;
    struct race *race = data;
    _cleanup_(reply_deinit) struct reply reply = invite(race->fixture, "race", EVE);
    bool is_made = reply.status == 201;
    atomic_int *count = is_made && is_replayed(&reply) ? &race->replayed
                        : is_made                      ? &race->made
                        : reply.status == 409          ? &race->in_progress
                                                       : &race->others;
    atomic_fetch_add(count, 1);
}

static void test_race(void **state)
{
    struct race race = {.fixture = *state};
    run_threads(12, run_race, &race);
    assert_int_equal(race.made, 1);
    assert_int_equal(race.others, 0);
    assert_int_equal(race.replayed + race.in_progress, 11);
    assert_int_equal(count_rows(*state, "users WHERE name = 'Eve'"), 1);
    assert_int_equal(count_rows(*state, "idempotency_keys"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_invites_once),
        TEST(test_releases),
        TEST(test_store),
        TEST(test_lease_ends),
        TEST(test_sweeps),
        TEST(test_race),
        TEST(test_creation_ids),
        TEST(test_retry_after_a_crash),
        TEST(test_retry_after_a_change),
        TEST(test_retry_after_a_deletion),
        TEST(test_no_id_from_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
