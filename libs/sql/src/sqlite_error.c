#include <string.h>

#include "errors.h"
#include "sqlite.h"

/* "UNIQUE constraint failed: users.email": what stands behind the colon. */
static struct err *constraint_error(const struct err_kind *kind, const char *message)
{
    static const char before[] = "constraint failed: ";
    const char *found = strstr(message, before);
    return sql_constraint_error(kind, found ? found + sizeof(before) - 1 : "");
}

static const struct err_kind *constraint_kind(int code)
{
    switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return &SQL_UNIQUE;
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return &SQL_FOREIGN_KEY;
    default:
        return &SQL_CONSTRAINT;
    }
}

static const struct err_kind *kind_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return &SQL_SERIALIZATION;
    case SQLITE_CANTOPEN:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_NOLFS:
    case SQLITE_PERM:
    case SQLITE_PROTOCOL:
    case SQLITE_READONLY:
        return &ERR_UPSTREAM_UNAVAILABLE;
    default:
        return &SQL_FAILED;
    }
}

static bool breaks_link(int code)
{
    switch (code & 0xff) {
    case SQLITE_CANTOPEN:
    case SQLITE_CORRUPT:
    case SQLITE_IOERR:
    case SQLITE_NOTADB:
        return true;
    default:
        return false;
    }
}

struct err *sql_sqlite_error(struct sqlite_link *link, int code)
{
    int primary = code & 0xff;
    if (primary == SQLITE_NOMEM || code == SQLITE_IOERR_NOMEM)
        return err_oom();
    if (primary == SQLITE_INTERRUPT || primary == SQLITE_BUSY)
        TRY(ctx_check(link->ctx));
    const char *message = sqlite3_errmsg(link->db);
    if (primary == SQLITE_CONSTRAINT || primary == SQLITE_MISMATCH)
        return constraint_error(constraint_kind(code), message);
    if (breaks_link(code))
        link->base.is_broken = true;
    return err_new(kind_of(code), "%s (SQLite %d)", message, code);
}
