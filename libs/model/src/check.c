/* Mistakes in tables, which are found when a program starts. */
#include <inttypes.h>
#include <string.h>

#include "member.h"
#include "run.h"

#define MISTAKES_MAX ((size_t)64 * 1024)

/* A model that is being checked; models may lead back to themselves through arrays. */
struct check {
    const struct check *up;
    const struct model *model;
    struct buf *mistakes;
    unsigned depth;
};

static void check_model(const struct check *up, const struct model *model, struct buf *mistakes);

static void complain(const struct check *check, const struct field *field, const char *format, ...)
    PRINTF_LIKE(3, 4);

static void complain(const struct check *check, const struct field *field, const char *format, ...)
{
    buf_printf(check->mistakes, "%s%s", check->mistakes->len > 0 ? "; " : "",
               model_schema_name(check->model));
    if (field)
        buf_printf(check->mistakes, ".%s", field->name);
    buf_append_str(check->mistakes, ": ");
    va_list args;
    va_start(args, format);
    buf_vprintf(check->mistakes, format, args);
    va_end(args);
}

static bool is_text(enum model_storage storage)
{
    return storage == MODEL_IN_CHARS || storage == MODEL_IN_POINTER;
}

static bool is_kept_right(enum model_type type, enum model_storage storage, size_t size)
{
    switch (type) {
    case MODEL_STRING:
    case MODEL_EMAIL:
    case MODEL_URL:
        return is_text(storage);
    case MODEL_UUID:
        return storage == MODEL_IN_POINTER || (storage == MODEL_IN_CHARS && size == UUID_TEXT);
    case MODEL_INT:
        return storage == MODEL_IN_INT || (storage == MODEL_IN_INT64 && size == sizeof(int64_t));
    case MODEL_TIME:
        return storage == MODEL_IN_INT64 && size == sizeof(int64_t);
    case MODEL_ENUM:
        return storage == MODEL_IN_INT || storage == MODEL_IN_UNSIGNED;
    case MODEL_FLOAT:
        return storage == MODEL_IN_DOUBLE;
    case MODEL_BOOL:
        return storage == MODEL_IN_BOOL;
    case MODEL_RAW:
        return storage == MODEL_IN_POINTER;
    case MODEL_OBJECT:
    case MODEL_ARRAY:
        return storage == MODEL_IN_OTHER;
    }
    return false;
}

static bool is_inside(const struct model *model, size_t offset, size_t size)
{
    return size <= model->size && offset <= model->size - size;
}

static void check_storage(const struct check *check, const struct field *field)
{
    if (!is_kept_right(field->type, field->storage, field->size))
        complain(check, field, "the member has the wrong type");
    if (!is_inside(check->model, field->offset, field->size))
        complain(check, field, "the member is not inside the struct");
    if (field->type != MODEL_ARRAY)
        return;
    if (field->item == MODEL_ARRAY || field->item_storage == MODEL_IN_CHARS ||
        !is_kept_right(field->item, field->item_storage, field->item_size))
        complain(check, field, "the items have the wrong type");
    if (field->size != sizeof(void *) || field->count_size != sizeof(size_t) ||
        !is_inside(check->model, field->count_offset, sizeof(size_t)))
        complain(check, field, "an array is a pointer and a size_t");
}

static void check_refers(const struct check *check, const struct field *field)
{
    enum model_type type = field->type == MODEL_ARRAY ? field->item : field->type;
    size_t size = field->type == MODEL_ARRAY ? field->item_size : field->size;
    if (type == MODEL_ENUM && !(field->values && field->values[0]))
        complain(check, field, "an enum needs values");
    if (type != MODEL_OBJECT)
        return;
    if (!field->model)
        complain(check, field, "an object needs a model");
    else if (field->model->size != size)
        complain(check, field, "the model describes another struct");
    else
        check_model(check, field->model, check->mistakes);
}

static void check_limits(const struct check *check, const struct field *field)
{
    struct model_range range = model_range(field);
    struct model_range widest = model_storage_range(field);
    struct model_real_range real = model_real_range(field);
    if (field->storage == MODEL_IN_CHARS)
        widest.max = (int64_t)field->size - 1;
    if (range.min > range.max || real.min > real.max)
        complain(check, field, "min is above max");
    if (range.min < widest.min || range.min > widest.max || range.max < widest.min ||
        (range.max > widest.max && field->max != 0))
        complain(check, field, "the member cannot hold what min and max allow");
}

