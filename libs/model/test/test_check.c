/* Tables with mistakes, each of which is named. */
#include "alloc_fail.h"
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "cjson_memory.h"
#include "thing.h"

struct sample {
    char chars[8];
    char *owned;
    const char *text;
    unsigned number;
    int small;
    int64_t big;
    float narrow;
    double real;
    bool truth;
    struct part part;
    struct part *parts;
    struct sample *children;
    char (*uuids)[UUID_TEXT];
    int count;
    size_t items;
    struct model_presence given;
};

static const char *const no_values[] = {NULL};

static const struct model loop_model;
static const struct field loop_rows[] = {
    FIELD_ARRAY(struct sample, children, items, OBJECT, .model = &loop_model, .max = 3),
};
static const struct model loop_model = MODEL(struct sample, loop_rows, NULL);

static void test_right_tables(void **state)
{
    (void)state;
    assert_null(model_check(&thing_model));
    assert_null(model_check(&place_model));
    assert_null(model_check(&part_model));
    assert_null(model_check(&loop_model));
}

/* FIELD() cannot be talked into these. */
#define PLACED_AT(place)                                                                           \
    {                                                                                              \
        .name = "small", .type = MODEL_INT, .storage = MODEL_IN_INT, .size = sizeof(int),          \
        .offset = (place),                                                                         \
    }

static struct model sample_of(const struct field *fields, size_t count)
{
    return (struct model){.name = "struct sample",
                          .fields = fields,
                          .count = count,
                          .size = sizeof(struct sample),
                          .presence_offset = SIZE_MAX};
}

