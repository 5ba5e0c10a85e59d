/*
 * Databases: one API over SQLite (embedded) and PostgreSQL, chosen by the URL.
 *
 *     sql_open(&(struct sql_options){.url = "sqlite:var/users.db"}, &db);
 *
 *     _cleanup_(sql_release) struct sql_conn *conn = NULL;
 *     TRY(sql_acquire(db, ctx, &conn));
 *     TRY(sql_exec(conn, ctx, "INSERT INTO users (id, email) VALUES ($1, $2)", NULL,
 *                  SQL_TEXT(user->id), SQL_TEXT(user->email)));
 *     TRY(sql_fetch_one(conn, ctx, &user_model, &user, arena,
 *                       "SELECT id, email FROM users WHERE id = $1", SQL_TEXT(id)));
 *
 * Statements. One per call, with the parameters $1, $2, ... (each at least once, in any order, at
 * most SQL_PARAMS_MAX). Parameters are bound, never pasted; in PostgreSQL the place of a parameter
 * gives it its type, so where nothing does, or two places differ: CAST($1 AS BIGINT). A statement
 * is prepared once per connection and kept: of 64, the least recently used goes. So its text should
 * be a constant, or put together from few constants. In PostgreSQL a statement is one round trip,
 * its preparation and a sql_begin() before it included; several: sql_exec_batch().
 *
 * Both databases behave alike, and where they do not, the stricter one sets the rule:
 * - transactions are serializable (those that collide get SQL_SERIALIZATION, see sql_transact());
 * - after a statement has failed, a transaction can only be rolled back;
 * - text is UTF-8 without NUL characters, numbers are finite, a value is at most SQL_VALUE_MAX
 *   bytes; other parameters are SQL_FAILED before the database sees them;
 * - while rows are open, the connection takes no other statement.
 *
 * Types. A value has the type that the database gave it, and nothing is converted on the way into a
 * struct but what is exact. What does not fit is SQL_FAILED and a mistake of the program.
 *
 *     field                    SQLite column              PostgreSQL column
 *     INT                      INTEGER                    SMALLINT, INTEGER, BIGINT
 *     TIME                     INTEGER: milliseconds      BIGINT: milliseconds
 *     BOOL                     INTEGER: 0 or 1            BOOLEAN
 *     FLOAT                    REAL, INTEGER to 2^53      DOUBLE PRECISION, REAL, integers to 2^53
 *     STRING, EMAIL, URL       TEXT                       TEXT, VARCHAR
 *     UUID                     TEXT                       TEXT, UUID
 *     ENUM                     TEXT: the name             TEXT: the name
 *     RAW                      TEXT: JSON                 TEXT, JSON, JSONB
 *     (by sql_rows_value())    BLOB                       BYTEA
 *     OBJECT, ARRAY            none: use columns of their own, or RAW
 *
 * NULL sets the field's null bit if the struct has a model_presence, and leaves the zero value. In
 * SQLite make tables STRICT, or a column takes values of any type; PostgreSQL's INTEGER has 32
 * bits, so that a migration with both needs a variant for each (<sql/migrate.h>).
 *
 * Errors. Beside the kinds of <sql/kinds.def>: ERR_UPSTREAM_TIMEOUT or ERR_CANCELLED when the ctx
 * ended, ERR_UPSTREAM_UNAVAILABLE when the database is away (for SQLite: the file cannot be opened,
 * read or written, the disk is full), ERR_OVERLOADED when no connection came free,
 * ERR_OUT_OF_MEMORY. The line for the log names the statement, never a parameter; what a client may
 * see is the same text for every error of a kind. Outputs are written on success only.
 *
 * After an error of a write outside of a transaction, or of sql_commit(), that is a timeout or
 * ERR_UPSTREAM_UNAVAILABLE, the write is wholly there or wholly absent, and which is unknown
 * (SQLite: absent after sql_commit()). After success it survives the end of the process and the
 * loss of power.
 *
 * Threads: a database may be used by any number of threads, a connection and its rows by one at a
 * time. Every call that takes a ctx may block until the ctx ends (a NULL ctx: for as long as it
 * takes), sql_rows_next() by the ctx of its query; sql_release(), sql_rollback() and
 * sql_rows_close() for at most a few seconds; nothing else waits for the database.
 *
 * SQLite: the log is written ahead (WAL) and synced at each commit, so readers and the writer do
 * not wait for each other, and there is one writer at a time. Writers of one sql_open() queue in
 * order; others are asked again and again within the ctx. Foreign keys are enforced. A new file is
 * readable by its owner alone. Several sql_open() of one file in a process are allowed, as are
 * several processes on one machine; never put the file on a network file system. Rows that stay
 * open keep the log from being shortened. A connection must not be carried over fork().
 *
 * PostgreSQL (13 and newer): libpq is loaded by the first sql_open() (unless it is linked in, as in
 * a static program), so a service on SQLite does not need it. Every parameter of libpq's URLs is
 * taken, TLS modes and several hosts (at most 16) with target_session_attrs included. Each host has
 * 2 s to take us, or connect_timeout; but the look-up of its name, which is libpq's, is not
 * interrupted. When the ctx ends, the server is told to leave the statement (over a connection of
 * its own); who does not follow within 2 s loses the connection. Rows that are closed early are
 * left in the same way, but in a transaction they are read to their end. NUMERIC is an integer
 * where it is one (sums of BIGINT), else text, as are dates and all other types. LISTEN and COPY
 * are not supported.
 *
 * A PostgreSQL that is away (nobody listens, or answers, or it starts up) costs one request the
 * wait: from then on every request that would need a new connection is ERR_UPSTREAM_UNAVAILABLE at
 * once, while one thread tries about four times a second; so the first request after its return,
 * give or take that, succeeds. A connection that breaks while nobody uses it fails no request: it
 * is looked at before it is given out (asked, when it was idle for half a second) and before its
 * first statement, and the first statement of a transaction is run again on another one. Any other
 * statement under way is ERR_UPSTREAM_UNAVAILABLE: it may have had effects.
 * A server that is there and refuses a further connection (too many, another password, the role may
 * not sign in) is away only for a pool that has none. Else requests wait for those that there are,
 * and are ERR_OVERLOADED after wait_ms; one that breaks is not replaced while that lasts, and fails
 * the request that has it. A connection that is too old is kept until there is another one for it,
 * which for a moment is one more than max_open. PgBouncer does not tell: it is away when it
 * refuses.
 */
