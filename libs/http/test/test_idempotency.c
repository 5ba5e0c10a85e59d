/* Idempotency-Key, with the answers in memory. */
#include "check.h"

#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>

#include <base/clock.h>
#include <base/str.h>
#include <slog/slog.h>

#include "core.h"
#include "key_store.h"
#include "sample.h"

/* --- a service that counts what it does --- */

struct counting {
    struct key_store keys;
    atomic_int runs;
    const struct err_kind *fault; /* of make() */
    char id[UUID_TEXT];           /* that make() was given */
    bool is_gated;                /* a run waits for the gate */
    sem_t inside, gate;
};

static struct err *create(struct http_req *req, struct http_res *res)
{
    struct counting *counting = http_state(req);
    int run = atomic_fetch_add(&counting->runs, 1) + 1;
    if (counting->is_gated) {
        sem_post(&counting->inside);
        sem_wait(&counting->gate);
    }
    const struct item *item = http_body(req);
    TRY(http_set_header(res, "Location", "/items/%d", run));
    TRY(http_set_etag(res, run));
    TRY(http_set_header(res, "X-Run", "%d", run));
    return http_reply(res, 201, &item_model, item);
}

static const struct err_kind TAKEN = {"taken", 409, "Taken", false, "-"};
static const struct err_kind CHANGED = {"changed", 409, "Changed", true, "-"};

/* POST /answers/{how}: that status, as a reply or an error, or an answer that cannot be kept. */
static struct err *answer(struct http_req *req, struct http_res *res)
{
    struct counting *counting = http_state(req);
    atomic_fetch_add(&counting->runs, 1);
    const char *how = http_param(req, "how");
    static char large[HTTP_KEY_BODY_MAX + 1];
    int64_t status = 0;
    if (parse_i64(how, 0, 999, &status))
        return http_reply_bytes(res, (int)status, "text/plain", how, strlen(how));
    if (strcmp(how, "taken") == 0)
        return err_new(&TAKEN, "it is there");
    if (strcmp(how, "changed") == 0)
        return err_new(&CHANGED, "again");
    if (strcmp(how, "away") == 0)
        return err_new(&ERR_UPSTREAM_UNAVAILABLE, "it is away");
    if (strcmp(how, "empty") == 0)
        return http_reply_empty(res, 204);
    if (strcmp(how, "stream") == 0)
        return http_stream_begin(res, 200, "text/plain");
    if (strcmp(how, "binary") == 0)
        return http_reply_bytes(res, 200, "text/plain", "\xff", 1);
    if (strcmp(how, "nul") == 0)
        return http_reply_bytes(res, 200, "text/plain", "a\0b", 3);
    memset(large, 'x', sizeof(large));
    return http_reply_bytes(res, 200, "text/plain", large,
                            strcmp(how, "large") == 0 ? sizeof(large) : sizeof(large) - 1);
}

/* POST /things: what it makes has an id, even if it fails. */
static struct err *make(struct http_req *req, struct http_res *res)
{
    struct counting *counting = http_state(req);
    atomic_fetch_add(&counting->runs, 1);
    counting->id[0] = '\0';
    TRY(http_creation_id(req, counting->id));
    if (counting->fault)
        return err_new(counting->fault, "to order");
    return http_reply_empty(res, 204);
}

static const struct route routes[] = {
    {POST, "/items", create, .in = &item_model, .out = &item_model, .status = 201, .allow = ANYONE,
     .idempotent = true},
    {POST, "/others", create, .in = &item_model, .out = &item_model, .status = 201, .allow = ANYONE,
     .idempotent = true},
    {PATCH, "/others", answer, .in = &item_model, .allow = ANYONE, .idempotent = true},
    {POST, "/plain", create, .in = &item_model, .out = &item_model, .status = 201, .allow = ANYONE},
    {POST, "/own", create, .in = &item_model, .out = &item_model, .status = 201, .allow = SIGNED_IN,
     .idempotent = true},
    {POST, "/answers/{how}", answer, .allow = ANYONE, .idempotent = true},
    {POST, "/own-answers/{how}", answer, .allow = SIGNED_IN, .idempotent = true},
    {POST, "/things", make, .in = &item_model, .allow = ANYONE, .idempotent = true},
};
static const struct route_table tables[] = {ROUTES(routes), {0}};

static struct http_server *start(struct counting *counting, int threads, int64_t timeout_ms)
{
    slog_init(&(struct slog_options){.level = SLOG_OFF});
    *counting = (struct counting){0};
    key_store_init(&counting->keys);
    sem_init(&counting->inside, 0, 0);
    sem_init(&counting->gate, 0, 0);
    struct http_server_options options = sample_options();
    options.tables = tables;
    options.state = counting;
    options.threads = threads;
    options.timeout_ms = timeout_ms;
    options.idempotency = &counting->keys.store;
    struct http_server *server = NULL;
    assert_null(http_server_start(&options, &server));
    return server;
}

