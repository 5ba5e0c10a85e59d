/* What the tests of users share: the service on a database of its own, and people in it. */
#ifndef USERS_TEST_H
#define USERS_TEST_H

#include "service_test.h"

#include <app/idempotency.h>

#include "service.h"
#include "store.h"

struct fixture {
    struct test_database database;
    struct bus *bus; /* connected to nothing: events stay in the outbox */
    struct service service;
    struct app_idempotency keys;
    struct route_table tables[2];
    struct http_server *server;
    /* Who ask: an admin and two users. */
    struct user admin, ann, bob;
    char admin_token[64], ann_token[64], bob_token[64];
};

/* For cmocka_unit_test_setup_teardown(); *state is a struct fixture. */
int fixture_start(void **state);
int fixture_stop(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_start, fixture_stop)

/* A user, active or not. */
struct user make_user(struct fixture *fixture, const char *email, const char *name, int role,
                      int status);
/* /api/v1/users/ID, in a buffer that the next call but one reuses. */
const char *user_path(const char *id);
/* "role/id", as TEST_AUTHENTICATOR reads it. */
void write_token(char out[static 64], const char *role, const char *id);

#endif
