#include <base/clock.h>

#include "member.h"

static void write_value(const struct field *field, const void *object, struct json_writer *w);

static void write_time(int64_t time_ms, struct json_writer *w)
{
    char text[CLOCK_TEXT];
    clock_format(time_ms, text);
    json_write_string(w, *text ? text : NULL);
}

/* An index beyond the list is a fault of the program; null says so without a read beyond the list.
 */
static void write_name(const struct field *field, int64_t index, struct json_writer *w)
{
    const char *name = NULL;
    for (int64_t i = 0; field->values[i]; i++)
        if (i == index)
            name = field->values[i];
    json_write_string(w, name);
}

static void write_text(struct str text, struct json_writer *w)
{
    json_write_string_n(w, text.data ? text.data : "", text.len);
}

static void write_raw(struct str text, struct json_writer *w)
{
    if (text.len > 0)
        json_write_raw(w, text.data, text.len);
    else
        json_write_null(w);
}

/* A struct that leads to itself through arrays ends where the writer fails. */
static void write_array(const struct field *field, const void *object, struct json_writer *w)
{
    struct model_items items = model_items(object, field);
    json_begin_array(w);
    for (size_t i = 0; i < items.count && buf_status(w->out) == BUF_OK; i++) {
        struct field item = model_item_field(field, i);
        write_value(&item, items.items, w);
    }
    json_end_array(w);
}

static void write_value(const struct field *field, const void *object, struct json_writer *w)
{
    switch (field->type) {
    case MODEL_STRING:
    case MODEL_UUID:
    case MODEL_EMAIL:
    case MODEL_URL:
        write_text(model_text(object, field), w);
        break;
    case MODEL_INT:
        json_write_i64(w, model_integer(object, field));
        break;
    case MODEL_FLOAT:
        json_write_f64(w, model_real(object, field));
        break;
    case MODEL_BOOL:
        json_write_bool(w, *(const bool *)model_member_const(object, field));
        break;
    case MODEL_ENUM:
        write_name(field, model_integer(object, field), w);
        break;
    case MODEL_TIME:
        write_time(model_integer(object, field), w);
        break;
    case MODEL_OBJECT:
        model_write(field->model, model_member_const(object, field), w);
        break;
    case MODEL_ARRAY:
        write_array(field, object, w);
        break;
    case MODEL_RAW:
        write_raw(model_text(object, field), w);
        break;
    }
}

static bool is_omitted(const struct model *model, const struct field *field, const void *object)
{
    if (field->flags & (WRITE_ONLY | COLUMN_ONLY))
        return true;
    bool is_null_by_bit = model->presence_offset != SIZE_MAX && model_is_null(model, object, field);
    if (!(field->flags & OMIT_EMPTY) || is_null_by_bit)
        return false;
    return model_has_null_value(field) ? model_is_empty(object, field)
                                       : !model_is_present(model, object, field);
}

void model_write(const struct model *model, const void *object, struct json_writer *w)
{
    json_begin_object(w);
    for (size_t i = 0; i < model->count; i++) {
        const struct field *field = &model->fields[i];
        if (is_omitted(model, field, object))
            continue;
        json_write_name(w, model_json_name(field));
        if (model_is_null(model, object, field))
            json_write_null(w);
        else
            write_value(field, object, w);
    }
    json_end_object(w);
}
