#include "auth_test.h"

#include <stdio.h>

#include <base/clock.h>
#include <base/str.h>
#include <jose/jose.h>

#define PATIENCE_MS 60000

static struct nats_server server;
struct fake_directory directory = {.lock = PTHREAD_MUTEX_INITIALIZER};

const struct auth_settings DEFAULTS = {
    .access_token_ttl_s = 900,
    .refresh_token_ttl_s = 3600,
    .refresh_grace_s = 10,
    .pending_ttl_s = 600,
    .jwt_alg = JOSE_ES256,
    .key_encryption_key = (char[]){KEY_1},
    .argon2_memory_kib = 8,
    .argon2_passes = 1,
    .hash_workers = 2,
    .hash_queue = 64,
};

struct auth_settings with_keks(const char *keks)
{
    struct auth_settings settings = DEFAULTS;
    settings.key_encryption_key = (char *)(uintptr_t)keks; /* nobody writes to it */
    return settings;
}

int group_start(void **state)
{
    (void)state;
    nats_server_start(&server);
    return 0;
}

int group_stop(void **state)
{
    (void)state;
    nats_server_stop(&server);
    return 0;
}

const char *nats_url(void)
{
    return server.url;
}

/* --- a replica --- */

static void close_parts(struct replica *replica)
{
    bus_close(replica->runtime.bus);
    metrics_free(replica->runtime.metrics);
    ctx_deinit(&replica->ctx);
}

struct err *replica_try_start(struct replica *replica, struct test_database *database,
                              const struct auth_settings *settings)
{
    static char issuer[] = "http://test", audience[] = "plankton";
    *replica = (struct replica){
        .settings = *settings,
        .shared = {.token_issuer = issuer, .token_audience = audience},
    };
    ctx_init(&replica->ctx, NULL, CTX_NO_TIMEOUT);
    struct app_runtime *runtime = &replica->runtime;
    runtime->settings = &replica->shared;
    runtime->own_settings = &replica->settings;
    runtime->db = database->db;
    runtime->ctx = &replica->ctx;
    expect_ok(metrics_new(&runtime->metrics));
    expect_ok(bus_open(&(struct bus_options){.url = server.url, .name = "auth"}, &runtime->bus));
    for (size_t i = 0; i < auth_app.stream_count; i++)
        expect_ok(bus_declare_stream(runtime->bus, &auth_app.streams[i]));
    struct err *e = auth_app.start(runtime, &runtime->state);
    if (e) {
        close_parts(replica);
        return e;
    }
    replica->tables[0] = auth_app.routes;
    replica->authenticator = auth_app.authenticator(runtime);
    app_idempotency_init(&replica->keys, runtime->db);
    auth_app.idempotency_secret(runtime, replica->keys.store.secret);
    const struct http_server_options options = {
        .name = "auth",
        .version = "test",
        .tables = replica->tables,
        .state = runtime->state,
        .authenticator = &replica->authenticator,
        .idempotency = &replica->keys.store,
        .timeout_ms = 30000, /* sanitizers are slow */
    };
    expect_ok(http_server_start(&options, &replica->server));
    return NULL;
}

void replica_start(struct replica *replica, struct test_database *database,
                   const struct auth_settings *settings)
{
    expect_ok(replica_try_start(replica, database, settings));
}

void replica_stop(struct replica *replica)
{
    ctx_cancel(&replica->ctx);
    http_server_stop(replica->server, 0);
    auth_app.stop(&replica->runtime);
    close_parts(replica);
}

void replica_await_bus(struct replica *replica)
{
    struct ctx ctx;
    ctx_init(&ctx, NULL, 20000);
    expect_ok(bus_wait(replica->runtime.bus, &ctx));
    ctx_deinit(&ctx);
}

