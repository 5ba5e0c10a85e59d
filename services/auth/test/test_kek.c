/* KEY_ENCRYPTION_KEY is replaced: what the key before has sealed and signed stays good. */
#include "auth_test.h"

#include <base/str.h>
#include <jose/jose.h>

#include "keys.h"

#define ANN "ann@example.com"

/* --- signing keys --- */

#define CHANGED                                                                                    \
    "SELECT count(*) FROM signing_keys k JOIN before b ON b.kid = k.kid"                           \
    " WHERE k.state = b.state AND k.sealed <> b.sealed"

/* One start after the other. */
static void test_sealed_with_the_first_key(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *name, *keks;
        bool is_resealed;
    } rows[] = {
        {"as it was", KEY_1, false},
        {"one comes after it", KEY_1 "," KEY_2, false},
        {"that one is the first", KEY_2 "," KEY_1, true},
        {"started again", KEY_2 "," KEY_1, false},
        {"and back", KEY_1 "," KEY_2, true},
        {"and forth", KEY_2 "," KEY_1, true},
        {"it is the only one", KEY_2, false},
        {"with two before it", KEY_3 "," KEY_1 "," KEY_2, true},
        {"the last of four", KEY_1 "," KEY_2 "," KEY_4 "," KEY_3, true},
        {"the only one again", KEY_1, false},
    };
    const struct service *service = fixture->auth.runtime.state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        test_database_run(&fixture->database, "CREATE TABLE before AS SELECT * FROM signing_keys");
        struct auth_settings settings = with_keks(rows[i].keks);
        _cleanup_(keys_deinit) struct keys keys = {0};
        expect_ok(keys_load(fixture->database.db, NULL, &settings, &keys));
        CHECK_STR(rows[i].name, jose_key_id(keys.current), jose_key_id(service->keys.current));
        CHECK_INT(rows[i].name, jose_keys_count(keys.all), 2);
        CHECK_INT(rows[i].name, test_database_number(&fixture->database, CHANGED),
                  rows[i].is_resealed ? 2 : 0);
        test_database_run(&fixture->database, "DROP TABLE before");
    }
}

#define REPLICAS 8

struct replicas {
    const char *url;
    const char *keks[2]; /* in turns */
    struct keys keys[REPLICAS];
    struct err *errors[REPLICAS];
};

static void load(size_t index, void *data)
{
    struct replicas *replicas = data;
    struct auth_settings settings = with_keks(replicas->keks[index % 2]);
    _cleanup_(sql_close) struct sql_db *db = NULL;
    struct err *e = sql_open(&(struct sql_options){.url = replicas->url}, &db);
    replicas->errors[index] = e ? e : keys_load(db, NULL, &settings, &replicas->keys[index]);
}

