/* What a password may be, and hashing on a pool that does not grow. */
#include "check.h"

#include <stdlib.h>
#include <sys/resource.h>

#include <alloc_fail.h>
#include <base/str.h>

#include "kinds.h"
#include "passwords.h"
#include "service_test.h"

static const struct auth_settings CHEAP = {
    .argon2_memory_kib = 8, .argon2_passes = 1, .hash_workers = 1, .hash_queue = 4};

static char long_text[PASSWORD_MAX_BYTES + 2];

static void test_policy(void **state)
{
    (void)state;
    memset(long_text, 'a', PASSWORD_MAX_BYTES + 1);
    long_text[0] = 'b';
    static const struct {
        const char *name, *password;
        const char *why; /* NULL: it is fine */
    } rows[] = {
        {"empty", "", "at least 8"},
        {"7 characters", "abcdefg", "at least 8"},
        {"7 characters of 3 bytes", "日本語日本語日", "at least 8"},
        {"8 characters of 3 bytes", "日本語日本語日本", NULL},
        {"8 characters", "xkcdxkce", NULL},
        {"words", "correct horse battery", NULL},
        {"only spaces", "          ", "guessed first"},
        {"one character", "zzzzzzzzzzzz", "guessed first"},
        {"common", "password", "guessed first"},
        {"common, other case", "PassWord123", "guessed first"},
        {"digits", "12345678", "guessed first"},
        {"common and more", "password of mine", NULL},
        {"the address", "ann@example.com", "address or the name"},
        {"the address, other case", "Ann@Example.com", "address or the name"},
        {"the name", "ann of green gables", "address or the name"},
        {"longest", long_text + 1, NULL},
        {"too long", long_text, "at most 1024"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (str_equal(rows[i].name, "longest"))
            long_text[1] = 'c';
        struct err *e = password_check(rows[i].password, "ann@example.com", "Ann of Green Gables");
        CHECK_INT(rows[i].name, err_is(e, &WEAK_PASSWORD), rows[i].why != NULL);
        CHECK(rows[i].name, !rows[i].why || strstr(err_detail(e), rows[i].why));
        err_free(e);
    }
}

struct fixture {
    struct metrics *metrics;
    struct passwords *passwords;
};

static int start(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    expect_ok(metrics_new(&fixture->metrics));
    expect_ok(passwords_new(&CHEAP, fixture->metrics, &fixture->passwords));
    *state = fixture;
    return 0;
}

static int stop(void **state)
{
    struct fixture *fixture = *state;
    passwords_free(fixture->passwords);
    metrics_free(fixture->metrics);
    free(fixture);
    return 0;
}

static void test_hash_and_verify(void **state)
{
    struct fixture *fixture = *state;
    char hash[PASSWORD_HASH_TEXT] = "", other[PASSWORD_HASH_TEXT] = "";
    expect_ok(password_hash(fixture->passwords, NULL, "the password", hash));
    expect_ok(password_hash(fixture->passwords, NULL, "the password", other));
    assert_true(str_starts_with(hash, "$argon2id$v=19$m=8,t=1,p=1$"));
    assert_string_not_equal(hash, other); /* salted */
    assert_false(password_is_outdated(fixture->passwords, hash));
    const struct {
        const char *name, *password, *hash;
        bool is_right;
    } rows[] = {
        {"right", "the password", hash, true},     {"other salt", "the password", other, true},
        {"wrong", "the Password", hash, false},    {"empty", "", hash, false},
        {"nobody's", "the password", NULL, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool is_right = !rows[i].is_right;
        expect_ok(
            password_verify(fixture->passwords, NULL, rows[i].password, rows[i].hash, &is_right));
        CHECK_INT(rows[i].name, is_right, rows[i].is_right);
    }
}

static void test_outdated(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *hash;
        bool is_outdated;
    } rows[] = {
        {"$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$"
         "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
         false},
        {"$argon2id$v=19$m=16,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$"
         "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
         true},
        {"$argon2id$v=19$m=8,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$"
         "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
         true},
        {"no hash at all", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_INT(rows[i].hash, password_is_outdated(fixture->passwords, rows[i].hash),
                  rows[i].is_outdated);
}

#define SALT "$c29tZXNhbHRzb21lc2FsdA"
#define HASH "$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

/* That it could not be tried does not make a password wrong. */
static void test_what_cannot_be_verified(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *name, *hash;
        const struct err_kind *kind;
    } rows[] = {
        {"empty", "", &ERR_INTERNAL},
        {"no hash", "no hash at all", &ERR_INTERNAL},
        {"argon2i", "$argon2i$v=19$m=8,t=1,p=1" SALT HASH, &ERR_INTERNAL},
        {"two lanes", "$argon2id$v=19$m=8,t=1,p=2" SALT HASH, &ERR_INTERNAL},
        {"short salt", "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2Fs" HASH, &ERR_INTERNAL},
        {"short hash", "$argon2id$v=19$m=8,t=1,p=1" SALT "$AAAA", &ERR_INTERNAL},
        {"no passes", "$argon2id$v=19$m=8,t=0,p=1" SALT HASH, &ERR_INTERNAL},
        {"101 passes", "$argon2id$v=19$m=8,t=101,p=1" SALT HASH, &ERR_INTERNAL},
        {"no memory", "$argon2id$v=19$m=,t=1,p=1" SALT HASH, &ERR_INTERNAL},
        {"no base64", "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2Fsd!" HASH, &ERR_INTERNAL},
        {"unused bits", "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdB" HASH, &ERR_INTERNAL},
        {"more", "$argon2id$v=19$m=8,t=1,p=1" SALT HASH "A", &ERR_INTERNAL},
        {"4 TiB", "$argon2id$v=19$m=4294967295,t=1,p=1" SALT HASH, &ERR_INTERNAL},
        {"more than 4 GiB", "$argon2id$v=19$m=4194305,t=1,p=1" SALT HASH, &ERR_INTERNAL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool is_right = true;
        expect_error(password_verify(fixture->passwords, NULL, "x", rows[i].hash, &is_right),
                     rows[i].kind);
        CHECK(rows[i].name, is_right);
    }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they take terabytes */
/* Nor does want of memory. A kernel that overcommits would give it, but for the limit. */
static void test_want_of_memory(void **state)
{
    struct fixture *fixture = *state;
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    small = before;
    small.rlim_cur = (rlim_t)2 << 30;
    assert_int_equal(setrlimit(RLIMIT_AS, &small), 0);
    bool is_right = true;
    struct err *e = password_verify(fixture->passwords, NULL, "x",
                                    "$argon2id$v=19$m=4194304,t=1,p=1" SALT HASH, &is_right);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    expect_error(e, &ERR_OUT_OF_MEMORY);
    assert_true(is_right);
}
#else
static void test_want_of_memory(void **state)
{
    (void)state;
}
#endif

static void test_an_ended_ctx(void **state)
{
    struct fixture *fixture = *state;
    struct ctx ctx;
    ctx_init(&ctx, NULL, 0);
    char hash[PASSWORD_HASH_TEXT] = "untouched";
    expect_error(password_hash(fixture->passwords, &ctx, "the password", hash),
                 &ERR_UPSTREAM_TIMEOUT);
    assert_string_equal(hash, "untouched");
    ctx_deinit(&ctx);
}

struct pair {
    struct passwords *passwords;
    struct err *errors[2];
};

static void hash_one(size_t index, void *data)
{
    struct pair *pair = data;
    char hash[PASSWORD_HASH_TEXT];
    pair->errors[index] = password_hash(pair->passwords, NULL, "the password", hash);
}

/* One worker, which is busy for longer than anybody waits for a turn. */
static void test_a_turn_that_does_not_come(void **state)
{
    (void)state;
    struct auth_settings slow = CHEAP;
    slow.argon2_memory_kib = 64 * 1024;
    slow.argon2_passes = 100;
    _cleanup_(metrics_free) struct metrics *metrics = NULL;
    expect_ok(metrics_new(&metrics));
    _cleanup_(passwords_free) struct passwords *passwords = NULL;
    expect_ok(passwords_new(&slow, metrics, &passwords));
    struct pair pair = {.passwords = passwords};
    run_threads(2, hash_one, &pair);
    struct err *late = pair.errors[0] ? pair.errors[0] : pair.errors[1];
    assert_true(!pair.errors[0] || !pair.errors[1]);
    assert_true(err_retry_after_ms(late) > 0);
    expect_error(late, &ERR_OVERLOADED);
}

static void test_out_of_memory(void **state)
{
    struct fixture *fixture = *state;
    struct passwords *passwords = NULL;
    for (size_t successes = 0; !passwords; successes++) {
        alloc_fail_after(successes);
        struct err *e = passwords_new(&CHEAP, fixture->metrics, &passwords);
        bool has_failed = alloc_fail_stop();
        assert_true(has_failed || !e);
        if (!passwords)
            expect_error(e, &ERR_OUT_OF_MEMORY);
    }
    passwords_free(passwords);
    passwords_free(NULL);
}

static void test_workers_by_cores(void **state)
{
    struct fixture *fixture = *state;
    struct auth_settings settings = CHEAP;
    settings.hash_workers = 0;
    _cleanup_(passwords_free) struct passwords *passwords = NULL;
    expect_ok(passwords_new(&settings, fixture->metrics, &passwords));
    char hash[PASSWORD_HASH_TEXT];
    expect_ok(password_hash(passwords, NULL, "the password", hash));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy),
        TEST(test_hash_and_verify),
        TEST(test_outdated),
        TEST(test_what_cannot_be_verified),
        TEST(test_want_of_memory),
        TEST(test_an_ended_ctx),
        TEST(test_out_of_memory),
        TEST(test_workers_by_cores),
        cmocka_unit_test(test_a_turn_that_does_not_come),
    };
    return cmocka_run_group_tests_name("auth.passwords", tests, NULL, NULL);
}
