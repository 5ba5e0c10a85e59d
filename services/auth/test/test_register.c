/* Registration: what is refused, every step at which it may break off, and races for an address. */
#include "auth_test.h"

#include <stdatomic.h>
#include <stdio.h>

#include "kinds.h"

#define ANN "{\"email\":\"Ann@example.com\",\"password\":\"" PASSWORD "\",\"name\":\"Ann\"}"

static void test_register(void **state)
{
    struct fixture *fixture = *state;
    _cleanup_(reply_deinit) struct reply reply =
        CALL(fixture->auth.server, POST, REGISTER, .body = ANN);
    check_reply("register", &reply, 201, "");
    assert_int_equal(json_count(reply_find(&reply, "")), 8);
    assert_true(uuid_is_valid(reply_text(&reply, "id")));
    assert_string_equal(reply_text(&reply, "email"), "Ann@example.com");
    assert_string_equal(reply_text(&reply, "role"), "user");
    assert_string_equal(reply_text(&reply, "status"), "active");
    char location[128];
    snprintf(location, sizeof(location), "/api/v1/users/%s", reply_text(&reply, "id"));
    assert_string_equal(reply_header(&reply, "Location"), location);
    assert_null(strstr(reply.answer.body, "correct"));
    _cleanup_(reply_deinit) struct reply signed_in =
        log_in(&fixture->auth, "ann@example.com", PASSWORD);
    check_reply("login", &signed_in, 200, "");
}

static void test_refused(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *name, *body;
        int status;
        const char *code, *field;
    } rows[] = {
        {"no address", "{\"password\":\"" PASSWORD "\",\"name\":\"A\"}", 422, "invalid_request",
         "email"},
        {"not an address", "{\"email\":\"a@\",\"password\":\"" PASSWORD "\",\"name\":\"A\"}", 422,
         "invalid_request", "email"},
        {"no password", "{\"email\":\"a@example.com\",\"name\":\"A\"}", 422, "invalid_request",
         "password"},
        {"number", "{\"email\":\"a@example.com\",\"password\":12345678,\"name\":\"A\"}", 422,
         "invalid_request", "password"},
        {"no name", "{\"email\":\"a@example.com\",\"password\":\"" PASSWORD "\"}", 422,
         "invalid_request", "name"},
        {"role",
         "{\"email\":\"a@example.com\",\"password\":\"" PASSWORD
         "\",\"name\":\"A\",\"role\":\"admin\"}",
         422, "invalid_request", "role"},
        {"short", "{\"email\":\"a@example.com\",\"password\":\"short\",\"name\":\"A\"}", 422,
         "weak_password", NULL},
        {"common", "{\"email\":\"a@example.com\",\"password\":\"Password1\",\"name\":\"A\"}", 422,
         "weak_password", NULL},
        {"half", "{\"email\":", 400, "malformed_json", NULL},
        {"NUL", "{\"email\":\"a@example.com\",\"password\":\"" PASSWORD "\",\"name\":\"a\\u0000\"}",
         400, "malformed_json", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(reply_deinit) struct reply reply =
            CALL(fixture->auth.server, POST, REGISTER, .body = rows[i].body);
        check_reply(rows[i].name, &reply, rows[i].status, rows[i].code);
        if (rows[i].field)
            CHECK_STR(rows[i].name, reply_text(&reply, "errors/0/field"), rows[i].field);
    }
    assert_int_equal(directory.count, 0);
    assert_int_equal(test_database_number(&fixture->database, "SELECT count(*) FROM accounts"), 0);
}

