#include "check.h"

#include <sys/wait.h>
#include <unistd.h>

#include <base/macros.h>
#include <base/secret.h>

static void test_equal(void **state)
{
    (void)state;
    static const struct {
        const char *name, *a, *b;
        size_t a_len, b_len;
        bool equal;
    } rows[] = {
        {"empty", "", "", 0, 0, true},
        {"nothing at all", NULL, NULL, 0, 0, true},
        {"same", "secret", "secret", 6, 6, true},
        {"same beyond a NUL", "a\0b", "a\0b", 3, 3, true},
        {"differs beyond a NUL", "a\0b", "a\0c", 3, 3, false},
        {"first byte", "xecret", "secret", 6, 6, false},
        {"last byte", "secrex", "secret", 6, 6, false},
        {"high bit", "\x80", "\0", 1, 1, false},
        {"prefix", "secret", "secrets", 6, 7, false},
        {"empty and not", "", "s", 0, 1, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_INT(rows[i].name, secret_equal(rows[i].a, rows[i].a_len, rows[i].b, rows[i].b_len),
                  rows[i].equal);
}

static void test_wipe(void **state)
{
    (void)state;
    char secret[] = "0123456789";
    secret_wipe(secret + 2, 4);
    assert_memory_equal(secret, "01\0\0\0\0006789", sizeof(secret));
    secret_wipe(secret, 0);
    assert_int_equal(secret[0], '0');
    secret_wipe(NULL, 0);
}

static void test_random_bytes(void **state)
{
    (void)state;
    unsigned char bytes[514] = {0}; /* more than getrandom() gives at once without a break */
    random_bytes(bytes + 1, 512);
    assert_int_equal(bytes[0], 0);
    assert_int_equal(bytes[513], 0);
    unsigned seen[256] = {0};
    unsigned distinct = 0;
    for (size_t i = 1; i <= 512; i++)
        distinct += seen[bytes[i]]++ == 0;
    /* 221 are expected; fewer than 150 is less likely than a broken machine. */
    assert_true(distinct > 150);
}

/* Small requests come out of a store, which a child must not share with its parent. */
static void test_random_after_fork(void **state)
{
    (void)state;
    enum { SMALL = 16 };
    unsigned char mine[SMALL], childs[SMALL];
    random_bytes(mine, sizeof(mine));
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    random_bytes(mine, sizeof(mine));
    if (child == 0)
        _exit(write(ends[1], mine, sizeof(mine)) == sizeof(mine) ? 0 : 1);
    assert_int_equal(read(ends[0], childs, sizeof(childs)), sizeof(childs));
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_memory_not_equal(mine, childs, sizeof(mine));
    close(ends[0]);
    close(ends[1]);
}

static void test_random_stores(void **state)
{
    (void)state;
    unsigned char former[32] = {0};
    /* Across several refills, and at each size; 8 equal bytes are as unlikely as a broken machine.
     */
    for (size_t i = 0; i < 200; i++) {
        unsigned char bytes[34] = {0};
        size_t count = i % 33;
        random_bytes(bytes + 1, count);
        assert_int_equal(bytes[0], 0);
        assert_int_equal(bytes[count + 1], 0);
        if (count >= 8)
            assert_memory_not_equal(bytes + 1, former, 8);
        memcpy(former, bytes + 1, sizeof(former));
    }
}

static void test_random_below(void **state)
{
    (void)state;
    assert_int_equal(random_below(0), 0);
    assert_int_equal(random_below(1), 0);
    unsigned counts[3] = {0};
    for (int i = 0; i < 3000; i++) {
        uint32_t draw = random_below(3);
        assert_true(draw < 3);
        counts[draw]++;
    }
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        assert_in_range(counts[i], 800, 1200); /* 1000 +- 7.7 standard deviations */
    /* A quarter of all draws is unfair to this bound; what is left stays below it. */
    for (int i = 0; i < 1000; i++)
        assert_true(random_below(UINT32_C(0xc0000000)) < UINT32_C(0xc0000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_wipe),
        cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_random_stores),
        cmocka_unit_test(test_random_after_fork),
        cmocka_unit_test(test_random_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
