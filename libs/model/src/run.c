#include "run.h"

#include <stdio.h>
#include <string.h>

#include <base/str.h>

#define DETAIL_MAX 255

struct path {
    char text[MODEL_PATH_MAX + 1];
    size_t len;
    bool is_full;
};

/* In whole: a part of an escape or of a character would be another name. */
static void append(struct path *path, const char *bytes, size_t count)
{
    if (path->is_full || count > MODEL_PATH_MAX - path->len) {
        path->is_full = true;
        return;
    }
    memcpy(path->text + path->len, bytes, count);
    path->len += count;
    path->text[path->len] = '\0';
}

static void append_name(struct path *path, const char *name)
{
    for (const char *end = name + strlen(name); name < end;) {
        uint32_t code_point;
        size_t length = MAX(utf8_decode(name, (size_t)(end - name), &code_point), (size_t)1);
        if (*name == '~')
            append(path, "~0", 2);
        else if (*name == '/')
            append(path, "~1", 2);
        else
            append(path, name, length);
        name += length;
    }
}

static void append_place(struct path *path, const struct model_place *place)
{
    if (!place)
        return;
    if (place->up) {
        append_place(path, place->up);
        append(path, "/", 1);
    }
    if (place->name) {
        append_name(path, place->name);
    } else {
        char index[24];
        append(path, index, (size_t)snprintf(index, sizeof(index), "%zu", place->index));
    }
}

bool model_fail(const struct model_run *run, const struct model_place *place, const char *code,
                const char *format, ...)
{
    struct path path = {0};
    append_place(&path, place);
    char detail[DETAIL_MAX + 1];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof(detail), format, args);
    va_end(args);
    err_add_field(run->errors, path.text, code, "%s", detail);
    return false;
}

bool model_fail_memory(const struct model_run *run)
{
    err_free(*run->errors);
    *run->errors = err_oom();
    return false;
}

bool model_run_check(const struct model_run *run, const struct model_place *place,
                     const struct model *model, const void *object)
{
    if (!model->check)
        return true;
    _cleanup_(err_free) struct err *found = NULL;
    model->check(object, &found);
    if (err_is(found, &ERR_OUT_OF_MEMORY))
        return model_fail_memory(run);
    struct path prefix = {0};
    append_place(&prefix, place);
    const struct err_field *rows;
    size_t count = err_fields(found, &rows);
    for (size_t i = 0; i < count; i++) {
        struct path path = prefix;
        if (path.len > 0 && *rows[i].field)
            append(&path, "/", 1);
        append(&path, rows[i].field, strlen(rows[i].field));
        err_add_field(run->errors, path.text, rows[i].code, "%s", rows[i].detail);
    }
    return count == 0;
}
