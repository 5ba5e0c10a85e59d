/* A database and its connections, as the files of this library share them. */
#ifndef SQL_INTERNAL_H
#define SQL_INTERNAL_H

#include "driver.h"
#include "turn.h"

/* Of each connection. */
#define STATEMENTS_MAX 64

/* Prepared statements by their text, the most recently used first. */
struct statement_cache {
    struct list_node recent;
    size_t count;
};

enum transaction_state {
    TX_NONE,
    TX_OPEN,
    TX_FAILED, /* a statement failed: only a rollback is left */
};

/* See sql_on_commit(). */
struct notice {
    void (*notify)(void *data);
    void *data;
};

struct sql_conn {
    struct list_node in_idle; /* db->turn.lock */
    struct sql_db *db;
    struct link *link;
    struct statement_cache cache;
    struct sql_rows *rows; /* open; NULL: none */
    enum transaction_state tx;
    struct notice notices[SQL_NOTICES_MAX]; /* of the transaction */
    size_t notice_count;
    bool is_untouched;     /* nothing but the beginning of a transaction was sent since acquired */
    enum transaction kind; /* of the transaction */
    int64_t expires_ms;    /* monotonic */
    int64_t idle_since_ms;
};

struct pool_metrics {
    struct metric *max_open, *open, *idle, *in_use, *waits, *wait_seconds, *wait_timeouts;
    struct metric *connects, *connect_failures, *away;
};

/* Of a server that is not there; away.c. But for ctx, the lock of the pool guards it. */
struct away {
    bool is_away;
    bool is_refused; /* it is away in so far as it takes us no further connection */
    bool has_prober; /* to be joined */
    pthread_t prober;
    struct ctx ctx;            /* of the prober: ends with the database */
    struct list_node attempts; /* of requests to connect */
    pthread_cond_t declared;   /* is_away has become true */
    char reason[256];
};

struct sql_db {
    const struct driver *driver;
    struct target *target;
    size_t max_open, max_idle;
    int64_t max_lifetime_ms; /* INT64_MAX: for ever */
    int64_t wait_ms;
    struct pool_metrics metrics; /* each NULL without a registry */

    struct turn turn; /* its lock guards what follows */
    struct list_node idle_conns;
    size_t idle;
    size_t open; /* connections that exist or are being made; at most max_open */
    struct away away;
};

/* pool.c: takes a connection that nobody has asked for. */
void sql_pool_add(struct sql_db *db, struct link *link);
/* Another link for a connection that is too old, or that broke, or is not there any more, before it
 * was used. is_needed: see sql_connect(). After an error it has the link that it had. */
struct err *sql_conn_renew(struct sql_conn *conn, struct ctx *ctx, bool is_needed) MUST_CHECK;

/* away.c */
void sql_away_init(struct sql_db *db);
void sql_away_deinit(struct sql_db *db);
/* e tells why. */
void sql_away_declare(struct sql_db *db, const struct err *e);
/* The lock is held. The server is known to take no further connection; those that there are may work. */
bool sql_is_refused(const struct sql_db *db);
/* A new link, or an error at once while the server is away. is_needed: or else a server that refuses it
 * does not count as away. */
struct err *sql_connect(struct sql_db *db, struct ctx *ctx, bool is_needed, struct link **out_link)
    MUST_CHECK;

/* cache.c: what is given stays the cache's, until the cache is emptied or 64 others were used. */
void sql_cache_init(struct statement_cache *cache);
void sql_cache_clear(struct sql_conn *conn);
struct err *sql_cache_get(struct sql_conn *conn, struct ctx *ctx, const char *text,
                          struct prepared **out_prepared) MUST_CHECK;

/* statement.c: whether a statement may be run on the connection now. */
struct err *sql_check_ready(const struct sql_conn *conn, struct ctx *ctx) MUST_CHECK;
struct err *sql_check_params(const struct sql_value *params, size_t count) MUST_CHECK;
/* Before the first statement since the connection was acquired: gives it another link if it broke.
 * *out_is_first: it is that. */
struct err *sql_look_first(struct sql_conn *conn, struct ctx *ctx, bool *out_is_first) MUST_CHECK;
/* Ends the open rows, which stay the caller's to close. */
void sql_rows_detach(struct sql_conn *conn);

/* transaction.c */
struct err *sql_begin_as(struct sql_conn *conn, struct ctx *ctx, enum transaction kind) MUST_CHECK;

#endif
