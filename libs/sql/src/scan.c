#include <math.h>
#include <string.h>

#include <base/str.h>
#include <model/json.h>

#include "rows.h"

/* Integers beyond this are not all doubles. */
#define EXACT_MAX ((int64_t)1 << 53)

/* Told without the value: it ends up in a log. */
static struct err *refuse(const struct field *field, const char *why)
{
    return err_new(&SQL_FAILED, "column %s %s", model_column_name(field), why);
}

static struct err *store_i64(const struct field *field, int64_t number, void *member)
{
    if (field->size == sizeof(number)) {
        memcpy(member, &number, sizeof(number));
        return NULL;
    }
    int32_t small = (int32_t)number;
    if (field->size != sizeof(small))
        return refuse(field, "has a field of no integer size");
    if (small != number)
        return refuse(field, "is too large for its field");
    memcpy(member, &small, sizeof(small));
    return NULL;
}

static struct err *scan_i64(const struct field *field, struct sql_value value, void *member)
{
    if (value.type != SQL_TYPE_I64)
        return refuse(field, "is not an integer");
    return store_i64(field, value.as.i64, member);
}

static struct err *scan_f64(const struct field *field, struct sql_value value, void *member)
{
    double number = value.as.f64;
    if (value.type == SQL_TYPE_I64) {
        if (value.as.i64 > EXACT_MAX || value.as.i64 < -EXACT_MAX)
            return refuse(field, "is an integer that is no exact double");
        number = (double)value.as.i64;
    } else if (value.type != SQL_TYPE_F64) {
        return refuse(field, "is not a number");
    } else if (!isfinite(number)) {
        return refuse(field, "is not a finite number");
    }
    memcpy(member, &number, sizeof(number));
    return NULL;
}

static struct err *scan_bool(const struct field *field, struct sql_value value, void *member)
{
    bool truth = false;
    if (value.type == SQL_TYPE_BOOL)
        truth = value.as.boolean;
    else if (value.type == SQL_TYPE_I64 && (value.as.i64 == 0 || value.as.i64 == 1))
        truth = value.as.i64 == 1;
    else
        return refuse(field, "is not a boolean");
    memcpy(member, &truth, sizeof(truth));
    return NULL;
}

static struct err *scan_enum(const struct field *field, const char *text, size_t len, void *member)
{
    for (int i = 0; field->values[i]; i++)
        if (strlen(field->values[i]) == len && memcmp(field->values[i], text, len) == 0)
            return store_i64(field, i, member);
    return refuse(field, "is none of the names that its field knows");
}

/* Into char[n], or as a pointer into the arena. */
static struct err *store_text(const struct field *field, const char *text, size_t len,
                              struct arena *arena, void *member)
{
    if (field->storage == MODEL_IN_CHARS) {
        bool fits = str_copy_n(member, field->size, text, len);
        return fits ? NULL : refuse(field, "is too long for its field");
    }
    if (!arena)
        return refuse(field, "needs an arena");
    const char *copy = arena_strndup(arena, text, len);
    if (!copy)
        return err_oom();
    memcpy(member, &copy, sizeof(copy));
    return NULL;
}

static struct err *check_json(const struct field *field, const char *text, size_t len)
{
    _cleanup_(err_free) struct err *mistake = json_check(text, len);
    return mistake ? refuse(field, "is not JSON") : NULL;
}

static struct err *scan_text(const struct field *field, struct sql_value value, struct arena *arena,
                             void *member)
{
    if (value.type != SQL_TYPE_TEXT)
        return refuse(field, "is not text");
    const char *text = value.as.bytes.data;
    size_t len = value.as.bytes.len;
    if (!text)
        return err_oom();
    if (memchr(text, '\0', len) || !utf8_is_valid(text, len))
        return refuse(field, "is not UTF-8 text without NUL characters");
    if (field->type == MODEL_ENUM)
        return scan_enum(field, text, len, member);
    if (field->type == MODEL_RAW)
        TRY(check_json(field, text, len));
    if (field->type == MODEL_UUID && !uuid_is_valid(text))
        return refuse(field, "is not a UUID");
    return store_text(field, text, len, arena, member);
}

static struct err *scan_value(const struct field *field, struct sql_value value,
                              struct arena *arena, void *member)
{
    switch (field->type) {
    case MODEL_INT:
    case MODEL_TIME:
        return scan_i64(field, value, member);
    case MODEL_FLOAT:
        return scan_f64(field, value, member);
    case MODEL_BOOL:
        return scan_bool(field, value, member);
    case MODEL_STRING:
    case MODEL_ENUM:
    case MODEL_UUID:
    case MODEL_EMAIL:
    case MODEL_URL:
    case MODEL_RAW:
        return scan_text(field, value, arena, member);
    case MODEL_OBJECT:
    case MODEL_ARRAY:
        break;
    }
    return refuse(field, "has a field of a type that no column has");
}

/* Which field each column goes to: found once for all rows. */
static struct err *match_columns(struct sql_rows *rows, const struct model *model)
{
    size_t columns = sql_rows_columns(rows);
    uint64_t seen = 0;
    for (size_t i = 0; i < columns; i++) {
        const char *name = sql_rows_name(rows, i);
        const struct field *field = model_find_column(model, name);
        if (!field)
            return err_new(&SQL_FAILED, "column %s has no field in %s", name, model->name);
        uint64_t bit = (uint64_t)1 << (field - model->fields);
        if (seen & bit)
            return refuse(field, "is there twice");
        seen |= bit;
        rows->fields[i] = field;
    }
    for (size_t i = 0; i < model->count; i++) {
        bool is_needed = (model->fields[i].flags & (REQUIRED | WRITE_ONLY)) == REQUIRED;
        if (is_needed && !(seen >> i & 1))
            return refuse(&model->fields[i], "is missing and its field is required");
    }
    rows->model = model;
    return NULL;
}

struct err *sql_scan(struct sql_rows *rows, const struct model *model, struct arena *arena,
                     void *out)
{
    if (rows->model != model)
        TRY(match_columns(rows, model));
    memset(out, 0, model->size);
    size_t columns = sql_rows_columns(rows);
    for (size_t i = 0; i < columns; i++) {
        const struct field *field = rows->fields[i];
        struct sql_value value = sql_rows_value(rows, i);
        if (value.type == SQL_TYPE_NULL) {
            model_set_null(model, out, field);
            continue;
        }
        TRY(scan_value(field, value, arena, (char *)out + field->offset));
        model_set_present(model, out, field);
    }
    return NULL;
}
