/* Values as people see them. */
#ifndef CFG_SHOW_H
#define CFG_SHOW_H

#include <cfg/cfg.h>

/* What may be seen of text: all of it, *** for a secret, a URL without its user and password. */
struct err *cfg_visible(const struct cfg_setting *setting, const char *text, struct buf *out)
    MUST_CHECK;

/* NULL, or what the failure of a buffer is as an error; takes back what was appended since start.
 */
struct err *cfg_finish(struct buf *out, size_t start) MUST_CHECK;

#endif
