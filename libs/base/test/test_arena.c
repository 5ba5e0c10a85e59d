#include "alloc_fail.h"
#include "check.h"

#include <base/arena.h>

#define LARGE_BLOCK ((size_t)65536)

static void assert_zero_and_aligned(const char *place, size_t size)
{
    assert_non_null(place);
    assert_int_equal((uintptr_t)place % 16, 0);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(place[i], 0);
}

static void test_sizes(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 15, 16, 17, 4000, 4096, 10000, 65536, 200000, 1, 3};
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 20);
    char *places[ARRAY_LEN(sizes)];
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        places[i] = arena_alloc(&arena, sizes[i]);
        assert_zero_and_aligned(places[i], sizes[i]);
        memset(places[i], (int)i + 1, sizes[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        for (size_t at = 0; at < sizes[i]; at++)
            assert_int_equal(places[i][at], i + 1);
    assert_ptr_not_equal(places[0], places[1]);
}

static void test_reused_memory_is_zero(void **state)
{
    (void)state;
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 20);
    for (int round = 0; round < 3; round++) {
        char *place = arena_alloc(&arena, 1000);
        assert_zero_and_aligned(place, 1000);
        memset(place, 'x', 1000);
        arena_reset(&arena);
    }
}

static void test_overflow(void **state)
{
    (void)state;
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(SIZE_MAX);
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 16));
    assert_null(arena_calloc(&arena, SIZE_MAX / 2 + 1, 2));
    assert_null(arena_strndup(&arena, "", SIZE_MAX));
    assert_non_null(arena_calloc(&arena, 3, 5));
    assert_non_null(arena_calloc(&arena, 0, 5));
}

static void test_stays_within_its_maximum(void **state)
{
    (void)state;
    static const size_t limits[] = {0, 10, 100, 4096, 5000, 100000, 300000};
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(limits[i]);
        size_t given = 0;
        while (arena_alloc(&arena, 64))
            given += 64;
        assert_true(arena.used <= limits[i]);
        assert_true(given <= limits[i]);
        /* Headers and rests of blocks take no more than a tenth of it, and little of a small one.
         */
        assert_true(given + limits[i] / 10 + 128 >= limits[i]);
        assert_null(arena_alloc(&arena, limits[i]));
    }
}

static void test_reset_keeps_the_first_block(void **state)
{
    (void)state;
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 20);
    arena_reset(&arena);
    const void *first = arena_alloc(&arena, 100);
    size_t kept = arena.used;
    for (int i = 0; i < 100; i++)
        assert_non_null(arena_alloc(&arena, 3000));
    assert_non_null(arena_alloc(&arena, 300000));
    arena_reset(&arena);
    assert_int_equal(arena.used, kept);
    alloc_fail_after(0);
    const void *again = arena_alloc(&arena, 100);
    assert_false(alloc_fail_stop());
    assert_ptr_equal(again, first);
}

static void test_reset_keeps_no_large_block(void **state)
{
    (void)state;
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 20);
    assert_non_null(arena_alloc(&arena, LARGE_BLOCK + 1));
    arena_reset(&arena);
    assert_int_equal(arena.used, 0);
    assert_non_null(arena_alloc(&arena, 1));
}

static void test_large_request_does_not_waste_the_block_in_use(void **state)
{
    (void)state;
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 20);
    char *first = arena_alloc(&arena, 16);
    assert_non_null(arena_alloc(&arena, 200000));
    assert_ptr_equal(arena_alloc(&arena, 16), first + 16);
}

static void test_texts(void **state)
{
    (void)state;
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 20);
    assert_string_equal(arena_strdup(&arena, "text"), "text");
    assert_string_equal(arena_strdup(&arena, ""), "");
    assert_memory_equal(arena_strndup(&arena, "a\0bc", 3), "a\0b", 4);
    assert_string_equal(arena_strndup(&arena, NULL, 0), "");
    assert_string_equal(arena_printf(&arena, "%s-%d", "x", 42), "x-42");
    assert_int_equal(strlen(arena_printf(&arena, "%5000d", 1)), 5000);
    assert_null(arena_printf(&arena, "%ls", L"\xe9")); /* no such character in the C locale */
}

static void test_out_of_memory(void **state)
{
    (void)state;
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 20);
    alloc_fail_after(0);
    const void *alloc = arena_alloc(&arena, 1);
    const void *text = arena_strdup(&arena, "text");
    const void *line = arena_printf(&arena, "%d", 1);
    assert_true(alloc_fail_stop());
    assert_null(alloc);
    assert_null(text);
    assert_null(line);
    assert_int_equal(arena.used, 0);
    assert_non_null(arena_alloc(&arena, 1));
}

static void test_wipe(void **state)
{
    (void)state;
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 20);
    arena_wipe(&arena); /* nothing there yet */
    char *texts[3] = {arena_strdup(&arena, "hunter2"), arena_alloc(&arena, 100000),
                      arena_strdup(&arena, "hunter2")};
    memset(texts[1], 'x', 100000);
    arena_wipe(&arena);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        assert_string_equal(texts[i], "");
    for (size_t i = 0; i < 100000; i++)
        assert_int_equal(texts[1][i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_reused_memory_is_zero),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_stays_within_its_maximum),
        cmocka_unit_test(test_reset_keeps_the_first_block),
        cmocka_unit_test(test_reset_keeps_no_large_block),
        cmocka_unit_test(test_large_request_does_not_waste_the_block_in_use),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_wipe),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
