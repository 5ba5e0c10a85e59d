/* The checks of reading, on structs that were filled otherwise. */
#include "member.h"
#include "run.h"

static bool validate_object(const struct model_run *run, const struct model_place *place,
                            const struct model *model, const void *object);

static bool validate_array(const struct model_run *run, const struct model_place *place,
                           const struct field *field, const void *object);

static bool validate_value(const struct model_run *run, const struct model_place *place,
                           const struct field *field, const void *object)
{
    if (field->type == MODEL_ARRAY && !validate_array(run, place, field, object))
        return false;
    if (field->type == MODEL_OBJECT &&
        !validate_object(run, place, field->model, model_member_const(object, field)))
        return false;
    return model_check_limits(run, place, field, object);
}

static bool validate_array(const struct model_run *run, const struct model_place *place,
                           const struct field *field, const void *object)
{
    struct model_items items = model_items(object, field);
    if (!model_check_count(run, place, field, items.count))
        return false;
    bool ok = true;
    for (size_t i = 0; i < items.count; i++) {
        const struct model_place item_place = {.up = place, .index = i};
        struct field item = model_item_field(field, i);
        ok = validate_value(run, &item_place, &item, items.items) && ok;
    }
    return ok;
}

static bool is_absent(const struct model *model, const struct field *field, const void *object)
{
    if (field->storage == MODEL_IN_POINTER && !model_text(object, field).data)
        return true;
    if (!model_is_present(model, object, field))
        return !field->def;
    return model->presence_offset == SIZE_MAX && !(field->flags & REQUIRED) && !field->def &&
           model_is_empty(object, field);
}

static bool validate_row(const struct model_run *run, const struct model_place *place,
                         const struct model *model, const struct field *field, const void *object)
{
    if (field->flags & COLUMN_ONLY || model_is_null(model, object, field))
        return true;
    if (!is_absent(model, field, object))
        return validate_value(run, place, field, object);
    if (field->flags & REQUIRED && !(field->flags & READ_ONLY))
        return model_fail(run, place, "required", "is required");
    return true;
}

static bool validate_object(const struct model_run *run, const struct model_place *place,
                            const struct model *model, const void *object)
{
    bool ok = true;
    for (size_t i = 0; i < model->count; i++) {
        const struct field *field = &model->fields[i];
        const struct model_place row_place = {.up = place, .name = model_json_name(field)};
        ok = validate_row(run, &row_place, model, field, object) && ok;
    }
    return ok && model_run_check(run, place, model, object);
}

struct err *model_validate(const struct model *model, const void *object)
{
    struct err *errors = NULL;
    const struct model_run run = {.mode = MODEL_READ, .errors = &errors};
    validate_object(&run, NULL, model, object);
    return errors;
}