static void stop(struct http_server *server, struct counting *counting)
{
    http_server_stop(server, 0);
    key_store_deinit(&counting->keys);
    sem_destroy(&counting->inside);
    sem_destroy(&counting->gate);
}

static void call(struct http_server *server, enum http_method method, const char *target,
                 const char *key, const char *token, const char *body, struct http_answer *answer)
{
    struct http_header_pair headers[3] = {0};
    size_t count = 0;
    if (key)
        headers[count++] = (struct http_header_pair){"Idempotency-Key", key};
    if (token)
        headers[count++] = (struct http_header_pair){"Authorization", token};
    struct err *e = http_test_call(server, method, target, headers, body, answer);
    assert_null(e);
}

#define ONE "{\"name\":\"one\"}"
#define TWO "{\"name\":\"two\"}"

static bool is_replayed(const struct http_answer *answer)
{
    const char *value = http_answer_header(answer, "Idempotency-Replayed");
    return value && strcmp(value, "true") == 0;
}

/* --- keys --- */

#define X50  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X250 X50 X50 X50 X50 X50

static const struct {
    const char *name, *key;
    int status;
} keys[] = {
    {"short", "k", 201},
    {"UUID", "0190b5a0-0000-7000-8000-000000000000", 201},
    {"all that is visible", "!#$%&'()*+,-./09:;<=>?@AZ[]^_`az{|}~\\", 201},
    {"quote inside", "a\"b", 201},
    {"string", "\"in quotes\"", 400},
    {"string without space", "\"in-quotes\"", 201},
    {"escapes", "\"a\\\"b\\\\\"", 201},
    {"wrong escape", "\"a\\b\"", 400},
    {"escape at the end", "\"a\\", 400},
    {"no end", "\"ab", 400},
    {"something behind", "\"ab\"c", 400},
    {"parameters", "\"ab\";p=1", 400},
    {"empty string", "\"\"", 400},
    {"empty", "", 400},
    {"space", "a b", 400},
    {"tab", "a\tb", 400},
    {"not ASCII", "\xc3\xa9", 400},
    {"255", X250 "12345", 201},
    {"256", X250 "123456", 400},
    {"255 in quotes", "\"" X250 "12346\"", 201},
    {"256 in quotes", "\"" X250 "123456\"", 400},
};

static void test_keys(void **state)
{
    (void)state;
    struct counting counting;
    struct http_server *server = start(&counting, 0, 0);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        _cleanup_(http_answer_deinit) struct http_answer answer = {0};
        call(server, POST, "/items", keys[i].key, NULL, ONE, &answer);
        CHECK_INT(keys[i].name, answer.status, keys[i].status);
        CHECK(keys[i].name, !is_replayed(&answer));
        CHECK(keys[i].name,
              keys[i].status == 201 || strstr(answer.body, "the Idempotency-Key header"));
    }
    _cleanup_(http_answer_deinit) struct http_answer again = {0};
    call(server, POST, "/items", "in-quotes", NULL, ONE, &again);
    assert_true(is_replayed(&again)); /* with or without quotes */
    _cleanup_(http_answer_deinit) struct http_answer two = {0};
    assert_null(http_test_call(server, POST, "/items",
                               HTTP_HEADERS({"Idempotency-Key", "a"}, {"Idempotency-Key", "b"}),
                               ONE, &two));
    assert_int_equal(two.status, 400);
    stop(server, &counting);
}

/* --- the same, or another --- */

static void test_replay(void **state)
{
    (void)state;
    struct counting counting;
    struct http_server *server = start(&counting, 0, 0);
    _cleanup_(http_answer_deinit) struct http_answer first = {0}, again = {0}, other = {0};
    call(server, POST, "/items", "k", NULL, ONE, &first);
    call(server, POST, "/items", "k", NULL, ONE, &again);
    assert_int_equal(counting.runs, 1);
    assert_int_equal(first.status, 201);
    assert_false(is_replayed(&first));
    assert_int_equal(again.status, 201);
    assert_true(is_replayed(&again));
    assert_string_equal(again.body, first.body);
    assert_string_equal(http_answer_header(&again, "Location"), "/items/1");
    assert_string_equal(http_answer_header(&again, "ETag"), "\"v1\"");
    assert_string_equal(http_answer_header(&again, "Content-Type"), "application/json");
    assert_null(http_answer_header(&again, "X-Run"));
    /* Not the first one's. */
    assert_string_not_equal(http_answer_header(&again, "X-Request-Id"),
                            http_answer_header(&first, "X-Request-Id"));
    call(server, POST, "/items", "l", NULL, ONE, &other);
    assert_false(is_replayed(&other));
    assert_int_equal(counting.runs, 2);
    stop(server, &counting);
}

