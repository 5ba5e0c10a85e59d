#include "errors.h"

#define X ERR_DEFINE_KIND
#include <sql/kinds.def>
#undef X

/* The cause of every constraint error: its message is the name, which no client sees. */
static const struct err_kind CONSTRAINT_NAME = {
    .slug = "constraint",
    .status = 500,
    .title = "Constraint",
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

struct err *sql_error_in(struct err *cause, const char *statement)
{
    return err_wrap(cause, "in \"%.*s\"", STATEMENT_SHOWN, statement);
}