/* A retry after a lost answer gets it, and nothing that the password could be told from is kept. */
static void test_retried(void **state)
{
    struct fixture *fixture = *state;
    struct http_server *server = fixture->auth.server;
    _cleanup_(reply_deinit) struct reply first =
        CALL(server, POST, REGISTER, .body = ANN, .idempotency_key = "k");
    check_reply("first", &first, 201, "");
    _cleanup_(reply_deinit) struct reply again =
        CALL(server, POST, REGISTER, .body = ANN, .idempotency_key = "k");
    check_reply("again", &again, 201, "");
    assert_string_equal(again.answer.body, first.answer.body);
    assert_string_equal(reply_header(&again, "Idempotency-Replayed"), "true");
    assert_string_equal(reply_header(&again, "Location"), reply_header(&first, "Location"));
    /* Who knows the key, but not the password. */
    _cleanup_(reply_deinit) struct reply guessed =
        CALL(server, POST, REGISTER, .idempotency_key = "k",
             .body = "{\"email\":\"Ann@example.com\",\"password\":\"guess guess guess\","
                     "\"name\":\"Ann\"}");
    check_reply("guessed", &guessed, 422, "idempotency_key_reused");
    assert_null(strstr(guessed.answer.body, reply_text(&first, "id")));
    assert_int_equal(fake_directory_count(&directory, "ann@example.com"), 1);
    assert_int_equal(test_database_number(&fixture->database, "SELECT count(*) FROM accounts"), 1);
    assert_int_equal(test_database_number(&fixture->database,
                                          "SELECT count(*) FROM idempotency_keys"
                                          " WHERE body LIKE '%correct%'"),
                     0);
    const unsigned char none[32] = {0};
    assert_memory_not_equal(fixture->auth.keys.store.secret, none, sizeof(none));
}

/* A directory that is away is no answer to keep. */
static void test_retried_after_failure(void **state)
{
    struct fixture *fixture = *state;
    fake_directory_order(&directory, (struct fault){"create", &ERR_UPSTREAM_UNAVAILABLE, 1, false});
    _cleanup_(reply_deinit) struct reply failed =
        CALL(fixture->auth.server, POST, REGISTER, .body = ANN, .idempotency_key = "k");
    check_reply("away", &failed, 503, "upstream_unavailable");
    _cleanup_(reply_deinit) struct reply again =
        CALL(fixture->auth.server, POST, REGISTER, .body = ANN, .idempotency_key = "k");
    check_reply("back", &again, 201, "");
    assert_null(reply_header(&again, "Idempotency-Replayed"));
}

static void test_taken(void **state)
{
    struct fixture *fixture = *state;
    register_person(&fixture->auth, "ann@example.com");
    fake_directory_add(&directory, "invited@example.com", ROLE_USER, STATUS_ACTIVE);
    static const char *const addresses[] = {"ann@example.com", "ANN@EXAMPLE.COM",
                                            "Invited@example.com"};
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        char body[256];
        snprintf(body, sizeof(body),
                 "{\"email\":\"%s\",\"password\":\"another good one\",\"name\":\"Eve\"}",
                 addresses[i]);
        _cleanup_(reply_deinit) struct reply reply =
            CALL(fixture->auth.server, POST, REGISTER, .body = body);
        check_reply(addresses[i], &reply, 409, "email_taken");
    }
    /* Nothing of Eve's got through. */
    _cleanup_(reply_deinit) struct reply reply =
        log_in(&fixture->auth, "ann@example.com", "another good one");
    check_reply("Eve", &reply, 401, "invalid_credentials");
    _cleanup_(reply_deinit) struct reply ann = log_in(&fixture->auth, "ann@example.com", PASSWORD);
    check_reply("Ann", &ann, 200, "");
}

/* --- crash points --- */

/* The database of auth cannot be written to from then on. */
static void park_accounts(void *data)
{
    test_database_run(data, "ALTER TABLE accounts RENAME TO parked");
}

/* Wherever the first registration breaks off, the person can register again, or is registered; in
 * the end exactly one user is there, who can sign in with the password of whoever won. */
static const struct {
    const char *name;
    struct fault fault;
    const char *parked_at; /* the method after which the database breaks */
    int first, second;     /* the status; the second one is with another password */
} crashes[] = {
    {"no create", {"create", &ERR_UPSTREAM_UNAVAILABLE, 9, false}, NULL, 503, 201},
    {"answer to create lost", {"create", &ERR_UPSTREAM_TIMEOUT, 9, true}, NULL, 504, 201},
    {"no account", {0}, "create", 500, 201},
    {"no activate", {"activate", &ERR_UPSTREAM_UNAVAILABLE, 9, false}, NULL, 503, 201},
    {"activate fails", {"activate", &ERR_INTERNAL, 9, false}, NULL, 500, 201},
    {"activate late", {"activate", &ERR_UPSTREAM_UNAVAILABLE, 2, false}, NULL, 201, 409},
    {"answer to activate lost", {"activate", &ERR_UPSTREAM_TIMEOUT, 1, true}, NULL, 201, 409},
    {"all answers lost", {"activate", &ERR_UPSTREAM_TIMEOUT, 9, true}, NULL, 504, 409},
    {"account stays pending", {0}, "activate", 500, 409},
};