static void check_flags(const struct check *check, const struct field *field)
{
    const unsigned all = REQUIRED | NULLABLE | READ_ONLY | WRITE_ONLY | OMIT_EMPTY | COLUMN_ONLY;
    bool needs_bits = check->model->presence_offset == SIZE_MAX && !model_has_null_value(field);
    if (field->flags & ~all)
        complain(check, field, "unknown flags");
    if (field->flags & READ_ONLY && field->flags & WRITE_ONLY)
        complain(check, field, "READ_ONLY and WRITE_ONLY leave nothing");
    if (field->flags & REQUIRED && field->def)
        complain(check, field, "what is REQUIRED has no use for a default");
    if (field->flags & (NULLABLE | OMIT_EMPTY) && needs_bits)
        complain(check, field, "NULLABLE or OMIT_EMPTY of this type need MODEL_WITH_PRESENCE");
}

static void check_name(const struct check *check, const struct field *field)
{
    if (!*model_json_name(field) || !*model_column_name(field))
        complain(check, field, "an empty name");
    if (!(field->flags & COLUMN_ONLY) && model_find(check->model, model_json_name(field)) != field)
        complain(check, field, "two fields are named %s", model_json_name(field));
    if (model_find_column(check->model, model_column_name(field)) != field)
        complain(check, field, "two columns are named %s", model_column_name(field));
}

/* A default or an example, which must be what the field itself takes. */
static void check_text(const struct check *check, const struct field *field, const char *what,
                       const char *text)
{
    _cleanup_(json_free) struct json_doc *doc = NULL;
    _cleanup_(err_free) struct err *e = json_parse(text, strlen(text), &doc);
    if (err_is(e, &ERR_OUT_OF_MEMORY)) {
        check->mistakes->status = BUF_NO_MEMORY;
        return;
    }
    if (e) {
        complain(check, field, "the %s is no JSON: %s", what, err_detail(e));
        return;
    }
    if (json_is(json_root(doc), JSON_NULL) && field->flags & NULLABLE)
        return;
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT((size_t)16 << 20);
    void *scratch = arena_alloc(&arena, check->model->size);
    const struct model_run run = {.mode = MODEL_READ, .arena = &arena, .errors = &e};
    if (scratch && model_read_member(&run, NULL, field, json_root(doc), scratch))
        return;
    const struct err_field *rows;
    if (err_fields(e, &rows) > 0)
        complain(check, field, "the %s is refused: %s", what, rows[0].detail);
    else
        check->mistakes->status = BUF_NO_MEMORY;
}

static void check_field(const struct check *check, const struct field *field)
{
    check_name(check, field);
    check_flags(check, field);
    size_t mistakes = check->mistakes->len;
    check_storage(check, field);
    if (check->mistakes->len == mistakes) {
        check_limits(check, field);
        check_refers(check, field);
    }
    /* Values go only where everything so far is right. */
    if (field->def && check->mistakes->len == 0)
        check_text(check, field, "default", field->def);
    if (field->example && check->mistakes->len == 0)
        check_text(check, field, "example", field->example);
}

static void check_presence(const struct check *check)
{
    size_t offset = check->model->presence_offset;
    if (offset != SIZE_MAX && !is_inside(check->model, offset, sizeof(struct model_presence)))
        complain(check, NULL, "presence is not inside the struct");
}

static bool is_being_checked(const struct check *up, const struct model *model)
{
    for (; up; up = up->up)
        if (up->model == model)
            return true;
    return false;
}

static void check_model(const struct check *up, const struct model *model, struct buf *mistakes)
{
    if (is_being_checked(up, model))
        return;
    const struct check check = {
        .up = up, .model = model, .mistakes = mistakes, .depth = up ? up->depth + 1 : 1};
    if (check.depth > JSON_DEPTH_MAX) {
        complain(&check, NULL, "models inside each other beyond what JSON may be");
        return;
    }
    if (model->count == 0 || model->count > MODEL_FIELDS_MAX) {
        complain(&check, NULL, "%zu fields, of 1 to %d", model->count, MODEL_FIELDS_MAX);
        return;
    }
    check_presence(&check);
    for (size_t i = 0; i < model->count; i++)
        check_field(&check, &model->fields[i]);
}

struct err *model_check(const struct model *model)
{
    _cleanup_(buf_deinit) struct buf mistakes = BUF_INIT(MISTAKES_MAX);
    check_model(NULL, model, &mistakes);
    if (buf_status(&mistakes) == BUF_NO_MEMORY)
        return err_oom();
    return mistakes.len > 0 ? err_new(&ERR_INTERNAL, "%s", buf_text(&mistakes)) : NULL;
}
