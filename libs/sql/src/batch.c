#include <string.h>

#include "errors.h"
#include "internal.h"

static struct err *run_one_by_one(struct sql_conn *conn, struct ctx *ctx, struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct sql_statement *statement = &batch->statements[i];
        TRY(sql_exec_params(conn, ctx, statement->text, &batch->affected[i], statement->params,
                            statement->count));
    }
    return batch->commits ? sql_commit(conn, ctx) : NULL;
}

static struct err *prepare_all(struct sql_conn *conn, struct ctx *ctx, struct batch *batch)
{
    /* None of them drops another one from the cache. */
    _Static_assert(SQL_BATCH_MAX < STATEMENTS_MAX, "a batch fits into the cache");
    for (size_t i = 0; i < batch->count; i++) {
        const struct sql_statement *statement = &batch->statements[i];
        struct err *e = sql_check_params(statement->params, statement->count);
        if (!e)
            e = sql_cache_get(conn, ctx, statement->text, &batch->prepared[i]);
        if (e)
            return sql_error_in(e, statement->text);
    }
    return NULL;
}

static struct err *run_together(struct sql_conn *conn, struct ctx *ctx, struct batch *batch)
{
    bool is_first = false;
    TRY(sql_check_ready(conn, ctx));
    TRY(sql_look_first(conn, ctx, &is_first));
    struct err *e = prepare_all(conn, ctx, batch);
    if (!e) {
        e = conn->db->driver->run_batch(conn->link, ctx, batch);
        if (e && batch->at)
            e = sql_error_in(e, batch->at);
    }
    if (e && conn->tx == TX_OPEN)
        conn->tx = TX_FAILED;
    return e;
}

static struct err *run_batch(struct sql_conn *conn, struct ctx *ctx, struct batch *batch)
{
    return conn->db->driver->run_batch ? run_together(conn, ctx, batch)
                                       : run_one_by_one(conn, ctx, batch);
}

static struct err *run_in_transaction(struct sql_conn *conn, struct ctx *ctx, struct batch *batch)
{
    TRY(sql_begin(conn, ctx));
    batch->commits = true;
    struct err *e = run_batch(conn, ctx, batch);
    if (e)
        sql_rollback(conn);
    conn->tx = TX_NONE;
    return e;
}

struct err *sql_exec_batch(struct sql_conn *conn, struct ctx *ctx,
                           const struct sql_statement *statements, size_t count,
                           int64_t *out_affected)
{
    if (count > SQL_BATCH_MAX)
        return err_new(&SQL_FAILED, "%zu statements are more than %d", count, SQL_BATCH_MAX);
    struct batch batch = {.statements = statements, .count = count};
    TRY(conn->tx == TX_NONE ? run_in_transaction(conn, ctx, &batch) : run_batch(conn, ctx, &batch));
    if (out_affected)
        memcpy(out_affected, batch.affected, count * sizeof(*out_affected));
    return NULL;
}