static void test_reused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum http_method method;
        const char *target, *body;
    } rows[] = {
        {"body", POST, "/items", TWO},      {"white space", POST, "/items", ONE " "},
        {"query", POST, "/items?a=b", ONE}, {"path", POST, "/others", ONE},
        {"method", PATCH, "/others", ONE},
    };
    struct counting counting;
    struct http_server *server = start(&counting, 0, 0);
    _cleanup_(http_answer_deinit) struct http_answer first = {0};
    call(server, POST, "/items", "k", NULL, ONE, &first);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(http_answer_deinit) struct http_answer answer = {0};
        call(server, rows[i].method, rows[i].target, "k", NULL, rows[i].body, &answer);
        CHECK_INT(rows[i].name, answer.status, 422);
        CHECK(rows[i].name, strstr(answer.body, "\"idempotency_key_reused\""));
        CHECK(rows[i].name, !strstr(answer.body, "one"));
    }
    assert_int_equal(counting.runs, 1);
    stop(server, &counting);
}

static void test_callers(void **state)
{
    (void)state;
    struct counting counting;
    struct http_server *server = start(&counting, 0, 0);
    static const struct {
        const char *name, *target, *token;
        int status, runs;
        bool is_replayed;
    } rows[] = {
        {"anyone", "/items", NULL, 201, 1, false},
        {"a user", "/own", "Bearer user", 201, 2, false},
        {"another", "/own", "Bearer admin", 201, 3, false},
        {"the user again", "/own", "Bearer user", 201, 3, true},
        {"nobody on the user's route", "/own", NULL, 401, 3, false},
        {"a token does not count where anyone may", "/items", "Bearer user", 201, 3, true},
        {"a route that knows no keys", "/plain", NULL, 201, 4, false},
        {"again", "/plain", NULL, 201, 5, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(http_answer_deinit) struct http_answer answer = {0};
        call(server, POST, rows[i].target, "k", rows[i].token, ONE, &answer);
        CHECK_INT(rows[i].name, answer.status, rows[i].status);
        CHECK_INT(rows[i].name, counting.runs, rows[i].runs);
        CHECK_INT(rows[i].name, is_replayed(&answer), rows[i].is_replayed);
    }
    stop(server, &counting);
}

/* What is stored tells neither key nor body to who has no secret. */
static void test_hashes(void **state)
{
    (void)state;
    struct counting counting;
    struct http_server *server = start(&counting, 0, 0);
    _cleanup_(http_answer_deinit) struct http_answer answer = {0};
    call(server, POST, "/items", "k", NULL, ONE, &answer);
    const struct http_key_claim first = counting.keys.rows[0].claim;
    assert_int_equal(strlen(first.id), 64);
    assert_int_equal(strlen(first.fingerprint), 64);
    stop(server, &counting);
    server = start(&counting, 0, 0);
    counting.keys.store.secret[31] = 1;
    call(server, POST, "/items", "k", NULL, ONE, &answer);
    assert_string_not_equal(counting.keys.rows[0].claim.id, first.id);
    assert_string_not_equal(counting.keys.rows[0].claim.fingerprint, first.fingerprint);
    stop(server, &counting);
}

/* --- what is kept --- */

static const struct {
    const char *how;
    int status;
    bool is_kept;
} answers[] = {
    {"200", 200, true},      {"201", 201, true},    {"empty", 204, true},   {"304", 304, false},
    {"400", 400, true},      {"401", 401, false},   {"403", 403, false},    {"404", 404, true},
    {"408", 408, false},     {"409", 409, true},    {"422", 422, true},     {"425", 425, false},
    {"429", 429, false},     {"500", 500, false},   {"503", 503, false},    {"taken", 409, true},
    {"changed", 409, false}, {"away", 503, false},  {"stream", 200, false}, {"binary", 200, false},
    {"nul", 200, false},     {"large", 200, false}, {"largest", 200, true},
};

static void check_kept(const char *path, const char *token)
{
    struct counting counting;
    struct http_server *server = start(&counting, 0, 0);
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        _cleanup_(http_answer_deinit) struct http_answer first = {0}, again = {0};
        bool is_kept = answers[i].is_kept && (token || answers[i].status < 300);
        char target[64];
        snprintf(target, sizeof(target), "%s/%s", path, answers[i].how);
        counting.runs = 0;
        call(server, POST, target, answers[i].how, token, NULL, &first);
        CHECK_INT(answers[i].how, first.status, answers[i].status);
        call(server, POST, target, answers[i].how, token, NULL, &again);
        CHECK_INT(answers[i].how, again.status, answers[i].status);
        CHECK_INT(answers[i].how, counting.runs, is_kept ? 1 : 2);
        CHECK_INT(answers[i].how, is_replayed(&again), is_kept);
        CHECK_INT(answers[i].how, again.body_len == first.body_len, true);
        if (is_kept)
            CHECK_STR(answers[i].how, again.body, first.body);
    }
    stop(server, &counting);
}

