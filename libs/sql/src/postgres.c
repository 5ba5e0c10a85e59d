#include "postgres.h"

#include <base/str.h>

#define BYTES_MAX ((size_t)64 * 1024 * 1024)

/* --- prepared statements --- */

/* Sends nothing: it is prepared in the round trip of its first execution. */
static struct err *prepare(struct link *base, struct ctx *ctx, const char *text,
                           struct prepared **out_prepared)
{
    (void)base, (void)ctx, (void)text;
    struct postgres_prepared *prepared = calloc(1, sizeof(*prepared));
    if (!prepared)
        return err_oom();
    prepared->bytes = ARENA_INIT(BYTES_MAX);
    *out_prepared = &prepared->base;
    return NULL;
}

static void finalize(struct link *base, struct prepared *base_prepared)
{
    struct postgres_prepared *prepared = postgres_prepared_of(base_prepared);
    sql_postgres_evict(postgres_link_of(base), prepared);
    arena_deinit(&prepared->bytes);
    free(prepared);
}

/* --- statements --- */

static struct err *next_row(struct postgres_link *link, struct postgres_prepared *prepared)
{
    sql_pq.PQclear(prepared->row);
    prepared->row = NULL;
    arena_reset(&prepared->bytes);
    TRY(sql_postgres_result(link, link->ctx, &prepared->row));
    struct err *e = sql_postgres_result_error(link, prepared->row);
    if (e)
        sql_postgres_drain(link, true);
    return e;
}

static struct err *execute(struct postgres_link *link, struct postgres_prepared *prepared,
                           const struct sql_value *params, size_t count)
{
    struct round round;
    TRY(sql_postgres_round_begin(link, &round));
    TRY(sql_postgres_queue(link, prepared, params, count));
    TRY(sql_postgres_round_send(link, link->ctx));
    TRY(sql_postgres_await_begin(link, link->ctx, &round));
    TRY(sql_postgres_await_prepared(link, link->ctx, prepared));
    if (!sql_pq.PQsetSingleRowMode(link->conn))
        return sql_postgres_conn_error(link);
    return next_row(link, prepared);
}

static struct err *execute_first(struct postgres_link *link, struct postgres_prepared *prepared,
                                 const struct sql_value *params, size_t count)
{
    struct err *e = execute(link, prepared, params, count);
    if (prepared->is_new) /* what became of that was not heard */
        sql_postgres_evict(link, prepared);
    return e;
}

/* Whether to prepare it anew may mend the error. */
static bool is_outdated(struct postgres_link *link, struct postgres_prepared *prepared)
{
    if (link->base.is_broken || !link->is_outdated || prepared->is_fresh || prepared->number == 0)
        return false;
    sql_postgres_evict(link, prepared);
    return true;
}

/* In place of e, which has ended the transaction: what was prepared changed meanwhile. */
static struct err *changed(struct err *e)
{
    err_free(e);
    return err_new(&SQL_SERIALIZATION, "the tables of a prepared statement have changed");
}

/* Returns with the first result. */
static struct err *start(struct link *base, struct ctx *ctx, struct prepared *base_prepared,
                         const struct sql_value *params, size_t count)
{
    struct postgres_link *link = postgres_link_of(base);
    struct postgres_prepared *prepared = postgres_prepared_of(base_prepared);
    link->ctx = ctx;
    link->affected = 0;
    link->in_transaction = sql_postgres_in_transaction(base);
    prepared->is_first = true;
    struct err *e = execute_first(link, prepared, params, count);
    if (!e || !is_outdated(link, prepared))
        return e;
    if (link->in_transaction)
        return changed(e);
    err_free(e);
    return execute_first(link, prepared, params, count);
}

static struct err *step(struct link *base, struct prepared *base_prepared, bool *out_has_row)
{
    struct postgres_link *link = postgres_link_of(base);
    struct postgres_prepared *prepared = postgres_prepared_of(base_prepared);
    if (!prepared->is_first)
        TRY(next_row(link, prepared));
    prepared->is_first = false;
    *out_has_row = sql_pq.PQresultStatus(prepared->row) == PGRES_SINGLE_TUPLE;
    if (*out_has_row)
        return NULL;
    link->affected = sql_postgres_affected(prepared->row);
    return sql_postgres_finish(link, link->ctx); /* where a COMMIT of its own may still fail */
}

