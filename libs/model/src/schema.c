/* Tables as JSON Schema 2020-12, in the form that OpenAPI 3.1 takes. */
#include <math.h>
#include <string.h>

#include "member.h"
#include "syntax.h"

static void write_object_keys(const struct model *model, bool for_patch, bool is_nullable,
                              struct json_writer *w);
static void write_field(const struct field *field, bool for_patch, struct json_writer *w);

static void write_pair(struct json_writer *w, const char *name, const char *text)
{
    json_write_name(w, name);
    json_write_string(w, text);
}

static void write_type(const char *type, bool is_nullable, struct json_writer *w)
{
    json_write_name(w, "type");
    if (!is_nullable) {
        json_write_string(w, type);
        return;
    }
    json_begin_array(w);
    json_write_string(w, type);
    json_write_string(w, "null");
    json_end_array(w);
}

static void write_limit(struct json_writer *w, const char *name, int64_t limit, int64_t none)
{
    if (limit == none)
        return;
    json_write_name(w, name);
    json_write_i64(w, limit);
}

static void write_real_limit(struct json_writer *w, const char *name, double limit)
{
    if (isinf(limit))
        return;
    json_write_name(w, name);
    json_write_f64(w, limit);
}

/* The upper limit is at most what the storage and the syntax leave room for. */
static void write_string(const struct field *field, bool is_nullable, struct json_writer *w)
{
    struct model_range range = model_range(field);
    if (field->storage == MODEL_IN_CHARS)
        range.max = MIN(range.max, (int64_t)field->size - 1);
    write_type("string", is_nullable, w);
    if (field->type == MODEL_EMAIL) {
        write_pair(w, "format", "email");
        range.max = MIN(range.max, MODEL_EMAIL_MAX);
    } else if (field->type == MODEL_URL) {
        write_pair(w, "format", "uri");
        range.max = MIN(range.max, MODEL_URL_MAX);
    }
    write_limit(w, "minLength", range.min, 0);
    write_limit(w, "maxLength", range.max, INT64_MAX);
}

static void write_formatted_string(const char *format, bool is_nullable, struct json_writer *w)
{
    write_type("string", is_nullable, w);
    write_pair(w, "format", format);
}

static void write_integer(const struct field *field, bool is_nullable, struct json_writer *w)
{
    struct model_range range = model_range(field);
    struct model_range widest = model_storage_range(field);
    write_type("integer", is_nullable, w);
    write_pair(w, "format", field->size == sizeof(int) ? "int32" : "int64");
    write_limit(w, "minimum", range.min, widest.min);
    write_limit(w, "maximum", range.max, widest.max);
}

static void write_number(const struct field *field, bool is_nullable, struct json_writer *w)
{
    struct model_real_range range = model_real_range(field);
    write_type("number", is_nullable, w);
    write_real_limit(w, "minimum", range.min);
    write_real_limit(w, "maximum", range.max);
}

static void write_enum(const struct field *field, bool is_nullable, struct json_writer *w)
{
    write_type("string", is_nullable, w);
    json_write_name(w, "enum");
    json_begin_array(w);
    for (const char *const *value = field->values; *value; value++)
        json_write_string(w, *value);
    if (is_nullable)
        json_write_null(w);
    json_end_array(w);
}

static void write_reference(const struct model *model, struct json_writer *w)
{
    json_write_name(w, "$ref");
    _cleanup_(buf_deinit) struct buf path = BUF_INIT(512);
    buf_printf(&path, "#/components/schemas/%s", model_schema_name(model));
    json_write_string(w, buf_text(&path));
}

static void write_object(const struct field *field, bool for_patch, bool is_nullable,
                         struct json_writer *w)
{
    if (for_patch) {
        write_object_keys(field->model, for_patch, is_nullable, w);
    } else if (is_nullable) {
        json_write_name(w, "anyOf");
        json_begin_array(w);
        json_begin_object(w);
        write_reference(field->model, w);
        json_end_object(w);
        json_begin_object(w);
        write_type("null", false, w);
        json_end_object(w);
        json_end_array(w);
    } else {
        write_reference(field->model, w);
    }
}