static void test_crash_points(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_LEN(crashes); i++) {
        const char *row = crashes[i].name;
        char email[64], body[256];
        snprintf(email, sizeof(email), "crash-%zu@example.com", i);
        fake_directory_order(&directory, crashes[i].fault);
        fake_directory_pause(&directory, crashes[i].parked_at, park_accounts, &fixture->database);
        snprintf(body, sizeof(body),
                 "{\"email\":\"%s\",\"password\":\"" PASSWORD "\",\"name\":\"A\"}", email);
        _cleanup_(reply_deinit) struct reply first =
            CALL(fixture->auth.server, POST, REGISTER, .body = body);
        CHECK_INT(row, first.status, crashes[i].first);
        fake_directory_order(&directory, (struct fault){0});
        if (crashes[i].parked_at)
            test_database_run(&fixture->database, "ALTER TABLE parked RENAME TO accounts");

        snprintf(body, sizeof(body),
                 "{\"email\":\"%s\",\"password\":\"the second password\",\"name\":\"A\"}", email);
        _cleanup_(reply_deinit) struct reply second =
            CALL(fixture->auth.server, POST, REGISTER, .body = body);
        CHECK_INT(row, second.status, crashes[i].second);
        CHECK_INT(row, fake_directory_count(&directory, email), 1);
        bool first_won = crashes[i].second == 409;
        _cleanup_(reply_deinit) struct reply by_first = log_in(&fixture->auth, email, PASSWORD);
        CHECK_INT(row, by_first.status, first_won ? 200 : 401);
        _cleanup_(reply_deinit) struct reply by_second =
            log_in(&fixture->auth, email, "the second password");
        CHECK_INT(row, by_second.status, first_won ? 401 : 200);
    }
}

/* With a key it is the same registration that goes on, wherever it broke off. */
static void test_crash_points_with_a_key(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_LEN(crashes); i++) {
        const char *row = crashes[i].name;
        char email[64], body[256];
        snprintf(email, sizeof(email), "crash-%zu@example.com", i);
        snprintf(body, sizeof(body),
                 "{\"email\":\"%s\",\"password\":\"" PASSWORD "\",\"name\":\"A\"}", email);
        fake_directory_order(&directory, crashes[i].fault);
        fake_directory_pause(&directory, crashes[i].parked_at, park_accounts, &fixture->database);
        _cleanup_(reply_deinit) struct reply first =
            CALL(fixture->auth.server, POST, REGISTER, .body = body, .idempotency_key = email);
        CHECK_INT(row, first.status, crashes[i].first);
        fake_directory_order(&directory, (struct fault){0});
        if (crashes[i].parked_at)
            test_database_run(&fixture->database, "ALTER TABLE parked RENAME TO accounts");
        _cleanup_(reply_deinit) struct reply second =
            CALL(fixture->auth.server, POST, REGISTER, .body = body, .idempotency_key = email);
        CHECK_INT(row, second.status, 201);
        _cleanup_(reply_deinit) struct reply third =
            CALL(fixture->auth.server, POST, REGISTER, .body = body, .idempotency_key = email);
        CHECK_INT(row, third.status, 201);
        CHECK_STR(row, third.answer.body, second.answer.body);
        CHECK_STR(row, reply_header(&third, "Location"), reply_header(&second, "Location"));
        CHECK(row, reply_header(&third, "Idempotency-Replayed"));
        CHECK_INT(row, fake_directory_count(&directory, email), 1);
        CHECK_INT(row,
                  test_database_number(&fixture->database, "SELECT count(*) FROM accounts"
                                                           " WHERE status = 'active'"),
                  i + 1);
        _cleanup_(reply_deinit) struct reply login = log_in(&fixture->auth, email, PASSWORD);
        CHECK_INT(row, login.status, 200);
    }
    assert_int_equal(test_database_number(&fixture->database, "SELECT count(*) FROM accounts"),
                     ARRAY_LEN(crashes));
}

static struct reply register_ann(struct fixture *fixture, const char *key)
{
    return CALL(fixture->auth.server, POST, REGISTER, .body = ANN, .idempotency_key = key);
}

