#include <stdlib.h>
#include <string.h>

#include <model/model.h>

struct model_schema {
    const struct model *model;
    bool for_patch;
};

static struct err *grow(struct model_schemas *schemas)
{
    size_t cap = MAX(schemas->cap * 2, 16);
    struct model_schema *larger = arena_calloc(schemas->arena, cap, sizeof(larger[0]));
    if (!larger)
        return err_oom();
    if (schemas->count > 0)
        memcpy(larger, schemas->rows, schemas->count * sizeof(larger[0]));
    schemas->rows = larger;
    schemas->cap = cap;
    return NULL;
}

struct err *model_schemas_add(struct model_schemas *schemas, const struct model *model,
                              bool for_patch)
{
    for (size_t i = 0; i < schemas->count; i++) {
        const struct model_schema *known = &schemas->rows[i];
        if (known->model == model && known->for_patch == for_patch)
            return NULL;
        if (known->model != model &&
            strcmp(model_schema_name(known->model), model_schema_name(model)) == 0)
            return err_new(&ERR_INTERNAL, "two models are called %s", model_schema_name(model));
    }
    if (schemas->count == schemas->cap)
        TRY(grow(schemas));
    schemas->rows[schemas->count++] = (struct model_schema){model, for_patch};
    /* A patch has its embedded objects in itself, but the items of arrays are whole. */
    for (size_t i = 0; i < model->count; i++) {
        const struct field *field = &model->fields[i];
        if (field->model && !(field->flags & COLUMN_ONLY))
            TRY(model_schemas_add(schemas, field->model, false));
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    const struct model_schema *x = a, *y = b;
    int order = strcmp(model_schema_name(x->model), model_schema_name(y->model));
    return order != 0 ? order : (int)x->for_patch - (int)y->for_patch;
}

static void append_name(const struct model *model, bool for_patch, struct buf *out)
{
    buf_printf(out, "%s%s", model_schema_name(model), for_patch ? "_patch" : "");
}

void model_schemas_write(struct model_schemas *schemas, struct json_writer *w)
{
    if (schemas->count > 0) /* qsort() takes no NULL */
        qsort(schemas->rows, schemas->count, sizeof(schemas->rows[0]), compare);
    for (size_t i = 0; i < schemas->count; i++) {
        const struct model_schema *schema = &schemas->rows[i];
        _cleanup_(buf_deinit) struct buf name = BUF_INIT(256);
        append_name(schema->model, schema->for_patch, &name);
        if (buf_status(&name) != BUF_OK)
            w->out->status = buf_status(&name);
        json_write_name(w, buf_text(&name));
        model_write_schema(schema->model, schema->for_patch, w);
    }
}

void model_write_reference(const struct model *model, bool for_patch, struct json_writer *w)
{
    _cleanup_(buf_deinit) struct buf path = BUF_INIT(512);
    buf_append_str(&path, "#/components/schemas/");
    append_name(model, for_patch, &path);
    if (buf_status(&path) != BUF_OK)
        w->out->status = buf_status(&path);
    json_begin_object(w);
    json_write_name(w, "$ref");
    json_write_string(w, buf_text(&path));
    json_end_object(w);
}
