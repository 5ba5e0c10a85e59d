#include <err/err.h>

#include <string.h>

#define X ERR_DEFINE_KIND
#include <err/kinds.def>
#undef X

const struct err_kind *const ERR_GENERAL_KINDS[] = {
#define X ERR_KIND_ADDRESS
#include <err/kinds.def>
#undef X
    NULL,
};

static const struct err_kind *find(const struct err_kind *const *kinds, const char *slug)
{
    while (*kinds && strcmp((*kinds)->slug, slug) != 0)
        kinds++;
    return *kinds;
}

const struct err_kind *err_kind_find(const struct err_kind *const *kinds, const char *slug)
{
    const struct err_kind *kind = kinds ? find(kinds, slug) : NULL;
    return kind ? kind : find(ERR_GENERAL_KINDS, slug);
}
