#include "headers.h"

#include <base/str.h>

#include "chars.h"

#define HASH_SIZE              128
#define HASH(len, first, last) (((len) + 5 * (first) + 2 * (last)) % HASH_SIZE)

/* A perfect hash: no two entries have one place, or the initialiser would be refused. */
static const struct header known[HASH_SIZE] = {
#define X(id_, name_, first, last, policy_)                                                        \
    [HASH(sizeof(name_) - 1, first, last)] = {                                                     \
        .name = (name_), .name_len = sizeof(name_) - 1, .id = (id_), .policy = (policy_)},
#include "headers.def"
#undef X
};

static const struct header other = {.name = "", .id = HEADER_OTHER};
static const struct header forged = {.name = "", .id = HEADER_OTHER, .policy = HEADER_FORGED};

static bool starts_with(const char *name, size_t len, struct str prefix)
{
    return len >= prefix.len && str_equal_nocase_n(name, prefix.data, prefix.len);
}

const struct header *header_find(const char *name, size_t len)
{
    if (len == 0)
        return &other;
    unsigned first = (unsigned char)char_lower(name[0]);
    unsigned last = (unsigned char)char_lower(name[len - 1]);
    const struct header *header = &known[HASH(len, first, last)];
    if (header->name_len == len && str_equal_nocase_n(header->name, name, len))
        return header;
    if (first == 'x' &&
        (starts_with(name, len, STR("x-forwarded-")) || starts_with(name, len, STR("x-user-")) ||
         starts_with(name, len, STR("x-internal-"))))
        return &forged;
    return &other;
}
