/* Settings that are wrong, and what the right ones become. */
#include "check.h"

#include <base/macros.h>
#include <base/str.h>
#include <jose/jose.h>

#include "service.h"
#include "service_test.h"

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
        {"short key", {"KEY_ENCRYPTION_KEY=0102"}, "64 hexadecimal digits"},
        {"no digits",
         {"KEY_ENCRYPTION_KEY=xx0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"},
         "64 hexadecimal digits"},
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
    unsigned char key[AUTH_KEY_BYTES];
    auth_decode_key(&settings, key);
    for (size_t i = 0; i < sizeof(key); i++)
        assert_int_equal(key[i], i);
    unload(&settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_right),
    };
    return cmocka_run_group_tests_name("auth.settings", tests, NULL, NULL);
}
