/* Text and numbers of the input become values in the members of structs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <base/str.h>

#include "member.h"
#include "run.h"

bool model_fail_type(const struct model_run *run, const struct model_place *place,
                     const struct field *field)
{
    static const char *const wanted[] = {
        [MODEL_STRING] = "a string",  [MODEL_INT] = "an integer", [MODEL_FLOAT] = "a number",
        [MODEL_BOOL] = "a boolean",   [MODEL_ENUM] = "a string",  [MODEL_TIME] = "a string",
        [MODEL_UUID] = "a string",    [MODEL_EMAIL] = "a string", [MODEL_URL] = "a string",
        [MODEL_OBJECT] = "an object", [MODEL_ARRAY] = "an array", [MODEL_RAW] = "a JSON value",
    };
    return model_fail(run, place, "wrong_type", "must be %s", wanted[field->type]);
}

static bool take_characters(const struct model_run *run, const struct model_place *place,
                            const struct field *field, const char *text, void *object)
{
    size_t len = strlen(text);
    if (field->storage == MODEL_IN_CHARS) {
        if (len >= field->size)
            return model_fail(run, place, "too_long", "must have at most %zu bytes",
                              field->size - 1);
        memset(model_member(object, field), 0, field->size);
        memcpy(model_member(object, field), text, len);
        return true;
    }
    const char *copy = arena_strndup(run->arena, text, len);
    if (!copy)
        return model_fail_memory(run);
    memcpy(model_member(object, field), &copy, sizeof(copy));
    return true;
}

static bool fail_list(const struct model_run *run, const struct model_place *place,
                      const struct field *field)
{
    _cleanup_(buf_deinit) struct buf list = BUF_INIT(ERR_MESSAGE_MAX);
    for (const char *const *value = field->values; *value; value++)
        buf_printf(&list, "%s%s", list.len > 0 ? ", " : "", *value);
    if (buf_status(&list) == BUF_NO_MEMORY)
        return model_fail_memory(run);
    return model_fail(run, place, "not_in_list", "must be one of: %s", buf_text(&list));
}

static bool take_name(const struct model_run *run, const struct model_place *place,
                      const struct field *field, const char *text, void *object)
{
    for (int64_t i = 0; field->values[i]; i++) {
        if (str_equal(field->values[i], text)) {
            model_set_integer(object, field, i);
            return true;
        }
    }
    return fail_list(run, place, field);
}

static bool take_time(const struct model_run *run, const struct model_place *place,
                      const struct field *field, const char *text, void *object)
{
    int64_t time_ms;
    if (!clock_parse(text, strlen(text), &time_ms))
        return model_fail(run, place, "invalid_time",
                          "must be an RFC 3339 date and time, such as 2026-01-02T03:04:05Z");
    model_set_integer(object, field, time_ms);
    return true;
}

bool model_take_text(const struct model_run *run, const struct model_place *place,
                     const struct field *field, const char *text, void *object)
{
    switch (field->type) {
    case MODEL_STRING:
    case MODEL_UUID:
    case MODEL_EMAIL:
    case MODEL_URL:
        return take_characters(run, place, field, text, object);
    case MODEL_ENUM:
        return take_name(run, place, field, text, object);
    case MODEL_TIME:
        return take_time(run, place, field, text, object);
    case MODEL_INT:
    case MODEL_FLOAT:
    case MODEL_BOOL:
    case MODEL_OBJECT:
    case MODEL_ARRAY:
    case MODEL_RAW:
        break;
    }
    return model_fail_type(run, place, field);
}

static bool take_integer(const struct model_run *run, const struct model_place *place,
                         const struct field *field, const char *text, void *object)
{
    if (strpbrk(text, ".eE"))
        return model_fail(run, place, "not_exact",
                          "must be an integer, written without fraction and exponent");
    int64_t number = 0;
    bool is_zero = str_equal(text, "-0");
    if (!is_zero && !parse_i64(text, INT64_MIN, INT64_MAX, &number))
        return model_fail_range(run, place, field, *text == '-');
    if (!model_check_integer(run, place, field, number)) /* before it is cut to the storage */
        return false;
    model_set_integer(object, field, number);
    return true;
}

static bool take_real(const struct model_run *run, const struct model_place *place,
                      const struct field *field, const char *text, void *object)
{
    double number = strtod(text, NULL);
    if (!isfinite(number))
        return model_fail(run, place, *text == '-' ? "too_small" : "too_large",
                          "must be within the range of a double");
    memcpy(model_member(object, field), &number, sizeof(number));
    return true;
}

bool model_take_number(const struct model_run *run, const struct model_place *place,
                       const struct field *field, const char *number, void *object)
{
    if (field->type == MODEL_INT)
        return take_integer(run, place, field, number, object);
    if (field->type == MODEL_FLOAT)
        return take_real(run, place, field, number, object);
    return model_fail_type(run, place, field);
}

bool model_take_bool(const struct model_run *run, const struct model_place *place,
                     const struct field *field, bool truth, void *object)
{
    if (field->type != MODEL_BOOL)
        return model_fail_type(run, place, field);
    *(bool *)model_member(object, field) = truth;
    return true;
}