static void test_resealed_by_many_replicas_at_once(void **state)
{
    struct fixture *fixture = *state;
    const struct service *service = fixture->auth.runtime.state;
    static const struct {
        const char *name, *keks[2], *opens;
    } rows[] = {
        {"one order", {KEY_2 "," KEY_1, KEY_2 "," KEY_1}, KEY_2},
        {"either order", {KEY_1 "," KEY_2, KEY_2 "," KEY_1}, KEY_1 "," KEY_2},
        {"one order again", {KEY_1 "," KEY_2, KEY_1 "," KEY_2}, KEY_1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct replicas replicas = {.url = fixture->database.url};
        memcpy(replicas.keks, rows[i].keks, sizeof(replicas.keks));
        run_threads(REPLICAS, load, &replicas);
        for (size_t j = 0; j < REPLICAS; j++) {
            expect_ok(replicas.errors[j]);
            CHECK_STR(rows[i].name, jose_key_id(replicas.keys[j].current),
                      jose_key_id(service->keys.current));
            CHECK_INT(rows[i].name, jose_keys_count(replicas.keys[j].all), 2);
            keys_deinit(&replicas.keys[j]);
        }
        struct auth_settings settings = with_keks(rows[i].opens);
        _cleanup_(keys_deinit) struct keys keys = {0};
        expect_ok(keys_load(fixture->database.db, NULL, &settings, &keys));
    }
}

/* Both change at one start: what the old algorithm's key has signed stays good, under the new
 * KEY_ENCRYPTION_KEY alone as well. */
static void test_another_algorithm_too(void **state)
{
    struct fixture *fixture = *state;
    const struct service *service = fixture->auth.runtime.state;
    const char *before = jose_key_id(service->keys.current);
    static const char *const keks[] = {KEY_2 "," KEY_1, KEY_2};
    for (size_t i = 0; i < ARRAY_LEN(keks); i++) {
        struct auth_settings settings = with_keks(keks[i]);
        settings.jwt_alg = JOSE_EDDSA;
        _cleanup_(keys_deinit) struct keys keys = {0};
        expect_ok(keys_load(fixture->database.db, NULL, &settings, &keys));
        assert_int_equal(jose_key_alg(keys.current), JOSE_EDDSA);
        assert_int_equal(jose_keys_count(keys.all), 3);
        assert_non_null(jose_keys_find(keys.all, before, strlen(before)));
    }
}

/* --- refresh tokens --- */

static int64_t sessions(struct fixture *fixture)
{
    return test_database_number(&fixture->database, "SELECT count(*) FROM sessions");
}

/* With signing keys of its own, which are not what is looked at. */
static void start_with_keks(struct replica *auth, struct fixture *fixture, const char *keks)
{
    struct auth_settings settings = with_keks(keks);
    test_database_run(&fixture->database, "DELETE FROM signing_keys");
    replica_start(auth, &fixture->database, &settings);
    replica_await_bus(auth);
}

static void test_tokens_of_another_key(void **state)
{
    struct fixture *fixture = *state;
    register_person(&fixture->auth, ANN);
    static const struct {
        const char *name, *made_with, *shown_to;
        bool is_good;
    } rows[] = {
        {"the same", KEY_1, KEY_1, true},
        {"one comes after it", KEY_1, KEY_1 "," KEY_2, true},
        {"some replicas do not have that", KEY_1 "," KEY_2, KEY_1, true},
        {"that is the first", KEY_1 "," KEY_2, KEY_2 "," KEY_1, true},
        {"on some replicas", KEY_2 "," KEY_1, KEY_1 "," KEY_2, true},
        {"it is the only one", KEY_2 "," KEY_1, KEY_2, true},
        {"the last of four", KEY_1, KEY_2 "," KEY_3 "," KEY_4 "," KEY_1, true},
        {"too early", KEY_1 "," KEY_2, KEY_2, false},
        {"the key is gone", KEY_1, KEY_2 "," KEY_3 "," KEY_4, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct replica maker, other;
        start_with_keks(&maker, fixture, rows[i].made_with);
        char first[128], later[128];
        take_refresh_token(&maker, ANN, first);
        take_refresh_token(&maker, ANN, later);
        rotate(&maker, later);
        start_with_keks(&other, fixture, rows[i].shown_to);
        int64_t before = sessions(fixture);
        expect_refresh(&other, rows[i].name, first, rows[i].is_good);
        expect_refresh(&other, rows[i].name, later, rows[i].is_good);
        CHECK_INT(rows[i].name, sessions(fixture), before); /* as for a token that was made up */
        if (!rows[i].is_good)
            expect_refresh(&maker, rows[i].name, first, true);
        replica_stop(&other);
        replica_stop(&maker);
    }
}

static void test_reuse_ends_the_session(void **state)
{
    struct fixture *fixture = *state;
    register_person(&fixture->auth, ANN);
    char old[128], present[128];
    take_refresh_token(&fixture->auth, ANN, old);
    struct replica other;
    start_with_keks(&other, fixture, KEY_2 "," KEY_1);
    str_copy(present, sizeof(present), old);
    rotate(&other, present);
    rotate(&other, present);
    expect_refresh(&other, "two back, of the other key", old, false);
    expect_refresh(&other, "present", present, false);
    assert_int_equal(sessions(fixture), 0);
    replica_stop(&other);
}

/* While replicas are replaced, each derives the successor from its own first key: there are two of
 * one generation, and either is good on either replica. */
static void test_racers(void **state)
{
    struct fixture *fixture = *state;
    register_person(&fixture->auth, ANN);
    struct replica before, after;
    start_with_keks(&before, fixture, KEY_1 "," KEY_2);
    struct auth_settings settings = with_keks(KEY_2 "," KEY_1);
    replica_start(&after, &fixture->database, &settings);
    struct refresh_race race = {.replicas = {&before, &after}};
    take_refresh_token(&before, ANN, race.token);
    for (int round = 0; round < 10; round++) {
        race_to_refresh(&race);
        for (size_t i = 0; i < REFRESH_RACERS; i++)
            CHECK_STR("successor", race.successors[i], race.successors[i % 2]);
        CHECK("each has its own", !str_equal(race.successors[0], race.successors[1]));
        CHECK("it rotated", !str_equal(race.successors[round % 2], "refused"));
        CHECK_INT("generation",
                  test_database_number(&fixture->database, "SELECT generation FROM sessions"),
                  round + 1);
        str_copy(race.token, sizeof(race.token), race.successors[round % 2]);
    }
    /* Of two racers with one each, the second is late within the grace. */
    expect_refresh(&after, "that of before", race.successors[0], true);
    expect_refresh(&before, "that of after", race.successors[1], true);
    expect_refresh(&after, "that of after", race.successors[1], true);
    assert_int_equal(test_database_number(&fixture->database, "SELECT generation FROM sessions"),
                     11);
    replica_stop(&after);
    replica_stop(&before);
}

/* --- registrations --- */

static struct reply register_again(struct replica *auth)
{
    return CALL(auth->server, POST, REGISTER, .idempotency_key = "k",
                .body = "{\"email\":\"" ANN "\",\"password\":\"" PASSWORD "\",\"name\":\"A\"}");
}

/* One that came under another first key is not known again. It has taken effect once, with this
 * password: the answer is as good as any. */
static void test_registrations_sent_again(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *name, *keks;
        int status;
        const char *code;
    } rows[] = {
        {"one comes after it", KEY_1 "," KEY_2, 201, ""},
        {"that is the first", KEY_2 "," KEY_1, 409, "email_taken"},
        {"it is the only one", KEY_2, 409, "email_taken"},
        {"and back", KEY_1 "," KEY_2, 201, ""},
    };
    _cleanup_(reply_deinit) struct reply first = register_again(&fixture->auth);
    check_reply("first", &first, 201, "");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct replica auth;
        start_with_keks(&auth, fixture, rows[i].keks);
        _cleanup_(reply_deinit) struct reply again = register_again(&auth);
        check_reply(rows[i].name, &again, rows[i].status, rows[i].code);
        _cleanup_(reply_deinit) struct reply login = log_in(&auth, ANN, PASSWORD);
        check_reply(rows[i].name, &login, 200, "");
        replica_stop(&auth);
    }
    assert_int_equal(fake_directory_count(&directory, ANN), 1);
    assert_int_equal(test_database_number(&fixture->database, "SELECT count(*) FROM accounts"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sealed_with_the_first_key), TEST(test_resealed_by_many_replicas_at_once),
        TEST(test_another_algorithm_too),     TEST(test_tokens_of_another_key),
        TEST(test_reuse_ends_the_session),    TEST(test_racers),
        TEST(test_registrations_sent_again),
    };
    return cmocka_run_group_tests_name("auth.kek", tests, group_start, group_stop);
}
