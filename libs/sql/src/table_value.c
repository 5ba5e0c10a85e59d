/* Between members of structs, parameters of statements, and text that clients send. */
#include <string.h>

#include <base/str.h>

#include "table.h"

enum sql_type sql_column_type(const struct field *field)
{
    switch (field->type) {
    case MODEL_INT:
    case MODEL_TIME:
        return SQL_TYPE_I64;
    case MODEL_FLOAT:
        return SQL_TYPE_F64;
    case MODEL_BOOL:
        return SQL_TYPE_BOOL;
    case MODEL_STRING:
    case MODEL_ENUM:
    case MODEL_UUID:
    case MODEL_EMAIL:
    case MODEL_URL:
    case MODEL_RAW:
        return SQL_TYPE_TEXT;
    case MODEL_OBJECT:
    case MODEL_ARRAY:
        break;
    }
    return SQL_TYPE_NULL;
}

bool sql_is_column(const struct field *field)
{
    return sql_column_type(field) != SQL_TYPE_NULL;
}

bool sql_is_read(const struct field *field)
{
    return sql_is_column(field) && !(field->flags & WRITE_ONLY);
}

bool sql_is_plain_text(const struct field *field)
{
    return sql_column_type(field) == SQL_TYPE_TEXT && field->type != MODEL_UUID &&
           field->type != MODEL_ENUM;
}

struct err *sql_find_column(const struct sql_table *table, const char *name,
                            const struct field **out_field)
{
    const struct field *field = model_find_column(table->model, name);
    if (!field || !sql_is_column(field))
        return err_new(&SQL_FAILED, "table %s has no column %s", table->name, name);
    *out_field = field;
    return NULL;
}

/* --- members --- */

static const void *member_of(const struct field *field, const void *row)
{
    return (const char *)row + field->offset;
}

int64_t sql_member_i64(const struct field *field, const void *row)
{
    int64_t wide = 0;
    int narrow = 0;
    if (field->size == sizeof(wide)) {
        memcpy(&wide, member_of(field, row), sizeof(wide));
        return wide;
    }
    memcpy(&narrow, member_of(field, row), sizeof(narrow));
    return narrow;
}

void sql_member_set_i64(const struct field *field, int64_t number, void *row)
{
    int narrow = (int)number;
    char *member = (char *)row + field->offset;
    if (field->size == sizeof(number))
        memcpy(member, &number, sizeof(number));
    else
        memcpy(member, &narrow, sizeof(narrow));
}

static struct sql_value text_value(const struct field *field, const void *row)
{
    const char *text = member_of(field, row);
    if (field->storage == MODEL_IN_CHARS)
        return SQL_TEXTN(text, strnlen(text, field->size));
    memcpy(&text, member_of(field, row), sizeof(text));
    return SQL_TEXT(text);
}

static struct err *enum_value(const struct field *field, const void *row,
                              struct sql_value *out_value)
{
    int64_t index = sql_member_i64(field, row);
    for (int64_t i = 0; field->values[i]; i++) {
        if (i == index) {
            *out_value = SQL_TEXT(field->values[i]);
            return NULL;
        }
    }
    return err_new(&SQL_FAILED, "column %s has no name for its value", model_column_name(field));
}

struct err *sql_member_value(const struct model *model, const struct field *field, const void *row,
                             struct sql_value *out_value)
{
    double real = 0;
    bool truth = false;
    if (field->type == MODEL_ENUM && !model_is_null(model, row, field))
        return enum_value(field, row, out_value);
    struct sql_value value = SQL_NULL;
    switch (model_is_null(model, row, field) ? SQL_TYPE_NULL : sql_column_type(field)) {
    case SQL_TYPE_I64:
        value = SQL_I64(sql_member_i64(field, row));
        break;
    case SQL_TYPE_F64:
        memcpy(&real, member_of(field, row), sizeof(real));
        value = SQL_F64(real);
        break;
    case SQL_TYPE_BOOL:
        memcpy(&truth, member_of(field, row), sizeof(truth));
        value = SQL_BOOL(truth);
        break;
    case SQL_TYPE_TEXT:
        value = text_value(field, row);
        break;
    case SQL_TYPE_NULL:
    case SQL_TYPE_BLOB:
        break;
    }
    *out_value = value;
    return NULL;
}

/* --- what clients send --- */

/* Through the model: by the rules, and with the errors, of an input field of this type. */
static struct err *read_text(const struct field *field, const char *name, const char *text,
                             struct arena *arena, struct sql_value *out_value, struct err **errors)
{
    struct field input = *field;
    input.json = name;
    input.flags = 0;
    input.offset = 0;
    input.check = NULL;
    const struct model model = {
        .name = "struct filter",
        .fields = &input,
        .count = 1,
        .size = input.size,
        .presence_offset = SIZE_MAX,
        .doc = "",
    };
    struct err *wrong = NULL;
    void *member = arena_alloc(arena, input.size);
    if (!member)
        return err_oom();
    model_read_text(&model, &input, text, arena, member, &wrong);
    if (!wrong)
        return sql_member_value(&model, &input, member, out_value);
    if (err_is(wrong, &ERR_OUT_OF_MEMORY))
        return wrong;
    const struct err_field *entries = NULL;
    size_t count = err_fields(wrong, &entries);
    for (size_t i = 0; i < count; i++)
        err_add_field(errors, name, entries[i].code, "%s", entries[i].detail);
    err_free(wrong);
    return NULL;
}

struct err *sql_convert(const struct field *field, const char *name, struct sql_value given,
                        struct arena *arena, struct sql_value *out_value, struct err **errors)
{
    enum sql_type type = sql_column_type(field);
    if (given.type == type && type != SQL_TYPE_TEXT) {
        *out_value = given;
        return NULL;
    }
    if (given.type != SQL_TYPE_TEXT || !given.as.bytes.data)
        return err_new(&SQL_FAILED, "%s has a value of another type than column %s", name,
                       model_column_name(field));
    const char *bytes = given.as.bytes.data;
    size_t len = given.as.bytes.len;
    if (memchr(bytes, '\0', len) || !utf8_is_valid(bytes, len)) {
        err_add_field(errors, name, "invalid_utf8", "must be valid UTF-8");
        return NULL;
    }
    /* Of other text, any is fine to compare with. */
    if (sql_is_plain_text(field)) {
        *out_value = given;
        return NULL;
    }
    const char *text = arena_strndup(arena, bytes, len);
    return text ? read_text(field, name, text, arena, out_value, errors) : err_oom();
}
