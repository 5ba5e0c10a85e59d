/* Looking things up in a table, and the presence bits. */
#include <model/model.h>

#include "member.h"

const char *model_schema_name(const struct model *model)
{
    static const char tag[] = "struct ";
    if (model->schema)
        return model->schema;
    return str_starts_with(model->name, tag) ? model->name + sizeof(tag) - 1 : model->name;
}

const char *model_json_name(const struct field *field)
{
    return field->json ? field->json : field->name;
}

const char *model_column_name(const struct field *field)
{
    return field->column ? field->column : model_json_name(field);
}

const struct field *model_find(const struct model *model, const char *json_name)
{
    return model_find_from(model, 0, json_name);
}

const struct field *model_find_from(const struct model *model, size_t first, const char *json_name)
{
    for (size_t i = 0; i < model->count; i++) {
        size_t row = first + i < model->count ? first + i : first + i - model->count;
        const struct field *field = &model->fields[row];
        if (!(field->flags & COLUMN_ONLY) && str_equal(model_json_name(field), json_name))
            return field;
    }
    return NULL;
}

const struct field *model_find_column(const struct model *model, const char *column)
{
    for (size_t i = 0; i < model->count; i++)
        if (str_equal(model_column_name(&model->fields[i]), column))
            return &model->fields[i];
    return NULL;
}

static struct model_presence *presence_of(const struct model *model, void *object)
{
    if (model->presence_offset == SIZE_MAX)
        return NULL;
    return (void *)((char *)object + model->presence_offset);
}

static const struct model_presence *look_at_presence(const struct model *model, const void *object)
{
    if (model->presence_offset == SIZE_MAX)
        return NULL;
    return (const void *)((const char *)object + model->presence_offset);
}

bool model_is_present(const struct model *model, const void *object, const struct field *field)
{
    const struct model_presence *presence = look_at_presence(model, object);
    return !presence || presence->present & model_bit(model, field);
}

static bool has_null_value(const void *object, const struct field *field)
{
    if (field->type == MODEL_ARRAY)
        return !model_items(object, field).items;
    if (field->storage == MODEL_IN_POINTER)
        return !model_text(object, field).data;
    return model_is_empty(object, field);
}

bool model_is_null(const struct model *model, const void *object, const struct field *field)
{
    if (!(field->flags & NULLABLE))
        return false;
    const struct model_presence *presence = look_at_presence(model, object);
    return presence ? presence->null & model_bit(model, field) : has_null_value(object, field);
}

void model_set_present(const struct model *model, void *object, const struct field *field)
{
    struct model_presence *presence = presence_of(model, object);
    if (!presence)
        return;
    presence->present |= model_bit(model, field);
    presence->null &= ~model_bit(model, field);
}

void model_set_null(const struct model *model, void *object, const struct field *field)
{
    model_clear(object, field);
    model_set_present(model, object, field);
    struct model_presence *presence = presence_of(model, object);
    if (presence)
        presence->null |= model_bit(model, field);
}
