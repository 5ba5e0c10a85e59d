#include "errors.h"

#include <string.h>

#include <base/str.h>

#define X ERR_DEFINE_KIND
#include <sql/kinds.def>
#undef X

/* The cause of every constraint error: its message is the name, which no client sees. */
static const struct err_kind CONSTRAINT_NAME = {
    .slug = "constraint",
    .status = 500,
    .title = "Constraint",
};

/* The cause of ERR_UPSTREAM_UNAVAILABLE from a server that is there and takes us no further. */
static const struct err_kind REFUSED = {
    .slug = "refused",
    .status = 503,
    .title = "Refused",
};

#define STATEMENT_SHOWN 160

struct err *sql_constraint_error(const struct err_kind *kind, const char *name)
{
    const char *detail = kind == &SQL_UNIQUE        ? "the value is taken already"
                         : kind == &SQL_FOREIGN_KEY ? "something else refers to it, or is missing"
                                                    : "the value is not allowed here";
    return err_wrap_as(err_new(&CONSTRAINT_NAME, "%s", name), kind, "%s", detail);
}

const char *sql_constraint(const struct err *e)
{
    return err_detail_of(e, &CONSTRAINT_NAME);
}

struct err *sql_unavailable(bool is_refused, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct err *e = err_vnew(is_refused ? &REFUSED : &ERR_UPSTREAM_UNAVAILABLE, format, args);
    va_end(args);
    return is_refused ? err_wrap_as(e, &ERR_UPSTREAM_UNAVAILABLE, "no further connection is taken")
                      : e;
}

const char *sql_refused(const struct err *e)
{
    return err_is(e, &REFUSED) ? err_detail_of(e, &REFUSED) : NULL;
}

void sql_reason(const struct err *e, char *out, size_t size)
{
    const char *refused = sql_refused(e);
    if (refused)
        str_copy_n(out, size, refused, strnlen(refused, size - 1));
    else
        err_format(e, out, size);
}

struct err *sql_error_in(struct err *cause, const char *statement)
{
    return err_wrap(cause, "in \"%.*s\"", STATEMENT_SHOWN, statement);
}