static const struct {
    struct field row;
    const char *mistake;
} rows[] = {
    {FIELD(struct sample, owned, STRING), "the member has the wrong type"},
    {FIELD(struct sample, small, STRING), "the member has the wrong type"},
    {FIELD(struct sample, chars, UUID), "the member has the wrong type"},
    {FIELD(struct sample, chars, RAW), "the member has the wrong type"},
    {FIELD(struct sample, number, INT), "the member has the wrong type"},
    {FIELD(struct sample, items, INT), "the member has the wrong type"},
    {FIELD(struct sample, real, INT), "the member has the wrong type"},
    {FIELD(struct sample, small, TIME), "the member has the wrong type"},
    {FIELD(struct sample, narrow, FLOAT), "the member has the wrong type"},
    {FIELD(struct sample, small, BOOL), "the member has the wrong type"},
    {FIELD(struct sample, truth, ENUM, .values = colors), "the member has the wrong type"},
    {FIELD(struct sample, big, ENUM, .values = colors), "the member has the wrong type"},
    {FIELD(struct sample, text, OBJECT, .model = &part_model), "the member has the wrong type"},
    {{.name = "chars", .type = MODEL_STRING, .size = 8}, "the member has the wrong type"},
    {PLACED_AT(sizeof(struct sample)), "the member is not inside the struct"},
    {PLACED_AT(sizeof(struct sample) - 1), "the member is not inside the struct"},
    {PLACED_AT(SIZE_MAX - 1), "the member is not inside the struct"},
    {FIELD(struct sample, small, ENUM), "an enum needs values"},
    {FIELD(struct sample, small, ENUM, .values = no_values), "an enum needs values"},
    {FIELD(struct sample, part, OBJECT), "an object needs a model"},
    {FIELD(struct sample, part, OBJECT, .model = &place_model),
     "the model describes another struct"},
    {FIELD_ARRAY(struct sample, parts, items, OBJECT), "an object needs a model"},
    {FIELD_ARRAY(struct sample, parts, items, OBJECT, .model = &place_model),
     "the model describes another struct"},
    {FIELD_ARRAY(struct sample, parts, items, STRING), "the items have the wrong type"},
    {FIELD_ARRAY(struct sample, parts, items, ARRAY), "the items have the wrong type"},
    {FIELD_ARRAY(struct sample, uuids, items, UUID), "the items have the wrong type"},
    {FIELD_ARRAY(struct sample, parts, count, OBJECT, .model = &part_model),
     "an array is a pointer and a size_t"},
    {FIELD_ARRAY(struct sample, chars, items, INT), "the items have the wrong type"},
    {FIELD(struct sample, text, STRING, .min = 3, .max = 2), "min is above max"},
    {FIELD(struct sample, text, STRING, .min = -3, .max = -2),
     "the member cannot hold what min and max allow"},
    {FIELD(struct sample, chars, STRING, .max = 8),
     "the member cannot hold what min and max allow"},
    {FIELD(struct sample, chars, STRING, .min = 8),
     "the member cannot hold what min and max allow"},
    {FIELD(struct sample, small, INT, .max = INT64_C(1) << 31),
     "the member cannot hold what min and max allow"},
    {FIELD(struct sample, small, INT, .min = INT64_MIN, .max = 1),
     "the member cannot hold what min and max allow"},
    {FIELD(struct sample, small, INT, .min = 2, .max = -2), "min is above max"},
    {FIELD(struct sample, real, FLOAT, .fmin = 2, .fmax = -2), "min is above max"},
    {FIELD_ARRAY(struct sample, parts, items, OBJECT, .model = &part_model, .min = -1, .max = 2),
     "the member cannot hold what min and max allow"},
    {FIELD(struct sample, small, INT, .flags = 64), "unknown flags"},
    {FIELD(struct sample, small, INT, .flags = READ_ONLY | WRITE_ONLY),
     "READ_ONLY and WRITE_ONLY leave nothing"},
    {FIELD(struct sample, small, INT, .flags = REQUIRED, .def = "1"),
     "what is REQUIRED has no use for a default"},
    {FIELD(struct sample, small, INT, .flags = NULLABLE),
     "NULLABLE or OMIT_EMPTY of this type need MODEL_WITH_PRESENCE"},
    {FIELD(struct sample, truth, BOOL, .flags = OMIT_EMPTY),
     "NULLABLE or OMIT_EMPTY of this type need MODEL_WITH_PRESENCE"},
    {FIELD(struct sample, part, OBJECT, .model = &part_model, .flags = NULLABLE),
     "NULLABLE or OMIT_EMPTY of this type need MODEL_WITH_PRESENCE"},
    {FIELD(struct sample, small, INT, .json = ""), "an empty name"},
    {FIELD(struct sample, small, INT, .column = ""), "an empty name"},
    {FIELD(struct sample, small, INT, .def = "01"),
     "the default is no JSON: byte 1: expected the end of the text"},
    {FIELD(struct sample, small, INT, .max = 5, .def = "6"),
     "the default is refused: must be at most 5"},
    {FIELD(struct sample, small, INT, .def = "\"6\""),
     "the default is refused: must be an integer"},
    {FIELD(struct sample, text, EMAIL, .example = "\"ann\""),
     "the example is refused: must be an e-mail address, such as ann@example.com"},
    {FIELD(struct sample, part, OBJECT, .model = &part_model, .def = "{}"),
     "the default is refused: is required"},
    {FIELD(struct sample, text, STRING, .example = "null"),
     "the example is refused: must be a string"},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct model model = sample_of(&rows[i].row, 1);
        _cleanup_(err_free) struct err *e = model_check(&model);
        if (!e)
            fail_msg("row %zu (%s) is taken", i, rows[i].mistake);
        assert_ptr_equal(err_kind(e), &ERR_INTERNAL);
        char expected[256];
        snprintf(expected, sizeof(expected), "sample.%s: %s", rows[i].row.name, rows[i].mistake);
        assert_string_equal(err_detail(e), expected);
    }
}

static void test_null_defaults_and_examples_are_for_nullable_fields(void **state)
{
    (void)state;
    static const struct field row[] = {
        FIELD(struct sample, text, STRING, .flags = NULLABLE, .def = "null", .example = "null")};
    static const struct model model = MODEL(struct sample, row, NULL);
    assert_null(model_check(&model));
}

static void test_all_mistakes_are_named_together(void **state)
{
    (void)state;
    static const struct field twice[] = {
        FIELD(struct sample, small, INT),
        FIELD(struct sample, big, INT, .json = "small", .def = "\"never looked at\""),
        FIELD(struct sample, real, FLOAT, .column = "big"),
        FIELD(struct sample, text, STRING, .json = "big", .flags = COLUMN_ONLY),
        FIELD(struct sample, truth, INT),
    };
    struct model model = sample_of(twice, ARRAY_LEN(twice));
    model.presence_offset = sizeof(struct sample) - 8;
    _cleanup_(err_free) struct err *e = model_check(&model);
    assert_string_equal(err_detail(e), "sample: presence is not inside the struct; "
                                       "sample.big: two fields are named small; "
                                       "sample.big: two columns are named small; "
                                       "sample.text: two columns are named big; "
                                       "sample.truth: the member has the wrong type");
}

