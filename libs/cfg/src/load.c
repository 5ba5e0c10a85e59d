#include <cfg/cfg.h>

#include <stdlib.h>
#include <string.h>

#include "show.h"
#include "source.h"
#include "value.h"

#define X ERR_DEFINE_KIND
#include <cfg/kinds.def>
#undef X

#define SHOWN_MAX 100 /* bytes of a wrong value in a message */

/* The mistakes found so far, a line for each. Beyond its size further ones are not listed. */
static void start_line(struct buf *mistakes)
{
    if (mistakes->len > 0)
        buf_append_char(mistakes, '\n');
}

static struct err *append_quoted(struct buf *out, const struct cfg_setting *setting,
                                 const char *text)
{
    _cleanup_(buf_deinit) struct buf visible = BUF_INIT(CFG_FILE_MAX * 4);
    TRY(cfg_visible(setting, text, &visible));
    size_t len = MIN(visible.len, (size_t)SHOWN_MAX);
    while (len > 0 && ((unsigned char)buf_text(&visible)[len] & 0xc0) == 0x80)
        len--;
    buf_append_json(out, buf_text(&visible), len);
    buf_append_str(out, len < visible.len ? "..." : "");
    return NULL;
}

static void append_problem(struct buf *mistakes, const struct cfg_setting *setting,
                           const struct raw *raw)
{
    start_line(mistakes);
    buf_append_str(mistakes, setting->name);
    if (raw->source == SOURCE_FILE) {
        buf_append_str(mistakes, "_FILE=");
        buf_append_json(mistakes, raw->path, strlen(raw->path));
    }
    buf_printf(mistakes, ": %s", raw->problem);
}

static struct err *append_wrong_value(struct buf *mistakes, const struct cfg_setting *setting,
                                      const struct raw *raw, const struct buf *must_be)
{
    if (buf_status(must_be) == BUF_NO_MEMORY)
        return err_oom();
    start_line(mistakes);
    buf_printf(mistakes, "%s=", setting->name);
    TRY(append_quoted(mistakes, setting, raw->text));
    if (raw->source == SOURCE_FILE)
        buf_printf(mistakes, " (from the file %s)", raw->path);
    else if (raw->source == SOURCE_DEFAULT)
        buf_append_str(mistakes, " (the default)");
    buf_printf(mistakes, ": must be %s", buf_text(must_be));
    return NULL;
}

/* Reads one setting; a mistake is appended, and then the value stays as it is. */
static struct err *load_setting(const struct cfg_setting *setting, char *const *env,
                                union value *out_value, struct buf *mistakes)
{
    _cleanup_(cfg_raw_deinit) struct raw raw = {0};
    TRY(cfg_raw_init(&raw, setting, env));
    if (raw.problem[0]) {
        append_problem(mistakes, setting, &raw);
        return NULL;
    }
    if (!raw.text) {
        if (setting->required) {
            start_line(mistakes);
            buf_printf(mistakes, "%s: must be set (%s)", setting->name,
                       setting->help ? setting->help : "it has no default");
        }
        return NULL;
    }
    _cleanup_(buf_deinit) struct buf must_be = BUF_INIT(4096);
    if (!cfg_value_parse(setting, raw.text, out_value, &must_be))
        return append_wrong_value(mistakes, setting, &raw, &must_be);
    if (cfg_type_is_text(setting->type))
        out_value->text = TAKE(raw.text);
    return NULL;
}

/* Gives the value to its member, which lets go of what it had. */
static void store(const struct cfg_binding *binding, const struct cfg_setting *setting,
                  union value value)
{
    void *member = (char *)binding->settings + setting->offset;
    if (cfg_type_is_text(setting->type)) {
        cfg_text_free(*(char **)member);
        *(char **)member = value.text;
    } else if (setting->type == CFG_TYPE_BOOL) {
        *(bool *)member = value.boolean;
    } else if (setting->size == sizeof(int)) {
        *(int *)member = (int)value.number;
    } else {
        *(int64_t *)member = value.number;
    }
}

/* Every setting of every table and its value, until all are known to be right. */
struct draft {
    const struct cfg_binding *binding;
    const struct cfg_setting *setting;
    union value value;
};

struct drafts {
    struct draft *items;
    size_t count;
};

static void drafts_deinit(struct drafts *drafts)
{
    for (size_t i = 0; i < drafts->count; i++)
        if (cfg_type_is_text(drafts->items[i].setting->type))
            cfg_text_free(drafts->items[i].value.text);
    free(drafts->items);
}

static struct err *drafts_init(struct drafts *drafts, const struct cfg_binding *bindings,
                               size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += bindings[i].table->count;
    drafts->items = calloc(total + 1, sizeof(*drafts->items));
    if (!drafts->items)
        return err_oom();
    for (size_t i = 0; i < count; i++)
        for (size_t row = 0; row < bindings[i].table->count; row++)
            drafts->items[drafts->count++] = (struct draft){
                .binding = &bindings[i],
                .setting = &bindings[i].table->settings[row],
            };
    return NULL;
}

static struct err *drafts_load(struct drafts *drafts, char *const *env)
{
    _cleanup_(buf_deinit) struct buf mistakes = BUF_INIT(ERR_TEXT_MAX);
    for (size_t i = 0; i < drafts->count; i++)
        TRY(load_setting(drafts->items[i].setting, env, &drafts->items[i].value, &mistakes));
    if (buf_status(&mistakes) == BUF_NO_MEMORY)
        return err_oom();
    return mistakes.len > 0 ? err_new_text(&CFG_INVALID, buf_text(&mistakes)) : NULL;
}

static void drafts_store(struct drafts *drafts)
{
    for (size_t i = 0; i < drafts->count; i++) {
        struct draft *draft = &drafts->items[i];
        store(draft->binding, draft->setting, draft->value);
        if (cfg_type_is_text(draft->setting->type))
            draft->value.text = NULL; /* the member owns it */
    }
}

struct err *cfg_load(const struct cfg_binding *bindings, size_t count, char *const *env)
{
    struct drafts drafts = {0};
    struct err *e = drafts_init(&drafts, bindings, count);
    if (!e)
        e = drafts_load(&drafts, env);
    if (!e)
        drafts_store(&drafts);
    drafts_deinit(&drafts);
    return e;
}

void cfg_unload(const struct cfg_binding *bindings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t row = 0; row < bindings[i].table->count; row++) {
            const struct cfg_setting *setting = &bindings[i].table->settings[row];
            if (cfg_type_is_text(setting->type))
                store(&bindings[i], setting, (union value){.text = NULL});
        }
    }
}
