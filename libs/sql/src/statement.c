#include <math.h>
#include <string.h>

#include <base/str.h>

#include "errors.h"
#include "internal.h"
#include "rows.h"

struct sql_value sql_text(const char *text)
{
    return text ? SQL_TEXTN(text, strlen(text)) : SQL_NULL;
}

struct err *sql_check_ready(const struct sql_conn *conn, struct ctx *ctx)
{
    TRY(ctx_check(ctx));
    if (conn->link->is_broken)
        return err_new(&ERR_UPSTREAM_UNAVAILABLE, "the database connection is broken");
    if (conn->rows)
        return err_new(&SQL_FAILED, "the connection is busy: its rows are still open");
    if (conn->tx == TX_FAILED)
        return err_new(&SQL_FAILED, "the transaction has failed: it can only be rolled back");
    return NULL;
}

static const char *mistake_in(const struct sql_value *value)
{
    bool has_bytes = value->type == SQL_TYPE_TEXT || value->type == SQL_TYPE_BLOB;
    if (has_bytes && value->as.bytes.len > SQL_VALUE_MAX)
        return "is longer than 16 MiB";
    if (has_bytes && !value->as.bytes.data && value->as.bytes.len > 0)
        return "has a length and no bytes";
    if (value->type == SQL_TYPE_F64 && !isfinite(value->as.f64))
        return "is not a finite number";
    if (value->type != SQL_TYPE_TEXT || value->as.bytes.len == 0)
        return NULL;
    if (memchr(value->as.bytes.data, '\0', value->as.bytes.len))
        return "has a NUL character";
    return utf8_is_valid(value->as.bytes.data, value->as.bytes.len) ? NULL : "is not UTF-8";
}

/* What one of the databases would refuse or change, neither gets. */
struct err *sql_check_params(const struct sql_value *params, size_t count)
{
    if (count > SQL_PARAMS_MAX)
        return err_new(&SQL_FAILED, "%zu parameters are more than %d", count, SQL_PARAMS_MAX);
    for (size_t i = 0; i < count; i++) {
        const char *mistake = mistake_in(&params[i]);
        if (mistake)
            return err_new(&SQL_FAILED, "parameter $%zu %s", i + 1, mistake);
    }
    return NULL;
}

/* Takes e. */
static struct err *failed(struct sql_conn *conn, const char *statement, struct err *e)
{
    if (conn->tx == TX_OPEN)
        conn->tx = TX_FAILED;
    return sql_error_in(e, statement);
}

static struct err *start(struct sql_rows *rows, const char *statement,
                         const struct sql_value *params, size_t count)
{
    struct sql_conn *conn = rows->conn;
    const struct driver *driver = conn->db->driver;
    TRY(sql_check_params(params, count));
    TRY(sql_cache_get(conn, rows->ctx, statement, &rows->prepared));
    struct err *e = driver->start(conn->link, rows->ctx, rows->prepared, params, count);
    if (e)
        driver->finish(conn->link, rows->prepared);
    return e;
}

/* On another link; in a transaction, of which nothing else is there yet. */
static struct err *renew(struct sql_conn *conn, struct ctx *ctx)
{
    TRY(sql_conn_renew(conn, ctx, true));
    return conn->tx == TX_NONE ? NULL : conn->db->driver->begin(conn->link, ctx, conn->kind);
}

struct err *sql_look_first(struct sql_conn *conn, struct ctx *ctx, bool *out_is_first)
{
    *out_is_first = conn->is_untouched && conn->db->driver->is_remote;
    conn->is_untouched = false;
    bool is_gone = *out_is_first && !conn->db->driver->is_usable(conn->link);
    return is_gone ? renew(conn, ctx) : NULL;
}

/* The first statement finds out that the connection broke while it was idle. What was sent in a
 * transaction was rolled back, for sure; outside of one, who knows. */
static struct err *start_safely(struct sql_rows *rows, const char *statement,
                                const struct sql_value *params, size_t count)
{
    struct sql_conn *conn = rows->conn;
    bool is_first = false;
    TRY(sql_look_first(conn, rows->ctx, &is_first));
    struct err *e = start(rows, statement, params, count);
    bool is_lost = conn->link->is_broken && err_is(e, &ERR_UPSTREAM_UNAVAILABLE);
    if (!is_first || !is_lost || conn->tx == TX_NONE)
        return e;
    err_free(e);
    TRY(renew(conn, rows->ctx));
    return start(rows, statement, params, count);
}

struct err *sql_rows_open(struct sql_rows *rows, struct sql_conn *conn, struct ctx *ctx,
                          const char *statement, const struct sql_value *params, size_t count)
{
    TRY(sql_check_ready(conn, ctx));
    *rows = (struct sql_rows){.conn = conn, .ctx = ctx};
    struct err *e = start_safely(rows, statement, params, count);
    if (e) {
        rows->conn = NULL;
        return failed(conn, statement, e);
    }
    conn->rows = rows;
    return NULL;
}

void sql_rows_end(struct sql_rows *rows)
{
    if (!rows->conn)
        return;
    rows->conn->db->driver->finish(rows->conn->link, rows->prepared);
    rows->conn->rows = NULL;
    rows->conn = NULL;
}

void sql_rows_detach(struct sql_conn *conn)
{
    if (conn->rows)
        sql_rows_end(conn->rows);
}

struct err *sql_rows_next(struct sql_rows *rows, bool *out_has_row)
{
    if (!rows->conn)
        return err_new(&SQL_FAILED, "the rows have ended");
    if (rows->at_end) {
        *out_has_row = false;
        return NULL;
    }
    struct sql_conn *conn = rows->conn;
    rows->has_row = false;
    struct err *e = conn->db->driver->step(conn->link, rows->prepared, &rows->has_row);
    if (e) {
        e = failed(conn, rows->prepared->text, e);
        sql_rows_end(rows);
        return e;
    }
    rows->at_end = !rows->has_row;
    *out_has_row = rows->has_row;
    return NULL;
}
