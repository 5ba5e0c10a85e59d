#include "alloc_fail.h"
#include "check.h"

#include <string.h>

#include <base/str.h>

#include "cjson_memory.h"
#include "thing.h"

/* Reads text into a struct that is full of marks before; errors, or "" and what is written then. */
static const char *read_and_write(const struct model *model, enum model_mode mode, const char *text,
                                  const char **out_written)
{
    static unsigned char object[2048], before[2048];
    memset(before, 0xa5, sizeof(before));
    memcpy(object, before, sizeof(object));
    assert_in_range(model->size, 1, sizeof(object));
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 20);
    _cleanup_(err_free) struct err *e = model_read(model, mode, text, strlen(text), &arena, object);
    if (e)
        assert_memory_equal(object, before, sizeof(object));
    *out_written = e ? "" : written(model, object);
    return field_codes(e);
}

/* One field of one type, so that a row of a table says all. */
struct one_text {
    const char *v;
};
struct one_chars {
    char v[8];
};
struct one_int {
    int v;
};
struct one_int64 {
    int64_t v;
};
struct one_double {
    double v;
};
struct one_bool {
    bool v;
};
struct one_list {
    const char **v;
    size_t n;
};
struct one_tree {
    struct one_tree *v;
    size_t n;
};

#define ONE(name, struct_tag, ...)                                                                 \
    static const struct field name##_rows[] = {FIELD(struct struct_tag, v, __VA_ARGS__)};          \
    static const struct model name = MODEL(struct struct_tag, name##_rows, NULL)
#define ONE_ARRAY(name, struct_tag, ...)                                                           \
    static const struct field name##_rows[] = {FIELD_ARRAY(struct struct_tag, v, n, __VA_ARGS__)}; \
    static const struct model name = MODEL(struct struct_tag, name##_rows, NULL)

ONE(any_text, one_text, STRING);
ONE(short_text, one_text, STRING, .min = 2, .max = 3);
ONE(filled_text, one_text, STRING, .min = 1);
ONE(chars, one_chars, STRING);
ONE(integer, one_int, INT);
ONE(long_integer, one_int64, INT);
ONE(limited, one_int64, INT, .min = -10, .max = 10);
ONE(positive, one_int64, INT, .min = 1);
ONE(not_positive, one_int64, INT, .min = -10);
ONE(real, one_double, FLOAT);
ONE(limited_real, one_double, FLOAT, .fmin = 0.5, .fmax = 2.5);
ONE(positive_real, one_double, FLOAT, .fmin = 0.5);
ONE(truth, one_bool, BOOL);
ONE(color, one_int, ENUM, .values = colors);
ONE(moment, one_int64, TIME);
ONE(uuid, one_text, UUID);
ONE(mail, one_text, EMAIL);
ONE(url, one_text, URL);
ONE(raw, one_text, RAW);
ONE(nullable, one_text, STRING, .flags = NULLABLE);
ONE(nullable_moment, one_int64, TIME, .flags = NULLABLE);
ONE(required, one_text, STRING, .flags = REQUIRED);
ONE(read_only, one_text, STRING, .flags = REQUIRED | READ_ONLY);
ONE(with_default, one_int64, INT, .def = "9223372036854775807");
ONE_ARRAY(list, one_list, STRING, .min = 1, .max = 2);
ONE_ARRAY(mails, one_list, EMAIL);
ONE_ARRAY(raws, one_list, RAW);
static const struct model tree;
static const struct field tree_rows[] = {
    FIELD_ARRAY(struct one_tree, v, n, OBJECT, .model = &tree)};
static const struct model tree = MODEL(struct one_tree, tree_rows, NULL);

#define TREE_8(inside)  "{\"v\":[{\"v\":[{\"v\":[{\"v\":[" inside "]}]}]}]}"
#define TREE_16(inside) TREE_8(TREE_8(inside))

static const struct {
    const struct model *model;
    const char *value;
    const char *errors; /* "" and then what is written; NULL: the value itself */
    const char *written;
} values[] = {
    {&any_text, "\"\"", "", NULL},
    {&any_text, "\"a\\u00e9\\n\"", "", "\"a\xc3\xa9\\n\""},
    {&any_text, "1", "v:wrong_type", NULL},
    {&any_text, "true", "v:wrong_type", NULL},
    {&any_text, "[]", "v:wrong_type", NULL},
    {&any_text, "{}", "v:wrong_type", NULL},
    {&any_text, "null", "v:null", NULL},
    {&short_text, "\"a\"", "v:too_short", NULL},
    {&short_text, "\"\"", "v:too_short", NULL},
    {&short_text, "\"ab\"", "", NULL},
    {&short_text, "\"\\ud83d\\ude00\\ud83d\\ude00\\ud83d\\ude00\"", "",
     "\"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\""},
    {&short_text, "\"\xc3\xa9\"", "v:too_short", NULL},
    {&short_text, "\"abcd\"", "v:too_long", NULL},
    {&filled_text, "\"\"", "v:too_short", NULL},
    {&filled_text, "\"a text without an upper limit\"", "", NULL},
    {&chars, "\"1234567\"", "", NULL},
    {&chars, "\"12345678\"", "v:too_long", NULL},
    {&chars, "\"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\"", "v:too_long", NULL},
    {&integer, "2147483647", "", NULL},
    {&integer, "-2147483648", "", NULL},
    {&integer, "2147483648", "v:too_large", NULL},
    {&integer, "-2147483649", "v:too_small", NULL},
    {&integer, "4294967296", "v:too_large", NULL},
    {&integer, "-0", "", "0"},
    {&integer, "1.0", "v:not_exact", NULL},
    {&integer, "1e2", "v:not_exact", NULL},
    {&integer, "1E2", "v:not_exact", NULL},
    {&integer, "0.5", "v:not_exact", NULL},
    {&integer, "\"1\"", "v:wrong_type", NULL},
    {&integer, "true", "v:wrong_type", NULL},
    {&integer, "[1]", "v:wrong_type", NULL},
    {&integer, "null", "v:null", NULL},
    {&long_integer, "9007199254740993", "", NULL},
    {&long_integer, "9223372036854775807", "", NULL},
    {&long_integer, "-9223372036854775808", "", NULL},
    {&long_integer, "9223372036854775808", "v:too_large", NULL},
    {&long_integer, "-9223372036854775809", "v:too_small", NULL},
    {&long_integer, "123456789012345678901234567890", "v:too_large", NULL},
    {&limited, "-10", "", NULL},
    {&limited, "10", "", NULL},
    {&limited, "-11", "v:too_small", NULL},
    {&limited, "11", "v:too_large", NULL},
    {&limited, "99999999999999999999", "v:too_large", NULL},
    {&positive, "0", "v:too_small", NULL},
    {&positive, "9223372036854775807", "", NULL},
    {&not_positive, "1", "v:too_large", NULL},
    {&not_positive, "0", "", NULL},
    {&real, "0.1", "", NULL},
    {&real, "12", "", NULL},
    {&real, "1e2", "", "100"},
    {&real, "-1.5E-3", "", "-0.0015"},
    {&real, "1e999", "v:too_large", NULL},
    {&real, "-1e999", "v:too_small", NULL},
    {&real, "\"1\"", "v:wrong_type", NULL},
    {&real, "false", "v:wrong_type", NULL},
    {&limited_real, "0.5", "", NULL},
    {&limited_real, "2.5", "", NULL},
    {&limited_real, "0.49999", "v:too_small", NULL},
    {&limited_real, "2.50001", "v:too_large", NULL},
    {&positive_real, "0", "v:too_small", NULL},
    {&positive_real, "1e+300", "", NULL},
    {&truth, "true", "", NULL},
    {&truth, "false", "", NULL},
    {&truth, "1", "v:wrong_type", NULL},
    {&truth, "\"true\"", "v:wrong_type", NULL},
    {&truth, "null", "v:null", NULL},
    {&color, "\"red\"", "", NULL},
    {&color, "\"blue\"", "", NULL},
    {&color, "\"Red\"", "v:not_in_list", NULL},
    {&color, "\"\"", "v:not_in_list", NULL},
    {&color, "0", "v:wrong_type", NULL},
    {&moment, "\"2026-01-02T03:04:05.678Z\"", "", NULL},
    {&moment, "\"2026-01-02T03:04:05+01:00\"", "", "\"2026-01-02T02:04:05.000Z\""},
    {&moment, "\"1969-12-31T23:59:59.999Z\"", "", NULL},
    {&moment, "\"2026-02-30T00:00:00Z\"", "v:invalid_time", NULL},
    {&moment, "\"2026-01-02\"", "v:invalid_time", NULL},
    {&moment, "\"\"", "v:invalid_time", NULL},
    {&moment, "1767323045678", "v:wrong_type", NULL},
    {&uuid, "\"0190163d-8694-739b-aea5-966c26f8ad91\"", "", NULL},
    {&uuid, "\"0190163D-8694-739b-aea5-966c26f8ad91\"", "v:invalid_uuid", NULL},
    {&uuid, "\"0190163d-8694-739b-aea5-966c26f8ad9\"", "v:invalid_uuid", NULL},
    {&uuid, "\"\"", "v:invalid_uuid", NULL},
    {&uuid, "7", "v:wrong_type", NULL},
    {&mail, "\"ann@example.com\"", "", NULL},
    {&mail, "\"ann\"", "v:invalid_email", NULL},
    {&mail, "\"\"", "v:invalid_email", NULL},
    {&url, "\"http://example.com\"", "", NULL},
    {&url, "\"ftp://example.com\"", "v:invalid_url", NULL},
    {&raw, "{ \"a\" : [ 1.0 , \"x\" ] }", "", "{\"a\":[1.0,\"x\"]}"},
    {&raw, "\"text\"", "", NULL},
    {&raw, "false", "", NULL},
    {&raw, "123456789012345678901234567890.5", "", NULL},
    {&raw, "null", "v:null", NULL},
    {&nullable, "null", "", NULL},
    {&nullable, "\"\"", "", NULL},
    {&nullable_moment, "null", "", NULL},
    {&list, "[\"a\"]", "", NULL},
    {&list, "[\"a\",\"b\"]", "", NULL},
    {&list, "[]", "v:too_few", NULL},
    {&list, "[\"a\",\"b\",\"c\"]", "v:too_many", NULL},
    {&list, "[\"a\",1]", "v/1:wrong_type", NULL},
    {&list, "[null,2]", "v/0:null v/1:wrong_type", NULL},
    {&list, "\"a\"", "v:wrong_type", NULL},
    {&list, "{}", "v:wrong_type", NULL},
    {&list, "null", "v:null", NULL},
    {&mails, "[]", "", NULL},
    {&mails, "[\"a@b.cd\",\"x\",\"\"]", "v/1:invalid_email v/2:invalid_email", NULL},
    {&raws, "[1.0,\"a\",{},[null]]", "", NULL},
    {&tree, "[{\"v\":[]},{\"v\":[{\"v\":[]}]}]", "", NULL},
    {&tree, "[{\"v\":[{\"v\":[{\"x\":1}]}]}]", "v/0/v/0/v/0/x:unknown", NULL},
    {&tree, "[{\"v\":[{\"v\":7}]},{\"v\":null}]", "v/0/v/0/v:wrong_type v/1/v:null", NULL},
    {&tree, "[" TREE_16(TREE_8("")) "]", "", NULL},
    {&tree, "[" TREE_16(TREE_16("")) "]", "malformed_json", NULL},
};

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        _cleanup_(buf_deinit) struct buf text = BUF_INIT(1024);
        _cleanup_(buf_deinit) struct buf expected = BUF_INIT(1024);
        const char *result;
        buf_printf(&text, "{\"v\":%s}", values[i].value);
        if (!*values[i].errors)
            buf_printf(&expected, "{\"v\":%s}",
                       values[i].written ? values[i].written : values[i].value);
        const char *errors = read_and_write(values[i].model, MODEL_READ, buf_text(&text), &result);
        if (strcmp(errors, values[i].errors) != 0 || strcmp(result, buf_text(&expected)) != 0)
            fail_msg("row %zu, %s: errors '%s', written %s", i, buf_text(&text), errors, result);
    }
}

