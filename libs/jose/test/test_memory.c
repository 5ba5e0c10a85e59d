/*
 * OpenSSL running out of memory anywhere: whatever is asked fails cleanly or is done, and a failure
 * leaves nothing in OpenSSL's queue. (Which error it is, OpenSSL does not always let us know.) Its
 * own allocator is replaced, which only works before it has allocated anything: hence a program of
 * its own.
 */
#include "jose_test.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

static bool is_failing;
static size_t left; /* allocations until the one that fails */
static bool has_failed;

static bool may_allocate(void)
{
    if (!is_failing || left-- > 0)
        return true;
    is_failing = false; /* one failure for each run */
    has_failed = true;
    return false;
}

static void *ssl_malloc(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return may_allocate() ? malloc(size) : NULL;
}

static void *ssl_realloc(void *place, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return may_allocate() ? realloc(place, size) : NULL;
}

static void ssl_free(void *place, const char *file, int line)
{
    (void)file, (void)line;
    free(place);
}

static struct jose_keys *shared_keys;
static const char *shared_token;

static struct err *verify(void)
{
    _cleanup_(buf_deinit) struct buf payload = BUF_INIT(JOSE_TOKEN_MAX);
    return jose_verify(shared_keys, NULL, shared_token, strlen(shared_token), &payload);
}

static struct err *parse_ec(void)
{
    _cleanup_(jose_key_unref) struct jose_key *key = NULL;
    return jose_key_parse(rfc7515_a3_key, strlen(rfc7515_a3_key), &key);
}

static struct err *parse_ed(void)
{
    _cleanup_(jose_key_unref) struct jose_key *key = NULL;
    return jose_key_parse(rfc8037_key, strlen(rfc8037_key), &key);
}

static struct err *parse_set(void)
{
    _cleanup_(jose_keys_unref) struct jose_keys *keys = NULL;
    return jose_keys_parse(rfc7517_a1_set, strlen(rfc7517_a1_set), &keys);
}

static struct err *seal_and_open(void)
{
    static const unsigned char key[32];
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(1000);
    _cleanup_(buf_deinit) struct buf back = BUF_INIT(1000);
    TRY(jose_seal(key, "", "four", 4, &text));
    return jose_open(key, "", text.data, text.len, &back);
}

/* Fails each allocation in turn. */
static void fail_each(const char *what, struct err *(*run)(void))
{
    expect_kind(run(), NULL, what); /* what is fetched once is fetched here */
    size_t failures = 0;
    has_failed = true;
    for (size_t successes = 0; has_failed; successes++) {
        left = successes;
        has_failed = false;
        is_failing = true;
        struct err *e = run();
        is_failing = false;
        if (e)
            CHECK_INT(what, ERR_peek_error(), 0);
        ERR_clear_error(); /* OpenSSL gets over some failures, but not without a word */
        failures += e != NULL;
        err_free(e);
    }
    CHECK(what, failures > 0);
}

static void want_of_memory_fails_cleanly(void **state)
{
    (void)state;
    static const struct {
        const char *name, *key, *token;
    } rows[] = {
        {"verify RS256", rfc7520_rsa_key, rfc7520_token},
        {"verify ES256", rfc7515_a3_key, rfc7515_a3_token},
        {"verify EdDSA", rfc8037_key, rfc8037_token},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(jose_key_unref) struct jose_key *key = parse_key(rows[i].key);
        shared_keys = set_of(key);
        shared_token = rows[i].token;
        fail_each(rows[i].name, verify);
        jose_keys_unref(shared_keys);
    }
    fail_each("parse an EC key", parse_ec);
    fail_each("parse an Ed25519 key", parse_ed);
    fail_each("parse a set", parse_set);
    fail_each("seal and open", seal_and_open);
}

int main(void)
{
    if (CRYPTO_set_mem_functions(ssl_malloc, ssl_realloc, ssl_free) != 1)
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(want_of_memory_fails_cleanly)};
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
