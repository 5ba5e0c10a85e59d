/* Which texts are JSON here. Each row is also parsed: both entry points give the same verdict. */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include <model/json.h>

#include "json_texts.h"

static struct err *parse(const char *bytes, size_t len)
{
    _cleanup_(json_free) struct json_doc *doc = NULL;
    struct err *e = json_parse(bytes, len, &doc);
    if (!e)
        assert_non_null(json_root(doc));
    else
        assert_null(doc);
    return e;
}

/* The bytes stand at the end of a heap block, so that ASan sees a read beyond them. */
static void assert_verdict(const struct text *text, const struct err_kind *kind)
{
    char *block = malloc(text->len + 1);
    assert_non_null(block);
    char *bytes = block + 1;
    memcpy(bytes, text->bytes, text->len);
    _cleanup_(err_free) struct err *checked = json_check(bytes, text->len);
    _cleanup_(err_free) struct err *parsed = parse(bytes, text->len);
    free(block);
    if (err_kind(checked) != kind || err_kind(parsed) != kind)
        fail_msg("%.*s: check says %s, parse says %s", (int)text->len, text->bytes,
                 err_detail(checked), err_detail(parsed));
}

static void test_accepts(void **state)
{
    (void)state;
    for (size_t i = 0; i < json_accepted_count; i++)
        assert_verdict(&json_accepted[i], NULL);
}

static void test_refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < json_refused_count; i++)
        assert_verdict(&json_refused[i], &ERR_MALFORMED_JSON);
}

/* Every prefix of a text that needs its last byte is refused. */
static void test_refuses_every_truncation(void **state)
{
    (void)state;
    static const struct text whole = T("{\"a\":[1,-2.5e+3,\"\\u00e9\\ud83d\\ude00\xc3\xa9\",true,"
                                       "false,null,{\"b\":[]}],\"c\":{}}");
    assert_verdict(&whole, NULL);
    for (size_t len = 0; len < whole.len; len++)
        assert_verdict(&(struct text){whole.bytes, len}, &ERR_MALFORMED_JSON);
}

static void test_bounds_the_depth(void **state)
{
    (void)state;
    static const struct {
        const char *open, *inside, *close;
    } shapes[] = {{"[", "", "]"}, {"{\"a\":", "1", "}"}, {"[{\"a\":", "[]", "}]"}};
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        for (size_t depth = 1; depth <= 2 * JSON_DEPTH_MAX; depth++) {
            _cleanup_(buf_deinit) struct buf text = BUF_INIT(4096);
            for (size_t level = 0; level < depth; level++)
                buf_append_str(&text, shapes[i].open);
            buf_append_str(&text, shapes[i].inside);
            for (size_t level = 0; level < depth; level++)
                buf_append_str(&text, shapes[i].close);
            size_t containers = depth * (strlen(shapes[i].close)) + (shapes[i].inside[0] == '[');
            assert_verdict(&(struct text){text.data, text.len},
                           containers > JSON_DEPTH_MAX ? &ERR_MALFORMED_JSON : NULL);
        }
    }
}

static void append_ones(struct buf *text, size_t count)
{
    buf_append_str(text, "[1");
    for (size_t i = 1; i < count; i++)
        buf_append_str(text, ",1");
    buf_append_str(text, "]");
}

static void test_bounds_the_number_of_values(void **state)
{
    (void)state;
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(1 << 20);
    append_ones(&text, JSON_VALUES_MAX - 1); /* the array counts too */
    assert_verdict(&(struct text){text.data, text.len}, NULL);
    buf_reset(&text);
    append_ones(&text, JSON_VALUES_MAX);
    assert_verdict(&(struct text){text.data, text.len}, &ERR_MALFORMED_JSON);
}

