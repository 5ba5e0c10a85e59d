#include "check.h"

#include <base/macros.h>

#include "key.h"

static void test_secret_keys(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        bool is_secret;
    } rows[] = {
        {"password", true},
        {"token", true},
        {"secret", true},
        {"authorization", true},
        {"cookie", true},
        {"key", true},
        {"PASSWORD", true},
        {"Authorization", true},
        {"new_password", true},
        {"password_hash", true},
        {"access-token", true},
        {"http.cookie", true},
        {"Set-Cookie", true},
        {"X-Api-Key", true},
        {"a.secret.b", true},
        {"api_key_id", true},
        {"accessToken", true},
        {"clientSecretHash", true},
        {"token2", true},
        {"2token", true},
        {"tokens", true},
        {"cookies", true},
        {"KEYS", true},
        {"my key", true},
        {"_key_", true},
        {"", false},
        {"monkey", false},
        {"keyboard", false},
        {"tokenize", false},
        {"secretary", false},
        {"passwords1s", true},
        {"pass_word", false},
        {"user_id", false},
        {"ke", false},
        {"keyss", false},
        {"s", false},
        {"authorized", false},
        {"k\xc3\xa9y", false},
        {"\xff"
         "key",
         true},
        {"duration_ms", false},
        {"tokenX", true},
        {"donkeyKong", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_INT(rows[i].key, slog_key_is_secret(rows[i].key), rows[i].is_secret);
}

static void test_reserved_keys(void **state)
{
    (void)state;
    static const char *const reserved[] = {"time",     "level",   "service", "request_id",
                                           "trace_id", "span_id", "msg",     "truncated"};
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
        CHECK(reserved[i], slog_key_is_reserved(reserved[i]));
    static const char *const free_keys[] = {"", "Time", "times", "_level", "message", "error"};
    for (size_t i = 0; i < ARRAY_LEN(free_keys); i++)
        CHECK(free_keys[i], !slog_key_is_reserved(free_keys[i]));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secret_keys),
        cmocka_unit_test(test_reserved_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
