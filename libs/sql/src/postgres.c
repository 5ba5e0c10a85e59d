#include "postgres.h"

#include <stdio.h>

#include <base/str.h>

#define BYTES_MAX ((size_t)64 * 1024 * 1024)

/* Any number would do, as long as it is always the same one. */
#define MIGRATION_LOCK "7020584498134142803"

/* --- scripts and transactions --- */

/* Sends nothing: takes the results of what was sent, to the last. The first error counts. */
static struct err *finish_results(struct postgres_link *link, struct ctx *ctx)
{
    struct err *first = NULL;
    for (;;) {
        PGresult *result = NULL;
        struct err *e = sql_postgres_result(link, ctx, &result);
        bool is_end = e || !result;
        if (!is_end)
            e = sql_postgres_result_error(link, result);
        sql_pq.PQclear(result);
        if (first)
            err_free(e);
        else
            first = e;
        if (is_end || link->base.is_broken)
            return first;
    }
}

static struct err *run_script(struct link *base, struct ctx *ctx, const char *script)
{
    struct postgres_link *link = postgres_link_of(base);
    if (!sql_pq.PQsendQuery(link->conn, script))
        return sql_postgres_conn_error(link);
    TRY(sql_postgres_flush(link, ctx));
    return finish_results(link, ctx);
}

static struct err *begin(struct link *base, struct ctx *ctx, enum transaction kind)
{
    static const char *const scripts[] = {
        [TRANSACTION_PLAIN] = "BEGIN ISOLATION LEVEL SERIALIZABLE",
        [TRANSACTION_READ_COMMITTED] = "BEGIN ISOLATION LEVEL READ COMMITTED",
        /* Who has waited for the lock must see what was done meanwhile: READ COMMITTED. */
        [TRANSACTION_MIGRATION] = "BEGIN ISOLATION LEVEL READ COMMITTED; "
                                  "SELECT pg_advisory_xact_lock(" MIGRATION_LOCK ")",
    };
    return run_script(base, ctx, scripts[kind]);
}

static bool in_transaction(struct link *base)
{
    PGTransactionStatusType status = sql_pq.PQtransactionStatus(postgres_link_of(base)->conn);
    return status != PQTRANS_IDLE && status != PQTRANS_UNKNOWN;
}

/* Takes its own time: to give up in the middle would be not to know what became of it. */
static struct err *complete(struct link *base, const char *script)
{
    struct ctx limited;
    ctx_init(&limited, NULL, COMPLETION_MS);
    struct err *e = run_script(base, &limited, script);
    ctx_deinit(&limited);
    return e;
}

static struct err *commit(struct link *base, struct ctx *ctx)
{
    (void)ctx;
    /* A failed transaction is rolled back by COMMIT, and that is no error. */
    if (sql_pq.PQtransactionStatus(postgres_link_of(base)->conn) == PQTRANS_INERROR)
        return err_new(&SQL_FAILED, "the transaction has failed");
    return complete(base, "COMMIT");
}

static void rollback(struct link *base)
{
    if (base->is_broken || !in_transaction(base))
        return;
    _cleanup_(err_free) struct err *e = complete(base, "ROLLBACK");
    if (e)
        base->is_broken = true;
}

/* --- prepared statements --- */

#define NAME_TEXT 16

static void name_of(unsigned number, char name[static NAME_TEXT])
{
    snprintf(name, NAME_TEXT, "s%u", number);
}

/* The server forgets what the cache has dropped. */
static struct err *deallocate_evicted(struct postgres_link *link, struct ctx *ctx)
{
    if (link->evicted == 0)
        return NULL;
    char name[NAME_TEXT], script[NAME_TEXT + 16];
    name_of(link->evicted, name);
    snprintf(script, sizeof(script), "DEALLOCATE %s", name);
    link->evicted = 0;
    return run_script(&link->base, ctx, script);
}

static struct err *prepare_as(struct postgres_link *link, struct ctx *ctx, const char *text,
                              unsigned number)
{
    char name[NAME_TEXT];
    TRY(deallocate_evicted(link, ctx));
    name_of(number, name);
    if (!sql_pq.PQsendPrepare(link->conn, name, text, 0, NULL))
        return sql_postgres_conn_error(link);
    TRY(sql_postgres_flush(link, ctx));
    return finish_results(link, ctx);
}

