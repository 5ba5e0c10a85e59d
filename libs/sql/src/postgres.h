/*
 * The PostgreSQL driver, as its files share it.
 *
 * libpq is used without blocking: sql_postgres_wait() waits for its socket within the ctx. One
 * exception is in libpq itself, the look-up of a host's name.
 */
#ifndef SQL_POSTGRES_H
#define SQL_POSTGRES_H

#include "libpq.h"

#include "driver.h"

/* For what must be finished after the ctx has ended: COMMIT, ROLLBACK, the answer to a
 * cancellation. What takes longer loses its connection. */
#define COMPLETION_MS 5000

/* How long the server may take to hear a cancellation. */
#define CANCEL_MS 1000

#define HOSTS_MAX 16
#define HOST_TEXT 256

struct postgres_target {
    struct target base;
    PQconninfoOption *options; /* what the URL says; holds a password */
    size_t hosts;
    bool is_shuffled;   /* begin with any of them */
    int64_t connect_ms; /* for each */
};

struct postgres_link {
    struct link base;
    PGconn *conn;
    int wake_fd;         /* an eventfd: readable when the ctx that is waited in was cancelled */
    unsigned prepared;   /* statements so far; each has its number in its name */
    unsigned evicted;    /* to be forgotten by the server before the next one; 0: none */
    struct ctx *ctx;     /* of the statement that runs */
    bool in_transaction; /* when it began */
    int64_t affected;
};

struct postgres_prepared {
    struct prepared base;
    unsigned number;
    bool is_stale; /* to be prepared anew: the server has lost it, or its columns have changed */
    PGresult *row; /* of the statement that runs; also the last one, without a row */
    bool is_first; /* row was not handed out by step() yet */
    struct arena bytes; /* the decoded BYTEA of the row */
};

static inline struct postgres_target *postgres_target_of(struct target *target)
{
    return CONTAINER_OF(target, struct postgres_target, base);
}

static inline struct postgres_link *postgres_link_of(struct link *link)
{
    return CONTAINER_OF(link, struct postgres_link, base);
}

static inline struct postgres_prepared *postgres_prepared_of(struct prepared *prepared)
{
    return CONTAINER_OF(prepared, struct postgres_prepared, base);
}

/* postgres_target.c */
struct err *sql_postgres_target_new(const struct sql_options *options, struct target **out_target)
    MUST_CHECK;
void sql_postgres_target_free(struct target *target);
/* "" when the URL does not have it. */
const char *sql_postgres_option(const struct postgres_target *target, const char *keyword);
/* The part of a list that a,b,c is, or all of one that has no comma. False: too long. */
bool sql_postgres_part(const char *list, size_t index, char out[static HOST_TEXT]);

/* postgres_open.c */
struct err *sql_postgres_connect(struct target *target, struct ctx *ctx, struct link **out_link)
    MUST_CHECK;
void sql_postgres_disconnect(struct link *link);
bool sql_postgres_is_usable(struct link *link);

/* postgres_wait.c */
/* Until the socket is ready for the events of poll(2), or for nothing; an error when the ctx has
 * ended. */
struct err *sql_postgres_wait(struct postgres_link *link, struct ctx *ctx, short events) MUST_CHECK;
/* Sends what libpq has queued. After an error the link is broken. */
struct err *sql_postgres_flush(struct postgres_link *link, struct ctx *ctx) MUST_CHECK;
/* The next result of what was sent; NULL: there are no more. When the ctx ends: cancels what runs.
 */
struct err *sql_postgres_result(struct postgres_link *link, struct ctx *ctx, PGresult **out_result)
    MUST_CHECK;
/* Takes all results that are still to come; in_full: or asks the server to leave it. Bounded. */
void sql_postgres_drain(struct postgres_link *link, bool in_full);
/* See struct driver. */
struct err *sql_postgres_check(struct link *link, struct ctx *ctx) MUST_CHECK;

/* postgres_cancel.c: asks the server to leave what it is at; false: it did not hear that in time. */
bool sql_postgres_cancel(struct postgres_link *link);

/* postgres_error.c */
/* The connection does not work. */
struct err *sql_postgres_conn_error(struct postgres_link *link) MUST_CHECK;
/* NULL for a result that is no error. */
struct err *sql_postgres_result_error(struct postgres_link *link, const PGresult *result)
    MUST_CHECK;

/* postgres_value.c */
/* Parameters as libpq takes them; the arrays belong to one block of memory. */
struct postgres_params {
    const char *values[SQL_PARAMS_MAX];
    int lengths[SQL_PARAMS_MAX];
    int formats[SQL_PARAMS_MAX];
    char *memory;
};
struct err *sql_postgres_params_init(struct postgres_params *out, const struct sql_value *params,
                                     size_t count) MUST_CHECK;
void sql_postgres_params_deinit(struct postgres_params *params);
DEFINE_CLEANUP_VALUE(struct postgres_params, sql_postgres_params_deinit);
struct sql_value sql_postgres_value(struct postgres_prepared *prepared, int column);

#endif
