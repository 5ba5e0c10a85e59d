/* Where the text of a setting comes from. */
#ifndef CFG_SOURCE_H
#define CFG_SOURCE_H

#include <cfg/cfg.h>

enum source { SOURCE_NONE, SOURCE_DEFAULT, SOURCE_ENVIRONMENT, SOURCE_FILE };

struct raw {
    enum source source;
    char *text;        /* NULL when there is none; owned, wiped when freed */
    const char *path;  /* of the file; borrowed from the environment */
    char problem[128]; /* why there is no text: "must ..."; "" when nothing is wrong */
};

/* Errors: ERR_OUT_OF_MEMORY only; anything wrong with the setting is in problem. */
struct err *cfg_raw_init(struct raw *raw, const struct cfg_setting *setting, char *const *env)
    MUST_CHECK;
void cfg_raw_deinit(struct raw *raw);
DEFINE_CLEANUP_VALUE(struct raw, cfg_raw_deinit);

/* Wipes and frees; NULL is fine. */
void cfg_text_free(char *text);

#endif