static const struct {
    const struct model *model;
    enum model_mode mode;
    const char *text, *errors, *written;
} objects[] = {
    {&required, MODEL_READ, "{}", "v:required", ""},
    {&required, MODEL_READ_TRUSTED, "{}", "v:required", ""},
    {&required, MODEL_READ, "{\"v\":\"\"}", "", "{\"v\":\"\"}"},
    {&required, MODEL_READ, "{\"w\":1,\"V\":2}", "v:required w:unknown V:unknown", ""},
    {&required, MODEL_READ_TRUSTED, "{\"w\":1,\"v\":\"\"}", "", "{\"v\":\"\"}"},
    {&required, MODEL_READ, "{\"v\":\"\",\"a/b~c\":1}", "a~1b~0c:unknown", ""},
    {&required, MODEL_READ, "[]", ":wrong_type", ""},
    {&required, MODEL_READ, "null", ":wrong_type", ""},
    {&required, MODEL_READ, "\"v\"", ":wrong_type", ""},
    {&required, MODEL_READ, "{", "malformed_json", ""},
    {&required, MODEL_READ, "{\"v\":\"\",\"v\":\"\"}", "malformed_json", ""},
    {&read_only, MODEL_READ, "{}", "", "{\"v\":\"\"}"},
    {&read_only, MODEL_READ, "{\"v\":\"x\"}", "v:read_only", ""},
    {&read_only, MODEL_READ, "{\"v\":7}", "v:read_only", ""},
    {&read_only, MODEL_READ_TRUSTED, "{\"v\":\"x\"}", "", "{\"v\":\"x\"}"},
    {&read_only, MODEL_READ_TRUSTED, "{}", "v:required", ""},
    {&with_default, MODEL_READ, "{}", "", "{\"v\":9223372036854775807}"},
    {&with_default, MODEL_READ_TRUSTED, "{}", "", "{\"v\":9223372036854775807}"},
    {&with_default, MODEL_READ, "{\"v\":0}", "", "{\"v\":0}"},
    {&with_default, MODEL_READ, "{\"v\":null}", "v:null", ""},
    {&nullable, MODEL_READ, "{}", "", "{\"v\":null}"},
    {&list, MODEL_READ, "{}", "", "{\"v\":[]}"},
    {&thing_model, MODEL_READ, "{\"name\":\"Bob\"}", "",
     "{\"id\":\"\",\"name\":\"Bob\",\"small\":50,\"big\":0,\"ratio\":0,\"on\":true,\"color\":"
     "\"red\","
     "\"place\":{\"city\":\"\",\"street\":\"\",\"floor\":0,\"door\":{\"label\":\"\",\"weight\":0,"
     "\"color\":\"red\"}},\"spare\":{\"city\":\"\",\"street\":\"\",\"floor\":0,\"door\":{\"label\":"
     "\"\",\"weight\":0,\"color\":\"red\"}},\"parts\":[],\"numbers\":[],\"raw\":null}"},
    {&thing_model, MODEL_READ, "{\"name\":\"admin\"}", "name:reserved", ""},
    {&thing_model, MODEL_READ, "{\"name\":\"root\"}", "name:invalid", ""},
    {&thing_model, MODEL_READ, "{\"name\":\"Bob\",\"version\":1,\"row_version\":2}",
     "version:unknown row_version:unknown", ""},
    {&place_model, MODEL_READ, "{\"city\":\"A\"}", "",
     "{\"city\":\"A\",\"street\":\"\",\"floor\":0,"
     "\"door\":{\"label\":\"door\",\"weight\":7,\"color\":\"green\"}}"},
    {&place_model, MODEL_READ, "{\"city\":\"Nowhere\",\"street\":\"x\"}", "street:no_such_street",
     ""},
    {&place_model, MODEL_READ, "{\"city\":\"Nowhere\",\"street\":\"x\",\"floor\":100}",
     "floor:too_large", ""},
    {&place_model, MODEL_READ, "{\"city\":\"Void\"}", ":no_such_place", ""},
    {&thing_model, MODEL_READ,
     "{\"zzz\":0,\"spare\":{\"city\":\"Nowhere\",\"street\":\"x\"},\"place\":{\"floor\":1.5,"
     "\"door\":{\"weight\":-6,\"paint\":1},\"?\":0,\"street\":null},\"parts\":[{\"label\":"
     "\"123456\"},"
     "{\"weight\":1,\"color\":\"pink\"},{\"label\":\"x\"}],\"on\":1,\"aaa\":0}",
     "name:required on:wrong_type place/city:required place/floor:not_exact "
     "place/door/label:required place/door/weight:too_small place/door/paint:unknown "
     "place/?:unknown "
     "spare/street:no_such_street parts/0/label:too_long parts/1/label:required "
     "parts/1/color:not_in_list zzz:unknown aaa:unknown",
     ""},
    {&thing_model, MODEL_READ, "{\"name\":\"Bob\",\"spare\":{\"city\":\"Void\"}}",
     "spare:no_such_place", ""},
};

