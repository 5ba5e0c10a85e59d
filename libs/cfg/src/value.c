#include "value.h"

#include <limits.h>
#include <string.h>

#include <base/str.h>

#include "net.h"
#include "quantity.h"

bool cfg_type_is_text(enum cfg_type type)
{
    return type == CFG_TYPE_STRING || type == CFG_TYPE_URL || type == CFG_TYPE_ADDRESS ||
           type == CFG_TYPE_SECRET;
}

const char *cfg_unit(const struct cfg_setting *setting)
{
    if (setting->type == CFG_TYPE_DURATION)
        return str_ends_with(setting->name, "_S") ? "s" : "ms";
    if (setting->type == CFG_TYPE_SIZE)
        return str_ends_with(setting->name, "_KIB") ? "KiB" : "bytes";
    return cfg_type_is_text(setting->type) ? "bytes" : "";
}

static bool has_limits(const struct cfg_setting *setting)
{
    return setting->min != 0 || setting->max != 0;
}

static bool has_upper_limit(const struct cfg_setting *setting)
{
    return has_limits(setting) && setting->max >= setting->min;
}

void cfg_append_range(struct buf *out, const struct cfg_setting *setting, const char *prefix)
{
    if (!has_limits(setting))
        return;
    buf_append_str(out, prefix);
    if (has_upper_limit(setting))
        buf_printf(out, "%lld to %lld", (long long)setting->min, (long long)setting->max);
    else
        buf_printf(out, "at least %lld", (long long)setting->min);
    if (*cfg_unit(setting))
        buf_printf(out, " %s", cfg_unit(setting));
}

void cfg_append_values(struct buf *out, const struct cfg_setting *setting)
{
    for (const char *const *value = setting->values; value && *value; value++)
        buf_printf(out, "%s%s", value == setting->values ? "" : ", ", *value);
}

static void append_must_be(struct buf *out, const struct cfg_setting *setting)
{
    switch (setting->type) {
    case CFG_TYPE_INT:
        buf_append_str(out, "a whole number");
        cfg_append_range(out, setting, has_upper_limit(setting) ? " from " : " of ");
        return;
    case CFG_TYPE_DURATION:
        buf_printf(out, "a duration in whole %s, such as 250, 30s or 1.5m", cfg_unit(setting));
        cfg_append_range(out, setting, ", ");
        return;
    case CFG_TYPE_SIZE:
        buf_printf(out, "a size in whole %s, such as 4096, 64KiB or 1.5MiB", cfg_unit(setting));
        cfg_append_range(out, setting, ", ");
        return;
    case CFG_TYPE_BOOL:
        buf_append_str(out, "true or false (or 1, 0, yes, no, on, off)");
        return;
    case CFG_TYPE_ENUM:
        buf_append_str(out, "one of ");
        cfg_append_values(out, setting);
        return;
    case CFG_TYPE_URL:
        buf_append_str(out, setting->list ? "URLs, separated by commas," : "a URL");
        buf_append_str(out, " of the form scheme://host[:port][/path]");
        if (setting->values) {
            buf_append_str(out, " with a scheme out of ");
            cfg_append_values(out, setting);
        }
        cfg_append_range(out, setting, ", ");
        return;
    case CFG_TYPE_ADDRESS:
        buf_append_str(out, "host:port, :port or [ip6]:port");
        cfg_append_range(out, setting, ", ");
        return;
    case CFG_TYPE_STRING:
    case CFG_TYPE_SECRET:
        buf_append_str(out, "a text");
        cfg_append_range(out, setting, " of ");
        return;
    }
}

static bool parse_number(const struct cfg_setting *setting, const char *text, int64_t *out_number)
{
    bool fits_int = setting->size == sizeof(int);
    int64_t max = has_upper_limit(setting) ? setting->max : INT64_MAX;
    int64_t min = has_limits(setting) ? setting->min : INT64_MIN;
    if (fits_int) {
        min = MAX(min, (int64_t)INT_MIN);
        max = MIN(max, (int64_t)INT_MAX);
    }
    if (setting->type == CFG_TYPE_INT)
        return parse_i64(text, min, max, out_number);
    int64_t number;
    const char *unit = cfg_unit(setting);
    bool is_quantity = setting->type == CFG_TYPE_DURATION
                           ? cfg_quantity_parse_duration(text, unit, &number)
                           : cfg_quantity_parse_size(text, unit, &number);
    if (!is_quantity || number < min || number > max)
        return false;
    *out_number = number;
    return true;
}

static bool parse_bool(const char *text, bool *out_boolean)
{
    static const char *const names[] = {"false", "true", "0", "1", "no", "yes", "off", "on"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_equal_nocase(text, names[i])) {
            *out_boolean = i % 2 == 1;
            return true;
        }
    }
    return false;
}

static bool parse_enum(const struct cfg_setting *setting, const char *text, int64_t *out_index)
{
    for (int64_t i = 0; setting->values[i]; i++) {
        if (str_equal_nocase(text, setting->values[i])) {
            *out_index = i;
            return true;
        }
    }
    return false;
}

static bool urls_are_valid(const struct cfg_setting *setting, const char *text)
{
    for (;;) {
        size_t len = setting->list ? strcspn(text, ",") : strlen(text);
        if (!cfg_url_is_valid(text, len, setting->values))
            return false;
        if (text[len] == '\0')
            return true;
        text += len + 1;
    }
}

static bool length_is_valid(const struct cfg_setting *setting, const char *text)
{
    int64_t length = (int64_t)strlen(text);
    return !has_limits(setting) ||
           (length >= setting->min && (!has_upper_limit(setting) || length <= setting->max));
}

static bool parse_type(const struct cfg_setting *setting, const char *text, union value *out_value)
{
    switch (setting->type) {
    case CFG_TYPE_INT:
    case CFG_TYPE_DURATION:
    case CFG_TYPE_SIZE:
        return parse_number(setting, text, &out_value->number);
    case CFG_TYPE_BOOL:
        return parse_bool(text, &out_value->boolean);
    case CFG_TYPE_ENUM:
        return parse_enum(setting, text, &out_value->number);
    case CFG_TYPE_URL:
        return length_is_valid(setting, text) && urls_are_valid(setting, text);
    case CFG_TYPE_ADDRESS:
        return length_is_valid(setting, text) && cfg_address_is_valid(text);
    case CFG_TYPE_STRING:
    case CFG_TYPE_SECRET:
        return length_is_valid(setting, text);
    }
    return false;
}

bool cfg_value_parse(const struct cfg_setting *setting, const char *text, union value *out_value,
                     struct buf *out_must_be)
{
    union value value = {.text = NULL};
    if (!parse_type(setting, text, &value)) {
        append_must_be(out_must_be, setting);
        return false;
    }
    if (setting->check && !setting->check(text, out_must_be))
        return false;
    *out_value = value;
    return true;
}