static void finish(struct link *base, struct prepared *base_prepared)
{
    struct postgres_link *link = postgres_link_of(base);
    struct postgres_prepared *prepared = postgres_prepared_of(base_prepared);
    /* In a transaction nothing may be cancelled, since that would fail it. */
    if (!base->is_broken && sql_pq.PQtransactionStatus(link->conn) == PQTRANS_ACTIVE)
        sql_postgres_drain(link, link->in_transaction);
    sql_pq.PQclear(prepared->row);
    prepared->row = NULL;
    arena_deinit(&prepared->bytes);
    link->ctx = NULL;
}

/* --- several statements --- */

static struct err *queue_all(struct postgres_link *link, const struct batch *batch,
                             struct round *out_round)
{
    TRY(sql_postgres_round_begin(link, out_round));
    for (size_t i = 0; i < batch->count; i++)
        TRY(sql_postgres_queue(link, postgres_prepared_of(batch->prepared[i]),
                               batch->statements[i].params, batch->statements[i].count));
    return batch->commits ? sql_postgres_queue_command(link, "COMMIT") : NULL;
}

static struct err *await_all(struct postgres_link *link, struct ctx *ctx, struct batch *batch,
                             const struct round *round)
{
    TRY(sql_postgres_await_begin(link, ctx, round));
    for (size_t i = 0; i < batch->count; i++) {
        struct postgres_prepared *prepared = postgres_prepared_of(batch->prepared[i]);
        batch->at = batch->statements[i].text;
        TRY(sql_postgres_await_prepared(link, ctx, prepared));
        struct err *e = sql_postgres_await_command(link, ctx, &batch->affected[i]);
        if (e)
            return is_outdated(link, prepared) ? changed(e) : e;
    }
    batch->at = NULL;
    return sql_postgres_finish(link, ctx);
}

static struct err *run_batch(struct link *base, struct ctx *ctx, struct batch *batch)
{
    struct postgres_link *link = postgres_link_of(base);
    struct round round;
    struct err *e = queue_all(link, batch, &round);
    if (!e)
        e = sql_postgres_round_send(link, ctx);
    if (!e)
        e = await_all(link, ctx, batch, &round);
    for (size_t i = 0; i < batch->count; i++)
        if (postgres_prepared_of(batch->prepared[i])->is_new)
            sql_postgres_evict(link, postgres_prepared_of(batch->prepared[i]));
    return e;
}

/* --- results --- */

static int64_t affected(struct link *base, struct prepared *prepared)
{
    (void)prepared;
    return postgres_link_of(base)->affected;
}

static size_t column_count(struct prepared *prepared)
{
    return (size_t)sql_pq.PQnfields(postgres_prepared_of(prepared)->row);
}

static const char *column_name(struct prepared *prepared, size_t column)
{
    return sql_pq.PQfname(postgres_prepared_of(prepared)->row, (int)column);
}

static struct sql_value column_value(struct prepared *prepared, size_t column)
{
    return sql_postgres_value(postgres_prepared_of(prepared), (int)column);
}

const struct driver sql_driver_postgres = {
    .dialect = SQL_POSTGRES,
    .name = "postgres",
    .column_exists = "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass($1) "
                     "AND attname = $2 AND NOT attisdropped",
    .is_remote = true,
    .target_new = sql_postgres_target_new,
    .target_free = sql_postgres_target_free,
    .connect = sql_postgres_connect,
    .disconnect = sql_postgres_disconnect,
    .is_usable = sql_postgres_is_usable,
    .check = sql_postgres_check,
    .begin = sql_postgres_begin,
    .commit = sql_postgres_commit,
    .rollback = sql_postgres_rollback,
    .in_transaction = sql_postgres_in_transaction,
    .run_script = sql_postgres_run_script,
    .run_batch = run_batch,
    .prepare = prepare,
    .finalize = finalize,
    .start = start,
    .step = step,
    .finish = finish,
    .affected = affected,
    .column_count = column_count,
    .column_name = column_name,
    .column_value = column_value,
};
