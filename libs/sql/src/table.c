/* One row of a described table. */
#include <string.h>

#include <base/clock.h>

#include "errors.h"
#include "table.h"

static struct err *no_row(void)
{
    return err_new(&SQL_NO_ROWS, "there is no such row");
}

static struct err *exec(struct sql_conn *conn, struct ctx *ctx, const struct text *text,
                        int64_t *out_affected)
{
    TRY(sql_text_check(text));
    return sql_exec_params(conn, ctx, buf_text(&text->sql), out_affected, text->params,
                           text->count);
}

/* " WHERE column = value"; SQL_NO_ROWS for what no row can have there. */
static struct err *add_where(struct text *text, const char *column, struct sql_value value)
{
    const struct field *field = NULL;
    struct err *wrong = NULL;
    TRY(sql_find_column(text->table, column, &field));
    TRY(sql_convert(field, column, value, &text->values, &value, &wrong));
    if (wrong)
        return err_wrap_as(wrong, &SQL_NO_ROWS, "there is no such row");
    sql_text_where_equal(text, column, value);
    return NULL;
}

/* --- fetch, exists --- */

struct err *sql_table_fetch_by(struct sql_conn *conn, struct ctx *ctx,
                               const struct sql_table *table, const char *column,
                               struct sql_value value, struct arena *arena, void *out_row)
{
    _cleanup_(sql_text_deinit) struct text text = TEXT(conn, table);
    sql_text_select(&text);
    TRY(add_where(&text, column, value));
    TRY(sql_text_check(&text));
    return sql_fetch_one_params(conn, ctx, table->model, out_row, arena, buf_text(&text.sql),
                                text.params, text.count);
}

struct err *sql_table_fetch(struct sql_conn *conn, struct ctx *ctx, const struct sql_table *table,
                            struct sql_value key, struct arena *arena, void *out_row)
{
    return sql_table_fetch_by(conn, ctx, table, table->key, key, arena, out_row);
}

struct err *sql_table_exists(struct sql_conn *conn, struct ctx *ctx, const struct sql_table *table,
                             struct sql_value key, bool *out_exists)
{
    _cleanup_(sql_text_deinit) struct text text = TEXT(conn, table);
    sql_text_add(&text, "SELECT count(*) FROM ");
    sql_text_add(&text, table->name);
    struct err *e = add_where(&text, table->key, key);
    int64_t count = 0;
    if (err_is(e, &SQL_NO_ROWS)) {
        err_free(e);
        *out_exists = false;
        return NULL;
    }
    TRY(e);
    TRY(sql_text_check(&text));
    TRY(sql_fetch_i64_params(conn, ctx, &count, buf_text(&text.sql), text.params, text.count));
    *out_exists = count > 0;
    return NULL;
}

/* --- insert --- */

static void fill(const struct sql_table *table, void *row)
{
    const struct field *key = model_find_column(table->model, table->key);
    char *id = (char *)row + key->offset;
    if (key->type == MODEL_UUID && key->storage == MODEL_IN_CHARS && !*id)
        uuid_new(id);
    const struct {
        const char *column;
        int64_t number;
    } numbers[] = {{table->version, 1}, {table->updated_at, clock_now_ms()}};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        if (!numbers[i].column)
            continue;
        const struct field *field = model_find_column(table->model, numbers[i].column);
        if (sql_member_i64(field, row) == 0)
            sql_member_set_i64(field, numbers[i].number, row);
    }
}

static struct err *add_columns(struct text *text, const void *row)
{
    const struct model *model = text->table->model;
    const char *before = " (";
    for (size_t i = 0; i < model->count; i++) {
        if (!sql_is_column(&model->fields[i]))
            continue;
        sql_text_add(text, before);
        sql_text_add(text, model_column_name(&model->fields[i]));
        before = ", ";
    }
    before = ") VALUES (";
    for (size_t i = 0; i < model->count; i++) {
        struct sql_value value;
        if (!sql_is_column(&model->fields[i]))
            continue;
        TRY(sql_member_value(model, &model->fields[i], row, &value));
        sql_text_add(text, before);
        sql_text_param(text, value);
        before = ", ";
    }
    sql_text_add(text, ")");
    return NULL;
}

struct err *sql_table_insert(struct sql_conn *conn, struct ctx *ctx, const struct sql_table *table,
                             void *row)
{
    size_t size = table->model->size;
    _cleanup_(free) void *filled = malloc(size);
    if (!filled)
        return err_oom();
    memcpy(filled, row, size);
    fill(table, filled);
    _cleanup_(sql_text_deinit) struct text text = TEXT(conn, table);
    sql_text_add(&text, "INSERT INTO ");
    sql_text_add(&text, table->name);
    TRY(add_columns(&text, filled));
    TRY(exec(conn, ctx, &text, NULL));
    memcpy(row, filled, size);
    return NULL;
}

/* --- update --- */

