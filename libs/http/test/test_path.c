#include "check.h"

#include "path.h"

static void test_split(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *segments; /* joined with | */
    } rows[] = {
        {"/", ""},
        {"/a", "a"},
        {"/a/b", "a|b"},
        {"/a/", "a|"},
        {"/%61pi/v1", "api|v1"},
        {"/caf%C3%A9", "caf\xc3\xa9"},
        {"/a%20b/c+d", "a b|c+d"},
        {"/-._~!$&'()*+,;=:@", "-._~!$&'()*+,;=:@"},
        {"/...", "..."},
        {"/.well-known/x", ".well-known|x"},
        {"/a%5Cb", "a\\b"},
        {"/%25", "%"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(65536);
        struct path path;
        struct err *e = http_path_split(rows[i].path, &arena, &path);
        CHECK(rows[i].path, !e);
        char joined[256] = "";
        for (size_t s = 0; s < path.count; s++) {
            strncat(joined, s > 0 ? "|" : "", 2);
            strncat(joined, path.segments[s].data, path.segments[s].len);
        }
        CHECK_STR(rows[i].path, joined, rows[i].segments);
        CHECK(rows[i].path, !path.is_too_deep);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *detail;
    } rows[] = {
        {"", "the path does not begin with a slash"},
        {"*", "the path does not begin with a slash"},
        {"a/b", "the path does not begin with a slash"},
        {"//", "the path has an empty segment"},
        {"//a", "the path has an empty segment"},
        {"/a//b", "the path has an empty segment"},
        {"/a//", "the path has an empty segment"},
        {"/.", "the path has a dot segment"},
        {"/..", "the path has a dot segment"},
        {"/a/../b", "the path has a dot segment"},
        {"/a/./b", "the path has a dot segment"},
        {"/%2e%2E/b", "the path has a dot segment"},
        {"/a%2", "the path has a broken percent escape"},
        {"/a%", "the path has a broken percent escape"},
        {"/a%zz", "the path has a broken percent escape"},
        {"/a%1g", "the path has a broken percent escape"},
        {"/a%00b", "the path has an encoded slash or control character"},
        {"/a%0d%0aX", "the path has an encoded slash or control character"},
        {"/a%7f", "the path has an encoded slash or control character"},
        {"/a%2Fb", "the path has an encoded slash or control character"},
        {"/%ff", "the path is not UTF-8"},
        {"/%ed%a0%80", "the path is not UTF-8"},
        {"/\xc3\xa9", "the path has a character that must be encoded"},
        {"/a b", "the path has a character that must be encoded"},
        {"/a\\b", "the path has a character that must be encoded"},
        {"/{id}", "the path has a character that must be encoded"},
        {"/a#b", "the path has a character that must be encoded"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(65536);
        _cleanup_(err_free) struct err *e = NULL;
        struct path path;
        e = http_path_split(rows[i].path, &arena, &path);
        CHECK(rows[i].path, err_kind(e) == &ERR_BAD_REQUEST);
        CHECK_STR(rows[i].path, err_detail(e), rows[i].detail);
    }
}

static void test_depth(void **state)
{
    (void)state;
    for (size_t depth = PATH_SEGMENTS_MAX; depth <= PATH_SEGMENTS_MAX + 1; depth++) {
        _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(65536);
        char text[128] = "";
        for (size_t i = 0; i < depth; i++)
            memcpy(text + 2 * i, "/a", 3);
        struct path path;
        assert_null(http_path_split(text, &arena, &path));
        assert_int_equal(path.count, PATH_SEGMENTS_MAX);
        assert_int_equal(path.is_too_deep, depth > PATH_SEGMENTS_MAX);
    }
}

static void test_percent_decode(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool plus_is_space;
        const char *expected; /* NULL: broken */
    } rows[] = {
        {"", false, ""},
        {"a+b", false, "a+b"},
        {"a+b", true, "a b"},
        {"%2B", true, "+"},
        {"%41%5a%c3%A9", true, "AZ\xc3\xa9"},
        {"%", false, NULL},
        {"%4", false, NULL},
        {"%4x", false, NULL},
        {"%x4", false, NULL},
        {"%%41", false, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[32];
        size_t len = 99;
        bool is_fine = http_percent_decode(rows[i].text, strlen(rows[i].text),
                                           rows[i].plus_is_space, out, &len);
        CHECK_INT(rows[i].text, is_fine, rows[i].expected != NULL);
        CHECK_INT(rows[i].text, len, is_fine ? strlen(rows[i].expected) : 99);
        CHECK(rows[i].text, !is_fine || memcmp(out, rows[i].expected, len) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_percent_decode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
