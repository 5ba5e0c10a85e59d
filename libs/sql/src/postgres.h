/*
 * The PostgreSQL driver, as its files share it.
 *
 * libpq is used without blocking: sql_postgres_wait() waits for its socket within the ctx. One
 * exception is in libpq itself, the look-up of a host's name.
 *
 * What belongs together is sent together, in libpq's pipeline mode: the BEGIN of a transaction goes
 * with its first statement, and a statement is prepared and executed in one round trip.
 */
#ifndef SQL_POSTGRES_H
#define SQL_POSTGRES_H

#include "libpq.h"

#include "driver.h"

/* For what must be finished after the ctx has ended: COMMIT, ROLLBACK, the answer to a
 * cancellation. What takes longer loses its connection. */
#define COMPLETION_MS 5000

/* How long the server may take to hear a cancellation and to follow it; and when it is asked for the
 * second time, each later time after twice as long. */
#define CANCEL_MS       2000
#define CANCEL_AGAIN_MS 100

#define HOSTS_MAX 16
#define HOST_TEXT 256

struct postgres_target {
    struct target base;
    PQconninfoOption *options; /* what the URL says; holds a password */
    size_t hosts;
    bool is_shuffled;   /* begin with any of them */
    bool is_unprepared; /* see struct sql_options */
    int64_t connect_ms; /* for each */
};

/* More than that at once stay with the server until the connection ends. */
#define EVICTED_MAX 32

struct postgres_link {
    struct link base;
    PGconn *conn;
    int wake_fd; /* an eventfd: readable when the ctx that is waited in was cancelled */
    bool is_unprepared;
    unsigned prepared;             /* statements so far; each has its number in its name */
    unsigned evicted[EVICTED_MAX]; /* to be forgotten by the server as well */
    size_t evicted_count;
    const char *pending_begin; /* goes with the next statement; NULL: none */
    struct ctx *ctx;           /* of the statement that runs */
    bool in_transaction;       /* when it began */
    bool is_outdated;          /* the last error: what was prepared does not fit any more */
    int64_t affected;
};

struct postgres_prepared {
    struct prepared base;
    unsigned number;    /* in its name; 0: the server does not have it */
    bool is_new;        /* whether the server has prepared it was not heard yet */
    bool is_fresh;      /* prepared in this round */
    PGresult *row;      /* of the statement that runs; also the last one, without a row */
    bool is_first;      /* row was not handed out by step() yet */
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
/* The next result of the command whose turn it is; NULL: it has no more. When the ctx ends: cancels
 * what runs, and nothing is left to be taken. */
struct err *sql_postgres_take(struct postgres_link *link, struct ctx *ctx, PGresult **out_result)
    MUST_CHECK;
/* The next one of this round, or script, whatever command it belongs to; NULL: there are no more. */
struct err *sql_postgres_result(struct postgres_link *link, struct ctx *ctx, PGresult **out_result)
    MUST_CHECK;
/* Takes all results that are still to come; in_full: or asks the server to leave it. Bounded. */
void sql_postgres_drain(struct postgres_link *link, bool in_full);
/* See struct driver. */
struct err *sql_postgres_check(struct link *link, struct ctx *ctx) MUST_CHECK;

/* postgres_cancel.c: asks the server to leave what it is at; false: it did not hear that within ctx. */
bool sql_postgres_cancel(struct postgres_link *link, struct ctx *ctx);

/* postgres_script.c: takes the results of what was sent, to the last. The first error counts. */
struct err *sql_postgres_finish(struct postgres_link *link, struct ctx *ctx) MUST_CHECK;
/* See struct driver. */
struct err *sql_postgres_run_script(struct link *link, struct ctx *ctx, const char *script)
    MUST_CHECK;
struct err *sql_postgres_begin(struct link *link, struct ctx *ctx, enum transaction kind)
    MUST_CHECK;
struct err *sql_postgres_commit(struct link *link, struct ctx *ctx) MUST_CHECK;
void sql_postgres_rollback(struct link *link);
bool sql_postgres_in_transaction(struct link *link);

/* postgres_round.c: one round trip, whose results come in the order of what was sent: what was
 * evicted, BEGIN, then for each statement its preparation, if it is new, and its own. */
struct round {
    bool has_evicted, has_begin;
};
struct err *sql_postgres_round_begin(struct postgres_link *link, struct round *out) MUST_CHECK;
struct err *sql_postgres_queue_command(struct postgres_link *link, const char *text) MUST_CHECK;
struct err *sql_postgres_queue(struct postgres_link *link, struct postgres_prepared *prepared,
                               const struct sql_value *params, size_t count) MUST_CHECK;
struct err *sql_postgres_round_send(struct postgres_link *link, struct ctx *ctx) MUST_CHECK;
/* Takes what comes before the first statement. */
struct err *sql_postgres_await_begin(struct postgres_link *link, struct ctx *ctx,
                                     const struct round *round) MUST_CHECK;
/* Takes what comes before the statement's own results. */
struct err *sql_postgres_await_prepared(struct postgres_link *link, struct ctx *ctx,
                                        struct postgres_prepared *prepared) MUST_CHECK;
/* All results of one command or statement; out_affected may be NULL. */
struct err *sql_postgres_await_command(struct postgres_link *link, struct ctx *ctx,
                                       int64_t *out_affected) MUST_CHECK;
/* The server need not keep it, if it does. */
void sql_postgres_evict(struct postgres_link *link, struct postgres_prepared *prepared);
int64_t sql_postgres_affected(PGresult *result);

/* postgres_error.c */
/* The connection does not work. */
struct err *sql_postgres_conn_error(struct postgres_link *link) MUST_CHECK;
/* The handshake failed; sql_refused() when the server answered that it does not take us. The connection's
 * messages are verbose until then. */
struct err *sql_postgres_refusal(struct postgres_link *link) MUST_CHECK;
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