int fixture_start(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    test_database_open(&fixture->database, auth_app.migrations);
    fake_directory_clear(&directory); /* before the snapshot that a replica begins with */
    replica_start(&fixture->auth, &fixture->database, &DEFAULTS);
    if (!directory.bus)
        fake_directory_start(&directory, server.url, fixture->auth.runtime.bus);
    replica_await_bus(&fixture->auth);
    *state = fixture;
    return 0;
}

int fixture_stop(void **state)
{
    struct fixture *fixture = *state;
    replica_stop(&fixture->auth);
    test_database_close(&fixture->database);
    free(fixture);
    return 0;
}

/* --- calls --- */

void register_person(struct replica *auth, const char *email)
{
    char body[512];
    snprintf(body, sizeof(body),
             "{\"email\":\"%s\",\"password\":\"" PASSWORD "\",\"name\":\"Ann\"}", email);
    _cleanup_(reply_deinit) struct reply reply = CALL(auth->server, POST, REGISTER, .body = body);
    check_reply(email, &reply, 201, "");
}

struct reply log_in(struct replica *auth, const char *email, const char *password)
{
    char body[2048];
    snprintf(body, sizeof(body), "{\"email\":\"%s\",\"password\":\"%s\"}", email, password);
    return CALL(auth->server, POST, LOGIN, .body = body);
}

struct reply refresh_with(struct replica *auth, const char *token)
{
    char body[1024];
    snprintf(body, sizeof(body), "{\"refresh_token\":\"%s\"}", token);
    return CALL(auth->server, POST, REFRESH, .body = body);
}

void take_refresh_token(struct replica *auth, const char *email, char out[static 128])
{
    _cleanup_(reply_deinit) struct reply reply = log_in(auth, email, PASSWORD);
    check_reply(email, &reply, 200, "");
    assert_true(str_copy(out, 128, reply_text(&reply, "refresh_token")));
}

void expect_refresh(struct replica *auth, const char *row, const char *token, bool is_good)
{
    _cleanup_(reply_deinit) struct reply reply = refresh_with(auth, token);
    check_reply(row, &reply, is_good ? 200 : 401, is_good ? "" : "invalid_refresh_token");
}

void rotate(struct replica *auth, char token[static 128])
{
    _cleanup_(reply_deinit) struct reply reply = refresh_with(auth, token);
    check_reply("rotate", &reply, 200, "");
    assert_true(str_copy(token, 128, reply_text(&reply, "refresh_token")));
}

static void present_token(size_t index, void *data)
{
    struct refresh_race *race = data;
    _cleanup_(reply_deinit) struct reply reply =
        refresh_with(race->replicas[index % 2], race->token);
    str_copy(race->successors[index], sizeof(race->successors[index]),
             reply.status == 200 ? reply_text(&reply, "refresh_token") : "refused");
}

void race_to_refresh(struct refresh_race *race)
{
    run_threads(REFRESH_RACERS, present_token, race);
}

/* --- waiting for what events bring --- */

/* Nothing tells of it but the table. */
void await_number(struct test_database *database, const char *statement, int64_t number)
{
    int64_t until_ms = clock_mono_ms() + PATIENCE_MS, now = 0;
    while ((now = test_database_number(database, statement)) != number) {
        if (clock_mono_ms() > until_ms)
            fail_msg("%s: still %lld, not %lld", statement, (long long)now, (long long)number);
        expect_ok(ctx_sleep(NULL, 2));
    }
}

void await_known(struct test_database *database, const char *user_id)
{
    struct user user = {0};
    char statement[256];
    pthread_mutex_lock(&directory.lock);
    for (size_t i = 0; i < directory.count; i++) {
        if (str_equal(directory.users[i].user.id, user_id))
            user = directory.users[i].user;
    }
    pthread_mutex_unlock(&directory.lock);
    snprintf(statement, sizeof(statement),
             "SELECT count(*) FROM directory WHERE user_id = '%s' AND (version = %lld"
             " OR status = 'deleted' AND %lld = 0)",
             user_id, (long long)user.version, (long long)user.version);
    await_number(database, statement, 1);
}
