/* What the key of a pair says about its value. */
#ifndef SLOG_KEY_H
#define SLOG_KEY_H

#include <stdbool.h>

/* The value must not be shown (the rule is in <slog/slog.h>). */
bool slog_key_is_secret(const char *key);
/* The line itself has a field of this name. */
bool slog_key_is_reserved(const char *key);

#endif