static void test_objects(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(objects); i++) {
        const char *result;
        const char *errors =
            read_and_write(objects[i].model, objects[i].mode, objects[i].text, &result);
        if (strcmp(errors, objects[i].errors) != 0 || strcmp(result, objects[i].written) != 0)
            fail_msg("row %zu, %s: errors '%s', written %s", i, objects[i].text, errors, result);
    }
}

static void test_what_was_written_reads_back_the_same(void **state)
{
    (void)state;
    struct thing thing;
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 20);
    assert_null(model_read(&thing_model, MODEL_READ_TRUSTED, full_thing, strlen(full_thing), &arena,
                           &thing));
    assert_string_equal(thing.name, "Bob \xc3\xa9\xf0\x9f\x98\x80");
    assert_int_equal(thing.big, INT64_MIN);
    assert_int_equal(thing.place.door.weight, -5);
    assert_int_equal(thing.part_count, 2);
    assert_int_equal(thing.parts[1].color, BLUE);
    assert_string_equal(thing.tags[2], "\xe2\x82\xac");
    assert_int_equal(thing.numbers[0], INT64_C(9007199254740993));
    assert_null(thing.spare.street);
    _cleanup_(json_free) struct json_doc *doc = NULL;
    _cleanup_(buf_deinit) struct buf same = BUF_INIT(4096);
    assert_null(json_parse(full_thing, strlen(full_thing), &doc));
    json_write_value(&JSON_WRITER(&same), json_root(doc));
    assert_string_equal(written(&thing_model, &thing), buf_text(&same));
}