/* Items are read whole, in a patch too. */
static void write_array(const struct field *field, bool is_nullable, struct json_writer *w)
{
    struct model_range range = model_range(field);
    struct field item = model_item_field(field, 0);
    write_type("array", is_nullable, w);
    json_write_name(w, "items");
    write_field(&item, false, w);
    write_limit(w, "minItems", range.min, 0);
    write_limit(w, "maxItems", range.max, INT64_MAX);
}

static void write_type_keys(const struct field *field, bool for_patch, struct json_writer *w)
{
    bool is_nullable = field->flags & NULLABLE;
    switch (field->type) {
    case MODEL_STRING:
    case MODEL_EMAIL:
    case MODEL_URL:
        write_string(field, is_nullable, w);
        break;
    case MODEL_UUID:
        write_formatted_string("uuid", is_nullable, w);
        break;
    case MODEL_TIME:
        write_formatted_string("date-time", is_nullable, w);
        break;
    case MODEL_INT:
        write_integer(field, is_nullable, w);
        break;
    case MODEL_FLOAT:
        write_number(field, is_nullable, w);
        break;
    case MODEL_BOOL:
        write_type("boolean", is_nullable, w);
        break;
    case MODEL_ENUM:
        write_enum(field, is_nullable, w);
        break;
    case MODEL_OBJECT:
        write_object(field, for_patch, is_nullable, w);
        break;
    case MODEL_ARRAY:
        write_array(field, is_nullable, w);
        break;
    case MODEL_RAW:
        break;
    }
}

static void write_field(const struct field *field, bool for_patch, struct json_writer *w)
{
    json_begin_object(w);
    write_type_keys(field, for_patch, w);
    if (field->def && !for_patch) {
        json_write_name(w, "default");
        json_write_raw(w, field->def, strlen(field->def));
    }
    if (field->doc)
        write_pair(w, "description", field->doc);
    if (field->example) {
        json_write_name(w, "examples");
        json_begin_array(w);
        json_write_raw(w, field->example, strlen(field->example));
        json_end_array(w);
    }
    if (field->flags & (READ_ONLY | WRITE_ONLY)) {
        json_write_name(w, field->flags & READ_ONLY ? "readOnly" : "writeOnly");
        json_write_bool(w, true);
    }
    json_end_object(w);
}

static void write_required(const struct model *model, struct json_writer *w)
{
    bool has_any = false;
    for (size_t i = 0; i < model->count; i++) {
        const struct field *field = &model->fields[i];
        if (!(field->flags & REQUIRED) || field->flags & COLUMN_ONLY)
            continue;
        if (!has_any) {
            json_write_name(w, "required");
            json_begin_array(w);
        }
        has_any = true;
        json_write_string(w, model_json_name(field));
    }
    if (has_any)
        json_end_array(w);
}

static void write_object_keys(const struct model *model, bool for_patch, bool is_nullable,
                              struct json_writer *w)
{
    write_type("object", is_nullable, w);
    json_write_name(w, "properties");
    json_begin_object(w);
    for (size_t i = 0; i < model->count; i++) {
        const struct field *field = &model->fields[i];
        if (field->flags & COLUMN_ONLY)
            continue;
        json_write_name(w, model_json_name(field));
        write_field(field, for_patch, w);
    }
    json_end_object(w);
    if (!for_patch)
        write_required(model, w);
    json_write_name(w, "additionalProperties");
    json_write_bool(w, false);
}

void model_write_schema(const struct model *model, bool for_patch, struct json_writer *w)
{
    json_begin_object(w);
    if (model->doc)
        write_pair(w, "description", model->doc);
    write_object_keys(model, for_patch, false, w);
    json_end_object(w);
}

void model_write_field_schema(const struct field *field, struct json_writer *w)
{
    write_field(field, false, w);
}