/* As if the process had died before it kept the answer, and the lease were over. */
static void lose_answers(struct fixture *fixture)
{
    test_database_run(&fixture->database,
                      "UPDATE idempotency_keys SET expires_at = 1, status = NULL, body = NULL");
}

/* The repetition tells what has become of the user, and brings nothing back. */
static void test_retried_after_changes(void **state)
{
    struct fixture *fixture = *state;
    _cleanup_(reply_deinit) struct reply bob =
        CALL(fixture->auth.server, POST, REGISTER,
             .body = "{\"email\":\"bob@example.com\",\"password\":\"a newer password\","
                     "\"name\":\"B\"}");
    check_reply("bob", &bob, 201, "");
    _cleanup_(reply_deinit) struct reply first = register_ann(fixture, "k");
    check_reply("first", &first, 201, "");
    lose_answers(fixture);
    fake_directory_change(&directory, reply_text(&first, "id"), "moved@example.com", ROLE_ADMIN,
                          STATUS_ACTIVE);
    test_database_run(&fixture->database,
                      "UPDATE accounts SET password_hash = (SELECT password_hash FROM accounts"
                      " WHERE email_key = 'bob@example.com')");
    _cleanup_(reply_deinit) struct reply again = register_ann(fixture, "k");
    check_reply("again", &again, 201, "");
    assert_string_equal(reply_text(&again, "id"), reply_text(&first, "id"));
    assert_string_equal(reply_text(&again, "email"), "moved@example.com");
    assert_string_equal(reply_text(&again, "role"), "admin");
    _cleanup_(reply_deinit) struct reply old =
        log_in(&fixture->auth, "moved@example.com", PASSWORD);
    check_reply("the old password", &old, 401, "invalid_credentials");
    _cleanup_(reply_deinit) struct reply new =
        log_in(&fixture->auth, "moved@example.com", "a newer password");
    check_reply("the new one", &new, 200, "");
    lose_answers(fixture);
    fake_directory_order(&directory, (struct fault){"create", &DIRECTORY_NO_USER, 1, false});
    _cleanup_(reply_deinit) struct reply deleted = register_ann(fixture, "k");
    check_reply("deleted", &deleted, 409, "email_taken");
}

/* Who has the key and the address, and not the password, learns nothing and is in nobody's way. */
static void test_retried_by_a_stranger(void **state)
{
    struct fixture *fixture = *state;
    _cleanup_(reply_deinit) struct reply first = register_ann(fixture, "k");
    check_reply("first", &first, 201, "");
    lose_answers(fixture);
    _cleanup_(reply_deinit) struct reply guessed =
        CALL(fixture->auth.server, POST, REGISTER, .idempotency_key = "k",
             .body = "{\"email\":\"Ann@example.com\",\"password\":\"guess guess guess\","
                     "\"name\":\"Ann\"}");
    check_reply("guessed", &guessed, 409, "email_taken");
    assert_null(strstr(guessed.answer.body, reply_text(&first, "id")));
    _cleanup_(reply_deinit) struct reply again = register_ann(fixture, "k");
    check_reply("again", &again, 201, "");
    assert_string_equal(again.answer.body, first.answer.body);
    _cleanup_(reply_deinit) struct reply stranger =
        log_in(&fixture->auth, "ann@example.com", "guess guess guess");
    check_reply("stranger", &stranger, 401, "invalid_credentials");
    _cleanup_(reply_deinit) struct reply ann = log_in(&fixture->auth, "ann@example.com", PASSWORD);
    check_reply("Ann", &ann, 200, "");
}

/* Refusals of callers without identity leave nothing behind. */
static void test_refusals_leave_no_rows(void **state)
{
    struct fixture *fixture = *state;
    register_person(&fixture->auth, "ann@example.com");
    _cleanup_(reply_deinit) struct reply taken = register_ann(fixture, "k");
    check_reply("taken", &taken, 409, "email_taken");
    assert_int_equal(
        test_database_number(&fixture->database, "SELECT count(*) FROM idempotency_keys"), 0);
    assert_int_equal(test_database_number(&fixture->database, "SELECT count(*) FROM creation_ids"),
                     0);
}