static void test_presence(void **state)
{
    (void)state;
    static const char text[] = "{\"name\":\"Bob\",\"note\":null,\"color\":\"red\",\"place\":"
                               "{\"city\":\"A\",\"floor\":null},\"spare\":null}";
    struct thing thing;
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 20);
    assert_null(model_read(&thing_model, MODEL_READ, text, strlen(text), &arena, &thing));
    static const struct {
        const char *name;
        bool is_present, is_null;
    } cases[] = {
        {"name", true, false},  {"note", true, true},   {"small", false, false}, /* a default */
        {"color", true, false}, {"place", true, false}, {"spare", true, true},
        {"raw", false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct field *field = model_find(&thing_model, cases[i].name);
        if (model_is_present(&thing_model, &thing, field) != cases[i].is_present ||
            model_is_null(&thing_model, &thing, field) != cases[i].is_null)
            fail_msg("%s", cases[i].name);
    }
    assert_int_equal(thing.place.given.present, 1 | 4);
    assert_int_equal(thing.place.given.null, 4);
    assert_int_equal(thing.spare.given.present, 0);
}

static void test_details_say_what_would_be_right(void **state)
{
    (void)state;
    static const struct {
        const struct model *model;
        const char *text, *detail;
    } cases[] = {
        {&short_text, "{\"v\":\"\"}", "must have at least 2 characters"},
        {&short_text, "{\"v\":\"abcd\"}", "must have at most 3 characters"},
        {&chars, "{\"v\":\"12345678\"}", "must have at most 7 bytes"},
        {&limited, "{\"v\":-11}", "must be at least -10"},
        {&limited, "{\"v\":99999999999999999999}", "must be at most 10"},
        {&integer, "{\"v\":\"secret\"}", "must be an integer"},
        {&limited_real, "{\"v\":0}", "must be at least 0.5"},
        {&color, "{\"v\":\"secret\"}", "must be one of: red, green, blue"},
        {&list, "{\"v\":[]}", "must have at least 1 items"},
        {&required, "{}", "is required"},
        {&required, "{\"v\":null}", "must not be null"},
        {&required, "{\"v\":\"\",\"x\":1}", "is not a field of one_text"},
        {&read_only, "{\"v\":1}", "cannot be set"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned char object[64];
        const struct err_field *rows;
        _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 20);
        _cleanup_(err_free) struct err *e = model_read(cases[i].model, MODEL_READ, cases[i].text,
                                                       strlen(cases[i].text), &arena, object);
        assert_int_equal(err_fields(e, &rows), 1);
        assert_string_equal(rows[0].detail, cases[i].detail);
    }
}

