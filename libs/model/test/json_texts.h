/* The texts that JSON readers differ about, and what is right here. */
#ifndef MODEL_TEST_JSON_TEXTS_H
#define MODEL_TEST_JSON_TEXTS_H

#include <stddef.h>

struct text {
    const char *bytes;
    size_t len;
};

/* With its NUL bytes, which may stand anywhere in it. */
#define T(literal)                                                                                 \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

extern const struct text json_accepted[];
extern const size_t json_accepted_count;
extern const struct text json_refused[];
extern const size_t json_refused_count;

#endif
