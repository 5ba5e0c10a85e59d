#include "sqlite.h"

#include <base/str.h>

static struct sqlite_prepared *prepared_of(struct prepared *prepared)
{
    return CONTAINER_OF(prepared, struct sqlite_prepared, base);
}

static bool take_turn(void *data)
{
    struct sqlite_link *link = data;
    if (link->target->is_writing)
        return false;
    link->target->is_writing = true;
    link->has_turn = true;
    return true;
}

static struct err *become_writer(struct sqlite_link *link, struct ctx *ctx)
{
    struct turn *writers = &link->target->writers;
    if (link->has_turn || sql_turn_try(writers, take_turn, link) ||
        sql_turn_wait(writers, ctx, take_turn, link))
        return NULL;
    return ctx_check(ctx);
}

void sql_sqlite_pass_turn(struct sqlite_link *link)
{
    if (!link->has_turn)
        return;
    pthread_mutex_lock(&link->target->writers.lock);
    link->has_turn = false;
    link->target->is_writing = false;
    sql_turn_pass(&link->target->writers);
    pthread_mutex_unlock(&link->target->writers.lock);
}

/* What was running has ended, and perhaps the transaction with it. */
static void settle(struct sqlite_link *link)
{
    link->ctx = NULL;
    if (sqlite3_get_autocommit(link->db))
        sql_sqlite_pass_turn(link);
}

static struct err *run_script(struct link *base, struct ctx *ctx, const char *script)
{
    struct sqlite_link *link = sqlite_link_of(base);
    link->ctx = ctx;
    int code = sqlite3_exec(link->db, script, NULL, NULL, NULL);
    struct err *e = code == SQLITE_OK ? NULL : sql_sqlite_error(link, code);
    settle(link);
    return e;
}

/* At once the writer: a transaction that read first and wrote later could not become it any more
 * when another had written meanwhile. */
static struct err *begin(struct link *base, struct ctx *ctx, enum transaction kind)
{
    (void)kind;
    TRY(become_writer(sqlite_link_of(base), ctx));
    return run_script(base, ctx, "BEGIN IMMEDIATE");
}

/* Not interrupted on the way: the answer is the truth. */
static struct err *commit(struct link *base, struct ctx *ctx)
{
    (void)ctx;
    return run_script(base, NULL, "COMMIT");
}

static bool in_transaction(struct link *base)
{
    return !sqlite3_get_autocommit(sqlite_link_of(base)->db);
}

static void rollback(struct link *base)
{
    if (!in_transaction(base))
        return;
    _cleanup_(err_free) struct err *e = run_script(base, NULL, "ROLLBACK");
    if (e)
        base->is_broken = true;
}

/* SQLite takes $1 for a name and counts names as they come; here the number says which parameter it
 * is. */
static struct err *number_params(struct sqlite_prepared *prepared)
{
    for (size_t i = 0; i < prepared->param_count; i++) {
        const char *name = sqlite3_bind_parameter_name(prepared->stmt, (int)i + 1);
        int64_t number = 0;
        if (!name || *name != '$' ||
            !parse_i64(name + 1, 1, (int64_t)prepared->param_count, &number))
            return err_new(&SQL_FAILED, "parameters are $1, $2, ... without gaps");
        prepared->numbers[i] = (uint16_t)number;
    }
    return NULL;
}

/* After the statement there may only be space and comments. */
static struct err *check_tail(struct sqlite_link *link, const char *tail)
{
    sqlite3_stmt *second = NULL;
    int code = sqlite3_prepare_v2(link->db, tail, -1, &second, &tail);
    bool is_empty = code == SQLITE_OK && !second;
    sqlite3_finalize(second);
    return is_empty ? NULL : err_new(&SQL_FAILED, "more than one statement");
}

static struct err *wrap_statement(sqlite3_stmt *stmt, struct prepared **out_prepared)
{
    size_t count = (size_t)sqlite3_bind_parameter_count(stmt);
    struct sqlite_prepared *prepared =
        calloc(1, sizeof(*prepared) + count * sizeof(prepared->numbers[0]));
    if (!prepared)
        return err_oom();
    prepared->stmt = stmt;
    prepared->param_count = count;
    struct err *e = number_params(prepared);
    if (e)
        free(prepared);
    else
        *out_prepared = &prepared->base;
    return e;
}

static struct err *compile(struct sqlite_link *link, const char *text,
                           struct prepared **out_prepared)
{
    sqlite3_stmt *stmt = NULL;
    const char *tail = NULL;
    int code = sqlite3_prepare_v3(link->db, text, -1, SQLITE_PREPARE_PERSISTENT, &stmt, &tail);
    if (code != SQLITE_OK)
        return sql_sqlite_error(link, code);
    struct err *e = stmt ? check_tail(link, tail) : err_new(&SQL_FAILED, "there is no statement");
    if (!e)
        e = wrap_statement(stmt, out_prepared);
    if (e)
        sqlite3_finalize(stmt);
    return e;
}

static struct err *prepare(struct link *base, struct ctx *ctx, const char *text,
                           struct prepared **out_prepared)
{
    struct sqlite_link *link = sqlite_link_of(base);
    link->ctx = ctx;
    struct err *e = compile(link, text, out_prepared);
    link->ctx = NULL;
    return e;
}