static bool is_listed(const char *const *names, const char *name)
{
    for (; names && *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

static bool is_fixed(const struct sql_table *table, const char *column)
{
    const char *const own[] = {table->key, table->version ? table->version : "",
                               table->updated_at ? table->updated_at : "", NULL};
    return is_listed(own, column) || is_listed(table->write_once, column);
}

/* A bit per row of the model. */
static struct err *choose(const struct sql_table *table, const char *const *columns,
                          uint64_t *out_chosen)
{
    const struct model *model = table->model;
    uint64_t chosen = 0;
    for (size_t i = 0; !*columns && i < model->count; i++) {
        const struct field *field = &model->fields[i];
        if (sql_is_read(field) && !is_fixed(table, model_column_name(field)))
            chosen |= UINT64_C(1) << i;
    }
    for (; *columns; columns++) {
        const struct field *field = NULL;
        TRY(sql_find_column(table, *columns, &field));
        if (is_fixed(table, *columns))
            return err_new(&SQL_FAILED, "no update may change %s.%s", table->name, *columns);
        chosen |= UINT64_C(1) << (field - model->fields);
    }
    if (chosen == 0)
        return err_new(&SQL_FAILED, "no column of %s may be changed", table->name);
    *out_chosen = chosen;
    return NULL;
}

/* In the order of the model, so that one set has one text. */
static struct err *add_changes(struct text *text, uint64_t chosen, const void *row)
{
    const struct model *model = text->table->model;
    const char *before = " SET ";
    for (size_t i = 0; i < model->count; i++) {
        struct sql_value value;
        if (!(chosen >> i & 1))
            continue;
        TRY(sql_member_value(model, &model->fields[i], row, &value));
        sql_text_add(text, before);
        sql_text_add(text, model_column_name(&model->fields[i]));
        sql_text_add(text, " = ");
        sql_text_param(text, value);
        before = ", ";
    }
    return NULL;
}

static void add_version(struct text *text, int64_t version)
{
    buf_printf(&text->sql, " AND %s = ", text->table->version);
    sql_text_operand(text, SQL_I64(version));
}

/* Why a change met no row: what is told was so at one moment, before or after. */
static struct err *explain(struct sql_conn *conn, struct ctx *ctx, const struct sql_table *table,
                           struct sql_value key, bool has_version)
{
    bool is_there = false;
    if (has_version)
        TRY(sql_table_exists(conn, ctx, table, key, &is_there));
    return is_there ? err_new(&SQL_CHANGED, "the row was changed meanwhile") : no_row();
}

struct err *sql_table_update_columns(struct sql_conn *conn, struct ctx *ctx,
                                     const struct sql_table *table, void *row,
                                     const char *const *columns)
{
    const struct model *model = table->model;
    const struct field *version = NULL, *updated_at = NULL, *key_field = NULL;
    struct sql_value key;
    uint64_t chosen = 0;
    int64_t old = 0, now_ms = clock_now_ms(), affected = 0;
    TRY(sql_find_column(table, table->key, &key_field));
    TRY(sql_member_value(model, key_field, row, &key));
    TRY(choose(table, columns, &chosen));
    _cleanup_(sql_text_deinit) struct text text = TEXT(conn, table);
    buf_printf(&text.sql, "UPDATE %s", table->name);
    TRY(add_changes(&text, chosen, row));
    if (table->updated_at) {
        TRY(sql_find_column(table, table->updated_at, &updated_at));
        now_ms = MAX(now_ms, sql_member_i64(updated_at, row) + 1);
        buf_printf(&text.sql, ", %s = ", table->updated_at);
        sql_text_param(&text, SQL_I64(now_ms));
    }
    if (table->version)
        buf_printf(&text.sql, ", %s = %s + 1", table->version, table->version);
    TRY(add_where(&text, table->key, key));
    if (table->version) {
        TRY(sql_find_column(table, table->version, &version));
        old = sql_member_i64(version, row);
        add_version(&text, old);
    }
    TRY(exec(conn, ctx, &text, &affected));
    if (affected == 0)
        return explain(conn, ctx, table, key, version);
    if (version)
        sql_member_set_i64(version, old + 1, row);
    if (updated_at)
        sql_member_set_i64(updated_at, now_ms, row);
    return NULL;
}

/* --- delete --- */

struct err *sql_table_delete(struct sql_conn *conn, struct ctx *ctx, const struct sql_table *table,
                             struct sql_value key, int64_t version)
{
    bool has_version = version != SQL_ANY_VERSION;
    int64_t affected = 0;
    if (has_version && !table->version)
        return err_new(&SQL_FAILED, "table %s has no version", table->name);
    _cleanup_(sql_text_deinit) struct text text = TEXT(conn, table);
    buf_printf(&text.sql, "DELETE FROM %s", table->name);
    TRY(add_where(&text, table->key, key));
    if (has_version)
        add_version(&text, version);
    TRY(exec(conn, ctx, &text, &affected));
    return affected > 0 ? NULL : explain(conn, ctx, table, key, has_version);
}