static void append_members(struct buf *text, size_t count, const char *last)
{
    buf_append_char(text, '{');
    for (size_t i = 0; i < count; i++)
        buf_printf(text, "\"%s%zu\":1,", i % 3 == 0 ? "\\u006b" : "k", i * 7919 % 100003);
    buf_printf(text, "\"%s\":1}", last);
}

/* Comparing each of 90000 names with each would take minutes. */
static void test_finds_duplicates_in_objects_of_any_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 15, 16, 17, 31, 32, 33, 64, 65, 1000, 90000};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        _cleanup_(buf_deinit) struct buf text = BUF_INIT(4 << 20);
        append_members(&text, sizes[i], "other");
        assert_verdict(&(struct text){text.data, text.len}, NULL);
        buf_reset(&text);
        append_members(&text, sizes[i], "k0");
        assert_verdict(&(struct text){text.data, text.len},
                       sizes[i] > 0 ? &ERR_MALFORMED_JSON : NULL);
    }
}

static void test_names_the_byte_and_what_was_expected(void **state)
{
    (void)state;
    static const struct {
        const char *text, *detail;
    } cases[] = {
        {"", "byte 0: expected a value"},
        {"[1,]", "byte 3: expected a value"},
        {"[1 2]", "byte 3: expected ',' or ']'"},
        {"{\"a\":1 2}", "byte 7: expected ',' or '}'"},
        {"{\"a\" 1}", "byte 5: expected ':'"},
        {"{a:1}", "byte 1: expected a name in quotes"},
        {"{} x", "byte 3: expected the end of the text"},
        {"-x", "byte 1: expected a digit"},
        {"1.x", "byte 2: expected a digit"},
        {"nulx", "byte 0: expected a value"},
        {"\"abc", "byte 4: expected the string's closing quote"},
        {"\"\\x\"", "byte 1: expected a valid escape, other than \\u0000"},
        {"\"a\tb\"", "byte 2: expected the control character to be escaped"},
        {"\"a\xff\"", "byte 2: expected valid UTF-8"},
        {"{\"a\":1,\"b\":2,\"a\":3}", "byte 14: expected a name that the object does not have yet"},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "byte 32: expected fewer arrays and objects inside "
                                              "each other"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_(err_free) struct err *e = json_check(cases[i].text, strlen(cases[i].text));
        assert_string_equal(err_detail(e), cases[i].detail);
    }
}

static void test_duplicate_among_many_is_named_at_its_second_place(void **state)
{
    (void)state;
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(4096);
    buf_append_str(&text, "{\"k50\":0,");
    size_t at = text.len;
    buf_append_str(&text, "\"k50\":1");
    for (int i = 0; i < 40; i++)
        buf_printf(&text, ",\"k%d\":1", i);
    buf_append_char(&text, '}');
    char expected[64];
    snprintf(expected, sizeof(expected), "byte %zu: ", at + 1);
    _cleanup_(err_free) struct err *e = json_check(text.data, text.len);
    assert_memory_equal(err_detail(e), expected, strlen(expected));
}

static void test_tells_numbers_from_other_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_number;
    } cases[] = {
        {"0", true},     {"-0", true},  {"12.5e-3", true}, {"", false},      {"-", false},
        {" 1", false},   {"1 ", false}, {"01", false},     {"1.", false},    {"+1", false},
        {"null", false}, {"1e", false}, {"0x1", false},    {"\"1\"", false}, {"1,2", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (json_is_number(cases[i].text, strlen(cases[i].text)) != cases[i].is_number)
            fail_msg("%s", cases[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_refuses_every_truncation),
        cmocka_unit_test(test_bounds_the_depth),
        cmocka_unit_test(test_bounds_the_number_of_values),
        cmocka_unit_test(test_finds_duplicates_in_objects_of_any_size),
        cmocka_unit_test(test_names_the_byte_and_what_was_expected),
        cmocka_unit_test(test_duplicate_among_many_is_named_at_its_second_place),
        cmocka_unit_test(test_tells_numbers_from_other_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