#ifndef SQL_SQL_H
#define SQL_SQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/arena.h>
#include <base/macros.h>
#include <conc/ctx.h>
#include <err/err.h>
#include <metric/metric.h>
#include <model/model.h>

#define X ERR_DECLARE_KIND
#include <sql/kinds.def>
#undef X

#define SQL_PARAMS_MAX 256
#define SQL_BATCH_MAX  32
#define SQL_VALUE_MAX  (16 * 1024 * 1024)

/* --- databases and connections --- */

struct sql_db;
struct sql_conn;

enum sql_dialect { SQL_SQLITE, SQL_POSTGRES };

struct sql_options {
    /* sqlite:PATH, relative or not, whose file the first connection makes if it is not there (a
     * later one does not: ERR_UPSTREAM_UNAVAILABLE); sqlite::memory: for tests, gone with
     * sql_close(): one connection that never expires; postgres://... Read during sql_open() only. */
    const char *url;
    size_t max_open;         /* connections; 0: 25 */
    size_t max_idle;         /* of them unused; 0: 10; at most max_open */
    int64_t max_lifetime_ms; /* of a connection, give or take 10 %; 0: 30 min */
    int64_t wait_ms;         /* for a free connection; 0: 5 s */
    /* PostgreSQL behind a pooler that gives each transaction another connection (PgBouncer in
     * transaction mode): no prepared statements. Nothing else is kept in a session. */
    bool is_unprepared;
    /* The counts and waits of the pool, as metrics named db_pool_...; one database per registry.
     * NULL: none. */
    struct metrics *metrics;
};

