#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "postgres.h"

/* The ctx was cancelled. Never blocks: the counter of an eventfd does not overflow here. */
static void wake(void *data)
{
    const struct postgres_link *link = data;
    const uint64_t one = 1;
    (void)!write(link->wake_fd, &one, sizeof(one));
}

struct err *sql_postgres_wait(struct postgres_link *link, struct ctx *ctx, short events)
{
    struct pollfd fds[] = {
        {.fd = sql_pq.PQsocket(link->conn), .events = events},
        {.fd = link->wake_fd, .events = POLLIN},
    };
    struct ctx_hook hook = {.run = wake, .data = link};
    ctx_add_hook(ctx, &hook);
    poll(fds, ARRAY_LEN(fds), (int)MIN(ctx_remaining_ms(ctx, CTX_NO_TIMEOUT), INT_MAX));
    ctx_remove_hook(ctx, &hook);
    uint64_t wakes;
    (void)!read(link->wake_fd, &wakes, sizeof(wakes));
    return ctx_check(ctx);
}

struct err *sql_postgres_flush(struct postgres_link *link, struct ctx *ctx)
{
    for (;;) {
        int left = sql_pq.PQflush(link->conn);
        if (left == 0)
            return NULL;
        if (left < 0)
            return sql_postgres_conn_error(link);
        struct err *e = sql_postgres_wait(link, ctx, POLLIN | POLLOUT);
        if (e) {
            link->base.is_broken = true; /* half a message is out */
            return e;
        }
        /* The server may have to speak before it listens. */
        if (!sql_pq.PQconsumeInput(link->conn))
            return sql_postgres_conn_error(link);
    }
}

static struct err *await_result(struct postgres_link *link, struct ctx *ctx)
{
    while (sql_pq.PQisBusy(link->conn)) {
        TRY(sql_postgres_wait(link, ctx, POLLIN));
        if (!sql_pq.PQconsumeInput(link->conn))
            return sql_postgres_conn_error(link);
    }
    return NULL;
}

static struct err *take(struct postgres_link *link, struct ctx *ctx, PGresult **out_result)
{
    TRY(await_result(link, ctx));
    *out_result = sql_pq.PQgetResult(link->conn);
    return NULL;
}

static bool is_busy(const struct postgres_link *link)
{
    return sql_pq.PQtransactionStatus(link->conn) == PQTRANS_ACTIVE;
}

static struct err *take_all(struct postgres_link *link, struct ctx *ctx)
{
    PGresult *result = NULL;
    do {
        sql_pq.PQclear(result);
        result = NULL;
        TRY(take(link, ctx, &result));
    } while (result || is_busy(link));
    return NULL;
}

static struct err *take_all_within(struct postgres_link *link, struct ctx *parent, int64_t ms)
{
    struct ctx ctx;
    ctx_init(&ctx, parent, ms);
    struct err *e = take_all(link, &ctx);
    ctx_deinit(&ctx);
    return e;
}

/* A server that has not begun with what it is to leave yet does not leave it: it is asked again. */
static struct err *cancel_all_within(struct postgres_link *link, struct ctx *ctx)
{
    for (int64_t pause_ms = CANCEL_AGAIN_MS;; pause_ms *= 2) {
        if (!sql_postgres_cancel(link, ctx))
            return err_new(&ERR_UPSTREAM_TIMEOUT, "the server did not hear the cancellation");
        struct err *e = take_all_within(link, ctx, pause_ms);
        if (!err_is(e, &ERR_UPSTREAM_TIMEOUT) || ctx_is_done(ctx))
            return e;
        err_free(e);
    }
}

static struct err *cancel_all(struct postgres_link *link)
{
    struct ctx ctx;
    ctx_init(&ctx, NULL, CANCEL_MS);
    struct err *e = cancel_all_within(link, &ctx);
    ctx_deinit(&ctx);
    return e;
}

void sql_postgres_drain(struct postgres_link *link, bool in_full)
{
    if (link->base.is_broken || !is_busy(link))
        return;
    struct err *e = in_full ? take_all_within(link, NULL, COMPLETION_MS) : cancel_all(link);
    if (e)
        link->base.is_broken = true;
    err_free(e);
}

struct err *sql_postgres_take(struct postgres_link *link, struct ctx *ctx, PGresult **out_result)
{
    /* Rows that come without a wait are no reason not to look. */
    struct err *e = ctx_check(ctx);
    if (!e)
        e = take(link, ctx, out_result);
    if (e && !link->base.is_broken)
        sql_postgres_drain(link, false);
    return e;
}

struct err *sql_postgres_result(struct postgres_link *link, struct ctx *ctx, PGresult **out_result)
{
    for (;;) {
        PGresult *result = NULL;
        TRY(sql_postgres_take(link, ctx, &result));
        if (!result && is_busy(link))
            continue; /* to the next command */
        int status = result ? (int)sql_pq.PQresultStatus(result) : PGRES_PIPELINE_SYNC;
        if (status != PGRES_PIPELINE_SYNC && status != PGRES_PIPELINE_ABORTED) {
            *out_result = result;
            return NULL;
        }
        sql_pq.PQclear(result);
        if (status == PGRES_PIPELINE_SYNC) {
            *out_result = NULL;
            return NULL;
        }
    }
}

/* Without a cancellation: who does not answer this is not there. */
struct err *sql_postgres_check(struct link *base, struct ctx *ctx)
{
    struct postgres_link *link = postgres_link_of(base);
    if (!sql_pq.PQexitPipelineMode(link->conn) || !sql_pq.PQsendQuery(link->conn, "SELECT 1"))
        return sql_postgres_conn_error(link);
    struct err *e = sql_postgres_flush(link, ctx);
    for (bool is_end = false; !e && !is_end;) {
        PGresult *result = NULL;
        e = take(link, ctx, &result);
        is_end = !result;
        if (result)
            e = sql_postgres_result_error(link, result);
        sql_pq.PQclear(result);
    }
    if (e)
        base->is_broken = true;
    return e;
}
