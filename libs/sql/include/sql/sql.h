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
 * Statements use $1, $2, ... in both dialects and are prepared once per connection (cache of 64, least
 * recently used out). One statement per call. Parameters are bound, never pasted.
 *
 * Threads: a database may be used by any number of threads, a connection by one at a time. Every call
 * that takes a ctx may block until the ctx ends (then ERR_UPSTREAM_TIMEOUT or ERR_CANCELLED).
 * When the server is away: ERR_UPSTREAM_UNAVAILABLE.
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

struct sql_db;
struct sql_conn;

enum sql_dialect { SQL_SQLITE, SQL_POSTGRES };

struct sql_options {
    const char *url;         /* sqlite:PATH, sqlite::memory: (one connection), postgres://... */
    size_t max_open;         /* 0: 25 */
    size_t max_idle;         /* 0: 10 */
    int64_t max_lifetime_ms; /* of a connection, with jitter; 0: 30 min */
    int64_t wait_ms;         /* for a free connection; 0: 5 s */
    struct metrics *metrics; /* NULL: none */
};

/* Checks the URL only; the first connection is made by the first use. */
struct err *sql_open(const struct sql_options *options, struct sql_db **out_db) MUST_CHECK;
/* All connections must have been released. */
void sql_close(struct sql_db *db);
DEFINE_CLEANUP(struct sql_db *, sql_close);
enum sql_dialect sql_dialect(const struct sql_db *db);
/* NULL when a statement can be executed now (readiness). */
struct err *sql_ping(struct sql_db *db, struct ctx *ctx) MUST_CHECK;

/* A connection of the pool: an idle one, a new one, or the next that is released. */
struct err *sql_acquire(struct sql_db *db, struct ctx *ctx, struct sql_conn **out_conn) MUST_CHECK;
/* An open transaction is rolled back. */
void sql_release(struct sql_conn *conn);
DEFINE_CLEANUP(struct sql_conn *, sql_release);

enum sql_type { SQL_TYPE_NULL, SQL_TYPE_I64, SQL_TYPE_F64, SQL_TYPE_BOOL, SQL_TYPE_TEXT, SQL_TYPE_BLOB };

struct sql_value {
    enum sql_type type;
    union {
        int64_t i64;
        double f64;
        bool boolean;
        struct {
            const void *data;
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

#define SQL_PARAMS(...)                                                                            \
    ((const struct sql_value[]){SQL_NULL, ##__VA_ARGS__}) + 1,                                     \
        sizeof((const struct sql_value[]){SQL_NULL, ##__VA_ARGS__}) / sizeof(struct sql_value) - 1

/* --- statements; the macros take the parameters as SQL_...() arguments --- */
struct err *sql_exec_params(struct sql_conn *conn, struct ctx *ctx, const char *statement,
                            int64_t *out_affected, const struct sql_value *params, size_t count)
    MUST_CHECK;
#define sql_exec(conn, ctx, statement, out_affected, ...)                                          \
    sql_exec_params((conn), (ctx), (statement), (out_affected), SQL_PARAMS(__VA_ARGS__))

/* Exactly one row into *out by the model's column names (a column without a field, or a field without a
 * column that is REQUIRED, is an error of the program). No row: SQL_NO_ROWS. Several: SQL_FAILED. */
struct err *sql_fetch_one_params(struct sql_conn *conn, struct ctx *ctx, const struct model *model,
                                 void *out, struct arena *arena, const char *statement,
                                 const struct sql_value *params, size_t count) MUST_CHECK;
#define sql_fetch_one(conn, ctx, model, out, arena, statement, ...)                                \
    sql_fetch_one_params((conn), (ctx), (model), (out), (arena), (statement),                      \
                         SQL_PARAMS(__VA_ARGS__))

/* All rows, at most max_rows (more: SQL_FAILED), as an array in the arena. */
struct err *sql_fetch_all_params(struct sql_conn *conn, struct ctx *ctx, const struct model *model,
                                 size_t max_rows, struct arena *arena, void **out_items,
                                 size_t *out_count, const char *statement,
                                 const struct sql_value *params, size_t count) MUST_CHECK;
#define sql_fetch_all(conn, ctx, model, max_rows, arena, out_items, out_count, statement, ...)     \
    sql_fetch_all_params((conn), (ctx), (model), (max_rows), (arena), (out_items), (out_count),    \
                         (statement), SQL_PARAMS(__VA_ARGS__))

/* One value of one row: counts, existence. */
struct err *sql_fetch_i64_params(struct sql_conn *conn, struct ctx *ctx, int64_t *out_value,
                                 const char *statement, const struct sql_value *params, size_t count)
    MUST_CHECK;
#define sql_fetch_i64(conn, ctx, out_value, statement, ...)                                        \
    sql_fetch_i64_params((conn), (ctx), (out_value), (statement), SQL_PARAMS(__VA_ARGS__))

/* Row by row with bounded memory. The connection is busy until sql_rows_close(). */
struct sql_rows;
struct err *sql_query_params(struct sql_conn *conn, struct ctx *ctx, struct sql_rows **out_rows,
                             const char *statement, const struct sql_value *params, size_t count)
    MUST_CHECK;
#define sql_query(conn, ctx, out_rows, statement, ...)                                             \
    sql_query_params((conn), (ctx), (out_rows), (statement), SQL_PARAMS(__VA_ARGS__))
/* *out_has_row false at the end. */
struct err *sql_rows_next(struct sql_rows *rows, bool *out_has_row) MUST_CHECK;
size_t sql_rows_columns(const struct sql_rows *rows);
const char *sql_rows_name(const struct sql_rows *rows, size_t column);
/* Borrowed until the next step. */
struct sql_value sql_rows_value(const struct sql_rows *rows, size_t column);
struct err *sql_rows_scan(struct sql_rows *rows, const struct model *model, struct arena *arena,
                          void *out) MUST_CHECK;
void sql_rows_close(struct sql_rows *rows);
DEFINE_CLEANUP(struct sql_rows *, sql_rows_close);

/* --- transactions --- */
struct err *sql_begin(struct sql_conn *conn, struct ctx *ctx) MUST_CHECK;
struct err *sql_commit(struct sql_conn *conn, struct ctx *ctx) MUST_CHECK;
void sql_rollback(struct sql_conn *conn); /* no effect without a transaction */
/* Acquires, begins, runs, commits (or rolls back on error). Runs again, at most 5 times with back-off,
 * when the error is SQL_SERIALIZATION: run must have no other effects. */
struct err *sql_transact(struct sql_db *db, struct ctx *ctx,
                         struct err *(*run)(struct sql_conn *conn, struct ctx *ctx, void *data),
                         void *data) MUST_CHECK;

/* The constraint or the columns that a SQL_UNIQUE error speaks of ("users.email_key" in SQLite,
 * "users_email_key_key" in PostgreSQL); "" if unknown. */
const char *sql_constraint(const struct err *e);

#endif