static struct err *prepare(struct link *base, struct ctx *ctx, const char *text,
                           struct prepared **out_prepared)
{
    struct postgres_link *link = postgres_link_of(base);
    struct postgres_prepared *prepared = calloc(1, sizeof(*prepared));
    if (!prepared)
        return err_oom();
    struct err *e = prepare_as(link, ctx, text, link->prepared + 1);
    if (e) {
        free(prepared);
        return e;
    }
    prepared->number = ++link->prepared;
    prepared->bytes = ARENA_INIT(BYTES_MAX);
    *out_prepared = &prepared->base;
    return NULL;
}

static void finalize(struct link *base, struct prepared *base_prepared)
{
    struct postgres_prepared *prepared = postgres_prepared_of(base_prepared);
    postgres_link_of(base)->evicted = prepared->number;
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
    _cleanup_(sql_postgres_params_deinit) struct postgres_params bound;
    char name[NAME_TEXT];
    bound.memory = NULL;
    TRY(sql_postgres_params_init(&bound, params, count));
    name_of(prepared->number, name);
    if (!sql_pq.PQsendQueryPrepared(link->conn, name, (int)count, bound.values, bound.lengths,
                                    bound.formats, 0) ||
        !sql_pq.PQsetSingleRowMode(link->conn))
        return sql_postgres_conn_error(link);
    TRY(sql_postgres_flush(link, link->ctx));
    return next_row(link, prepared);
}

/* "cached plan must not change result type", after an ALTER TABLE; or the statement is not there,
 * after a DISCARD ALL by a pooler in between. */
static bool must_prepare_again(const PGresult *result)
{
    const char *state = sql_pq.PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return state && (str_equal(state, "0A000") || str_equal(state, "26000"));
}

static struct err *prepare_again(struct postgres_link *link, struct postgres_prepared *prepared)
{
    TRY(prepare_as(link, link->ctx, prepared->base.text, link->prepared + 1));
    link->evicted = prepared->number;
    prepared->number = ++link->prepared;
    prepared->is_stale = false;
    return NULL;
}

/* Returns with the first result, since its error may be one that preparing anew mends. */
static struct err *start(struct link *base, struct ctx *ctx, struct prepared *base_prepared,
                         const struct sql_value *params, size_t count)
{
    struct postgres_link *link = postgres_link_of(base);
    struct postgres_prepared *prepared = postgres_prepared_of(base_prepared);
    link->ctx = ctx;
    link->affected = 0;
    link->in_transaction = in_transaction(base);
    prepared->is_first = true;
    if (prepared->is_stale)
        TRY(prepare_again(link, prepared));
    struct err *e = execute(link, prepared, params, count);
    if (!e || !must_prepare_again(prepared->row))
        return e;
    prepared->is_stale = true;
    if (link->in_transaction) /* which the error has ended */
        return e;
    err_free(e);
    TRY(prepare_again(link, prepared));
    return execute(link, prepared, params, count);
}

static int64_t count_affected(PGresult *result)
{
    const char *status = sql_pq.PQcmdStatus(result);
    int64_t count = 0;
    bool is_write = str_starts_with(status, "INSERT") || str_starts_with(status, "UPDATE") ||
                    str_starts_with(status, "DELETE") || str_starts_with(status, "MERGE");
    return is_write && parse_i64(sql_pq.PQcmdTuples(result), 0, INT64_MAX, &count) ? count : 0;
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
    link->affected = count_affected(prepared->row);
    return finish_results(link, link->ctx); /* where a COMMIT of its own may still fail */
}

static void finish(struct link *base, struct prepared *base_prepared)
{
    struct postgres_link *link = postgres_link_of(base);
    struct postgres_prepared *prepared = postgres_prepared_of(base_prepared);
    /* In a transaction nothing may be cancelled, since that would fail it. */
    if (sql_pq.PQtransactionStatus(link->conn) == PQTRANS_ACTIVE)
        sql_postgres_drain(link, link->in_transaction);
    sql_pq.PQclear(prepared->row);
    prepared->row = NULL;
    arena_deinit(&prepared->bytes);
    link->ctx = NULL;
}

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
    .table_exists = "SELECT CASE WHEN to_regclass($1) IS NULL THEN 0 ELSE 1 END",
    .is_remote = true,
    .target_new = sql_postgres_target_new,
    .target_free = sql_postgres_target_free,
    .connect = sql_postgres_connect,
    .disconnect = sql_postgres_disconnect,
    .is_usable = sql_postgres_is_usable,
    .check = sql_postgres_check,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .in_transaction = in_transaction,
    .run_script = run_script,
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