/* A directory of the release before chooses ids itself: registration goes on as it did. */
static void test_with_an_old_directory(void **state)
{
    struct fixture *fixture = *state;
    directory.is_old = true;
    _cleanup_(reply_deinit) struct reply first = register_ann(fixture, "k");
    check_reply("first", &first, 201, "");
    _cleanup_(reply_deinit) struct reply ann = log_in(&fixture->auth, "ann@example.com", PASSWORD);
    check_reply("Ann", &ann, 200, "");
    lose_answers(fixture);
    _cleanup_(reply_deinit) struct reply again = register_ann(fixture, "k");
    check_reply("again", &again, 409, "email_taken");
}

/* --- races --- */

static void register_eve(void *data)
{
    struct fixture *fixture = data;
    _cleanup_(reply_deinit) struct reply reply =
        CALL(fixture->auth.server, POST, REGISTER,
             .body = "{\"email\":\"ann@example.com\",\"password\":\"Eve was faster\","
                     "\"name\":\"Eve\"}");
    check_reply("Eve", &reply, 201, "");
}

/* At each step of Ann's registration, Eve's of the same address runs from beginning to end. Whoever
 * wins can sign in, and the other one cannot. */
static void test_overtaken(void **state)
{
    struct fixture *fixture = *state;
    fake_directory_pause(&directory, "create", register_eve, fixture);
    _cleanup_(reply_deinit) struct reply reply =
        CALL(fixture->auth.server, POST, REGISTER, .body = ANN);
    check_reply("Ann", &reply, 409, "email_taken");
    assert_int_equal(fake_directory_count(&directory, "ann@example.com"), 1);
    _cleanup_(reply_deinit) struct reply eve =
        log_in(&fixture->auth, "ann@example.com", "Eve was faster");
    check_reply("Eve signs in", &eve, 200, "");
    _cleanup_(reply_deinit) struct reply ann = log_in(&fixture->auth, "ann@example.com", PASSWORD);
    check_reply("Ann does not", &ann, 401, "invalid_credentials");
    assert_int_equal(test_database_number(&fixture->database, "SELECT count(*) FROM accounts"), 1);
}

#define RACERS 8
#define ROUNDS 10

struct race {
    struct fixture *fixture;
    int round;
    atomic_int winners, winner, wrong;
};

static void register_one(size_t index, void *data)
{
    struct race *race = data;
    char body[256];
    snprintf(body, sizeof(body),
             "{\"email\":\"race-%d@example.com\",\"password\":\"password of %zu\",\"name\":\"R\"}",
             race->round, index);
    _cleanup_(reply_deinit) struct reply reply =
        CALL(race->fixture->auth.server, POST, REGISTER, .body = body);
    if (reply.status == 201) {
        atomic_fetch_add(&race->winners, 1);
        atomic_store(&race->winner, (int)index);
    } else if (reply.status != 409) {
        atomic_fetch_add(&race->wrong, 1);
    }
}

static void test_exactly_one_wins(void **state)
{
    struct race race = {.fixture = *state};
    for (race.round = 0; race.round < ROUNDS; race.round++) {
        char email[64], password[64];
        snprintf(email, sizeof(email), "race-%d@example.com", race.round);
        atomic_store(&race.winners, 0);
        run_threads(RACERS, register_one, &race);
        CHECK_INT(email, atomic_load(&race.winners), 1);
        CHECK_INT(email, atomic_load(&race.wrong), 0);
        CHECK_INT(email, fake_directory_count(&directory, email), 1);
        snprintf(password, sizeof(password), "password of %d", atomic_load(&race.winner));
        _cleanup_(reply_deinit) struct reply reply = log_in(&race.fixture->auth, email, password);
        check_reply(email, &reply, 200, "");
    }
    assert_int_equal(test_database_number(&race.fixture->database, "SELECT count(*) FROM accounts"),
                     ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_register),
        TEST(test_refused),
        TEST(test_retried),
        TEST(test_retried_after_failure),
        TEST(test_taken),
        TEST(test_crash_points),
        TEST(test_crash_points_with_a_key),
        TEST(test_retried_after_changes),
        TEST(test_retried_by_a_stranger),
        TEST(test_refusals_leave_no_rows),
        TEST(test_with_an_old_directory),
        TEST(test_overtaken),
        TEST(test_exactly_one_wins),
    };
    return cmocka_run_group_tests_name("auth.register", tests, group_start, group_stop);
}
