/* Settings that are wrong, and what the right ones become. */
#include "check.h"

#include <base/macros.h>
#include <base/str.h>
#include <jose/jose.h>

#include "service.h"
#include "service_test.h"

#define HEX     "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY     "KEY_ENCRYPTION_KEY=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define ENV_MAX 8

static struct err *load(const char *const *env, struct auth_settings *out_settings)
{
    char *copy[ENV_MAX] = {0};
    for (size_t i = 0; env[i]; i++)
        copy[i] = strdup(env[i]);
    const struct cfg_binding binding = {&auth_settings_table, out_settings};
    struct err *e = cfg_load(&binding, 1, copy);
    for (size_t i = 0; copy[i]; i++)
        free(copy[i]);
    return e ? e : auth_app.check(NULL, out_settings);
}

static void unload(struct auth_settings *settings)
{
    cfg_unload(&(struct cfg_binding){&auth_settings_table, settings}, 1);
}

static void test_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *name, *env[ENV_MAX], *message;
    } rows[] = {
        {"no key", {"JWT_ALG=ES256"}, "KEY_ENCRYPTION_KEY: must be set"},
        {"short key",
         {"KEY_ENCRYPTION_KEY=0102"},
         "KEY_ENCRYPTION_KEY=\"***\": must be 64 hexadecimal digits"},
        {"no digits", {"KEY_ENCRYPTION_KEY=xx" HEX}, "key 1 is not"},
        {"upper case", {"KEY_ENCRYPTION_KEY=FF" HEX}, "in lower case"},
        {"long key", {KEY "00"}, "key 1 is not"},
        {"no first key", {"KEY_ENCRYPTION_KEY=,00" HEX}, "key 1 is not"},
        {"no second key", {KEY ","}, "key 2 is not"},
        {"short second key", {KEY ",0102"}, "key 2 is not"},
        {"space", {KEY ", ff" HEX}, "key 2 is not"},
        {"no third key", {KEY ",ff" HEX ",,ee" HEX}, "key 3 is not"},
        {"the same key", {KEY ",00" HEX}, "key 2 is an earlier one again"},
        {"the same key later", {KEY ",ff" HEX ",00" HEX}, "key 3 is an earlier one again"},
        {"five keys",
         {KEY ",ff" HEX ",ee" HEX ",dd" HEX ",cc" HEX},
         "up to 4 such keys with commas between: key 5 is one too many"},
        {"algorithm", {KEY, "JWT_ALG=HS256"}, "must be one of ES256, EdDSA, RS256"},
        {"no passes", {KEY, "ARGON2_PASSES=0"}, "ARGON2_PASSES"},
        {"memory", {KEY, "ARGON2_MEMORY_KIB=7"}, "ARGON2_MEMORY_KIB"},
        {"token life", {KEY, "ACCESS_TOKEN_TTL_S=9"}, "ACCESS_TOKEN_TTL_S"},
        {"session life", {KEY, "REFRESH_TOKEN_TTL_S=59"}, "REFRESH_TOKEN_TTL_S"},
        {"grace", {KEY, "REFRESH_GRACE_S=301"}, "REFRESH_GRACE_S"},
        {"workers", {KEY, "HASH_WORKERS=257"}, "HASH_WORKERS"},
        {"address",
         {KEY, "BOOTSTRAP_ADMIN_EMAIL=root", "BOOTSTRAP_ADMIN_PASSWORD=a-long-password"},
         "BOOTSTRAP_ADMIN_EMAIL=\"root\": must be an email address"},
        {"short password",
         {KEY, "BOOTSTRAP_ADMIN_EMAIL=root@example.com", "BOOTSTRAP_ADMIN_PASSWORD=short"},
         "BOOTSTRAP_ADMIN_PASSWORD"},
        {"no password",
         {KEY, "BOOTSTRAP_ADMIN_EMAIL=root@example.com"},
         "BOOTSTRAP_ADMIN_PASSWORD: must be set, too"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct auth_settings settings = {0};
        struct err *e = load(rows[i].env, &settings);
        CHECK(rows[i].name, err_is(e, &CFG_INVALID));
        CHECK(rows[i].name, strstr(err_detail(e), rows[i].message));
        CHECK(rows[i].name, !strstr(err_detail(e), "=short"));
        CHECK(rows[i].name, !strstr(err_detail(e), "0102"));
        err_free(e);
        unload(&settings);
    }
}

static void test_right(void **state)
{
    (void)state;
    static const char *const env[] = {KEY,
                                      "JWT_ALG=eddsa",
                                      "ARGON2_MEMORY_KIB=64MiB",
                                      "ACCESS_TOKEN_TTL_S=10m",
                                      "BOOTSTRAP_ADMIN_EMAIL=root@example.com",
                                      "BOOTSTRAP_ADMIN_PASSWORD=a-long-password",
                                      NULL};
    struct auth_settings settings = {0};
    expect_ok(load(env, &settings));
    assert_int_equal(settings.jwt_alg, JOSE_EDDSA);
    assert_int_equal(settings.argon2_memory_kib, 65536);
    assert_int_equal(settings.argon2_passes, 2);
    assert_int_equal(settings.access_token_ttl_s, 600);
    struct key_ring ring;
    auth_decode_keys(&settings, &ring);
    assert_int_equal(ring.count, 1);
    for (size_t i = 0; i < AUTH_KEY_BYTES; i++)
        assert_int_equal(ring.keys[0][i], i);
    unload(&settings);
}

static void test_keys_in_their_order(void **state)
{
    (void)state;
    static const char *const env[] = {KEY ",ff" HEX ",ee" HEX ",dd" HEX, NULL};
    static const unsigned char first[AUTH_KEY_RING_MAX] = {0x00, 0xff, 0xee, 0xdd};
    struct auth_settings settings = {0};
    expect_ok(load(env, &settings));
    struct key_ring ring;
    auth_decode_keys(&settings, &ring);
    assert_int_equal(ring.count, AUTH_KEY_RING_MAX);
    for (size_t i = 0; i < ring.count; i++) {
        assert_int_equal(ring.keys[i][0], first[i]);
        for (size_t j = 1; j < AUTH_KEY_BYTES; j++)
            assert_int_equal(ring.keys[i][j], j);
    }
    unload(&settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_right),
        cmocka_unit_test(test_keys_in_their_order),
    };
    return cmocka_run_group_tests_name("auth.settings", tests, NULL, NULL);
}