static void test_numbers_of_fields(void **state)
{
    (void)state;
    static struct field many[MODEL_FIELDS_MAX + 1];
    static char names[ARRAY_LEN(many)][8];
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        snprintf(names[i], sizeof(names[i]), "f%zu", i);
        many[i] = (struct field)FIELD(struct sample, small, INT, .json = names[i]);
    }
    const struct model most = sample_of(many, MODEL_FIELDS_MAX);
    assert_null(model_check(&most));
    const struct model too_many = sample_of(many, ARRAY_LEN(many));
    _cleanup_(err_free) struct err *more = model_check(&too_many);
    assert_string_equal(err_detail(more), "sample: 65 fields, of 1 to 64");
    const struct model empty = sample_of(many, 0);
    _cleanup_(err_free) struct err *none = model_check(&empty);
    assert_string_equal(err_detail(none), "sample: 0 fields, of 1 to 64");
}

static void test_mistakes_of_nested_tables_are_found(void **state)
{
    (void)state;
    static const struct field inner_rows[] = {FIELD(struct part, weight, BOOL)};
    static const struct model inner = MODEL(struct part, inner_rows, NULL);
    static const struct field outer_rows[] = {
        FIELD_ARRAY(struct sample, parts, items, OBJECT, .model = &inner)};
    static const struct model outer = MODEL(struct sample, outer_rows, NULL);
    _cleanup_(err_free) struct err *e = model_check(&outer);
    assert_string_equal(err_detail(e), "part.weight: the member has the wrong type");
}

/* Deeper than JSON may be, so that no document could fill it. */
static void test_nesting_is_bounded(void **state)
{
    (void)state;
    static struct field links[JSON_DEPTH_MAX + 1];
    static struct model chain[ARRAY_LEN(links)];
    for (size_t i = 0; i < ARRAY_LEN(links); i++) {
        links[i] = (struct field)FIELD_ARRAY(struct sample, children, items, OBJECT,
                                             .model = &chain[(i + 1) % ARRAY_LEN(links)]);
        chain[i] = sample_of(&links[i], 1);
    }
    _cleanup_(err_free) struct err *e = model_check(&chain[0]);
    assert_string_equal(err_detail(e), "sample: models inside each other beyond what JSON may be");
    links[10].model = &chain[0];
    assert_null(model_check(&chain[0]));
}

static void test_out_of_memory(void **state)
{
    (void)state;
    bool failed = true;
    size_t successes = 0;
    for (; failed; successes++) {
        alloc_fail_after(successes);
        struct err *e = model_check(&thing_model);
        failed = alloc_fail_stop();
        assert_ptr_equal(e, failed ? err_oom() : NULL);
    }
    assert_true(successes > 10);
}

static void test_names(void **state)
{
    (void)state;
    static const struct field row =
        FIELD(struct sample, big, TIME, .json = "big_at", .column = "b");
    struct model untagged = sample_of(&row, 1);
    untagged.name = "sample_t";
    assert_string_equal(model_schema_name(&thing_model), "thing");
    assert_string_equal(model_schema_name(&untagged), "sample_t");
    assert_string_equal(model_json_name(&row), "big_at");
    assert_string_equal(model_column_name(&row), "b");
    assert_string_equal(model_column_name(model_find(&thing_model, "made_at")), "made_at");
    assert_null(model_find(&thing_model, "made_ms"));
    assert_null(model_find(&thing_model, "version"));
    assert_string_equal(model_find_column(&thing_model, "row_version")->name, "version");
    assert_null(model_find_column(&thing_model, "version"));
}

int main(void)
{
    cjson_memory_can_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right_tables),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_null_defaults_and_examples_are_for_nullable_fields),
        cmocka_unit_test(test_all_mistakes_are_named_together),
        cmocka_unit_test(test_numbers_of_fields),
        cmocka_unit_test(test_mistakes_of_nested_tables_are_found),
        cmocka_unit_test(test_nesting_is_bounded),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