/* A name of any length and content makes a bounded, valid path. */
static void test_paths_are_bounded(void **state)
{
    (void)state;
    static const char *const units[] = {"x", "/", "~", "\xc3\xa9", "\xf0\x9f\x98\x80"};
    for (size_t unit = 0; unit < ARRAY_LEN(units); unit++) {
        for (size_t times = 50; times < 300; times++) {
            _cleanup_(buf_deinit) struct buf text = BUF_INIT(4096);
            buf_append_str(&text, "{\"v\":[{\"");
            for (size_t i = 0; i < times; i++)
                buf_append_str(&text, units[unit]);
            buf_append_str(&text, "\":1}]}");
            struct one_tree object;
            const struct err_field *rows;
            _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 20);
            _cleanup_(err_free) struct err *e =
                model_read(&tree, MODEL_READ, text.data, text.len, &arena, &object);
            assert_int_equal(err_fields(e, &rows), 1);
            size_t len = strlen(rows[0].field);
            assert_in_range(len, 4 + 50, MODEL_PATH_MAX);
            assert_true(utf8_is_valid(rows[0].field, len));
            assert_memory_equal(rows[0].field, "v/0/", 4);
        }
    }
}

static void test_floods_of_unknown_fields_are_cut(void **state)
{
    (void)state;
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(1 << 20);
    buf_append_str(&text, "{\"x\":1");
    for (int i = 0; i < 20000; i++)
        buf_printf(&text, ",\"k%d\":1", i);
    buf_append_char(&text, '}');
    struct one_text object = {0};
    const struct err_field *rows;
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 20);
    _cleanup_(err_free) struct err *e =
        model_read(&required, MODEL_READ, text.data, text.len, &arena, &object);
    assert_int_equal(err_fields(e, &rows), ERR_FIELDS_MAX);
    assert_string_equal(rows[0].field, "v");
    assert_string_equal(rows[1].field, "x");
}

