#include "alloc_fail.h"
#include "check.h"

#include <stdio.h>

#include <base/map.h>

#include "siphash.h"

struct key {
    char text[24];
    size_t len;
};

static struct key key_of(unsigned number)
{
    struct key key;
    key.len = (size_t)snprintf(key.text, sizeof(key.text), "key-%u", number);
    return key;
}

static void test_empty(void **state)
{
    (void)state;
    struct map map = MAP_INIT(3);
    size_t cursor = 0;
    const char *key = "untouched";
    size_t key_len = 7;
    void *value = &map;
    assert_null(map_get(&map, "a", 1));
    assert_null(map_remove(&map, "a", 1));
    assert_false(map_next(&map, &cursor, &key, &key_len, &value));
    assert_string_equal(key, "untouched");
    assert_int_equal(key_len, 7);
    assert_ptr_equal(value, &map);
    map_deinit(&map);
    assert_int_equal(map.max_entries, 3);
}

static void test_any_bytes_are_a_key(void **state)
{
    (void)state;
    static const struct {
        const char *name, *key;
        size_t key_len;
    } rows[] = {
        {"empty", "", 0},
        {"one", "a", 1},
        {"two", "ab", 2},
        {"NUL", "\0", 1},
        {"two NULs", "\0\0", 2},
        {"NUL inside", "a\0b", 3},
        {"same but end", "a\0c", 3},
        {"upper case", "A", 1},
        {"bytes", "\xff\xfe", 2},
    };
    _cleanup_(map_deinit) struct map map = MAP_INIT(100);
    static char values[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *key = rows[i].key_len ? rows[i].key : NULL;
        CHECK_INT(rows[i].name, map_put(&map, key, rows[i].key_len, &values[i], NULL), MAP_PUT_NEW);
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK(rows[i].name, map_get(&map, rows[i].key, rows[i].key_len) == &values[i]);
    assert_int_equal(map.count, ARRAY_LEN(rows));
}

static void test_put_replaces(void **state)
{
    (void)state;
    int first, second;
    void *old = &map_get;
    _cleanup_(map_deinit) struct map map = MAP_INIT(1);
    char key[] = "key";
    assert_int_equal(map_put(&map, key, 3, &first, &old), MAP_PUT_NEW);
    assert_ptr_equal(old, &map_get);
    assert_int_equal(map_put(&map, "key", 3, &second, &old), MAP_PUT_REPLACED);
    assert_ptr_equal(old, &first);
    assert_int_equal(map_put(&map, "key", 3, &first, NULL), MAP_PUT_REPLACED);
    key[0] = 'x'; /* the map has its own copy */
    assert_ptr_equal(map_get(&map, "key", 3), &first);
    assert_int_equal(map.count, 1);
}

static void test_is_bounded(void **state)
{
    (void)state;
    int value;
    _cleanup_(map_deinit) struct map map = MAP_INIT(2);
    assert_int_equal(map_put(&map, "a", 1, &value, NULL), MAP_PUT_NEW);
    assert_int_equal(map_put(&map, "b", 1, &value, NULL), MAP_PUT_NEW);
    void *old = NULL;
    assert_int_equal(map_put(&map, "c", 1, &value, &old), MAP_PUT_FULL);
    assert_null(old);
    assert_null(map_get(&map, "c", 1));
    assert_int_equal(map_put(&map, "a", 1, &value, NULL), MAP_PUT_REPLACED);
    assert_ptr_equal(map_remove(&map, "b", 1), &value);
    assert_int_equal(map_put(&map, "c", 1, &value, NULL), MAP_PUT_NEW);
    _cleanup_(map_deinit) struct map none = MAP_INIT(0);
    assert_int_equal(map_put(&none, "a", 1, &value, NULL), MAP_PUT_FULL);
}

/* Random operations, held against a plain array. Few keys, so that runs form and holes open. */
static void test_agrees_with_a_plain_array(void **state)
{
    (void)state;
    enum { KEYS = 400, STEPS = 40000 };
    static int values[STEPS];
    void *expected[KEYS] = {0};
    size_t count = 0;
    _cleanup_(map_deinit) struct map map = MAP_INIT(KEYS);
    uint32_t random = 12345;
    for (size_t i = 0; i < STEPS; i++) {
        random = random * 1664525 + 1013904223;
        unsigned number = (random >> 8) % KEYS;
        struct key key = key_of(number);
        assert_ptr_equal(map_get(&map, key.text, key.len), expected[number]);
        if (random >> 31) {
            void *old = NULL;
            enum map_put put = map_put(&map, key.text, key.len, &values[i], &old);
            assert_int_equal(put, expected[number] ? MAP_PUT_REPLACED : MAP_PUT_NEW);
            assert_ptr_equal(old, expected[number]);
            count += !expected[number];
            expected[number] = &values[i];
        } else {
            assert_ptr_equal(map_remove(&map, key.text, key.len), expected[number]);
            count -= expected[number] != NULL;
            expected[number] = NULL;
        }
        assert_int_equal(map.count, count);
    }
    for (unsigned i = 0; i < KEYS; i++) {
        struct key key = key_of(i);
        assert_ptr_equal(map_get(&map, key.text, key.len), expected[i]);
    }
}

static void test_walk_meets_each_entry_once(void **state)
{
    (void)state;
    enum { KEYS = 1000 };
    static unsigned numbers[KEYS], seen[KEYS];
    _cleanup_(map_deinit) struct map map = MAP_INIT(KEYS);
    for (unsigned i = 0; i < KEYS; i++) {
        struct key key = key_of(i);
        numbers[i] = i;
        assert_int_equal(map_put(&map, key.text, key.len, &numbers[i], NULL), MAP_PUT_NEW);
    }
    size_t cursor = 0, met = 0, key_len;
    const char *text;
    void *value;
    for (; map_next(&map, &cursor, &text, &key_len, &value); met++) {
        unsigned number = *(unsigned *)value;
        struct key key = key_of(number);
        assert_int_equal(key_len, key.len);
        assert_string_equal(text, key.text);
        assert_int_equal(seen[number]++, 0);
    }
    assert_int_equal(met, KEYS);
}

static void test_out_of_memory_changes_nothing(void **state)
{
    (void)state;
    int value;
    _cleanup_(map_deinit) struct map map = MAP_INIT(1000);
    for (unsigned i = 0; i < 100; i++) {
        struct key key = key_of(i);
        for (size_t successes = 0;; successes++) {
            alloc_fail_after(successes);
            enum map_put put = map_put(&map, key.text, key.len, &value, NULL);
            if (!alloc_fail_stop()) {
                assert_int_equal(put, MAP_PUT_NEW);
                break;
            }
            assert_int_equal(put, MAP_PUT_NO_MEMORY);
            assert_int_equal(map.count, i);
            assert_null(map_get(&map, key.text, key.len));
        }
    }
    for (unsigned i = 0; i < 100; i++) {
        struct key key = key_of(i);
        assert_ptr_equal(map_get(&map, key.text, key.len), &value);
    }
}

/* The first as the authors' reference implementation has it, with one round and three; the others
 * by CPython's hash(), which is SipHash-1-3 with a key of zeros under PYTHONHASHSEED=0. */
static void test_siphash_vectors(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t key[2];
        uint64_t hash;
    } rows[] = {
        {"",
         {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)},
         UINT64_C(0xabac0158050fc4dc)},
        {"a", {0, 0}, UINT64_C(0x407448d2b89b1813)},
        {"abcdefg", {0, 0}, UINT64_C(0x6db12aae9070f506)},
        {"abcdefgh", {0, 0}, UINT64_C(0x3f7b849c0b8e35ea)},
        {"The quick brown fox jumps over the lazy dog", {0, 0}, UINT64_C(0x8df676d3d00c451e)},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK(rows[i].text,
              map_siphash(rows[i].key, rows[i].text, strlen(rows[i].text)) == rows[i].hash);
    assert_true(map_hash("a", 1) == map_hash("a", 1));
    assert_false(map_hash("a", 1) == map_hash("b", 1));
    assert_false(map_hash("a", 1) == rows[1].hash); /* the key is not that of zeros */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_any_bytes_are_a_key),
        cmocka_unit_test(test_put_replaces),
        cmocka_unit_test(test_is_bounded),
        cmocka_unit_test(test_agrees_with_a_plain_array),
        cmocka_unit_test(test_walk_meets_each_entry_once),
        cmocka_unit_test(test_out_of_memory_changes_nothing),
        cmocka_unit_test(test_siphash_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