static void test_kept(void **state)
{
    (void)state;
    check_kept("/own-answers", "Bearer user");
    check_kept("/answers", NULL); /* of callers without identity, success alone */
}

/* --- what is made --- */

/* The id stays with key and body as long as nobody knows whether anything was made. */
static void test_creation_ids(void **state)
{
    (void)state;
    static const struct {
        const char *name, *key, *body;
        const struct err_kind *fault;
        int id, status; /* which id, of those that came, in their order */
    } rows[] = {
        {"no key", NULL, ONE, NULL, 0, 204},
        {"no key again", NULL, ONE, NULL, 1, 204},
        {"away", "k", ONE, &ERR_UPSTREAM_UNAVAILABLE, 2, 503},
        {"late", "k", ONE, &ERR_UPSTREAM_TIMEOUT, 2, 504},
        {"another body", "k", TWO, &ERR_UPSTREAM_TIMEOUT, 3, 504},
        {"another key", "l", ONE, &ERR_UPSTREAM_TIMEOUT, 4, 504},
        {"may be tried again", "l", ONE, &CHANGED, 4, 409},
        {"refused", "l", ONE, &TAKEN, 4, 409},
        {"after a refusal", "l", ONE, NULL, 5, 204},
    };
    struct counting counting;
    struct http_server *server = start(&counting, 0, 0);
    char ids[6][UUID_TEXT] = {{0}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(http_answer_deinit) struct http_answer reply = {0};
        counting.fault = rows[i].fault;
        call(server, POST, "/things", rows[i].key, NULL, rows[i].body, &reply);
        CHECK_INT(rows[i].name, reply.status, rows[i].status);
        CHECK(rows[i].name, uuid_is_valid(counting.id));
        char *id = ids[rows[i].id];
        for (size_t k = 0; k < ARRAY_LEN(ids) && id[0] == '\0'; k++)
            CHECK(rows[i].name, strcmp(ids[k], counting.id) != 0);
        if (id[0] == '\0')
            memcpy(id, counting.id, UUID_TEXT);
        CHECK_STR(rows[i].name, counting.id, id);
    }
    stop(server, &counting);
}

static void test_creation_id_fails(void **state)
{
    (void)state;
    struct counting counting;
    struct http_server *server = start(&counting, 0, 0);
    counting.keys.settle_fails = true;
    _cleanup_(http_answer_deinit) struct http_answer reply = {0};
    call(server, POST, "/things", "k", NULL, ONE, &reply);
    assert_int_equal(reply.status, 503);
    assert_int_equal(counting.runs, 1);
    assert_string_equal(counting.id, "");
    stop(server, &counting);
}

/* --- at once --- */

struct caller {
    struct http_server *server;
    const char *body;
    struct http_answer answer;
    pthread_t thread;
};

static void *run_caller(void *data)
{
    struct caller *caller = data;
    call(caller->server, POST, "/items", "k", NULL, caller->body, &caller->answer);
    return NULL;
}

static void begin_call(struct caller *caller, struct http_server *server, const char *body)
{
    *caller = (struct caller){.server = server, .body = body};
    assert_int_equal(pthread_create(&caller->thread, NULL, run_caller, caller), 0);
}

static void end_call(struct caller *caller)
{
    pthread_join(caller->thread, NULL);
}

static void test_waits(void **state)
{
    (void)state;
    struct counting counting;
    struct http_server *server = start(&counting, 16, 30000);
    counting.is_gated = true;
    struct caller first, second;
    begin_call(&first, server, ONE);
    sem_wait(&counting.inside);
    begin_call(&second, server, ONE);
    /* Another body is refused without waiting. */
    _cleanup_(http_answer_deinit) struct http_answer other = {0};
    call(server, POST, "/items", "k", NULL, TWO, &other);
    assert_int_equal(other.status, 422);
    sem_post(&counting.gate);
    end_call(&first);
    end_call(&second);
    assert_int_equal(counting.runs, 1);
    assert_int_equal(second.answer.status, 201);
    assert_true(is_replayed(&second.answer));
    assert_string_equal(second.answer.body, first.answer.body);
    assert_in_range(counting.keys.lease_ms, 30000, 33000); /* the deadline, and a little more */
    http_answer_deinit(&first.answer);
    http_answer_deinit(&second.answer);
    stop(server, &counting);
}

