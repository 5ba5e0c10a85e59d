/* JSON values into structs. Recursion ends with the document, whose depth is bounded. */
#include "run.h"

#include <string.h>

#include "member.h"

static bool read_object(const struct model_run *run, const struct model_place *place,
                        const struct model *model, const struct json_value *value, void *object);

/* Compact, in the arena. */
static bool take_raw(const struct model_run *run, const struct field *field,
                     const struct json_value *value, void *object)
{
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(run->arena->max_bytes);
    json_write_value(&JSON_WRITER(&text), value);
    char *copy =
        buf_status(&text) == BUF_OK ? arena_strndup(run->arena, text.data, text.len) : NULL;
    if (!copy)
        return model_fail_memory(run);
    memcpy(model_member(object, field), &copy, sizeof(copy));
    return true;
}

static bool take_array(const struct model_run *run, const struct model_place *place,
                       const struct field *field, const struct json_value *value, void *object)
{
    if (!json_is(value, JSON_ARRAY))
        return model_fail_type(run, place, field);
    struct model_items items = {.count = json_count(value)};
    if (!model_check_count(run, place, field, items.count))
        return false;
    items.items = arena_calloc(run->arena, items.count, field->item_size);
    if (!items.items)
        return model_fail_memory(run);
    struct model_run whole = *run;
    if (run->mode == MODEL_PATCH)
        whole.mode = MODEL_READ;
    bool ok = true;
    struct model_place item_place = {.up = place};
    json_foreach (element, value) {
        struct field item = model_item_field(field, item_place.index);
        if (json_is(element, JSON_NULL))
            ok = model_fail(run, &item_place, "null", "must not be null");
        else
            ok = model_read_member(&whole, &item_place, &item, element, items.items) && ok;
        item_place.index++;
    }
    model_set_items(object, field, items);
    return ok;
}

/* A value other than null, without the limits of the row. */
static bool take_value(const struct model_run *run, const struct model_place *place,
                       const struct field *field, const struct json_value *value, void *object)
{
    bool truth;
    if (field->type == MODEL_RAW)
        return take_raw(run, field, value, object);
    if (field->type == MODEL_ARRAY)
        return take_array(run, place, field, value, object);
    if (field->type == MODEL_OBJECT)
        return read_object(run, place, field->model, value, model_member(object, field));
    if (json_is(value, JSON_STRING))
        return model_take_text(run, place, field, json_string(value), object);
    if (json_is(value, JSON_NUMBER))
        return model_take_number(run, place, field, json_number(value), object);
    if (json_bool(value, &truth))
        return model_take_bool(run, place, field, truth, object);
    return model_fail_type(run, place, field);
}

bool model_read_member(const struct model_run *run, const struct model_place *place,
                       const struct field *field, const struct json_value *value, void *object)
{
    return take_value(run, place, field, value, object) &&
           model_check_limits(run, place, field, object);
}

bool model_read_absent(const struct model_run *run, const struct model_place *place,
                       const struct field *field, void *object)
{
    if (field->def) {
        _cleanup_(json_free) struct json_doc *doc = NULL;
        _cleanup_(err_free) struct err *e = json_parse(field->def, strlen(field->def), &doc);
        if (e) /* model_check() has parsed it before */
            return model_fail_memory(run);
        return model_read_member(run, place, field, json_root(doc), object);
    }
    bool can_be_given = run->mode == MODEL_READ_TRUSTED || !(field->flags & READ_ONLY);
    if (field->flags & REQUIRED && can_be_given)
        return model_fail(run, place, "required", "is required");
    return true;
}

static bool read_row(const struct model_run *run, const struct model_place *place,
                     const struct model *model, const struct field *field,
                     const struct json_value *value, void *object)
{
    if (field->flags & COLUMN_ONLY)
        return true;
    if (!value)
        return run->mode == MODEL_PATCH || model_read_absent(run, place, field, object);
    if (field->flags & READ_ONLY && run->mode != MODEL_READ_TRUSTED)
        return model_fail(run, place, "read_only", "cannot be set");
    if (json_is(value, JSON_NULL)) {
        if (!(field->flags & NULLABLE))
            return model_fail(run, place, "null", "must not be null");
        model_set_null(model, object, field);
        return true;
    }
    struct model_run whole = *run;
    if (run->mode == MODEL_PATCH && model_is_null(model, object, field)) {
        whole.mode = MODEL_READ; /* there is nothing yet that could be patched */
        model_clear(object, field);
    }
    if (!model_read_member(&whole, place, field, value, object))
        return false;
    model_set_present(model, object, field);
    return true;
}

/* Puts the members into their rows. Returns how many have none. */
static size_t sort_members(const struct model *model, const struct json_value *object,
                           const struct json_value **out_rows)
{
    size_t unknown = 0, next = 0;
    json_foreach (member, object) {
        const struct field *field = model_find_from(model, next, json_name(member));
        if (!field) {
            unknown++;
            continue;
        }
        next = (size_t)(field - model->fields);
        out_rows[next++] = member;
    }
    return unknown;
}

static void refuse_unknown(const struct model_run *run, const struct model_place *place,
                           const struct model *model, const struct json_value *object)
{
    json_foreach (member, object) {
        const struct model_place member_place = {.up = place, .name = json_name(member)};
        if (!model_find(model, json_name(member)))
            model_fail(run, &member_place, "unknown", "is not a field of %s",
                       model_schema_name(model));
    }
}

static bool read_object(const struct model_run *run, const struct model_place *place,
                        const struct model *model, const struct json_value *value, void *object)
{
    if (!json_is(value, JSON_OBJECT))
        return model_fail(run, place, "wrong_type", "must be an object");
    const struct json_value *members[MODEL_FIELDS_MAX] = {0};
    size_t unknown = sort_members(model, value, members);
    bool ok = true;
    for (size_t i = 0; i < model->count; i++) {
        const struct field *field = &model->fields[i];
        const struct model_place row_place = {.up = place, .name = model_json_name(field)};
        ok = read_row(run, &row_place, model, field, members[i], object) && ok;
    }
    if (unknown > 0 && run->mode != MODEL_READ_TRUSTED) {
        refuse_unknown(run, place, model, value);
        return false;
    }
    return ok && model_run_check(run, place, model, object);
}

struct err *model_read_value(const struct model *model, enum model_mode mode,
                             const struct json_value *value, struct arena *arena, void *out)
{
    void *scratch = arena_alloc(arena, model->size);
    if (!scratch)
        return err_oom();
    if (mode == MODEL_PATCH)
        memcpy(scratch, out, model->size);
    struct err *errors = NULL;
    const struct model_run run = {.mode = mode, .arena = arena, .errors = &errors};
    if (read_object(&run, NULL, model, value, scratch))
        memcpy(out, scratch, model->size);
    return errors;
}

struct err *model_read(const struct model *model, enum model_mode mode, const char *text,
                       size_t len, struct arena *arena, void *out)
{
    _cleanup_(json_free) struct json_doc *doc = NULL;
    TRY(json_parse(text, len, &doc));
    return model_read_value(model, mode, json_root(doc), arena, out);
}
