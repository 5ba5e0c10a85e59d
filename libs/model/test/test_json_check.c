/* Which texts are JSON here. Each row is also parsed: both entry points give the same verdict. */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include <model/json.h>

struct text {
    const char *bytes;
    size_t len;
};

#define T(literal)                                                                                 \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static const struct text accepted[] = {
    /* words */
    T("null"),
    T("true"),
    T("false"),
    T("[null]"),
    T("[true]"),
    T("[false]"),
    T("[true,false]"),
    T("[null,null]"),
    T("{\"a\":null}"),
    T("{\"a\":true,\"b\":false}"),
    /* white space */
    T(" null"),
    T("null "),
    T("\tnull\t"),
    T("\nnull\n"),
    T("\r\nnull\r\n"),
    T(" \t\r\n1 \t\r\n"),
    T("[ ]"),
    T("[\n]"),
    T("{ }"),
    T("{\t}"),
    T("[ 1 , 2 ]"),
    T("[1\n,\r2]"),
    T("{ \"a\" : 1 }"),
    T("{\"a\"\n:\n1\n,\n\"b\"\n:\n2\n}"),
    T("  [  [  ]  ]  "),
    T("                       0"),
    /* numbers */
    T("0"),
    T("-0"),
    T("1"),
    T("-1"),
    T("9"),
    T("10"),
    T("123456789"),
    T("0.0"),
    T("-0.0"),
    T("0.5"),
    T("1.0"),
    T("1.25"),
    T("-1.25"),
    T("1e1"),
    T("1E1"),
    T("1e+1"),
    T("1E+1"),
    T("1e-1"),
    T("1E-1"),
    T("0e0"),
    T("0E0"),
    T("0e+1"),
    T("0e-1"),
    T("1e01"),
    T("1e00000"),
    T("1.5e10"),
    T("-1.5E-10"),
    T("0.1e1"),
    T("[0]"),
    T("[-0]"),
    T("[1,2,3]"),
    T("1e999"),
    T("-1e999"),
    T("1e-999"),
    T("123e45"),
    T("0.4e0066999999999999999999999999999999999999999999999999999"),
    T("9223372036854775807"),
    T("9223372036854775808"),
    T("-9223372036854775808"),
    T("18446744073709551616"),
    T("9007199254740993"),
    T("100000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"),
    T("-0.00000000000000000000000000000000000000000000000000000000000000000000000000000000000001"),
    T("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803"),
    T("20e1"),
    T("1.7976931348623157e308"),
    T("5e-324"),
    T("{\"a\":-0.1e-2}"),
    /* strings */
    T("\"\""),
    T("\"a\""),
    T("\" \""),
    T("\"abc\""),
    T("[\"\"]"),
    T("[\"a\",\"b\"]"),
    T("\"/\""),
    T("\"\\\"\""),
    T("\"\\\\\""),
    T("\"\\/\""),
    T("\"\\b\\f\\n\\r\\t\""),
    T("\"\\u0001\""),
    T("\"\\u0041\""),
    T("\"\\u00e9\""),
    T("\"\\u00E9\""),
    T("\"\\uabcd\\uABCD\""),
    T("\"\\ud7ff\""),
    T("\"\\ue000\""),
    T("\"\\uffff\""),
    T("\"\\uFFFE\""),
    T("\"\\u2028\""),
    T("\"\\ud83d\\ude00\""),
    T("\"\\uD83D\\uDE00\""),
    T("\"\\ud800\\udc00\""),
    T("\"\\udbff\\udfff\""),
    T("\"\\ud83d\\ude00\\ud83d\\ude00\""),
    T("\"a\\ud83d\\ude00b\""),
    T("\"\\\\u0000\""),
    T("\"\\\\ud800\""),
    T("\"\\\\\\\\\""),
    T("\"\\\\\\\"\""),
    T("\"\x7f\""),
    T("\"\\u007f\""),
    T("\"\\u0020\""),
    T("\"'\""),
    T("\"{}[],:\""),
    T("\"// no comment\""),
    T("\"1234567\""),
    T("\"12345678\""),
    T("\"123456789\""),
    T("\"1234567\\n\""),
    T("\"12345678\\n\""),
    T("\"0123456789abcdef0123456789abcdef\""),
    T("\"1234567\xc3\xa9\""),
    /* UTF-8: the first and last code point of each length, and those around the surrogates */
    T("\"\xc2\x80\""),
    T("\"\xdf\xbf\""),
    T("\"\xe0\xa0\x80\""),
    T("\"\xed\x9f\xbf\""),
    T("\"\xee\x80\x80\""),
    T("\"\xef\xbf\xbd\""),
    T("\"\xef\xbf\xbe\""),
    T("\"\xef\xbf\xbf\""),
    T("\"\xf0\x90\x80\x80\""),
    T("\"\xf4\x8f\xbf\xbf\""),
    T("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""),
    T("\"\xe2\x80\xa8\xe2\x80\xa9\""),
    T("\"\xef\xbb\xbf\""),
    T("{\"\xc3\xa9\":\"\xc3\xa9\"}"),
    /* arrays and objects */
    T("[]"),
    T("{}"),
    T("[[]]"),
    T("[{}]"),
    T("{\"a\":{}}"),
    T("{\"a\":[]}"),
    T("[[],[]]"),
    T("[1,[2,[3,[4]]]]"),
    T("{\"\":0}"),
    T("{\"a\":1,\"b\":2,\"c\":3}"),
    T("{\" a\":1,\"a\":2}"),
    T("{\"a\":{\"a\":{\"a\":1}}}"),
    T("[{\"a\":1},{\"a\":2}]"),
    T("{\"a\":[{\"a\":1}],\"b\":1}"),
    T("{\"a\":1,\"A\":2}"),
    T("{\"a\":1,\"aa\":2}"),
    T("{\"aa\":1,\"a\":2}"),
    T("{\"a\":1,\"\":2}"),
    T("{\"\\u0061\":1,\"b\":2}"),
    T("{\"\\\\u0061\":1,\"a\":2}"),
    T("{\"\\n\":1,\"n\":2}"),
    T("{\"\\ud83d\\ude00\":1,\"\\ud83d\\ude01\":2}"),
    T("{\"a\":{\"b\":1},\"b\":{\"a\":1}}"),
    T("{\"\\\"\":1,\"\\\\\":2}"),
    T("{\"a\":1,\"b\":{\"a\":2,\"b\":3},\"c\":{\"a\":4,\"b\":5}}"),
};

