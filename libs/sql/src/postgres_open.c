#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <base/secret.h>
#include <base/str.h>

#include "errors.h"
#include "postgres.h"

/* More than libpq has. */
#define OPTIONS_MAX 96

/* --- what libpq is told --- */

struct settings {
    const char *keywords[OPTIONS_MAX + 1], *values[OPTIONS_MAX + 1];
    size_t count;
    char host[HOST_TEXT], address[HOST_TEXT], port[HOST_TEXT];
};

/* The last value of a keyword counts; an empty one is none. */
static void set(struct settings *settings, const char *keyword, const char *value)
{
    if (!value || !*value || settings->count == OPTIONS_MAX)
        return;
    settings->keywords[settings->count] = keyword;
    settings->values[settings->count++] = value;
}

static bool is_per_host(const char *keyword)
{
    return str_equal(keyword, "host") || str_equal(keyword, "hostaddr") ||
           str_equal(keyword, "port");
}

static void make_settings(const struct postgres_target *target, size_t host, const char *session,
                          struct settings *out)
{
    *out = (struct settings){.count = 0};
    set(out, "fallback_application_name", "plankton");
    set(out, "tcp_user_timeout", "10000"); /* a default */
    for (const PQconninfoOption *option = target->options; option->keyword; option++)
        if (!is_per_host(option->keyword))
            set(out, option->keyword, option->val);
    if (sql_postgres_part(sql_postgres_option(target, "host"), host, out->host))
        set(out, "host", out->host);
    if (sql_postgres_part(sql_postgres_option(target, "hostaddr"), host, out->address))
        set(out, "hostaddr", out->address);
    if (sql_postgres_part(sql_postgres_option(target, "port"), host, out->port))
        set(out, "port", out->port);
    set(out, "target_session_attrs", session);
    set(out, "client_encoding", "UTF8"); /* which no URL changes */
}

/* --- one host --- */

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
            return sql_postgres_refusal(link);
        TRY(sql_postgres_wait(link, ctx, next == PGRES_POLLING_READING ? POLLIN : POLLOUT));
        next = sql_pq.PQconnectPoll(link->conn);
    }
    sql_pq.PQsetErrorVerbosity(link->conn, PQERRORS_DEFAULT);
    if (sql_pq.PQsetnonblocking(link->conn, 1) != 0)
        return sql_postgres_conn_error(link);
    return NULL;
}

static struct err *open_conn(struct postgres_link *link, const struct settings *settings,
                             int64_t timeout_ms, struct ctx *ctx)
{
    link->conn = sql_pq.PQconnectStartParams(settings->keywords, settings->values, 0);
    if (!link->conn)
        return err_oom();
    sql_pq.PQsetNoticeReceiver(link->conn, ignore_notice, NULL);
    sql_pq.PQsetErrorVerbosity(link->conn, PQERRORS_VERBOSE); /* for sql_postgres_refusal() */
    struct ctx limited;
    ctx_init(&limited, ctx, timeout_ms);
    struct err *e = run_handshake(link, &limited);
    ctx_deinit(&limited);
    struct err *ended = e ? ctx_check(ctx) : NULL;
    if (!ended && err_is(e, &ERR_UPSTREAM_TIMEOUT))
        ended = err_new(&ERR_UPSTREAM_UNAVAILABLE, "PostgreSQL%s%s did not answer within %lld ms",
                        *settings->host ? " at " : "", settings->host, (long long)timeout_ms);
    if (!ended)
        return e;
    err_free(e);
    return ended;
}

static struct err *connect_to(struct postgres_target *target, const struct settings *settings,
                              struct ctx *ctx, struct link **out_link)
{
    struct postgres_link *link = calloc(1, sizeof(*link));
    if (!link)
        return err_oom();
    link->is_unprepared = target->is_unprepared;
    link->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct err *e = link->wake_fd < 0
                        ? err_new(&ERR_UPSTREAM_UNAVAILABLE, "no file descriptor is left")
                        : open_conn(link, settings, target->connect_ms, ctx);
    if (e)
        sql_postgres_disconnect(&link->base);
    else
        *out_link = &link->base;
    return e;
}

/* --- all hosts --- */

/* Takes both; what the hosts before have answered is part of the reason. */
static struct err *join(struct err *before, struct err *e)
{
    if (!before || !err_is(e, &ERR_UPSTREAM_UNAVAILABLE)) {
        err_free(before);
        return e;
    }
    bool is_refused = sql_refused(before) || sql_refused(e);
    char first[ERR_LINE], second[ERR_LINE];
    sql_reason(before, first, sizeof(first));
    sql_reason(e, second, sizeof(second));
    err_free(before);
    err_free(e);
    return sql_unavailable(is_refused, "%s; %s", first, second);
}

/* The hosts one after the other until one takes us; another kind of error is the end. */
static struct err *try_hosts(struct postgres_target *target, const char *session, struct ctx *ctx,
                             struct link **out_link)
{
    struct settings settings;
    struct err *e = NULL;
    size_t first = target->is_shuffled ? random_below((uint32_t)target->hosts) : 0;
    for (size_t i = 0; i < target->hosts; i++) {
        make_settings(target, (first + i) % target->hosts, session, &settings);
        struct err *failure = connect_to(target, &settings, ctx, out_link);
        if (!failure) {
            err_free(e);
            return NULL;
        }
        e = join(e, failure);
        if (!err_is(e, &ERR_UPSTREAM_UNAVAILABLE))
            return e;
    }
    return e;
}

struct err *sql_postgres_connect(struct target *base, struct ctx *ctx, struct link **out_link)
{
    struct postgres_target *target = postgres_target_of(base);
    const char *session = sql_postgres_option(target, "target_session_attrs");
    if (target->hosts == 1 || !str_equal(session, "prefer-standby"))
        return try_hosts(target, session, ctx, out_link);
    struct err *e = try_hosts(target, "standby", ctx, out_link);
    if (!err_is(e, &ERR_UPSTREAM_UNAVAILABLE))
        return e;
    err_free(e);
    return try_hosts(target, "any", ctx, out_link);
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
