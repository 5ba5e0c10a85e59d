#include "users_test.h"

#include <stdio.h>

#include <base/str.h>

struct user make_user(struct fixture *fixture, const char *email, const char *name, int role,
                      int status)
{
    struct new_user new_user = {.role = role};
    assert_true(str_copy(new_user.email, sizeof(new_user.email), email));
    assert_true(str_copy(new_user.name, sizeof(new_user.name), name));
    struct user user = {0};
    expect_ok(store_create(fixture->database.db, fixture->service.outbox, NULL, &new_user,
                           (enum user_status)status, &user));
    return user;
}

const char *user_path(const char *id)
{
    static _Thread_local char paths[2][96];
    static _Thread_local unsigned turn;
    char *path = paths[turn++ % 2];
    snprintf(path, sizeof(paths[0]), "/api/v1/users/%s", id);
    return path;
}

void write_token(char out[static 64], const char *role, const char *id)
{
    snprintf(out, 64, "%s/%s", role, id);
}

int fixture_start(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    test_database_open(&fixture->database, users_app.migrations);
    fixture->service.db = fixture->database.db;
    app_idempotency_init(&fixture->keys, fixture->database.db);
    expect_ok(bus_open(&(struct bus_options){.url = "nats://127.0.0.1:1", .name = "users"},
                       &fixture->bus));
    const struct outbox_options outbox = {
        .db = fixture->database.db, .bus = fixture->bus, .source = "users"};
    expect_ok(outbox_start(&outbox, &fixture->service.outbox));
    fixture->tables[0] = users_app.routes;
    const struct http_server_options options = {
        .name = "users",
        .version = "test",
        .tables = fixture->tables,
        .state = &fixture->service,
        .authenticator = &TEST_AUTHENTICATOR,
        .idempotency = &fixture->keys.store,
    };
    expect_ok(http_server_start(&options, &fixture->server));
    fixture->admin = make_user(fixture, "root@example.com", "Root", ROLE_ADMIN, STATUS_ACTIVE);
    fixture->ann = make_user(fixture, "Ann@Example.com", "Ann", ROLE_USER, STATUS_ACTIVE);
    fixture->bob = make_user(fixture, "bob@example.com", "Bob", ROLE_USER, STATUS_ACTIVE);
    write_token(fixture->admin_token, "admin", fixture->admin.id);
    write_token(fixture->ann_token, "user", fixture->ann.id);
    write_token(fixture->bob_token, "user", fixture->bob.id);
    *state = fixture;
    return 0;
}

int fixture_stop(void **state)
{
    struct fixture *fixture = *state;
    http_server_stop(fixture->server, 0);
    outbox_stop(fixture->service.outbox, 0);
    bus_close(fixture->bus);
    test_database_close(&fixture->database);
    free(fixture);
    return 0;
}
