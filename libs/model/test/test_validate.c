/* Structs that were filled by hand are held against the same rules. */
#include "check.h"

#include <math.h>
#include <string.h>

#include <base/str.h>

#include "thing.h"

#define ID "0190163d-8694-739b-aea5-966c26f8ad91"

struct loose {
    char id[UUID_TEXT];
    char name[16];
    const char *note;
    const char *must;
    int64_t count;
    int with_default;
    double ratio;
    bool on;
    int color;
    char mail[EMAIL_TEXT];
    const char *site;
    struct part part;
    struct part *parts;
    size_t part_count;
    const char **mails;
    size_t mail_count;
    int version;
};

static bool check_note(const void *member, const char **out_code, struct buf *out_detail)
{
    const char *note;
    memcpy(&note, member, sizeof(note));
    *out_code = "shouting";
    buf_append_str(out_detail, "must not end with an exclamation mark");
    return !str_ends_with(note, "!");
}

static void check_loose(const void *object, struct err **e)
{
    const struct loose *loose = object;
    if (loose->on && loose->count == 0)
        err_add_field(e, "count", "required", "is required when on");
}

static const struct field loose_rows[] = {
    FIELD(struct loose, id, UUID, .flags = READ_ONLY),
    FIELD(struct loose, name, STRING, .min = 2, .max = 4),
    FIELD(struct loose, note, STRING, .check = check_note),
    FIELD(struct loose, must, STRING, .flags = REQUIRED),
    FIELD(struct loose, count, INT, .min = 5, .max = 9),
    FIELD(struct loose, with_default, INT, .min = 1, .max = 9, .def = "3"),
    FIELD(struct loose, ratio, FLOAT, .fmin = -1, .fmax = 1),
    FIELD(struct loose, on, BOOL),
    FIELD(struct loose, color, ENUM, .values = colors),
    FIELD(struct loose, mail, EMAIL),
    FIELD(struct loose, site, URL),
    FIELD(struct loose, part, OBJECT, .model = &part_model),
    FIELD_ARRAY(struct loose, parts, part_count, OBJECT, .model = &part_model, .min = 1, .max = 2),
    FIELD_ARRAY(struct loose, mails, mail_count, EMAIL),
    FIELD(struct loose, version, INT, .min = 1, .flags = COLUMN_ONLY),
};
static const struct model loose_model = MODEL(struct loose, loose_rows, NULL, .check = check_loose);

/* What model_read() makes of an almost empty object is right. */
#define LEAST .must = "", .with_default = 1

static struct part two_parts[] = {{"a", 1, RED}, {"b", 1001, BLUE}};
static struct part three_parts[3] = {{"a", 1, RED}, {"b", 1, RED}, {"c", 1, RED}};
static const char *two_mails[] = {"a@b.cd", "nobody"};
static const char *no_mail[] = {NULL};

static const struct {
    struct loose loose;
    const char *errors;
} cases[] = {
    {{LEAST}, ""},
    {{.with_default = 1}, "must:required"},
    {{.must = ""}, "with_default:too_small"},
    {{LEAST, .id = ID}, ""},
    {{LEAST, .id = "x"}, "id:invalid_uuid"},
    {{LEAST, .name = "abcd"}, ""},
    {{LEAST, .name = "a"}, "name:too_short"},
    {{LEAST, .name = "abcde"}, "name:too_long"},
    {{LEAST, .name = "0123456789abcdef"}, "name:too_long"}, /* without a NUL */
    {{LEAST, .note = "hey"}, ""},
    {{LEAST, .note = "hey!"}, "note:shouting"},
    {{LEAST, .count = 4}, "count:too_small"},
    {{LEAST, .count = 10}, "count:too_large"},
    {{LEAST, .ratio = 1.01}, "ratio:too_large"},
    {{LEAST, .ratio = -1.01}, "ratio:too_small"},
    {{LEAST, .ratio = (double)NAN}, "ratio:too_small"},
    {{LEAST, .color = BLUE}, ""},
    {{LEAST, .color = BLUE + 1}, "color:not_in_list"},
    {{LEAST, .color = -1}, "color:not_in_list"},
    {{LEAST, .mail = "a@b.cd", .site = "http://a"}, ""},
    {{LEAST, .mail = "a@b", .site = "a"}, "mail:invalid_email site:invalid_url"},
    {{LEAST, .site = ""}, ""},
    {{LEAST, .part = {"a", 1, RED}}, ""},
    {{LEAST, .part = {"", 1, 7}}, "part/label:too_short part/color:not_in_list"},
    {{LEAST, .parts = two_parts, .part_count = 1}, ""},
    {{LEAST, .parts = two_parts, .part_count = 2}, "parts/1/weight:too_large"},
    {{LEAST, .parts = three_parts, .part_count = 3}, "parts:too_many"},
    {{LEAST, .mails = two_mails, .mail_count = 2}, "mails/1:invalid_email"},
    {{LEAST, .mails = no_mail, .mail_count = 1}, "mails/0:invalid_email"},
    {{LEAST, .on = true}, "count:required"},
    {{LEAST, .on = true, .count = 5}, ""},
    {{LEAST, .on = true, .name = "a"}, "name:too_short"},
    {{LEAST, .version = -1}, ""},
};

static void test_structs(void **state)
{
    (void)state;
    assert_null(model_check(&loose_model));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_(err_free) struct err *e = model_validate(&loose_model, &cases[i].loose);
        if (strcmp(field_codes(e), cases[i].errors) != 0)
            fail_msg("row %zu (%s): %s", i, cases[i].errors, field_codes(e));
    }
}

static void test_presence_decides_where_there_is_one(void **state)
{
    (void)state;
    struct place place = {.city = "", .floor = 1000};
    _cleanup_(err_free) struct err *nothing = model_validate(&place_model, &place);
    assert_string_equal(field_codes(nothing), "city:required door/label:too_short");
    str_copy(place.door.label, sizeof(place.door.label), "d");
    model_set_present(&place_model, &place, model_find(&place_model, "city"));
    assert_null(model_validate(&place_model, &place));
    model_set_present(&place_model, &place, model_find(&place_model, "floor"));
    _cleanup_(err_free) struct err *given = model_validate(&place_model, &place);
    assert_string_equal(field_codes(given), "floor:too_large");
    model_set_null(&place_model, &place, model_find(&place_model, "floor"));
    assert_int_equal(place.floor, 0);
    assert_null(model_validate(&place_model, &place));
}

static void test_whatever_was_read_is_valid(void **state)
{
    (void)state;
    static const char *const texts[] = {full_thing, "{\"name\":\"Bob\"}",
                                        "{\"name\":\"Bob\",\"note\":null,\"spare\":null}"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct thing thing;
        _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 20);
        assert_null(model_read(&thing_model, MODEL_READ_TRUSTED, texts[i], strlen(texts[i]), &arena,
                               &thing));
        _cleanup_(err_free) struct err *e = model_validate(&thing_model, &thing);
        assert_string_equal(field_codes(e), "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_structs),
        cmocka_unit_test(test_presence_decides_where_there_is_one),
        cmocka_unit_test(test_whatever_was_read_is_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
