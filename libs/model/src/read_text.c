/* Fields from plain text: query parameters. */
#include <string.h>

#include <base/str.h>

#include "member.h"
#include "run.h"

static bool take_word(const struct model_run *run, const struct model_place *place,
                      const struct field *field, const char *text, void *object)
{
    if (field->type == MODEL_BOOL && (str_equal(text, "true") || str_equal(text, "false")))
        return model_take_bool(run, place, field, *text == 't', object);
    if (json_is_number(text, strlen(text)))
        return model_take_number(run, place, field, text, object);
    return model_fail_type(run, place, field);
}

static bool take(const struct model_run *run, const struct model_place *place,
                 const struct field *field, const char *text, void *object)
{
    if (field->flags & COLUMN_ONLY)
        return model_fail(run, place, "unknown", "is not known");
    if (field->flags & READ_ONLY)
        return model_fail(run, place, "read_only", "cannot be set");
    if (!utf8_is_valid(text, strlen(text)))
        return model_fail(run, place, "invalid_utf8", "must be valid UTF-8");
    bool is_word =
        field->type == MODEL_INT || field->type == MODEL_FLOAT || field->type == MODEL_BOOL;
    bool taken = is_word ? take_word(run, place, field, text, object)
                         : model_take_text(run, place, field, text, object);
    return taken && model_check_limits(run, place, field, object);
}

void model_read_text(const struct model *model, const struct field *field, const char *text,
                     struct arena *arena, void *out, struct err **e)
{
    const struct model_run run = {.mode = MODEL_READ, .arena = arena, .errors = e};
    const struct model_place place = {.name = model_json_name(field)};
    void *scratch = arena_alloc(arena, model->size);
    if (!scratch) {
        model_fail_memory(&run);
        return;
    }
    if (!take(&run, &place, field, text, scratch))
        return;
    memcpy(model_member(out, field), model_member(scratch, field), field->size);
    model_set_present(model, out, field);
}

void model_finish_text(const struct model *model, uint64_t seen, struct arena *arena, void *out,
                       struct err **e)
{
    const struct model_run run = {.mode = MODEL_READ, .arena = arena, .errors = e};
    for (size_t i = 0; i < model->count; i++) {
        const struct field *field = &model->fields[i];
        const struct model_place place = {.name = model_json_name(field)};
        if (!(seen & model_bit(model, field)) && !(field->flags & COLUMN_ONLY))
            model_read_absent(&run, &place, field, out);
    }
    if (!*e)
        model_run_check(&run, NULL, model, out);
}
