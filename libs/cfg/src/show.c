#include "show.h"

#include <string.h>

#include "source.h"
#include "value.h"

#define MASK        "***"
#define VISIBLE_MAX (4 * CFG_FILE_MAX)
#define COLUMN_MAX  44 /* a longer NAME=value does not push the comments of the others aside */

struct err *cfg_finish(struct buf *out, size_t start)
{
    if (buf_status(out) == BUF_OK)
        return NULL;
    buf_truncate(out, start);
    return buf_status(out) == BUF_NO_MEMORY
               ? err_oom()
               : err_new(&ERR_INTERNAL, "the text is longer than %zu bytes", out->max);
}

struct err *cfg_visible(const struct cfg_setting *setting, const char *text, struct buf *out)
{
    size_t start = out->len;
    /* The last @, since one in a password may not be encoded as it should. */
    const char *at = setting->type == CFG_TYPE_URL ? strrchr(text, '@') : NULL;
    if (setting->type == CFG_TYPE_SECRET) {
        buf_append_str(out, MASK);
    } else if (at) {
        const char *scheme_end = strstr(text, "://");
        if (scheme_end && scheme_end < at)
            buf_append(out, text, (size_t)(scheme_end + 3 - text));
        buf_append_str(out, MASK);
        buf_append_str(out, at);
    } else {
        buf_append_str(out, text);
    }
    return cfg_finish(out, start);
}

/* A value that a shell would take as it stands is not quoted. */
static void append_value(struct buf *out, const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-*[]";
    if (text[strspn(text, plain)] == '\0')
        buf_append_str(out, text);
    else
        buf_append_json(out, text, strlen(text));
}

static void append_source(struct buf *out, const struct raw *raw)
{
    static const char *const names[] = {"not set", "default", "environment", "file "};
    buf_append_str(out, names[raw->source]);
    if (raw->source == SOURCE_FILE)
        append_value(out, raw->path);
    if (raw->problem[0])
        buf_printf(out, ", %s", raw->problem);
}

static struct err *describe_setting(const struct cfg_setting *setting, char *const *env,
                                    size_t column, struct buf *out)
{
    _cleanup_(buf_deinit) struct buf visible = BUF_INIT(VISIBLE_MAX);
    _cleanup_(cfg_raw_deinit) struct raw raw = {0};
    TRY(cfg_raw_init(&raw, setting, env));
    if (raw.text)
        TRY(cfg_visible(setting, raw.text, &visible));
    size_t start = out->len;
    buf_printf(out, "%s=", setting->name);
    append_value(out, buf_text(&visible));
    size_t used = out->len - start;
    buf_printf(out, "%*s  # ", used < column ? (int)(column - used) : 0, "");
    append_source(out, &raw);
    if (setting->help)
        buf_printf(out, "; %s", setting->help);
    buf_append_char(out, '\n');
    return NULL;
}

/* Where the comments begin: behind the longest name with room for a short value. */
static size_t comment_column(const struct cfg_table *table)
{
    size_t column = 0;
    for (size_t i = 0; i < table->count; i++)
        column = MAX(column, strlen(table->settings[i].name) + sizeof("=127.0.0.1:8080"));
    return MIN(column, (size_t)COLUMN_MAX);
}

static struct err *describe(const struct cfg_binding *bindings, size_t count, char *const *env,
                            struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct cfg_table *table = bindings[i].table;
        buf_printf(out, "%s# %s\n", i > 0 ? "\n" : "", table->title);
        for (size_t row = 0; row < table->count; row++)
            TRY(describe_setting(&table->settings[row], env, comment_column(table), out));
    }
    return NULL;
}

struct err *cfg_describe(const struct cfg_binding *bindings, size_t count, char *const *env,
                         struct buf *out)
{
    size_t start = out->len;
    struct err *e = describe(bindings, count, env, out);
    if (e) {
        buf_truncate(out, start);
        return e;
    }
    return cfg_finish(out, start);
}