static void finalize(struct link *link, struct prepared *base)
{
    (void)link;
    struct sqlite_prepared *prepared = prepared_of(base);
    sqlite3_finalize(prepared->stmt);
    free(prepared);
}

static int bind_value(sqlite3_stmt *stmt, int place, const struct sql_value *value)
{
    switch (value->type) {
    case SQL_TYPE_NULL:
        return sqlite3_bind_null(stmt, place);
    case SQL_TYPE_I64:
        return sqlite3_bind_int64(stmt, place, value->as.i64);
    case SQL_TYPE_F64:
        return sqlite3_bind_double(stmt, place, value->as.f64);
    case SQL_TYPE_BOOL:
        return sqlite3_bind_int(stmt, place, value->as.boolean);
    case SQL_TYPE_TEXT:
        return sqlite3_bind_text64(stmt, place, value_bytes(value), value->as.bytes.len,
                                   SQLITE_TRANSIENT, SQLITE_UTF8);
    case SQL_TYPE_BLOB:
        return sqlite3_bind_blob64(stmt, place, value_bytes(value), value->as.bytes.len,
                                   SQLITE_TRANSIENT);
    }
    return SQLITE_MISUSE;
}

static struct err *start(struct link *base, struct ctx *ctx, struct prepared *base_prepared,
                         const struct sql_value *params, size_t count)
{
    struct sqlite_link *link = sqlite_link_of(base);
    struct sqlite_prepared *prepared = prepared_of(base_prepared);
    if (count != prepared->param_count)
        return err_new(&SQL_FAILED, "the statement takes %zu parameters, not %zu",
                       prepared->param_count, count);
    for (size_t i = 0; i < count; i++) {
        int code = bind_value(prepared->stmt, (int)i + 1, &params[prepared->numbers[i] - 1]);
        if (code != SQLITE_OK)
            return sql_sqlite_error(link, code);
    }
    if (!sqlite3_stmt_readonly(prepared->stmt))
        TRY(become_writer(link, ctx));
    link->ctx = ctx;
    link->changes_before = sqlite3_total_changes64(link->db);
    return NULL;
}

static struct err *step(struct link *base, struct prepared *prepared, bool *out_has_row)
{
    struct sqlite_link *link = sqlite_link_of(base);
    int code = sqlite3_step(prepared_of(prepared)->stmt);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return sql_sqlite_error(link, code);
    *out_has_row = code == SQLITE_ROW;
    return NULL;
}

static void finish(struct link *base, struct prepared *prepared)
{
    sqlite3_stmt *stmt = prepared_of(prepared)->stmt;
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    settle(sqlite_link_of(base));
}

/* sqlite3_changes64() tells of the last statement that changed rows, whichever that was. */
static int64_t affected(struct link *base, struct prepared *prepared)
{
    (void)prepared;
    const struct sqlite_link *link = sqlite_link_of(base);
    bool has_changed = sqlite3_total_changes64(link->db) != link->changes_before;
    return has_changed ? sqlite3_changes64(link->db) : 0;
}

static size_t column_count(struct prepared *prepared)
{
    return (size_t)sqlite3_column_count(prepared_of(prepared)->stmt);
}

static const char *column_name(struct prepared *prepared, size_t column)
{
    const char *name = sqlite3_column_name(prepared_of(prepared)->stmt, (int)column);
    return name ? name : "";
}

static struct sql_value column_value(struct prepared *prepared, size_t column)
{
    sqlite3_stmt *stmt = prepared_of(prepared)->stmt;
    int place = (int)column;
    switch (sqlite3_column_type(stmt, place)) {
    case SQLITE_INTEGER:
        return SQL_I64(sqlite3_column_int64(stmt, place));
    case SQLITE_FLOAT:
        return SQL_F64(sqlite3_column_double(stmt, place));
    case SQLITE_TEXT: {
        const void *text = sqlite3_column_text(stmt, place);
        return SQL_TEXTN(text, (size_t)sqlite3_column_bytes(stmt, place));
    }
    case SQLITE_BLOB: {
        const void *bytes = sqlite3_column_blob(stmt, place);
        size_t len = (size_t)sqlite3_column_bytes(stmt, place);
        return SQL_BLOB(len > 0 ? bytes : "", len);
    }
    default:
        return SQL_NULL;
    }
}

const struct driver sql_driver_sqlite = {
    .dialect = SQL_SQLITE,
    .name = "sqlite",
    .column_exists = "SELECT count(*) FROM pragma_table_info($1) WHERE name = $2",
    .target_new = sql_sqlite_target_new,
    .target_free = sql_sqlite_target_free,
    .connect = sql_sqlite_connect,
    .disconnect = sql_sqlite_disconnect,
    .is_usable = sql_sqlite_is_usable,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .in_transaction = in_transaction,
    .run_script = run_script,
    .prepare = prepare,
    .finalize = finalize,
    .start = start,
    .step = step,
    .finish = finish,
    .affected = affected,
    .column_count = column_count,
    .column_name = column_name,
    .column_value = column_value,
};
