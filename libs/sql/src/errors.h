/* Errors of this library that carry more than a message. */
#ifndef SQL_ERRORS_H
#define SQL_ERRORS_H

#include <sql/sql.h>

/* SQL_UNIQUE, SQL_FOREIGN_KEY or SQL_CONSTRAINT; name is what sql_constraint() finds ("": unknown).
 * The client sees a text that is the same for every constraint of the kind. */
struct err *sql_constraint_error(const struct err_kind *kind, const char *name) MUST_CHECK;

/* ERR_UPSTREAM_UNAVAILABLE from a server that cannot be connected to; is_refused: it is there, but has no
 * connection left, or does not let us in any more; sql_refused() then finds the text (NULL: it is
 * another error). */
struct err *sql_unavailable(bool is_refused, const char *format, ...) MUST_CHECK PRINTF_LIKE(2, 3);
const char *sql_refused(const struct err *e);
/* That text, or all of another error, cut to size. */
void sql_reason(const struct err *e, char *out, size_t size);

/* Adds the beginning of the statement, for the log. Takes cause. */
struct err *sql_error_in(struct err *cause, const char *statement) MUST_CHECK;

#endif
