/* Signing keys: made once, the same for all replicas, unreadable without KEY_ENCRYPTION_KEY. */
#include "auth_test.h"

#include <base/str.h>
#include <jose/jose.h>

#include "keys.h"

#define ANN "ann@example.com"

static const enum jose_alg algorithms[] = {JOSE_ES256, JOSE_EDDSA, JOSE_RS256};

static struct auth_settings with_alg(enum jose_alg alg)
{
    struct auth_settings settings = DEFAULTS;
    settings.jwt_alg = (int)alg;
    return settings;
}

static void take_access_token(struct replica *auth, char out[static 2048])
{
    _cleanup_(reply_deinit) struct reply reply = log_in(auth, ANN, PASSWORD);
    check_reply("login", &reply, 200, "");
    assert_true(str_copy(out, 2048, reply_text(&reply, "access_token")));
}

static struct err *check_token(struct replica *auth, const char *token)
{
    struct http_identity identity;
    return auth->authenticator.check(auth->authenticator.data, token, strlen(token), &identity);
}

static void test_made_once(void **state)
{
    struct fixture *fixture = *state;
    _cleanup_(keys_deinit) struct keys first = {0};
    expect_ok(keys_load(fixture->database.db, NULL, &DEFAULTS, &first));
    assert_int_equal(jose_keys_count(first.all), 2);
    assert_int_equal(jose_key_alg(first.current), JOSE_ES256);
    for (int i = 0; i < 3; i++) {
        _cleanup_(keys_deinit) struct keys again = {0};
        expect_ok(keys_load(fixture->database.db, NULL, &DEFAULTS, &again));
        assert_string_equal(jose_key_id(again.current), jose_key_id(first.current));
        assert_int_equal(jose_keys_count(again.all), 2);
    }
    assert_int_equal(test_database_number(&fixture->database, "SELECT count(*) FROM signing_keys"),
                     2);
}

#define REPLICAS 8

struct replicas {
    const char *url;
    enum jose_alg alg;
    struct keys keys[REPLICAS];
    struct err *errors[REPLICAS];
};

static void load(size_t index, void *data)
{
    struct replicas *replicas = data;
    struct auth_settings settings = with_alg(replicas->alg);
    _cleanup_(sql_close) struct sql_db *db = NULL;
    struct err *e = sql_open(&(struct sql_options){.url = replicas->url}, &db);
    replicas->errors[index] = e ? e : keys_load(db, NULL, &settings, &replicas->keys[index]);
}

/* Started at once over an empty table, and then with another JWT_ALG: all have the same keys. */
static void test_many_replicas_at_once(void **state)
{
    struct fixture *fixture = *state;
    test_database_run(&fixture->database, "DELETE FROM signing_keys");
    for (size_t round = 0; round < ARRAY_LEN(algorithms); round++) {
        struct replicas replicas = {.url = fixture->database.url, .alg = algorithms[round]};
        run_threads(REPLICAS, load, &replicas);
        for (size_t i = 0; i < REPLICAS; i++) {
            expect_ok(replicas.errors[i]);
            assert_string_equal(jose_key_id(replicas.keys[i].current),
                                jose_key_id(replicas.keys[0].current));
            assert_int_equal(jose_keys_count(replicas.keys[i].all), round == 0 ? 2 : 3);
            assert_int_equal(jose_key_alg(replicas.keys[i].current), algorithms[round]);
        }
        for (size_t i = 0; i < REPLICAS; i++)
            keys_deinit(&replicas.keys[i]);
    }
}

static void test_each_algorithm(void **state)
{
    struct fixture *fixture = *state;
    register_person(&fixture->auth, ANN);
    for (size_t i = 0; i < ARRAY_LEN(algorithms); i++) {
        test_database_run(&fixture->database, "DELETE FROM signing_keys");
        struct auth_settings settings = with_alg(algorithms[i]);
        struct replica auth;
        replica_start(&auth, &fixture->database, &settings);
        char token[2048];
        take_access_token(&auth, token);
        expect_ok(check_token(&auth, token));
        replica_stop(&auth);
    }
}

static void test_tokens_outlive_a_change_of_algorithm(void **state)
{
    struct fixture *fixture = *state;
    register_person(&fixture->auth, ANN);
    char before[2048], after[2048];
    take_access_token(&fixture->auth, before);
    struct auth_settings settings = with_alg(JOSE_EDDSA);
    struct replica auth;
    replica_start(&auth, &fixture->database, &settings);
    take_access_token(&auth, after);
    expect_ok(check_token(&auth, before));
    expect_ok(check_token(&auth, after));
    _cleanup_(reply_deinit) struct reply jwks = CALL(auth.server, GET, JWKS);
    assert_int_equal(json_count(reply_find(&jwks, "keys")), 3);
    assert_null(strstr(jwks.answer.body, "\"d\""));
    replica_stop(&auth);
    /* The same again changes nothing. */
    replica_start(&auth, &fixture->database, &settings);
    expect_ok(check_token(&auth, before));
    expect_ok(check_token(&auth, after));
    replica_stop(&auth);
}

static void check_refused(struct fixture *fixture, const struct auth_settings *settings)
{
    struct keys keys = {0};
    struct err *e = keys_load(fixture->database.db, NULL, settings, &keys);
    char line[ERR_LINE];
    err_format(e, line, sizeof(line));
    assert_non_null(strstr(line, "KEY_ENCRYPTION_KEY has not the key"));
    expect_error(e, &JOSE_BROKEN_SEAL);
    assert_null(keys.current);
    assert_null(keys.all);
    struct replica auth;
    expect_error(replica_try_start(&auth, &fixture->database, settings), &JOSE_BROKEN_SEAL);
}

static void test_wrong_key_encryption_key(void **state)
{
    struct fixture *fixture = *state;
    static const char *const rows[] = {KEY_2, KEY_2 "," KEY_3 "," KEY_4};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct auth_settings other = with_keks(rows[i]);
        check_refused(fixture, &other);
    }
    assert_int_equal(test_database_number(&fixture->database, "SELECT count(*) FROM signing_keys"),
                     2);
}

static void test_a_key_in_another_ones_place(void **state)
{
    struct fixture *fixture = *state;
    test_database_run(&fixture->database,
                      "UPDATE signing_keys SET sealed = (SELECT sealed FROM signing_keys"
                      " WHERE state = 'next') WHERE state = 'current'");
    check_refused(fixture, &DEFAULTS);
}

static void test_no_table(void **state)
{
    struct fixture *fixture = *state;
    test_database_run(&fixture->database, "DROP TABLE signing_keys");
    struct replica auth;
    expect_error(replica_try_start(&auth, &fixture->database, &DEFAULTS), &SQL_FAILED);
}

/* Nothing that can be read in the table is a key. */
static void test_keys_are_sealed(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(test_database_number(&fixture->database,
                                          "SELECT count(*) FROM signing_keys"
                                          " WHERE sealed LIKE '%{%' OR sealed LIKE '%\"%'"),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_made_once),
        TEST(test_many_replicas_at_once),
        TEST(test_each_algorithm),
        TEST(test_tokens_outlive_a_change_of_algorithm),
        TEST(test_wrong_key_encryption_key),
        TEST(test_a_key_in_another_ones_place),
        TEST(test_no_table),
        TEST(test_keys_are_sealed),
    };
    return cmocka_run_group_tests_name("auth.keys", tests, group_start, group_stop);
}
