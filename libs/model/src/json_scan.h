/* The strict check in front of cJSON. */
#ifndef MODEL_JSON_SCAN_H
#define MODEL_JSON_SCAN_H

#include <model/json.h>

/* What json_parse() needs besides the verdict. cJSON reads numbers of up to 63 characters, through
 * double and the locale; so it gets "0" for each, and the real ones are put into its tree later. */
struct json_split {
    char *skeleton; /* a copy of the text: each number in it becomes "0" and spaces */
    char *numbers;  /* len + 1 bytes: each number with a NUL, in the order of the text */
};

/* split may be NULL. After an error its content is of no use. */
struct err *json_scan(const char *text, size_t len, size_t values_max,
                      const struct json_split *split) MUST_CHECK;

#endif
