#include <string.h>

#include "errors.h"
#include "internal.h"
#include "rows.h"

struct err *sql_exec_params(struct sql_conn *conn, struct ctx *ctx, const char *statement,
                            int64_t *out_affected, const struct sql_value *params, size_t count)
{
    _cleanup_(sql_rows_end) struct sql_rows rows = {0};
    TRY(sql_rows_open(&rows, conn, ctx, statement, params, count));
    bool has_row = true;
    while (has_row)
        TRY(sql_rows_next(&rows, &has_row));
    if (out_affected)
        *out_affected = conn->db->driver->affected(conn->link, rows.prepared);
    return NULL;
}

/* The first row of the statement, which must have one. */
static struct err *open_first(struct sql_rows *rows, struct sql_conn *conn, struct ctx *ctx,
                              const char *statement, const struct sql_value *params, size_t count)
{
    TRY(sql_rows_open(rows, conn, ctx, statement, params, count));
    bool has_row = false;
    TRY(sql_rows_next(rows, &has_row));
    if (!has_row)
        return sql_error_in(err_new(&SQL_NO_ROWS, "there is no such row"), statement);
    return NULL;
}

/* Reads to the end, where a statement that writes may still fail. */
static struct err *check_no_more(struct sql_rows *rows, const char *statement)
{
    bool has_row = false;
    TRY(sql_rows_next(rows, &has_row));
    if (has_row)
        return sql_error_in(err_new(&SQL_FAILED, "more than one row"), statement);
    return NULL;
}

struct err *sql_fetch_one_params(struct sql_conn *conn, struct ctx *ctx, const struct model *model,
                                 void *out, struct arena *arena, const char *statement,
                                 const struct sql_value *params, size_t count)
{
    _cleanup_(free) void *row = malloc(model->size);
    if (!row)
        return err_oom();
    _cleanup_(sql_rows_end) struct sql_rows rows = {0};
    TRY(open_first(&rows, conn, ctx, statement, params, count));
    struct err *e = sql_scan(&rows, model, arena, row);
    if (e)
        return sql_error_in(e, statement);
    TRY(check_no_more(&rows, statement));
    memcpy(out, row, model->size);
    return NULL;
}

struct err *sql_fetch_i64_params(struct sql_conn *conn, struct ctx *ctx, int64_t *out_value,
                                 const char *statement, const struct sql_value *params,
                                 size_t count)
{
    _cleanup_(sql_rows_end) struct sql_rows rows = {0};
    TRY(open_first(&rows, conn, ctx, statement, params, count));
    struct sql_value value = sql_rows_value(&rows, 0);
    bool is_integer = value.type == SQL_TYPE_I64 || value.type == SQL_TYPE_BOOL;
    if (!is_integer || sql_rows_columns(&rows) != 1)
        return sql_error_in(err_new(&SQL_FAILED, "the row is not one integer"), statement);
    int64_t number = value.type == SQL_TYPE_I64 ? value.as.i64 : value.as.boolean;
    TRY(check_no_more(&rows, statement));
    *out_value = number;
    return NULL;
}

/* An array in an arena that grows by doubling, up to max items. */
struct items {
    char *data;
    size_t size, count, cap, max;
};

#define ITEMS_FIRST 16

static struct err *add_item(struct items *items, struct arena *arena, void **out_place)
{
    if (items->count == items->max)
        return err_new(&SQL_FAILED, "more than %zu rows", items->max);
    if (items->count == items->cap) {
        size_t cap = MIN(items->max, items->cap > 0 ? 2 * items->cap : ITEMS_FIRST);
        char *data = arena_calloc(arena, cap, items->size);
        if (!data)
            return err_oom();
        if (items->count > 0)
            memcpy(data, items->data, items->count * items->size);
        items->data = data;
        items->cap = cap;
    }
    *out_place = items->data + items->count++ * items->size;
    return NULL;
}

struct err *sql_fetch_all_params(struct sql_conn *conn, struct ctx *ctx, const struct model *model,
                                 size_t max_rows, struct arena *arena, void **out_items,
                                 size_t *out_count, const char *statement,
                                 const struct sql_value *params, size_t count)
{
    struct items items = {.size = model->size, .max = max_rows};
    _cleanup_(sql_rows_end) struct sql_rows rows = {0};
    TRY(sql_rows_open(&rows, conn, ctx, statement, params, count));
    for (;;) {
        bool has_row = false;
        TRY(sql_rows_next(&rows, &has_row));
        if (!has_row)
            break;
        void *place = NULL;
        struct err *e = add_item(&items, arena, &place);
        if (!e)
            e = sql_scan(&rows, model, arena, place);
        if (e)
            return sql_error_in(e, statement);
    }
    *out_items = items.data;
    *out_count = items.count;
    return NULL;
}

struct err *sql_query_params(struct sql_conn *conn, struct ctx *ctx, struct sql_rows **out_rows,
                             const char *statement, const struct sql_value *params, size_t count)
{
    _cleanup_(free) struct sql_rows *rows = malloc(sizeof(*rows));
    if (!rows)
        return err_oom();
    TRY(sql_rows_open(rows, conn, ctx, statement, params, count));
    *out_rows = TAKE(rows);
    return NULL;
}

static bool has_row(const struct sql_rows *rows)
{
    return rows->conn && rows->has_row;
}

size_t sql_rows_columns(const struct sql_rows *rows)
{
    return has_row(rows) ? rows->conn->db->driver->column_count(rows->prepared) : 0;
}

const char *sql_rows_name(const struct sql_rows *rows, size_t column)
{
    if (column >= sql_rows_columns(rows))
        return "";
    return rows->conn->db->driver->column_name(rows->prepared, column);
}

struct sql_value sql_rows_value(const struct sql_rows *rows, size_t column)
{
    if (column >= sql_rows_columns(rows))
        return SQL_NULL;
    return rows->conn->db->driver->column_value(rows->prepared, column);
}

struct err *sql_rows_scan(struct sql_rows *rows, const struct model *model, struct arena *arena,
                          void *out)
{
    if (!has_row(rows))
        return err_new(&SQL_FAILED, "there is no row to scan");
    _cleanup_(free) void *row = malloc(model->size);
    if (!row)
        return err_oom();
    struct err *e = sql_scan(rows, model, arena, row);
    if (e)
        return sql_error_in(e, rows->prepared->text);
    memcpy(out, row, model->size);
    return NULL;
}

void sql_rows_close(struct sql_rows *rows)
{
    if (!rows)
        return;
    sql_rows_end(rows);
    free(rows);
}