static void test_out_of_memory(void **state)
{
    (void)state;
    size_t successes = 0;
    for (bool failed = true; failed; successes++) {
        unsigned char thing[sizeof(struct thing)], before[sizeof(struct thing)];
        memset(before, 0x5a, sizeof(before));
        memcpy(thing, before, sizeof(thing));
        _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 20);
        alloc_fail_after(successes);
        struct err *e = model_read(&thing_model, MODEL_READ_TRUSTED, full_thing, strlen(full_thing),
                                   &arena, thing);
        failed = alloc_fail_stop();
        assert_ptr_equal(e, failed ? err_oom() : NULL);
        assert_int_equal(memcmp(thing, before, sizeof(thing)) == 0, failed);
    }
    assert_true(successes > 100);
}

static void test_arena_has_too_little(void **state)
{
    (void)state;
    bool failed = true;
    for (size_t max = 0; failed; max += 16) {
        struct thing thing;
        _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(max);
        struct err *e = model_read(&thing_model, MODEL_READ_TRUSTED, full_thing, strlen(full_thing),
                                   &arena, &thing);
        failed = e != NULL;
        assert_true(!e || e == err_oom());
        assert_true(max < 8192);
    }
}

/* Errors of fields give way to the lack of memory that came with them. */
static void test_out_of_memory_among_field_errors(void **state)
{
    (void)state;
    static const char text[] = "{\"spare\":{\"city\":\"Nowhere\",\"street\":\"x\"},\"zzz\":1}";
    size_t successes = 0;
    for (bool failed = true; failed; successes++) {
        struct thing thing;
        _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 20);
        alloc_fail_after(successes);
        _cleanup_(err_free) struct err *e =
            model_read(&thing_model, MODEL_READ, text, strlen(text), &arena, &thing);
        failed = alloc_fail_stop();
        assert_string_equal(field_codes(e), failed ? "out_of_memory"
                                                   : "name:required spare/street:no_such_street "
                                                     "zzz:unknown");
    }
    assert_true(successes > 20);
}

int main(void)
{
    cjson_memory_can_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_objects),
        cmocka_unit_test(test_what_was_written_reads_back_the_same),
        cmocka_unit_test(test_presence),
        cmocka_unit_test(test_details_say_what_would_be_right),
        cmocka_unit_test(test_paths_are_bounded),
        cmocka_unit_test(test_floods_of_unknown_fields_are_cut),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_arena_has_too_little),
        cmocka_unit_test(test_out_of_memory_among_field_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
