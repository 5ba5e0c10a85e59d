/* What the tests of auth share: a nats-server, a directory on it, and the service itself. */
#ifndef AUTH_TEST_H
#define AUTH_TEST_H

#include "fake_directory.h"
#include "nats_server.h"
#include "service_test.h"

#include <app/idempotency.h>

#include "service.h"

#define REGISTER "/api/v1/auth/register"
#define LOGIN    "/api/v1/auth/login"
#define REFRESH  "/api/v1/auth/refresh"
#define LOGOUT   "/api/v1/auth/logout"
#define JWKS     "/.well-known/jwks.json"
#define PASSWORD "correct horse battery"

#define KEY_1 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_2 "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_3 "fe0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_4 "fd0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

/* For cmocka_run_group_tests(): one server for all tests of a program. */
int group_start(void **state);
int group_stop(void **state);
const char *nats_url(void);
/* The one directory, which every test finds empty and there. */
extern struct fake_directory directory;

/* Cheap hashing, no bootstrap admin. */
extern const struct auth_settings DEFAULTS;
/* DEFAULTS with this KEY_ENCRYPTION_KEY, which must live as long. */
struct auth_settings with_keks(const char *keks);

struct replica {
    struct auth_settings settings;
    struct app_settings shared;
    struct app_runtime runtime;
    struct ctx ctx;
    struct route_table tables[2];
    struct http_authenticator authenticator;
    struct app_idempotency keys;
    struct http_server *server;
};

struct fixture {
    struct test_database database;
    struct replica auth;
};

/* A service over a database that is there; fails the test if it does not start. */
void replica_start(struct replica *replica, struct test_database *database,
                   const struct auth_settings *settings);
/* The same; the error of start(), after which there is nothing to stop. */
struct err *replica_try_start(struct replica *replica, struct test_database *database,
                              const struct auth_settings *settings) MUST_CHECK;
/* A replica serves before it is connected: for what asks the directory. */
void replica_await_bus(struct replica *replica);
void replica_stop(struct replica *replica);

/* For cmocka_unit_test_setup_teardown(); *state is a struct fixture. */
int fixture_start(void **state);
int fixture_stop(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_start, fixture_stop)

/* With PASSWORD; 201 is expected. */
void register_person(struct replica *auth, const char *email);
/* The status of a login with this password, and its code. */
struct reply log_in(struct replica *auth, const char *email, const char *password);
struct reply refresh_with(struct replica *auth, const char *token);
/* Waits until the statement, of a number, has this result. */
void await_number(struct test_database *database, const char *statement, int64_t number);
/* Waits until what the directory has of the user is known here. */
void await_known(struct test_database *database, const char *user_id);
/* Of a login that succeeds. */
void take_refresh_token(struct replica *auth, const char *email, char out[static 128]);
/* Good: 200; else 401 invalid_refresh_token. */
void expect_refresh(struct replica *auth, const char *row, const char *token, bool is_good);
/* Refreshes, and puts the successor in the token's place. */
void rotate(struct replica *auth, char token[static 128]);

/* Many present one token at once, in turns to two replicas that share nothing but the database. */
#define REFRESH_RACERS 16
struct refresh_race {
    struct replica *replicas[2];
    char token[128];
    char successors[REFRESH_RACERS][128]; /* "refused" */
};
void race_to_refresh(struct refresh_race *race);

#endif
