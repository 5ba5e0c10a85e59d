#include "thing.h"

#include "check.h"

#include <base/str.h>

const char *const colors[] = {"red", "green", "blue", NULL};

static const struct field part_fields[] = {
    FIELD(struct part, label, STRING, .flags = REQUIRED, .min = 1, .max = 5),
    FIELD(struct part, weight, INT, .min = -5, .max = 1000, .def = "7"),
    FIELD(struct part, color, ENUM, .values = colors, .def = "\"green\""),
};
const struct model part_model = MODEL(struct part, part_fields, "A part of a thing");

static void check_place(const void *object, struct err **e)
{
    const struct place *place = object;
    if (str_equal(place->city, "Nowhere") && place->street)
        err_add_field(e, "street", "no_such_street", "Nowhere has no streets");
    if (str_equal(place->city, "Void"))
        err_add_field(e, "", "no_such_place", "is not on the map");
}

static const struct field place_fields[] = {
    FIELD(struct place, city, STRING, .flags = REQUIRED, .max = 20),
    FIELD(struct place, street, STRING, .flags = NULLABLE),
    FIELD(struct place, floor, INT, .flags = NULLABLE, .min = -3, .max = 99),
    FIELD(struct place, door, OBJECT, .model = &part_model, .def = "{\"label\":\"door\"}"),
};
const struct model place_model = MODEL_WITH_PRESENCE(struct place, place_fields, given,
                                                     "Where things are", .check = check_place);

static bool check_name(const void *member, const char **out_code, struct buf *out_detail)
{
    if (!str_equal(member, "admin") && !str_equal(member, "root"))
        return true;
    if (str_equal(member, "admin")) {
        *out_code = "reserved";
        buf_append_str(out_detail, "is kept for others");
    }
    return false;
}

static const struct field thing_fields[] = {
    FIELD(struct thing, id, UUID, .flags = READ_ONLY),
    FIELD(struct thing, name, STRING, .flags = REQUIRED, .min = 2, .max = 10, .check = check_name,
          .doc = "What it is called", .example = "\"Bob\""),
    FIELD(struct thing, note, STRING, .flags = NULLABLE | OMIT_EMPTY),
    FIELD(struct thing, small, INT, .min = 1, .max = 100, .def = "50"),
    FIELD(struct thing, big, INT),
    FIELD(struct thing, ratio, FLOAT, .fmin = -1.5, .fmax = 1.5),
    FIELD(struct thing, on, BOOL, .def = "true"),
    FIELD(struct thing, color, ENUM, .values = colors, .flags = NULLABLE, .doc = "Paint"),
    FIELD(struct thing, made_ms, TIME, .json = "made_at", .flags = OMIT_EMPTY),
    FIELD(struct thing, mail, EMAIL, .flags = OMIT_EMPTY),
    FIELD(struct thing, site, URL, .flags = OMIT_EMPTY),
    FIELD(struct thing, place, OBJECT, .model = &place_model, .doc = "Where it is"),
    FIELD(struct thing, spare, OBJECT, .model = &place_model, .flags = NULLABLE),
    FIELD_ARRAY(struct thing, parts, part_count, OBJECT, .model = &part_model, .max = 3),
    FIELD_ARRAY(struct thing, tags, tag_count, STRING, .min = 1, .flags = OMIT_EMPTY),
    FIELD_ARRAY(struct thing, numbers, number_count, INT, .flags = NULLABLE),
    FIELD(struct thing, raw, RAW, .flags = NULLABLE),
    FIELD(struct thing, password, STRING, .flags = WRITE_ONLY),
    FIELD(struct thing, version, INT, .flags = COLUMN_ONLY, .column = "row_version"),
};
const struct model thing_model =
    MODEL_WITH_PRESENCE(struct thing, thing_fields, given, "Anything at all");

const char full_thing[] =
    "{\"id\":\"0190163d-8694-739b-aea5-966c26f8ad91\",\"name\":\"Bob \\u00e9\\ud83d\\ude00\","
    "\"note\":\"a\\nb\",\"small\":100,\"big\":-9223372036854775808,\"ratio\":-0.1,\"on\":false,"
    "\"color\":\"blue\",\"made_at\":\"2026-01-02T03:04:05.678Z\",\"mail\":\"a.b+c@example.org\","
    "\"site\":\"https://example.org/x?y=%20#z\","
    "\"place\":{\"city\":\"Rome\",\"street\":\"Via\",\"floor\":-3,"
    "\"door\":{\"label\":\"oak\",\"weight\":-5,\"color\":\"red\"}},"
    "\"spare\":{\"city\":\"\",\"street\":null,\"floor\":null,"
    "\"door\":{\"label\":\"d\",\"weight\":1000,\"color\":\"green\"}},"
    "\"parts\":[{\"label\":\"one\",\"weight\":1,\"color\":\"red\"},"
    "{\"label\":\"two\",\"weight\":2,\"color\":\"blue\"}],"
    "\"tags\":[\"x\",\"\",\"\\u20ac\"],\"numbers\":[9007199254740993,0,-1],"
    "\"raw\":{\"any\":[1.50,null,{\"deep\":\"\\\"\"}]}}";

const char *field_codes(const struct err *e)
{
    static char text[4096];
    struct buf list = {.data = text, .cap = sizeof(text), .max = sizeof(text) - 1};
    text[0] = '\0';
    const struct err_field *rows;
    size_t count = err_fields(e, &rows);
    if (e && count == 0)
        return err_kind(e)->slug;
    if (e)
        assert_ptr_equal(err_kind(e), &ERR_INVALID_REQUEST);
    for (size_t i = 0; i < count; i++) {
        assert_true(*rows[i].detail);
        buf_printf(&list, "%s%s:%s", i > 0 ? " " : "", rows[i].field, rows[i].code);
    }
    return text;
}

const char *written(const struct model *model, const void *object)
{
    static char text[4096];
    struct buf out = {.data = text, .cap = sizeof(text), .max = sizeof(text) - 1};
    text[0] = '\0';
    model_write(model, object, &JSON_WRITER(&out));
    assert_int_equal(buf_status(&out), BUF_OK);
    return text;
}
