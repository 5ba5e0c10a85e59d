#include "postgres.h"

/* Any number would do, as long as it is always the same one. */
#define MIGRATION_LOCK "7020584498134142803"

struct err *sql_postgres_finish(struct postgres_link *link, struct ctx *ctx)
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

struct err *sql_postgres_run_script(struct link *base, struct ctx *ctx, const char *script)
{
    struct postgres_link *link = postgres_link_of(base);
    if (!sql_pq.PQexitPipelineMode(link->conn) || !sql_pq.PQsendQuery(link->conn, script))
        return sql_postgres_conn_error(link);
    TRY(sql_postgres_flush(link, ctx));
    return sql_postgres_finish(link, ctx);
}

/* Nothing is seen or locked before the first statement, so BEGIN goes along with that. */
struct err *sql_postgres_begin(struct link *base, struct ctx *ctx, enum transaction kind)
{
    static const char *const scripts[] = {
        [TRANSACTION_PLAIN] = "BEGIN ISOLATION LEVEL SERIALIZABLE",
        [TRANSACTION_READ_COMMITTED] = "BEGIN ISOLATION LEVEL READ COMMITTED",
        /* Who has waited for the lock must see what was done meanwhile: READ COMMITTED. */
        [TRANSACTION_MIGRATION] = "BEGIN ISOLATION LEVEL READ COMMITTED; "
                                  "SELECT pg_advisory_xact_lock(" MIGRATION_LOCK ")",
    };
    if (kind == TRANSACTION_MIGRATION)
        return sql_postgres_run_script(base, ctx, scripts[kind]);
    postgres_link_of(base)->pending_begin = scripts[kind];
    return NULL;
}

bool sql_postgres_in_transaction(struct link *base)
{
    const struct postgres_link *link = postgres_link_of(base);
    PGTransactionStatusType status = sql_pq.PQtransactionStatus(link->conn);
    return link->pending_begin || (status != PQTRANS_IDLE && status != PQTRANS_UNKNOWN);
}

/* Takes its own time: to give up in the middle would be not to know what became of it. */
static struct err *complete(struct link *base, const char *script)
{
    struct ctx limited;
    ctx_init(&limited, NULL, COMPLETION_MS);
    struct err *e = sql_postgres_run_script(base, &limited, script);
    ctx_deinit(&limited);
    return e;
}

struct err *sql_postgres_commit(struct link *base, struct ctx *ctx)
{
    (void)ctx;
    struct postgres_link *link = postgres_link_of(base);
    if (TAKE(link->pending_begin))
        return NULL;
    /* A failed transaction is rolled back by COMMIT, and that is no error. */
    if (sql_pq.PQtransactionStatus(link->conn) == PQTRANS_INERROR)
        return err_new(&SQL_FAILED, "the transaction has failed");
    return complete(base, "COMMIT");
}

void sql_postgres_rollback(struct link *base)
{
    struct postgres_link *link = postgres_link_of(base);
    link->pending_begin = NULL;
    if (base->is_broken || !sql_postgres_in_transaction(base))
        return;
    _cleanup_(err_free) struct err *e = complete(base, "ROLLBACK");
    if (e)
        base->is_broken = true;
}
