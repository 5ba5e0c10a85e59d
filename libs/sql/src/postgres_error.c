#include <string.h>

#include <base/buf.h>
#include <base/str.h>

#include "errors.h"
#include "postgres.h"

/* libpq ends its messages with a line break. */
static int trimmed(const char *message)
{
    size_t len = strlen(message);
    while (len > 0 && message[len - 1] == '\n')
        len--;
    return (int)MIN(len, (size_t)ERR_MESSAGE_MAX);
}

struct err *sql_postgres_conn_error(struct postgres_link *link)
{
    link->base.is_broken = true;
    const char *message = sql_pq.PQerrorMessage(link->conn);
    return err_new(&ERR_UPSTREAM_UNAVAILABLE, "%.*s", trimmed(message), message);
}

/* libpq keeps no SQLSTATE of a handshake, but its verbose message has it, and lines about the server's
 * source, which are of no use here. */
struct err *sql_postgres_refusal(struct postgres_link *link)
{
    const char *line = sql_pq.PQerrorMessage(link->conn);
    bool is_refused = strstr(line, ":  53300: ") /* too many connections */ ||
                      strstr(line, ":  28000: ") /* the role */ ||
                      strstr(line, ":  28P01: ") /* the password */;
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(ERR_MESSAGE_MAX);
    while (*(line += strspn(line, "\n"))) {
        size_t len = strcspn(line, "\n");
        if (!str_starts_with(line, "LOCATION:")) {
            buf_append(&text, "\n", text.len > 0 && text.len < text.max);
            buf_append(&text, line, MIN(len, text.max - text.len));
        }
        line += len;
    }
    link->base.is_broken = true;
    return sql_unavailable(is_refused, "%s", buf_text(&text));
}

/* https://www.postgresql.org/docs/current/errcodes-appendix.html: the longest match counts. */
static const struct {
    const char *state; /* or its class */
    const struct err_kind *kind;
    bool has_breakage; /* the connection is gone, or of no use */
    bool is_shown;     /* the message: it names things of the schema and no values */
} states[] = {
    {"0A", &SQL_FAILED, false, true},
    {"08P01", &SQL_FAILED, false, true}, /* a wrong number of parameters */
    {"08", &ERR_UPSTREAM_UNAVAILABLE, true, true},
    {"22001", &SQL_CONSTRAINT, false, false}, /* too long, too large, of another type */
    {"22003", &SQL_CONSTRAINT, false, false},
    {"22P02", &SQL_CONSTRAINT, false, false},
    {"23503", &SQL_FOREIGN_KEY, false, false},
    {"23505", &SQL_UNIQUE, false, false},
    {"23", &SQL_CONSTRAINT, false, false},
    {"25006", &ERR_UPSTREAM_UNAVAILABLE, true, true}, /* read-only: no longer the primary server */
    {"25", &SQL_FAILED, false, true},
    {"26", &SQL_FAILED, false, true},
    {"40", &SQL_SERIALIZATION, false, true},
    {"42", &SQL_FAILED, false, true},
    {"53", &ERR_UPSTREAM_UNAVAILABLE, false, true}, /* out of something */
    {"55P03", &SQL_SERIALIZATION, false, true},
    {"57014", &ERR_UPSTREAM_TIMEOUT, false, true}, /* cancelled */
    {"57P", &ERR_UPSTREAM_UNAVAILABLE, true, true},
    {"58", &ERR_UPSTREAM_UNAVAILABLE, false, true},
};

static struct err *constraint_error(const struct err_kind *kind, const PGresult *result)
{
    const char *name = sql_pq.PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    if (!name)
        name = sql_pq.PQresultErrorField(result, PG_DIAG_COLUMN_NAME);
    return sql_constraint_error(kind, name ? name : "");
}

/* "cached plan must not change result type", after an ALTER TABLE; or the statement is not there,
 * after a DISCARD ALL by a pooler in between. */
static bool is_outdated(const char *state)
{
    return str_equal(state, "0A000") || str_equal(state, "26000");
}

static struct err *state_error(struct postgres_link *link, const char *state,
                               const PGresult *result)
{
    size_t best = ARRAY_LEN(states);
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (str_starts_with(state, states[i].state) &&
            (best == ARRAY_LEN(states) || strlen(states[i].state) > strlen(states[best].state)))
            best = i;
    if (best == ARRAY_LEN(states))
        return err_new(&SQL_FAILED, "PostgreSQL %s", state);
    const struct err_kind *kind = states[best].kind;
    if (states[best].has_breakage)
        link->base.is_broken = true;
    if (kind == &SQL_UNIQUE || kind == &SQL_FOREIGN_KEY || kind == &SQL_CONSTRAINT)
        return constraint_error(kind, result);
    const char *message = sql_pq.PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    return err_new(kind, "%s (PostgreSQL %s)", states[best].is_shown && message ? message : "",
                   state);
}

struct err *sql_postgres_result_error(struct postgres_link *link, const PGresult *result)
{
    if (!result) /* libpq found no memory for it */
        return err_oom();
    switch ((int)sql_pq.PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_SINGLE_TUPLE:
        return NULL;
    case PGRES_EMPTY_QUERY:
        return err_new(&SQL_FAILED, "there is no statement");
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
        link->base.is_broken = true; /* and stays in this mode */
        return err_new(&SQL_FAILED, "COPY is not supported");
    default:
        break;
    }
    if (sql_pq.PQstatus(link->conn) == CONNECTION_BAD)
        return sql_postgres_conn_error(link);
    const char *state = sql_pq.PQresultErrorField(result, PG_DIAG_SQLSTATE);
    link->is_outdated = state && is_outdated(state);
    return state_error(link, state ? state : "without a code", result);
}