/* Checks the URL only; the first connection is made by its first use. SQL_FAILED for a wrong URL,
 * without a word of it in the message: it may hold a password. */
struct err *sql_open(const struct sql_options *options, struct sql_db **out_db) MUST_CHECK;
/* All connections must have been released. NULL is fine. */
void sql_close(struct sql_db *db);
DEFINE_CLEANUP(struct sql_db *, sql_close);
enum sql_dialect sql_dialect(const struct sql_db *db);
/* NULL when a statement can be executed now (readiness). ERR_OVERLOADED when no connection came
 * free within half of the time that ctx has, or wait_ms: busy, and not away. */
struct err *sql_ping(struct sql_db *db, struct ctx *ctx) MUST_CHECK;

/* Blocks until a request has found that no further connection can be made, away or refused, and as long
 * as that is so returns at once; false: ctx has ended first. Connections that there are may still
 * work: sql_ping() tells. Nothing is asked here. Never true for a file. */
bool sql_wait_away(struct sql_db *db, struct ctx *ctx);

struct sql_stats {
    size_t open; /* idle ones included */
    size_t idle;
    size_t waiting; /* threads in sql_acquire() */
};
void sql_get_stats(struct sql_db *db, struct sql_stats *out_stats);

/* A connection: an idle one (checked, and silently replaced when it broke or is too old), a new
 * one, or, in the order of asking, the next that is released. ERR_OVERLOADED after wait_ms. A
 * PostgreSQL server that refuses a new one makes the pool that much smaller, and who has asked it in
 * vain stands at the end of the queue. Who holds one connection and asks for a second can starve
 * with others that do the same. */
struct err *sql_acquire(struct sql_db *db, struct ctx *ctx, struct sql_conn **out_conn) MUST_CHECK;
/* Open rows are ended, an open transaction is rolled back. A connection that broke is dropped. NULL
 * is fine. */
void sql_release(struct sql_conn *conn);
DEFINE_CLEANUP(struct sql_conn *, sql_release);
enum sql_dialect sql_conn_dialect(const struct sql_conn *conn);

/* --- values --- */

enum sql_type {
    SQL_TYPE_NULL,
    SQL_TYPE_I64,
    SQL_TYPE_F64,
    SQL_TYPE_BOOL,
    SQL_TYPE_TEXT,
    SQL_TYPE_BLOB
};

struct sql_value {
    enum sql_type type;
    union {
        int64_t i64;
        double f64;
        bool boolean;
        struct {
            const void *data; /* TEXT in a row ends with a NUL that len does not count */
            size_t len;
        } bytes;
    } as;
};

struct sql_value sql_text(const char *text); /* NULL: SQL NULL */
#define SQL_TEXT(v)     sql_text(v)
#define SQL_TEXTN(p, n) ((struct sql_value){SQL_TYPE_TEXT, {.bytes = {(p), (n)}}})
#define SQL_I64(v)      ((struct sql_value){SQL_TYPE_I64, {.i64 = (v)}})
#define SQL_F64(v)      ((struct sql_value){SQL_TYPE_F64, {.f64 = (v)}})
#define SQL_BOOL(v)     ((struct sql_value){SQL_TYPE_BOOL, {.boolean = (v)}})
#define SQL_BLOB(p, n)  ((struct sql_value){SQL_TYPE_BLOB, {.bytes = {(p), (n)}}})
#define SQL_NULL        ((struct sql_value){.type = SQL_TYPE_NULL})

