/* Schemas word by word, and as JSON. */
#include "check.h"

#include <string.h>

#include "thing.h"

static const char part_schema[] =
    "{\"description\":\"A part of a thing\",\"type\":\"object\",\"properties\":{"
    "\"label\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":5},"
    "\"weight\":{\"type\":\"integer\",\"format\":\"int64\",\"minimum\":-5,\"maximum\":1000,"
    "\"default\":7},"
    "\"color\":{\"type\":\"string\",\"enum\":[\"red\",\"green\",\"blue\"],\"default\":\"green\"}},"
    "\"required\":[\"label\"],\"additionalProperties\":false}";

static const char part_patch_schema[] =
    "{\"description\":\"A part of a thing\",\"type\":\"object\",\"properties\":{"
    "\"label\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":5},"
    "\"weight\":{\"type\":\"integer\",\"format\":\"int64\",\"minimum\":-5,\"maximum\":1000},"
    "\"color\":{\"type\":\"string\",\"enum\":[\"red\",\"green\",\"blue\"]}},"
    "\"additionalProperties\":false}";

static const char place_patch_schema[] =
    "{\"description\":\"Where things are\",\"type\":\"object\",\"properties\":{"
    "\"city\":{\"type\":\"string\",\"maxLength\":20},"
    "\"street\":{\"type\":[\"string\",\"null\"]},"
    "\"floor\":{\"type\":[\"integer\",\"null\"],\"format\":\"int32\",\"minimum\":-3,\"maximum\":99}"
    ","
    "\"door\":{\"type\":\"object\",\"properties\":{"
    "\"label\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":5},"
    "\"weight\":{\"type\":\"integer\",\"format\":\"int64\",\"minimum\":-5,\"maximum\":1000},"
    "\"color\":{\"type\":\"string\",\"enum\":[\"red\",\"green\",\"blue\"]}},"
    "\"additionalProperties\":false}},\"additionalProperties\":false}";

static const char thing_schema[] =
    "{\"description\":\"Anything at all\",\"type\":\"object\",\"properties\":{"
    "\"id\":{\"type\":\"string\",\"format\":\"uuid\",\"readOnly\":true},"
    "\"name\":{\"type\":\"string\",\"minLength\":2,\"maxLength\":10,"
    "\"description\":\"What it is called\",\"examples\":[\"Bob\"]},"
    "\"note\":{\"type\":[\"string\",\"null\"]},"
    "\"small\":{\"type\":\"integer\",\"format\":\"int32\",\"minimum\":1,\"maximum\":100,"
    "\"default\":50},"
    "\"big\":{\"type\":\"integer\",\"format\":\"int64\"},"
    "\"ratio\":{\"type\":\"number\",\"minimum\":-1.5,\"maximum\":1.5},"
    "\"on\":{\"type\":\"boolean\",\"default\":true},"
    "\"color\":{\"type\":[\"string\",\"null\"],\"enum\":[\"red\",\"green\",\"blue\",null],"
    "\"description\":\"Paint\"},"
    "\"made_at\":{\"type\":\"string\",\"format\":\"date-time\"},"
    "\"mail\":{\"type\":\"string\",\"format\":\"email\",\"maxLength\":254},"
    "\"site\":{\"type\":\"string\",\"format\":\"uri\",\"maxLength\":2048},"
    "\"place\":{\"$ref\":\"#/components/schemas/place\",\"description\":\"Where it is\"},"
    "\"spare\":{\"anyOf\":[{\"$ref\":\"#/components/schemas/place\"},{\"type\":\"null\"}]},"
    "\"parts\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/part\"},"
    "\"maxItems\":3},"
    "\"tags\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"minItems\":1},"
    "\"numbers\":{\"type\":[\"array\",\"null\"],\"items\":{\"type\":\"integer\","
    "\"format\":\"int64\"}},"
    "\"raw\":{},"
    "\"password\":{\"type\":\"string\",\"maxLength\":80,\"writeOnly\":true}},"
    "\"required\":[\"name\"],\"additionalProperties\":false}";

static void test_schemas(void **state)
{
    (void)state;
    static const struct {
        const struct model *model;
        bool for_patch;
        const char *text;
    } cases[] = {
        {&part_model, false, part_schema},
        {&part_model, true, part_patch_schema},
        {&place_model, true, place_patch_schema},
        {&thing_model, false, thing_schema},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_(buf_deinit) struct buf out = BUF_INIT(8192);
        model_write_schema(cases[i].model, cases[i].for_patch, &JSON_WRITER(&out));
        assert_string_equal(buf_text(&out), cases[i].text);
        assert_null(json_check(out.data, out.len));
    }
}

static void test_patch_schema_inlines_what_is_patched_in_place(void **state)
{
    (void)state;
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(8192);
    model_write_schema(&thing_model, true, &JSON_WRITER(&out));
    _cleanup_(json_free) struct json_doc *doc = NULL;
    assert_null(json_parse(out.data, out.len, &doc));
    assert_null(json_get(json_root(doc), "required"));
    const struct json_value *properties = json_get(json_root(doc), "properties");
    const struct json_value *spare = json_get(properties, "spare");
    assert_string_equal(json_string(json_next(json_first(json_get(spare, "type")))), "null");
    assert_non_null(json_get(json_get(json_get(spare, "properties"), "door"), "properties"));
    const struct json_value *parts = json_get(properties, "parts");
    assert_string_equal(json_string(json_first(json_get(parts, "items"))),
                        "#/components/schemas/part");
    assert_null(json_get(json_get(properties, "small"), "default"));
}

static void test_field_schemas(void **state)
{
    (void)state;
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(8192);
    struct json_writer w = JSON_WRITER(&out);
    json_begin_array(&w);
    model_write_field_schema(model_find(&thing_model, "small"), &w);
    model_write_field_schema(model_find(&thing_model, "tags"), &w);
    json_end_array(&w);
    assert_string_equal(buf_text(&out),
                        "[{\"type\":\"integer\",\"format\":\"int32\",\"minimum\":1,\"maximum\":100,"
                        "\"default\":50},{\"type\":\"array\",\"items\":{\"type\":\"string\"},"
                        "\"minItems\":1}]");
}

static void test_open_limits(void **state)
{
    (void)state;
    struct limited {
        int64_t at_least;
        double at_least_real;
        double at_most_real;
        const char *text;
        char chars[8];
    };
    static const struct field rows[] = {
        FIELD(struct limited, at_least, INT, .min = 1),
        FIELD(struct limited, at_least_real, FLOAT, .fmin = 0.5),
        FIELD(struct limited, at_most_real, FLOAT, .fmin = -2),
        FIELD(struct limited, text, STRING, .min = 1),
        FIELD(struct limited, chars, STRING),
    };
    static const char *const texts[] = {
        "{\"type\":\"integer\",\"format\":\"int64\",\"minimum\":1}",
        "{\"type\":\"number\",\"minimum\":0.5}",
        "{\"type\":\"number\",\"minimum\":-2,\"maximum\":0}",
        "{\"type\":\"string\",\"minLength\":1}",
        "{\"type\":\"string\",\"maxLength\":7}",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf out = BUF_INIT(256);
        model_write_field_schema(&rows[i], &JSON_WRITER(&out));
        assert_string_equal(buf_text(&out), texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schemas),
        cmocka_unit_test(test_patch_schema_inlines_what_is_patched_in_place),
        cmocka_unit_test(test_field_schemas),
        cmocka_unit_test(test_open_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
