/*
 * What a database driver is to the rest of this library. pool.c, statement.c, transaction.c and
 * migrate.c know databases through this table alone; a driver knows nothing of them.
 *
 * Threads: a target is shared by all connections of a database, and each of its functions may be
 * called by any thread at any time. A link and its statements are used by one thread at a time, one
 * statement at a time: start, step until there is no row left, finish.
 *
 * Errors: a driver returns the kinds of <sql/sql.h>, without the statement's text, and never with a
 * value in it. It sets is_broken when the link can be of no more use.
 */
#ifndef SQL_DRIVER_H
#define SQL_DRIVER_H

#include <base/list.h>
#include <sql/sql.h>

/* What a URL names; the first member of the driver's own struct. */
struct target {
    bool is_single; /* there may be one connection only, and closing it loses the data */
};

/* One connection; likewise. */
struct link {
    bool is_broken;
};

/* A prepared statement; likewise. The fields are cache.c's. */
struct prepared {
    struct list_node in_cache;
    char *text;
    uint64_t hash;
};

enum transaction {
    TRANSACTION_PLAIN,
    TRANSACTION_READ_COMMITTED,
    TRANSACTION_MIGRATION, /* one at a time in the whole database, and reads what it waited for */
};

/* Statements that are run together. */
struct batch {
    const struct sql_statement *statements;
    struct prepared *prepared[SQL_BATCH_MAX];
    int64_t affected[SQL_BATCH_MAX];
    size_t count;
    bool commits;   /* the transaction, after the last one */
    const char *at; /* out: the text of the one that failed; NULL: none of them */
};

struct driver {
    enum sql_dialect dialect;
    const char *name;          /* as in struct sql_migration */
    const char *column_exists; /* a query: has the table $1 a column $2? */
    bool is_remote;            /* a server, which may be away */

    /* Checks the URL and does no I/O. */
    struct err *(*target_new)(const struct sql_options *options, struct target **out_target);
    void (*target_free)(struct target *target);

    struct err *(*connect)(struct target *target, struct ctx *ctx, struct link **out_link);
    /* All its statements have been finalized. */
    void (*disconnect)(struct link *link);
    /* Whether an idle link still works, as far as that can be told without a round trip. */
    bool (*is_usable)(struct link *link);
    /* A round trip; only of an idle link and where is_remote. After an error the link is broken. */
    struct err *(*check)(struct link *link, struct ctx *ctx);

    /* May be put off until the first statement. */
    struct err *(*begin)(struct link *link, struct ctx *ctx, enum transaction kind);
    /* On error the transaction may still be open. */
    struct err *(*commit)(struct link *link, struct ctx *ctx);
    /* Without a transaction: no effect. Bounded in time; breaks the link where it fails. */
    void (*rollback)(struct link *link);
    bool (*in_transaction)(struct link *link);
    /* Any number of statements, without parameters; rows are dropped. */
    struct err *(*run_script)(struct link *link, struct ctx *ctx, const char *script);

    /* May be put off until start. */
    struct err *(*prepare)(struct link *link, struct ctx *ctx, const char *text,
                           struct prepared **out_prepared);
    void (*finalize)(struct link *link, struct prepared *prepared);
    /* Copies the parameters. ctx is the caller's until finish. After an error: finish. */
    struct err *(*start)(struct link *link, struct ctx *ctx, struct prepared *prepared,
                         const struct sql_value *params, size_t count);
    struct err *(*step)(struct link *link, struct prepared *prepared, bool *out_has_row);
    void (*finish)(struct link *link, struct prepared *prepared);

    /* In one round trip, in the transaction that is open. On error that may still be open. NULL: one
     * by one is as good. */
    struct err *(*run_batch)(struct link *link, struct ctx *ctx, struct batch *batch);

    /* After the last step, before finish. */
    int64_t (*affected)(struct link *link, struct prepared *prepared);
    /* After a step that gave a row. Values live until the next step or finish. Bytes that are NULL
     * mean out of memory; empty ones are not NULL. */
    size_t (*column_count)(struct prepared *prepared);
    const char *(*column_name)(struct prepared *prepared, size_t column);
    struct sql_value (*column_value)(struct prepared *prepared, size_t column);
};

extern const struct driver sql_driver_sqlite;
extern const struct driver sql_driver_postgres;

/* Of TEXT and BLOB; not NULL where there are none. */
static inline const char *value_bytes(const struct sql_value *value)
{
    return value->as.bytes.data ? value->as.bytes.data : "";
}

/* The driver for the scheme of the URL. */
struct err *sql_driver_find(const char *url, const struct driver **out_driver) MUST_CHECK;

#endif
