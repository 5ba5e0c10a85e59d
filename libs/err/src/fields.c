#include <stdio.h>
#include <string.h>

#include <base/arena.h>

#include "internal.h"

struct field_list {
    size_t count; /* those beyond ERR_FIELDS_MAX included */
    struct err_field rows[ERR_FIELDS_MAX];
    struct arena texts;
    char summary[64];
};

/* More than ERR_FIELDS_MAX rows of three texts, each cut to ERR_MESSAGE_MAX, can need. */
#define TEXTS_MAX ((size_t)256 * 1024)

const char *err_field_summary(const struct field_list *list)
{
    return list->summary;
}

void err_field_list_free(struct field_list *list)
{
    if (!list)
        return;
    arena_deinit(&list->texts);
    free(list);
}

static struct err *new_error_with_fields(void)
{
    struct field_list *list = calloc(1, sizeof(*list));
    if (!list)
        return err_oom();
    list->texts = ARENA_INIT(TEXTS_MAX);
    struct err *e = err_new(&ERR_INVALID_REQUEST, "%s", "");
    if (e == err_oom())
        free(list);
    else
        e->fields = list;
    return e;
}

static const char *keep(struct arena *texts, const char *text)
{
    size_t len = strnlen(text, ERR_MESSAGE_MAX + 1);
    if (len > ERR_MESSAGE_MAX)
        len = err_whole_characters(text, ERR_MESSAGE_MAX);
    return arena_strndup(texts, text, len);
}

static void summarize(struct field_list *list)
{
    const char *subject = list->count == 1 ? "field is" : "fields are";
    const char *cut = list->count > ERR_FIELDS_MAX ? ", not all are listed" : "";
    snprintf(list->summary, sizeof(list->summary), "%zu %s wrong%s", list->count, subject, cut);
}

void err_add_field(struct err **e, const char *field, const char *code, const char *format, ...)
{
    if (!*e)
        *e = new_error_with_fields();
    struct field_list *list = (*e)->fields;
    if (!list) /* out of memory, now or before */
        return;
    if (list->count < ERR_FIELDS_MAX) {
        char detail[ERR_MESSAGE_MAX + 1];
        va_list args;
        va_start(args, format);
        err_format_bounded(detail, sizeof(detail), format, args);
        va_end(args);
        struct err_field row = {
            .field = keep(&list->texts, field),
            .code = keep(&list->texts, code),
            .detail = keep(&list->texts, detail),
        };
        if (!row.field || !row.code || !row.detail) {
            err_free(*e);
            *e = err_oom();
            return;
        }
        list->rows[list->count] = row;
    }
    list->count++;
    summarize(list);
}

size_t err_fields(const struct err *e, const struct err_field **out_fields)
{
    while (e && !e->fields)
        e = e->cause;
    *out_fields = e ? e->fields->rows : NULL;
    return e ? MIN(e->fields->count, (size_t)ERR_FIELDS_MAX) : 0;
}
