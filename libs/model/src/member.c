#include "member.h"

#include <math.h>
#include <string.h>

struct str model_text(const void *object, const struct field *field)
{
    const void *member = model_member_const(object, field);
    if (field->storage == MODEL_IN_CHARS)
        return (struct str){member, strnlen(member, field->size)};
    const char *text;
    memcpy(&text, member, sizeof(text));
    return (struct str){text, text ? strlen(text) : 0};
}

int64_t model_integer(const void *object, const struct field *field)
{
    int64_t wide;
    int narrow;
    if (field->size == sizeof(wide)) {
        memcpy(&wide, model_member_const(object, field), sizeof(wide));
        return wide;
    }
    memcpy(&narrow, model_member_const(object, field), sizeof(narrow));
    return narrow;
}

void model_set_integer(void *object, const struct field *field, int64_t number)
{
    int narrow = (int)number;
    if (field->size == sizeof(number))
        memcpy(model_member(object, field), &number, sizeof(number));
    else
        memcpy(model_member(object, field), &narrow, sizeof(narrow));
}

double model_real(const void *object, const struct field *field)
{
    double number;
    memcpy(&number, model_member_const(object, field), sizeof(number));
    return number;
}

struct model_items model_items(const void *object, const struct field *field)
{
    struct model_items items;
    memcpy(&items.items, model_member_const(object, field), sizeof(items.items));
    memcpy(&items.count, (const char *)object + field->count_offset, sizeof(items.count));
    return items;
}

void model_set_items(void *object, const struct field *field, struct model_items items)
{
    memcpy(model_member(object, field), &items.items, sizeof(items.items));
    memcpy((char *)object + field->count_offset, &items.count, sizeof(items.count));
}

struct field model_item_field(const struct field *array, size_t index)
{
    return (struct field){
        .name = array->name,
        .type = array->item,
        .storage = array->item_storage,
        .offset = index * array->item_size,
        .size = array->item_size,
        .values = array->values,
        .model = array->model,
    };
}

static bool is_zero(const char *bytes, size_t count)
{
    while (count > 0 && *bytes == 0) {
        bytes++;
        count--;
    }
    return count == 0;
}

bool model_is_empty(const void *object, const struct field *field)
{
    switch (field->type) {
    case MODEL_STRING:
    case MODEL_UUID:
    case MODEL_EMAIL:
    case MODEL_URL:
    case MODEL_RAW:
        return model_text(object, field).len == 0;
    case MODEL_ARRAY:
        return model_items(object, field).count == 0;
    case MODEL_INT:
    case MODEL_FLOAT:
    case MODEL_BOOL:
    case MODEL_ENUM:
    case MODEL_TIME:
    case MODEL_OBJECT:
        break;
    }
    return is_zero(model_member_const(object, field), field->size);
}

void model_clear(void *object, const struct field *field)
{
    memset(model_member(object, field), 0, field->size);
    if (field->type == MODEL_ARRAY)
        model_set_items(object, field, (struct model_items){0});
}

bool model_has_null_value(const struct field *field)
{
    switch (field->type) {
    case MODEL_STRING:
    case MODEL_UUID:
    case MODEL_EMAIL:
    case MODEL_URL:
    case MODEL_RAW:
    case MODEL_ARRAY:
    case MODEL_TIME:
        return true;
    case MODEL_INT:
    case MODEL_FLOAT:
    case MODEL_BOOL:
    case MODEL_ENUM:
    case MODEL_OBJECT:
        break;
    }
    return false;
}

struct model_range model_storage_range(const struct field *field)
{
    if (field->type != MODEL_INT)
        return (struct model_range){0, INT64_MAX};
    if (field->size == sizeof(int))
        return (struct model_range){INT32_MIN, INT32_MAX};
    return (struct model_range){INT64_MIN, INT64_MAX};
}

struct model_range model_range(const struct field *field)
{
    struct model_range range = model_storage_range(field);
    if (field->min != 0 || field->max != 0)
        range.min = field->min;
    if (field->max != 0 || field->min < 0)
        range.max = field->max;
    return range;
}

struct model_real_range model_real_range(const struct field *field)
{
    struct model_real_range range = {-HUGE_VAL, HUGE_VAL};
    bool has_max = field->fmax > 0 || field->fmax < 0 || field->fmin < 0;
    if (has_max || field->fmin > 0)
        range.min = field->fmin;
    if (has_max)
        range.max = field->fmax;
    return range;
}