/* Parameters in place, for the functions whose names end in _params: two arguments. */
#define SQL_PARAMS(...)                                                                            \
    ((const struct sql_value[]){SQL_NULL, ##__VA_ARGS__}) + 1,                                     \
        sizeof((const struct sql_value[]){SQL_NULL, ##__VA_ARGS__}) / sizeof(struct sql_value) - 1

/* --- statements; the macros take the parameters as SQL_...() arguments --- */

/* Runs it to the end; rows are dropped. out_affected (may be NULL): rows inserted, updated or
 * deleted by the statement itself, 0 for others. */
struct err *sql_exec_params(struct sql_conn *conn, struct ctx *ctx, const char *statement,
                            int64_t *out_affected, const struct sql_value *params, size_t count)
    MUST_CHECK;
#define sql_exec(conn, ctx, statement, out_affected, ...)                                          \
    sql_exec_params((conn), (ctx), (statement), (out_affected), SQL_PARAMS(__VA_ARGS__))

/* Exactly one row into *out by the model's column names: *out is zeroed, then filled. A column
 * without a field, or a REQUIRED field (unless WRITE_ONLY) without a column, is SQL_FAILED. No row:
 * SQL_NO_ROWS. Several: SQL_FAILED (and what the statement wrote is written). arena: for fields
 * that are pointers; may be NULL without those. */
struct err *sql_fetch_one_params(struct sql_conn *conn, struct ctx *ctx, const struct model *model,
                                 void *out, struct arena *arena, const char *statement,
                                 const struct sql_value *params, size_t count) MUST_CHECK;
#define sql_fetch_one(conn, ctx, model, out, arena, statement, ...)                                \
    sql_fetch_one_params((conn), (ctx), (model), (out), (arena), (statement),                      \
                         SQL_PARAMS(__VA_ARGS__))

/* All rows, at most max_rows (more: SQL_FAILED), as an array of the model's structs in the arena
 * (no rows: NULL and 0). */
struct err *sql_fetch_all_params(struct sql_conn *conn, struct ctx *ctx, const struct model *model,
                                 size_t max_rows, struct arena *arena, void **out_items,
                                 size_t *out_count, const char *statement,
                                 const struct sql_value *params, size_t count) MUST_CHECK;
#define sql_fetch_all(conn, ctx, model, max_rows, arena, out_items, out_count, statement, ...)     \
    sql_fetch_all_params((conn), (ctx), (model), (max_rows), (arena), (out_items), (out_count),    \
                         (statement), SQL_PARAMS(__VA_ARGS__))

/* The one integer (or boolean) of one row: counts, existence. No row: SQL_NO_ROWS. NULL, another
 * type, more columns or rows: SQL_FAILED. */
struct err *sql_fetch_i64_params(struct sql_conn *conn, struct ctx *ctx, int64_t *out_value,
                                 const char *statement, const struct sql_value *params,
                                 size_t count) MUST_CHECK;
#define sql_fetch_i64(conn, ctx, out_value, statement, ...)                                        \
    sql_fetch_i64_params((conn), (ctx), (out_value), (statement), SQL_PARAMS(__VA_ARGS__))

/* One statement of several. */
struct sql_statement {
    const char *text;
    const struct sql_value *params;
    size_t count;
};
#define SQL_STATEMENT(text, ...) ((struct sql_statement){(text), SQL_PARAMS(__VA_ARGS__)})

/* Runs up to SQL_BATCH_MAX statements, one after the other until one fails; rows are dropped. In
 * the transaction that is open, or in one of their own: then all of them or none, and
 * SQL_SERIALIZATION means that it may be called again. PostgreSQL: in one round trip, BEGIN and
 * COMMIT included. out_affected: of each statement; may be NULL.
 *
 *     const struct sql_statement both[] = {
 *         SQL_STATEMENT("INSERT INTO users (id) VALUES ($1)", SQL_TEXT(id)),
 *         SQL_STATEMENT("INSERT INTO outbox (id, body) VALUES ($1, $2)", SQL_TEXT(event), ...),
 *     };
 *     TRY(sql_exec_batch(conn, ctx, both, ARRAY_LEN(both), NULL));
 */
struct err *sql_exec_batch(struct sql_conn *conn, struct ctx *ctx,
                           const struct sql_statement *statements, size_t count,
                           int64_t *out_affected) MUST_CHECK;

/* Row by row with bounded memory. The parameters are copied; the ctx must live until
 * sql_rows_close(). The connection is busy until then. */
struct sql_rows;
struct err *sql_query_params(struct sql_conn *conn, struct ctx *ctx, struct sql_rows **out_rows,
                             const char *statement, const struct sql_value *params, size_t count)
    MUST_CHECK;
#define sql_query(conn, ctx, out_rows, statement, ...)                                             \
    sql_query_params((conn), (ctx), (out_rows), (statement), SQL_PARAMS(__VA_ARGS__))
/* The next row (before the first call there is none). *out_has_row is false at the end. After an
 * error, which may come after any number of rows, there are no more. */
struct err *sql_rows_next(struct sql_rows *rows, bool *out_has_row) MUST_CHECK;
/* Of the present row: 0 columns, "" and NULL where there is none. Values and names are borrowed
 * until the next call. A TEXT or BLOB whose data is NULL: out of memory. */
size_t sql_rows_columns(const struct sql_rows *rows);
const char *sql_rows_name(const struct sql_rows *rows, size_t column);
struct sql_value sql_rows_value(const struct sql_rows *rows, size_t column);
/* As sql_fetch_one(). All rows should go to one model: the first decides where columns go. */
struct err *sql_rows_scan(struct sql_rows *rows, const struct model *model, struct arena *arena,
                          void *out) MUST_CHECK;
/* Reading may stop early; a statement that writes should be read to its end. Before sql_release()
 * or after it. NULL is fine. */
void sql_rows_close(struct sql_rows *rows);
DEFINE_CLEANUP(struct sql_rows *, sql_rows_close);

/* --- transactions (by these functions, never by a BEGIN of one's own) --- */

/* Waits for its turn to write, in SQLite: keep transactions short, and read without one. PostgreSQL
 * hears of it with the first statement, which then has its errors. */
struct err *sql_begin(struct sql_conn *conn, struct ctx *ctx) MUST_CHECK;
/* For those who take turns by row locks (FOR UPDATE SKIP LOCKED, a queue): in PostgreSQL each
 * statement sees what was committed before it (READ COMMITTED), and neither this transaction nor
 * others get SQL_SERIALIZATION for what it reads. In SQLite no different from sql_begin(). */
struct err *sql_begin_read_committed(struct sql_conn *conn, struct ctx *ctx) MUST_CHECK;
/* The transaction is over, whatever is returned. A ctx that has ended before: rolled back. One that
 * ends meanwhile does not interrupt it (but PostgreSQL has 5 s). */
struct err *sql_commit(struct sql_conn *conn, struct ctx *ctx) MUST_CHECK;
/* Ends open rows as well. No effect without a transaction. */
void sql_rollback(struct sql_conn *conn);
/* In a transaction, else SQL_FAILED: notify(data) is called once by sql_commit(), on its thread, when
 * the transaction was committed (or sql_commit() does not know: a timeout, the connection lost), and
 * forgotten otherwise. The same notify with the same data again is one call; more than
 * SQL_NOTICES_MAX are SQL_FAILED. notify must not block, nor use the connection. */
#define SQL_NOTICES_MAX 8
struct err *sql_on_commit(struct sql_conn *conn, void (*notify)(void *data), void *data) MUST_CHECK;
/* Acquires, begins, runs, commits (or rolls back on error). Runs again, at most 10 times with
 * back-off, when the error is SQL_SERIALIZATION: run must have no other effects. The error of the last
 * one asks clients to come again (503, Retry-After). */
struct err *sql_transact(struct sql_db *db, struct ctx *ctx,
                         struct err *(*run)(struct sql_conn *conn, struct ctx *ctx, void *data),
                         void *data) MUST_CHECK;

/* What a SQL_UNIQUE error (wrapped or not) speaks of: "users.email" or "a.x, a.y" in SQLite, the
 * constraint's name in PostgreSQL; "" if unknown. For logs and tests: a service that cares which of
 * two constraints it was compares with both names. Lives as long as e. */
const char *sql_constraint(const struct err *e);

#endif
