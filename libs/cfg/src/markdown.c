#include "show.h"
#include "value.h"

/* Text in a cell: a bar would end it, also within a code span. */
static void append_cell(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            buf_append_char(out, '\\');
        buf_append_char(out, *text == '\n' ? ' ' : *text);
    }
}

static void append_type(struct buf *out, const struct cfg_setting *setting)
{
    static const char *const names[] = {
        [CFG_TYPE_INT] = "int",   [CFG_TYPE_DURATION] = "duration", [CFG_TYPE_SIZE] = "size",
        [CFG_TYPE_BOOL] = "bool", [CFG_TYPE_ENUM] = "enum",         [CFG_TYPE_STRING] = "string",
        [CFG_TYPE_URL] = "url",   [CFG_TYPE_ADDRESS] = "address",   [CFG_TYPE_SECRET] = "secret",
    };
    buf_append_str(out, names[setting->type]);
    if (setting->type == CFG_TYPE_DURATION || setting->type == CFG_TYPE_SIZE)
        buf_printf(out, " (%s)", cfg_unit(setting));
    if (setting->list)
        buf_append_str(out, " list");
}

static void append_default(struct buf *out, const struct cfg_setting *setting)
{
    if (setting->required) {
        buf_append_str(out, "required");
    } else if (!setting->def || !*setting->def) {
        buf_append_str(out, "none");
    } else {
        buf_append_char(out, '`');
        append_cell(out, setting->def);
        buf_append_char(out, '`');
    }
}

struct err *cfg_markdown(const struct cfg_table *table, struct buf *out)
{
    size_t start = out->len;
    buf_printf(out,
               "## %s\n\n"
               "| Name | Type | Default | Limits | Meaning |\n"
               "|---|---|---|---|---|\n",
               table->title);
    for (size_t row = 0; row < table->count; row++) {
        const struct cfg_setting *setting = &table->settings[row];
        buf_printf(out, "| `%s` | ", setting->name);
        append_type(out, setting);
        buf_append_str(out, " | ");
        append_default(out, setting);
        buf_append_str(out, " | ");
        cfg_append_values(out, setting);
        cfg_append_range(out, setting, setting->values ? "; " : "");
        buf_append_str(out, " | ");
        append_cell(out, setting->help ? setting->help : "");
        buf_append_str(out, " |\n");
    }
    return cfg_finish(out, start);
}