static void check_in_progress(const struct http_answer *answer)
{
    assert_int_equal(answer->status, 409);
    assert_non_null(strstr(answer->body, "\"idempotency_in_progress\""));
    assert_string_equal(http_answer_header(answer, "Retry-After"), "1");
}

static void test_waits_in_vain(void **state)
{
    (void)state;
    struct counting counting;
    struct http_server *server = start(&counting, 16, 400);
    counting.is_gated = true;
    struct caller first;
    begin_call(&first, server, ONE);
    sem_wait(&counting.inside);
    int64_t began_ms = clock_mono_ms();
    _cleanup_(http_answer_deinit) struct http_answer answer = {0};
    call(server, POST, "/items", "k", NULL, ONE, &answer);
    check_in_progress(&answer);
    assert_true(clock_mono_ms() - began_ms >= 20);
    sem_post(&counting.gate);
    end_call(&first);
    assert_int_equal(first.answer.status, 201);
    http_answer_deinit(&first.answer);
    stop(server, &counting);
}

/* Not all threads wait for one: of four, one may. */
static void test_few_wait(void **state)
{
    (void)state;
    struct counting counting;
    struct http_server *server = start(&counting, 4, 30000);
    counting.is_gated = true;
    struct caller first, waiting;
    begin_call(&first, server, ONE);
    sem_wait(&counting.inside);
    begin_call(&waiting, server, ONE);
    while (atomic_load(&server->waiting_for_keys) == 0)
        sched_yield();
    _cleanup_(http_answer_deinit) struct http_answer answer = {0};
    call(server, POST, "/items", "k", NULL, ONE, &answer);
    check_in_progress(&answer);
    sem_post(&counting.gate);
    end_call(&first);
    end_call(&waiting);
    assert_true(is_replayed(&waiting.answer));
    assert_int_equal(counting.runs, 1);
    assert_int_equal(server->waiting_for_keys, 0);
    http_answer_deinit(&waiting.answer);
    http_answer_deinit(&first.answer);
    stop(server, &counting);
}

/* --- a store that fails --- */

static void test_store_fails(void **state)
{
    (void)state;
    struct counting counting;
    struct http_server *server = start(&counting, 0, 300);
    _cleanup_(http_answer_deinit) struct http_answer refused = {0}, done = {0}, again = {0};
    counting.keys.claim_fails = true;
    call(server, POST, "/items", "k", NULL, ONE, &refused);
    assert_int_equal(refused.status, 503);
    assert_int_equal(counting.runs, 0);
    counting.keys.claim_fails = false;
    counting.keys.settle_fails = true;
    call(server, POST, "/items", "k", NULL, ONE, &done);
    assert_int_equal(done.status, 201);
    /* Until the lease is over. */
    call(server, POST, "/items", "k", NULL, ONE, &again);
    check_in_progress(&again);
    assert_int_equal(counting.runs, 1);
    stop(server, &counting);
}

static void test_refused_at_start(void **state)
{
    (void)state;
    static const struct route get[] = {{GET, "/a", answer, .allow = ANYONE, .idempotent = true}};
    static const struct {
        const char *name;
        struct route_table table;
        bool has_store;
        const char *mistake;
    } rows[] = {
        {"method", ROUTES(get), true, "its method is .idempotent as it is"},
        {"no store", ROUTES(routes), false, "it needs a place for the answers"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_server_options options = sample_options();
        const struct route_table one[] = {rows[i].table, {0}};
        const struct http_idempotency store = {0};
        options.tables = one;
        options.idempotency = rows[i].has_store ? &store : NULL;
        struct http_server *server = NULL;
        struct err *e = http_server_start(&options, &server);
        CHECK(rows[i].name, e && strstr(err_detail(e), rows[i].mistake));
        err_free(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_reused),
        cmocka_unit_test(test_callers),
        cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_creation_ids),
        cmocka_unit_test(test_creation_id_fails),
        cmocka_unit_test(test_waits),
        cmocka_unit_test(test_waits_in_vain),
        cmocka_unit_test(test_few_wait),
        cmocka_unit_test(test_store_fails),
        cmocka_unit_test(test_refused_at_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
