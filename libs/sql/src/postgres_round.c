#include <stdio.h>

#include <base/str.h>

#include "postgres.h"

#define NAME_TEXT 16

static void name_of(unsigned number, char name[static NAME_TEXT])
{
    snprintf(name, NAME_TEXT, "s%u", number);
}

/* --- sending --- */

struct err *sql_postgres_queue_command(struct postgres_link *link, const char *text)
{
    if (!sql_pq.PQsendQueryParams(link->conn, text, 0, NULL, NULL, NULL, NULL, 0))
        return sql_postgres_conn_error(link);
    return NULL;
}

static struct err *synchronize(struct postgres_link *link)
{
    return sql_pq.PQpipelineSync(link->conn) ? NULL : sql_postgres_conn_error(link);
}

/* On its own, where no transaction can suffer: a pooler may have had the statements forgotten. */
static struct err *queue_evicted(struct postgres_link *link)
{
    for (; link->evicted_count > 0; link->evicted_count--) {
        char name[NAME_TEXT], command[NAME_TEXT + 16];
        name_of(link->evicted[link->evicted_count - 1], name);
        snprintf(command, sizeof(command), "DEALLOCATE %s", name);
        TRY(sql_postgres_queue_command(link, command));
    }
    return synchronize(link);
}

struct err *sql_postgres_round_begin(struct postgres_link *link, struct round *out)
{
    if (!sql_pq.PQenterPipelineMode(link->conn))
        return sql_postgres_conn_error(link);
    link->is_outdated = false;
    *out = (struct round){
        .has_evicted =
            link->evicted_count > 0 && sql_pq.PQtransactionStatus(link->conn) == PQTRANS_IDLE,
        .has_begin = link->pending_begin,
    };
    if (out->has_evicted)
        TRY(queue_evicted(link));
    if (out->has_begin)
        TRY(sql_postgres_queue_command(link, TAKE(link->pending_begin)));
    return NULL;
}

static bool send_statement(struct postgres_link *link, struct postgres_prepared *prepared,
                           const struct postgres_params *bound, int count)
{
    if (link->is_unprepared)
        return sql_pq.PQsendQueryParams(link->conn, prepared->base.text, count, NULL, bound->values,
                                        bound->lengths, bound->formats, 0);
    char name[NAME_TEXT];
    prepared->is_fresh = prepared->number == 0;
    if (prepared->is_fresh) {
        prepared->number = ++link->prepared;
        prepared->is_new = true;
        name_of(prepared->number, name);
        if (!sql_pq.PQsendPrepare(link->conn, name, prepared->base.text, 0, NULL))
            return false;
    }
    name_of(prepared->number, name);
    return sql_pq.PQsendQueryPrepared(link->conn, name, count, bound->values, bound->lengths,
                                      bound->formats, 0);
}

struct err *sql_postgres_queue(struct postgres_link *link, struct postgres_prepared *prepared,
                               const struct sql_value *params, size_t count)
{
    _cleanup_(sql_postgres_params_deinit) struct postgres_params bound;
    bound.memory = NULL;
    struct err *e = sql_postgres_params_init(&bound, params, count);
    if (e) {
        link->base.is_broken = true; /* the round is not whole, and cannot be taken back */
        return e;
    }
    if (!send_statement(link, prepared, &bound, (int)count))
        return sql_postgres_conn_error(link);
    return NULL;
}

struct err *sql_postgres_round_send(struct postgres_link *link, struct ctx *ctx)
{
    TRY(synchronize(link));
    return sql_postgres_flush(link, ctx);
}

void sql_postgres_evict(struct postgres_link *link, struct postgres_prepared *prepared)
{
    if (prepared->number > 0 && link->evicted_count < EVICTED_MAX)
        link->evicted[link->evicted_count++] = prepared->number;
    prepared->number = 0;
    prepared->is_new = false;
}

/* --- receiving --- */

int64_t sql_postgres_affected(PGresult *result)
{
    const char *status = sql_pq.PQcmdStatus(result);
    int64_t count = 0;
    bool is_write = str_starts_with(status, "INSERT") || str_starts_with(status, "UPDATE") ||
                    str_starts_with(status, "DELETE") || str_starts_with(status, "MERGE");
    return is_write && parse_i64(sql_pq.PQcmdTuples(result), 0, INT64_MAX, &count) ? count : 0;
}

struct err *sql_postgres_await_command(struct postgres_link *link, struct ctx *ctx,
                                       int64_t *out_affected)
{
    int64_t affected = 0;
    sql_pq.PQsetSingleRowMode(link->conn); /* rows are dropped one by one */
    for (;;) {
        PGresult *result = NULL;
        TRY(sql_postgres_take(link, ctx, &result));
        if (!result)
            break;
        struct err *e = sql_postgres_result_error(link, result);
        affected = e ? 0 : sql_postgres_affected(result);
        sql_pq.PQclear(result);
        if (e) {
            sql_postgres_drain(link, true);
            return e;
        }
    }
    if (out_affected)
        *out_affected = affected;
    return NULL;
}

struct err *sql_postgres_await_begin(struct postgres_link *link, struct ctx *ctx,
                                     const struct round *round)
{
    for (PGresult *result = NULL; round->has_evicted;) {
        sql_pq.PQclear(result);
        TRY(sql_postgres_result(link, ctx, &result));
        if (!result)
            break;
    }
    return round->has_begin ? sql_postgres_await_command(link, ctx, NULL) : NULL;
}

struct err *sql_postgres_await_prepared(struct postgres_link *link, struct ctx *ctx,
                                        struct postgres_prepared *prepared)
{
    if (prepared->is_new)
        TRY(sql_postgres_await_command(link, ctx, NULL));
    prepared->is_new = false;
    return NULL;
}
