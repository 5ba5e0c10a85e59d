#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <base/secret.h>

#include "postgres.h"

/* A server that is away is told within this time, however long the ctx. */
#define CONNECT_MS 5000

struct err *sql_postgres_target_new(const char *url, struct target **out_target)
{
    TRY(sql_libpq_load());
    char *mistake = NULL;
    PQconninfoOption *options = sql_pq.PQconninfoParse(url, &mistake);
    if (!options) {
        bool is_oom = !mistake;
        sql_pq.PQfreemem(mistake); /* it may quote the password */
        return is_oom ? err_oom() : err_new(&SQL_FAILED, "the PostgreSQL URL is malformed");
    }
    sql_pq.PQconninfoFree(options);
    struct postgres_target *target = calloc(1, sizeof(*target));
    char *copy = strdup(url);
    if (!target || !copy) {
        free(target);
        free(copy);
        return err_oom();
    }
    target->url = copy;
    *out_target = &target->base;
    return NULL;
}

static struct postgres_target *target_of(struct target *target)
{
    return CONTAINER_OF(target, struct postgres_target, base);
}

void sql_postgres_target_free(struct target *base)
{
    struct postgres_target *target = target_of(base);
    secret_wipe(target->url, strlen(target->url));
    free(target->url);
    free(target);
}

/* "NOTICE: relation exists, skipping" is for people at a terminal. */
static void ignore_notice(void *data, const PGresult *result)
{
    (void)data, (void)result;
}

static struct err *run_handshake(struct postgres_link *link, struct ctx *ctx)
{
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (next != PGRES_POLLING_OK) {
        if (next == PGRES_POLLING_FAILED || sql_pq.PQstatus(link->conn) == CONNECTION_BAD)
            return sql_postgres_conn_error(link);
        TRY(sql_postgres_wait(link, ctx, next == PGRES_POLLING_READING ? POLLIN : POLLOUT));
        next = sql_pq.PQconnectPoll(link->conn);
    }
    if (sql_pq.PQsetnonblocking(link->conn, 1) != 0)
        return sql_postgres_conn_error(link);
    return NULL;
}

static struct err *open_conn(struct postgres_link *link, const char *url, struct ctx *ctx)
{
    /* What stands before the URL is a default, what stands after it is not for it to change. */
    static const char *const keywords[] = {"fallback_application_name", "tcp_user_timeout",
                                           "dbname", "client_encoding", NULL};
    const char *const values[] = {"plankton", "10000", url, "UTF8", NULL};
    link->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (link->wake_fd < 0)
        return err_new(&ERR_UPSTREAM_UNAVAILABLE, "no file descriptor is left");
    link->conn = sql_pq.PQconnectStartParams(keywords, values, 1);
    if (!link->conn)
        return err_oom();
    sql_pq.PQsetNoticeReceiver(link->conn, ignore_notice, NULL);
    struct ctx limited;
    ctx_init(&limited, ctx, CONNECT_MS);
    struct err *e = run_handshake(link, &limited);
    ctx_deinit(&limited);
    struct err *ended = e ? ctx_check(ctx) : NULL;
    if (!ended && err_is(e, &ERR_UPSTREAM_TIMEOUT))
        ended = err_new(&ERR_UPSTREAM_UNAVAILABLE, "PostgreSQL did not answer within %d ms",
                        CONNECT_MS);
    if (!ended)
        return e;
    err_free(e);
    return ended;
}

struct err *sql_postgres_connect(struct target *target, struct ctx *ctx, struct link **out_link)
{
    struct postgres_link *link = calloc(1, sizeof(*link));
    if (!link)
        return err_oom();
    link->wake_fd = -1;
    struct err *e = open_conn(link, target_of(target)->url, ctx);
    if (e)
        sql_postgres_disconnect(&link->base);
    else
        *out_link = &link->base;
    return e;
}

void sql_postgres_disconnect(struct link *base)
{
    struct postgres_link *link = postgres_link_of(base);
    sql_pq.PQfinish(link->conn);
    if (link->wake_fd >= 0)
        close(link->wake_fd);
    free(link);
}

/* A server that speaks to an idle connection says good-bye (or something so rare that a new
 * connection is no loss). */
bool sql_postgres_is_usable(struct link *base)
{
    struct pollfd fd = {.fd = sql_pq.PQsocket(postgres_link_of(base)->conn), .events = POLLIN};
    return poll(&fd, 1, 0) == 0;
}
