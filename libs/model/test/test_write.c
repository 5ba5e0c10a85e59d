/* What is left out of the text, what is null, and what broken structs become. */
#include "check.h"

#include <string.h>

#include "thing.h"

struct plain {
    char omitted[8];
    char kept[8];
    const char *pointer;
    const char *nullable_pointer;
    char nullable_chars[8];
    int64_t moment_ms;
    int64_t nullable_moment_ms;
    double ratio;
    int color;
    struct part *parts;
    size_t part_count;
    int64_t *numbers;
    size_t number_count;
    const char *raw;
    char secret[8];
    int version;
};

static const struct field plain_rows[] = {
    FIELD(struct plain, omitted, STRING, .flags = OMIT_EMPTY),
    FIELD(struct plain, kept, STRING),
    FIELD(struct plain, pointer, STRING),
    FIELD(struct plain, nullable_pointer, STRING, .flags = NULLABLE, .json = "np"),
    FIELD(struct plain, nullable_chars, STRING, .flags = NULLABLE, .json = "nc"),
    FIELD(struct plain, moment_ms, TIME, .flags = OMIT_EMPTY, .json = "m"),
    FIELD(struct plain, nullable_moment_ms, TIME, .flags = NULLABLE, .json = "nm"),
    FIELD(struct plain, ratio, FLOAT),
    FIELD(struct plain, color, ENUM, .values = colors),
    FIELD_ARRAY(struct plain, parts, part_count, OBJECT, .model = &part_model, .flags = OMIT_EMPTY),
    FIELD_ARRAY(struct plain, numbers, number_count, INT, .flags = NULLABLE),
    FIELD(struct plain, raw, RAW, .flags = OMIT_EMPTY),
    FIELD(struct plain, secret, STRING, .flags = WRITE_ONLY),
    FIELD(struct plain, version, INT, .flags = COLUMN_ONLY),
};
static const struct model plain_model = MODEL(struct plain, plain_rows, NULL);

static struct part one_part[] = {{"a", -1, BLUE}};
static int64_t no_numbers[1], two_numbers[] = {INT64_MIN, INT64_MAX};

static const struct {
    struct plain plain;
    const char *text;
} cases[] = {
    {{.secret = "x", .version = 7},
     "{\"kept\":\"\",\"pointer\":\"\",\"np\":null,\"nc\":null,\"nm\":null,\"ratio\":0,"
     "\"color\":\"red\",\"numbers\":null}"},
    {{.omitted = "a",
      .kept = "12345678", /* without a NUL */
      .pointer = "\"",
      .nullable_pointer = "",
      .nullable_chars = "b",
      .moment_ms = -1,
      .nullable_moment_ms = 1,
      .ratio = 0.1,
      .color = BLUE,
      .parts = one_part,
      .part_count = 1,
      .numbers = no_numbers,
      .raw = "{\"x\":[]}"},
     "{\"omitted\":\"a\",\"kept\":\"12345678\",\"pointer\":\"\\\"\",\"np\":\"\",\"nc\":\"b\","
     "\"m\":\"1969-12-31T23:59:59.999Z\",\"nm\":\"1970-01-01T00:00:00.001Z\",\"ratio\":0.1,"
     "\"color\":\"blue\",\"parts\":[{\"label\":\"a\",\"weight\":-1,\"color\":\"blue\"}],"
     "\"numbers\":[],\"raw\":{\"x\":[]}}"},
    {{.kept = "\xff",
      .moment_ms = INT64_MAX,
      .color = 99,
      .numbers = two_numbers,
      .number_count = 2},
     "{\"kept\":\"\xef\xbf\xbd\",\"pointer\":\"\",\"np\":null,\"nc\":null,\"m\":null,\"nm\":null,"
     "\"ratio\":0,\"color\":null,\"numbers\":[-9223372036854775808,9223372036854775807]}"},
};

static void test_structs(void **state)
{
    (void)state;
    assert_null(model_check(&plain_model));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(written(&plain_model, &cases[i].plain), cases[i].text);
}

struct optional {
    int number;
    char text[8];
    struct part part;
    struct model_presence given;
};

static const struct field optional_rows[] = {
    FIELD(struct optional, number, INT, .flags = OMIT_EMPTY | NULLABLE),
    FIELD(struct optional, text, STRING, .flags = OMIT_EMPTY | NULLABLE),
    FIELD(struct optional, part, OBJECT, .model = &part_model, .flags = OMIT_EMPTY),
};
static const struct model optional_model =
    MODEL_WITH_PRESENCE(struct optional, optional_rows, given, NULL);

static void test_presence(void **state)
{
    (void)state;
    static const struct {
        struct optional optional;
        const char *text;
    } rows[] = {
        {{.number = 5, .part = {"x", 1, RED}}, "{}"},
        {{.number = 5, .text = "a", .given.present = 1}, "{\"number\":5,\"text\":\"a\"}"},
        {{.given.present = 7},
         "{\"number\":0,\"part\":{\"label\":\"\",\"weight\":0,"
         "\"color\":\"red\"}}"},
        {{.given = {3, 3}}, "{\"number\":null,\"text\":null}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(written(&optional_model, &rows[i].optional), rows[i].text);
}

static void test_bits_are_set_only_where_they_are(void **state)
{
    (void)state;
    struct plain plain = {.kept = "a", .nullable_chars = "b"};
    const struct field *field = model_find(&plain_model, "nc");
    assert_true(model_is_present(&plain_model, &plain, field));
    assert_false(model_is_null(&plain_model, &plain, field));
    model_set_null(&plain_model, &plain, field);
    assert_true(model_is_null(&plain_model, &plain, field));
    model_set_present(&plain_model, &plain, field);
    assert_true(model_is_null(&plain_model, &plain, field));
    assert_string_equal(plain.kept, "a");
    plain.numbers = two_numbers;
    plain.number_count = 2;
    model_set_null(&plain_model, &plain, model_find(&plain_model, "numbers"));
    assert_null(plain.numbers);
    assert_int_equal(plain.number_count, 0);
}

struct ring {
    struct ring *next;
    size_t next_count;
};

static const struct model ring_model;
static const struct field ring_rows[] = {
    FIELD_ARRAY(struct ring, next, next_count, OBJECT, .model = &ring_model)};
static const struct model ring_model = MODEL(struct ring, ring_rows, NULL);

static void test_struct_that_contains_itself_ends(void **state)
{
    (void)state;
    struct ring ring = {.next_count = 1};
    ring.next = &ring;
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(1 << 20);
    model_write(&ring_model, &ring, &JSON_WRITER(&out));
    assert_int_equal(buf_status(&out), BUF_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_structs),
        cmocka_unit_test(test_presence),
        cmocka_unit_test(test_bits_are_set_only_where_they_are),
        cmocka_unit_test(test_struct_that_contains_itself_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
