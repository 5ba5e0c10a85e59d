#include <base/secret.h>

#include "internal.h"

#define ATTEMPTS        10
#define BACK_OFF_MS     5 /* before the second attempt; doubles, and half of it is random */
#define BACK_OFF_MAX_MS 80
#define RETRY_AFTER_MS  1000 /* for clients, when all attempts have failed */

/* On another link, if this one broke while it was idle: nothing can have been done on it. */
static struct err *begin_safely(struct sql_conn *conn, struct ctx *ctx, enum transaction kind)
{
    struct err *e = conn->db->driver->begin(conn->link, ctx, kind);
    bool is_lost = conn->link->is_broken && err_is(e, &ERR_UPSTREAM_UNAVAILABLE);
    if (!is_lost || !conn->is_untouched || !conn->db->driver->is_remote)
        return e;
    err_free(e);
    TRY(sql_conn_renew(conn, ctx, true));
    return conn->db->driver->begin(conn->link, ctx, kind);
}

struct err *sql_begin_as(struct sql_conn *conn, struct ctx *ctx, enum transaction kind)
{
    TRY(sql_check_ready(conn, ctx));
    if (conn->tx != TX_NONE)
        return err_new(&SQL_FAILED, "the connection is in a transaction already");
    struct err *e = begin_safely(conn, ctx, kind);
    if (e) {
        conn->db->driver->rollback(conn->link);
    } else {
        conn->tx = TX_OPEN;
        conn->kind = kind;
    }
    return err_wrap(e, "begin a transaction");
}

struct err *sql_begin(struct sql_conn *conn, struct ctx *ctx)
{
    return sql_begin_as(conn, ctx, TRANSACTION_PLAIN);
}

struct err *sql_begin_read_committed(struct sql_conn *conn, struct ctx *ctx)
{
    return sql_begin_as(conn, ctx, TRANSACTION_READ_COMMITTED);
}

struct err *sql_on_commit(struct sql_conn *conn, void (*notify)(void *data), void *data)
{
    if (conn->tx != TX_OPEN)
        return err_new(&SQL_FAILED, "there is no transaction whose end could be told of");
    for (size_t i = 0; i < conn->notice_count; i++) {
        if (conn->notices[i].notify == notify && conn->notices[i].data == data)
            return NULL;
    }
    if (conn->notice_count == SQL_NOTICES_MAX)
        return err_new(&SQL_FAILED, "more than %d want to be told of a commit", SQL_NOTICES_MAX);
    conn->notices[conn->notice_count++] = (struct notice){notify, data};
    return NULL;
}

/* They may have to do with a transaction that is there although its end was not heard of. */
static bool may_be_committed(const struct err *e)
{
    return !e || err_is(e, &ERR_UPSTREAM_UNAVAILABLE) || err_is(e, &ERR_UPSTREAM_TIMEOUT);
}

static struct err *try_commit(struct sql_conn *conn, struct ctx *ctx)
{
    TRY(sql_check_ready(conn, ctx));
    if (conn->tx != TX_OPEN)
        return err_new(&SQL_FAILED, "there is no transaction");
    return conn->db->driver->commit(conn->link, ctx);
}

struct err *sql_commit(struct sql_conn *conn, struct ctx *ctx)
{
    struct err *e = try_commit(conn, ctx);
    size_t count = may_be_committed(e) ? conn->notice_count : 0;
    if (e)
        sql_rollback(conn);
    conn->tx = TX_NONE;
    conn->notice_count = 0;
    for (size_t i = 0; i < count; i++)
        conn->notices[i].notify(conn->notices[i].data);
    return err_wrap(e, "commit");
}

void sql_rollback(struct sql_conn *conn)
{
    sql_rows_detach(conn);
    if (conn->tx != TX_NONE || conn->db->driver->in_transaction(conn->link))
        conn->db->driver->rollback(conn->link);
    conn->tx = TX_NONE;
    conn->notice_count = 0;
}

static struct err *attempt(struct sql_db *db, struct ctx *ctx,
                           struct err *(*run)(struct sql_conn *conn, struct ctx *ctx, void *data),
                           void *data)
{
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(db, ctx, &conn));
    TRY(sql_begin(conn, ctx));
    TRY(run(conn, ctx, data));
    return sql_commit(conn, ctx);
}

struct err *sql_transact(struct sql_db *db, struct ctx *ctx,
                         struct err *(*run)(struct sql_conn *conn, struct ctx *ctx, void *data),
                         void *data)
{
    uint32_t back_off_ms = BACK_OFF_MS;
    for (int i = 1;; i++) {
        struct err *e = attempt(db, ctx, run, data);
        if (!err_is(e, &SQL_SERIALIZATION))
            return e;
        if (i == ATTEMPTS)
            return err_set_retry_after(e, RETRY_AFTER_MS);
        err_free(e);
        TRY(ctx_sleep(ctx, back_off_ms / 2 + random_below(back_off_ms)));
        back_off_ms = MIN(back_off_ms * 2, BACK_OFF_MAX_MS);
    }
}
