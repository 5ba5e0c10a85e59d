#include "chars.h"

#define IS(c, x)    ((c) == (x))
#define IN(c, a, b) ((c) >= (a) && (c) <= (b))
#define IS_ALNUM(c) (IN(c, 'a', 'z') || IN(c, 'A', 'Z') || IN(c, '0', '9'))
#define IS_DELIM(c) /* sub-delims */                                                               \
    (IS(c, '!') || IS(c, '$') || IN(c, '&', ',') || IS(c, ';') || IS(c, '='))
#define IS_TOKEN(c)                                                                                \
    (IS_ALNUM(c) || IS(c, '!') || IN(c, '#', '\'') || IS(c, '*') || IS(c, '+') || IS(c, '-') ||    \
     IS(c, '.') || IN(c, '^', '`') || IS(c, '|') || IS(c, '~'))
#define IS_VALUE(c)      (IS(c, '\t') || IN(c, ' ', '~') || (c) >= 0x80)
#define IS_UNRESERVED(c) (IS_ALNUM(c) || IS(c, '-') || IS(c, '.') || IS(c, '_') || IS(c, '~'))
#define IS_PATH(c)       (IS_UNRESERVED(c) || IS_DELIM(c) || IS(c, ':') || IS(c, '@') || IS(c, '/'))
#define IS_QUERY(c)      (IN(c, '!', '~') && !IS(c, '#'))
#define IS_HOST(c)       (IS_ALNUM(c) || IS(c, '-') || IS(c, '.') || IS(c, '_'))

#define ONE(c)                                                                                     \
    (uint8_t)((IS_TOKEN(c) ? CHAR_TOKEN : 0) | (IS_VALUE(c) ? CHAR_VALUE : 0) |                    \
              (IS_UNRESERVED(c) ? CHAR_UNRESERVED : 0) | (IS_PATH(c) ? CHAR_PATH : 0) |            \
              (IS_QUERY(c) ? CHAR_QUERY : 0) | (IS_HOST(c) ? CHAR_HOST : 0) |                      \
              (IS_ALNUM(c) || IS(c, '-') ? CHAR_NAME : 0))
#define FOUR(c)    ONE(c), ONE((c) + 1), ONE((c) + 2), ONE((c) + 3)
#define SIXTEEN(c) FOUR(c), FOUR((c) + 4), FOUR((c) + 8), FOUR((c) + 12)

const uint8_t char_classes[256] = {
    SIXTEEN(0x00), SIXTEEN(0x10), SIXTEEN(0x20), SIXTEEN(0x30), SIXTEEN(0x40), SIXTEEN(0x50),
    SIXTEEN(0x60), SIXTEEN(0x70), SIXTEEN(0x80), SIXTEEN(0x90), SIXTEEN(0xa0), SIXTEEN(0xb0),
    SIXTEEN(0xc0), SIXTEEN(0xd0), SIXTEEN(0xe0), SIXTEEN(0xf0),
};
