/* Text to value, for each type of setting. */
#ifndef CFG_VALUE_H
#define CFG_VALUE_H

#include <cfg/cfg.h>

union value {
    int64_t number; /* int, duration, size; index of an enum */
    bool boolean;
    char *text; /* owned by whoever has the value */
};

/* Whether text is right for the setting. If so the value is written (that of a text type is NULL:
 * it is the text itself), else the end of "must be ..." is appended. */
bool cfg_value_parse(const struct cfg_setting *setting, const char *text, union value *out_value,
                     struct buf *out_must_be);

bool cfg_type_is_text(enum cfg_type type);
/* "ms", "bytes", ...; "" for what has no unit. */
const char *cfg_unit(const struct cfg_setting *setting);
/* Appends "1 to 1024 ms" or "at least 8 bytes", after prefix; nothing when there are no limits. */
void cfg_append_range(struct buf *out, const struct cfg_setting *setting, const char *prefix);
/* Appends the values with separators. */
void cfg_append_values(struct buf *out, const struct cfg_setting *setting);

#endif
