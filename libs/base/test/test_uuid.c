#include "check.h"

#include <pthread.h>
#include <stdlib.h>

#include <base/clock.h>
#include <base/map.h>

#include "uuid_state.h"

static void test_is_valid(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        bool valid;
    } rows[] = {
        {"version 7", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f", true},
        {"version 4", "919108f7-52d1-4320-9bac-f847db4148a8", true},
        {"nil", "00000000-0000-0000-0000-000000000000", true},
        {"max", "ffffffff-ffff-ffff-ffff-ffffffffffff", true},
        {"empty", "", false},
        {"upper case", "017F22E2-79B0-7CC3-98C4-DC0C0C07398F", false},
        {"one digit short", "017f22e2-79b0-7cc3-98c4-dc0c0c07398", false},
        {"one digit more", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0", false},
        {"newline behind", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f\n", false},
        {"no hyphens", "017f22e279b07cc398c4dc0c0c07398f", false},
        {"hyphen misplaced", "017f22e-279b0-7cc3-98c4-dc0c0c07398f", false},
        {"braces", "{17f22e2-79b0-7cc3-98c4-dc0c0c07398}", false},
        {"not hexadecimal", "017f22e2-79b0-7cc3-98c4-dc0c0c07398g", false},
        {"x as in the shape", "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", false},
        {"space in front", " 17f22e2-79b0-7cc3-98c4-dc0c0c07398f", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_INT(rows[i].name, uuid_is_valid(rows[i].text), rows[i].valid);
}

static uint64_t time_of(const char *id)
{
    char digits[13] = {0};
    memcpy(digits, id, 8);
    memcpy(digits + 8, id + 9, 4);
    return strtoull(digits, NULL, 16);
}

static void test_new_is_version_7_of_now(void **state)
{
    (void)state;
    char id[UUID_TEXT];
    uint64_t before = (uint64_t)clock_now_ms();
    uuid_new(id);
    uint64_t after = (uint64_t)clock_now_ms();
    assert_true(uuid_is_valid(id));
    assert_int_equal(id[14], '7');
    assert_non_null(strchr("89ab", id[19]));
    assert_in_range(time_of(id), before, after);
}

static void test_next_sorts_after_the_last(void **state)
{
    (void)state;
    static const uint64_t all_ones = UINT64_C(0x3fffffffffffffff);
    const struct {
        const char *name;
        struct uuid_state last;
        const char *last_text;
        uint64_t now_ms, time_ms;
    } rows[] = {
        {"first ever", {0, 0, 0}, "", 1700000000000, 1700000000000},
        {"later", {1000, 0xfff, all_ones}, "00000000-03e8-7fff-bfff-ffffffffffff", 1001, 1001},
        {"same time", {1000, 5, 5}, "00000000-03e8-7005-8000-000000000005", 1000, 1000},
        {"clock set back", {1000, 5, 5}, "00000000-03e8-7005-8000-000000000005", 10, 1000},
        {"carry", {1000, 5, all_ones}, "00000000-03e8-7005-bfff-ffffffffffff", 1000, 1000},
        {"all full", {1000, 0xfff, all_ones}, "00000000-03e8-7fff-bfff-ffffffffffff", 1000, 1001},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct uuid_state last = rows[i].last;
        char id[UUID_TEXT];
        uuid_next(&last, rows[i].now_ms, id);
        CHECK(rows[i].name, uuid_is_valid(id));
        CHECK(rows[i].name, strcmp(id, rows[i].last_text) > 0);
        CHECK_INT(rows[i].name, time_of(id), rows[i].time_ms);
        CHECK_INT(rows[i].name, id[14], '7');
        CHECK(rows[i].name, strchr("89ab", id[19]) != NULL);
    }
}

enum { THREADS = 4, IDS = 5000 };

static char ids[THREADS][IDS][UUID_TEXT];

static void *make_ids(void *argument)
{
    char(*mine)[UUID_TEXT] = argument;
    for (size_t i = 0; i < IDS; i++)
        uuid_new(mine[i]);
    return NULL;
}

static void test_threads_make_distinct_sorted_ids(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (size_t t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&threads[t], NULL, make_ids, ids[t]), 0);
    for (size_t t = 0; t < THREADS; t++)
        assert_int_equal(pthread_join(threads[t], NULL), 0);
    _cleanup_(map_deinit) struct map all = MAP_INIT(THREADS * IDS);
    for (size_t t = 0; t < THREADS; t++)
        for (size_t i = 0; i < IDS; i++) {
            const char *id = ids[t][i];
            assert_true(i == 0 || strcmp(ids[t][i - 1], id) < 0);
            assert_int_equal(map_put(&all, id, UUID_TEXT - 1, ids[t], NULL), MAP_PUT_NEW);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_valid),
        cmocka_unit_test(test_new_is_version_7_of_now),
        cmocka_unit_test(test_next_sorts_after_the_last),
        cmocka_unit_test(test_threads_make_distinct_sorted_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