static const struct text refused[] = {
    /* nothing, or not only one value */
    T(""),
    T(" "),
    T("\n\t\r "),
    T("1 2"),
    T("1,2"),
    T("null null"),
    T("[] []"),
    T("{}{}"),
    T("[]]"),
    T("{}}"),
    T("\"a\" \"b\""),
    T("\"a\"b"),
    T("[],"),
    T(",[]"),
    T("{}#"),
    T("{} //"),
    T("null\0"),
    T("\0null"),
    T("[]\0"),
    T("{}\0\0"),
    T("1\0"),
    T("\xef\xbb\xbf{}"),
    T("\xef\xbb\xbf"),
    T("{}\xef\xbb\xbf"),
    T("\xfe\xff\0[\0]"),
    T("\xff\xfe[\0]\0"),
    T("[\0]\0"),
    /* words */
    T("n"),
    T("nul"),
    T("nulll"),
    T("Null"),
    T("NULL"),
    T("nan"),
    T("NaN"),
    T("t"),
    T("tru"),
    T("truE"),
    T("True"),
    T("TRUE"),
    T("true1"),
    T("f"),
    T("fals"),
    T("False"),
    T("falsee"),
    T("undefined"),
    T("Infinity"),
    T("-Infinity"),
    T("inf"),
    T("-nan"),
    T("[nul]"),
    T("[True]"),
    T("truefalse"),
    T("nullnull"),
    T("[true false]"),
    T("abc"),
    T("'a'"),
    T("`a`"),
    T("[None]"),
    /* white space that is none */
    T("\v1"),
    T("\f1"),
    T("1\v"),
    T("[\f]"),
    T("\xc2\xa0[]"),
    T("[]\xc2\xa0"),
    T("\xe2\x80\x8b[]"),
    T("\xe2\x81\xa0"),
    T("[\x1f]"),
    T("[1,\v2]"),
    T("\x01"),
    T("[\0]"),
    T("/**/1"),
    T("1/**/"),
    T("//\n1"),
    T("[1,/*c*/2]"),
    T("#1"),
    T("--1"),
    /* numbers */
    T("-"),
    T("+"),
    T("+1"),
    T("+0"),
    T("."),
    T("-."),
    T(".5"),
    T("-.5"),
    T("1."),
    T("-1."),
    T("0."),
    T("1.e1"),
    T(".e1"),
    T("e1"),
    T("1e"),
    T("1E"),
    T("1e+"),
    T("1e-"),
    T("1E+"),
    T("1e1.5"),
    T("1ee1"),
    T("1e1e1"),
    T("1.2.3"),
    T("00"),
    T("01"),
    T("-00"),
    T("-01"),
    T("007"),
    T("0x1"),
    T("0X1F"),
    T("0b1"),
    T("0o7"),
    T("1a"),
    T("1_000"),
    T("1,000"),
    T("1 000"),
    T("1e0x1"),
    T("0e"),
    T("0e+"),
    T("0.e1"),
    T("- 1"),
    T("-a"),
    T("-null"),
    T("1+1"),
    T("1-1"),
    T("1e--1"),
    T("1e+-1"),
    T("[1.]"),
    T("[-]"),
    T("[.5]"),
    T("[01]"),
    T("[1e]"),
    T("[+1]"),
    T("{\"a\":01}"),
    T("{\"a\":.1}"),
    T("{\"a\":-}"),
    T("0.0.0"),
    T("1f"),
    T("1L"),
    T("1\xef\xbc\x91"),
    T("\xef\xbc\x91"),
    T("\xd9\xa1"),
    T("1.\xd9\xa1"),
    T("Infinity1"),
    T("1e1a"),
    T("123\0"
      "4"),
    /* strings */
    T("\""),
    T("\"a"),
    T("a\""),
    T("\"\\\""),
    T("\"\\"),
    T("\"a\\"),
    T("\"\\x\""),
    T("\"\\a\""),
    T("\"\\v\""),
    T("\"\\0\""),
    T("\"\\'\""),
    T("\"\\ \""),
    T("\"\\\n\""),
    T("\"\\U0041\""),
    T("\"\\u\""),
    T("\"\\u0\""),
    T("\"\\u00\""),
    T("\"\\u004\""),
    T("\"\\u004g\""),
    T("\"\\u00g1\""),
    T("\"\\u 041\""),
    T("\"\\u+041\""),
    T("\"\\u-041\""),
    T("\"\\u0x41\""),
    T("\"\\u"),
    T("\"\\u0"),
    T("\"\\u004"),
    T("\"\\u0041"),
    T("\"\\u{41}\""),
    T("\"\\N\""),
    T("\"\\u0000\""),
    T("\"a\\u0000b\""),
    T("{\"\\u0000\":1}"),
    T("{\"a\\u0000\":1}"),
    T("\"\\ud800\""),
    T("\"\\udbff\""),
    T("\"\\udc00\""),
    T("\"\\udfff\""),
    T("\"\\uD800\""),
    T("\"\\ud800a\""),
    T("\"\\ud800\\n\""),
    T("\"\\ud800\\u0041\""),
    T("\"\\ud800\\ud800\""),
    T("\"\\udc00\\ud800\""),
    T("\"\\udc00\\udc00\""),
    T("\"\\ud83d\\ude0\""),
    T("\"\\ud83d\\u\""),
    T("\"\\ud83d\\"),
    T("\"\\ud83d\\ude00\\ud83d\""),
    T("\"\\ud83dude00\""),
    T("{\"\\ud800\":1}"),
    T("\"\\ud83d\\xde00\""),
    T("\"\t\""),
    T("\"\n\""),
    T("\"\r\""),
    T("\"\x01\""),
    T("\"\x1f\""),
    T("\"\0\""),
    T("\"a\0b\""),
    T("\"\x08\""),
    T("\"1234567\n\""),
    T("\"12345678\n\""),
    T("\"1234567\x1f\""),
    T("\"\n1234567\""),
    T("{\"a\n\":1}"),
    T("{\"\t\":1}"),
    T("'"),
    T("\"a\"\"b\""),
    T("[\"a\" \"b\"]"),
    T("\"1234567890123456"),
    T("\"12345678\\"),
    T("\xe2\x80\x9c"
      "a\xe2\x80\x9d"),
    /* UTF-8: truncated, overlong, surrogates, too large, stray continuation bytes */
    T("\"\x80\""),
    T("\"\xbf\""),
    T("\"\xc0\x80\""),
    T("\"\xc1\xbf\""),
    T("\"\xc2\""),
    T("\"\xc2\xc2\""),
    T("\"\xc3(\""),
    T("\"\xe0\x80\x80\""),
    T("\"\xe0\x9f\xbf\""),
    T("\"\xe2\x82\""),
    T("\"\xe2(\xa1\""),
    T("\"\xed\xa0\x80\""),
    T("\"\xed\xbf\xbf\""),
    T("\"\xed\xa0\xbd\xed\xb8\x80\""),
    T("\"\xf0\x80\x80\x80\""),
    T("\"\xf0\x8f\xbf\xbf\""),
    T("\"\xf0\x9f\x98\""),
    T("\"\xf4\x90\x80\x80\""),
    T("\"\xf5\x80\x80\x80\""),
    T("\"\xf8\x88\x80\x80\x80\""),
    T("\"\xfc\x84\x80\x80\x80\x80\""),
    T("\"\xfe\""),
    T("\"\xff\""),
    T("\"a\xff\""),
    T("\"1234567\xff\""),
    T("\"12345678\xff\""),
    T("{\"\xff\":1}"),
    T("\"\xc3\xa9\xa9\""),
    T("\xff"),
    T("[\xc3\xa9]"),
    T("\"\xc2"),
    T("\"\xe2\x82"),
    T("\"\xf0\x9f\x98"),
    T("\xc3\xa9"),
    T("[\"\xe9\"]"),
    /* arrays */
    T("["),
    T("]"),
    T("[1"),
    T("[1,"),
    T("[1,]"),
    T("[,1]"),
    T("[,]"),
    T("[,,]"),
    T("[1,,2]"),
    T("[1;2]"),
    T("[1 2]"),
    T("[1:2]"),
    T("[\"a\":1]"),
    T("[1}"),
    T("[1]]"),
    T("[[1]"),
    T("[["),
    T("[]["),
    T("[\"a\",\n4\n,1,"),
    T("[\"\x0b"
      "a\"\\f]"),
    T("[*]"),
    T("[1,\n1\n,1"),
    T("[{}"),
    T("[(1)]"),
    T("<[]>"),
    T("[<null>]"),
    T("[\"a"),
    T("[,"),
    T("[1,\"a\",]"),
    T("(1)"),
    T("[1,2,3,4,5,6,7"),
    /* objects */
    T("{"),
    T("}"),
    T("{\"a\""),
    T("{\"a\":"),
    T("{\"a\":1"),
    T("{\"a\":1,"),
    T("{\"a\":1,}"),
    T("{,}"),
    T("{,\"a\":1}"),
    T("{\"a\"}"),
    T("{\"a\":}"),
    T("{\"a\" 1}"),
    T("{\"a\",1}"),
    T("{\"a\"=1}"),
    T("{\"a\":1 \"b\":2}"),
    T("{\"a\":1;\"b\":2}"),
    T("{\"a\":1,,\"b\":2}"),
    T("{a:1}"),
    T("{'a':1}"),
    T("{1:1}"),
    T("{null:1}"),
    T("{true:1}"),
    T("{[]:1}"),
    T("{{}:1}"),
    T("{\"a\":1]"),
    T("{\"a\"::1}"),
    T("{\"a\":1:2}"),
    T("{\"a\":1}}"),
    T("{\"a\":{}"),
    T("{:1}"),
    T("{:}"),
    T("{\"a\":1,\"b\"}"),
    T("{\"a\":1,2}"),
    T("{\"a\":1,\"b\":}"),
    T("{\"a\": tru}"),
    T("{\"a\":/**/1}"),
    T("{\"a\":1 //\n}"),
    T("{\"a\":'1'}"),
    T("{\"a\":\"b\"}#"),
    T("{ \"a\"\0:1}"),
    T("{\"a"),
    T("{\"a\\"),
    T("{\"a\\\":1}"),
    T("{\"a\":\"a\" 123}"),
    T("{\"a\":\"a"),
    /* names given twice: plainly, by escapes, at any depth, apart */
    T("{\"a\":1,\"a\":1}"),
    T("{\"a\":1,\"a\":2}"),
    T("{\"\":1,\"\":2}"),
    T("{\"a\":1,\"b\":2,\"a\":3}"),
    T("{\"a\":1,\"\\u0061\":2}"),
    T("{\"\\u0061\":1,\"a\":2}"),
    T("{\"\\u0061\":1,\"\\u0061\":2}"),
    T("{\"/\":1,\"\\/\":2}"),
    T("{\"\\n\":1,\"\\u000a\":2}"),
    T("{\"\\u000A\":1,\"\\u000a\":2}"),
    T("{\"\\\"\":1,\"\\u0022\":2}"),
    T("{\"\xc3\xa9\":1,\"\\u00e9\":2}"),
    T("{\"\xc3\xa9\":1,\"\xc3\xa9\":2}"),
    T("{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":2}"),
    T("[{\"a\":1,\"a\":2}]"),
    T("{\"x\":{\"a\":1,\"a\":2}}"),
    T("{\"x\":[{\"a\":1,\"a\":2}]}"),
    T("{\"a\":{\"a\":1},\"a\":2}"),
    T("{\"a\":{\"b\":1},\"b\":2,\"a\":3}"),
    T("{\"x\":{},\"x\":{}}"),
    T("{\"ab\":1,\"a\\u0062\":2}"),
    T("{\"ab\":1,\"\\u0061b\":2,\"c\":3}"),
};

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
    for (size_t i = 0; i < ARRAY_LEN(accepted); i++)
        assert_verdict(&accepted[i], NULL);
}

static void test_refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        assert_verdict(&refused[i], &ERR_MALFORMED_JSON);
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
