/* Pages of a described table: conditions and sorts from its allow-lists, keyset cursors. */
#include <string.h>

#include <base/str.h>

#include "table.h"

/* --- a list from a query --- */

void sql_list_filter(struct sql_list *list, const char *name, struct sql_value value)
{
    if (list->condition_count < SQL_FILTERS_MAX)
        list->conditions[list->condition_count] = (struct sql_condition){name, value};
    list->condition_count++;
}

static struct err *add_present(const struct model *query, const struct field *field,
                               const void *object, struct sql_list *list)
{
    struct sql_value value;
    const char *name = model_json_name(field);
    bool is_told = query->presence_offset != SIZE_MAX;
    bool is_text = sql_column_type(field) == SQL_TYPE_TEXT && field->type != MODEL_ENUM;
    if (!is_told && !is_text)
        return err_new(&SQL_FAILED, "%s cannot tell whether %s is there", query->name, name);
    if (!model_is_present(query, object, field))
        return NULL;
    TRY(sql_member_value(query, field, object, &value));
    if (is_text && !is_told && (value.type == SQL_TYPE_NULL || value.as.bytes.len == 0))
        return NULL;
    sql_list_filter(list, name, value);
    return NULL;
}

struct err *sql_list_from(const struct model *query, const void *object, struct sql_list *out_list)
{
    struct sql_list list = {0};
    for (size_t i = 0; i < query->count; i++) {
        const struct field *field = &query->fields[i];
        const char *name = model_json_name(field);
        struct sql_value value;
        if (strcmp(name, "limit") == 0) {
            list.limit = sql_member_i64(field, object);
        } else if (strcmp(name, "cursor") == 0 || strcmp(name, "sort") == 0) {
            TRY(sql_member_value(query, field, object, &value));
            bool is_there = value.type == SQL_TYPE_TEXT && value.as.bytes.len > 0;
            *(*name == 'c' ? &list.cursor : &list.sort) = is_there ? value.as.bytes.data : NULL;
        } else {
            TRY(add_present(query, field, object, &list));
        }
    }
    *out_list = list;
    return NULL;
}

/* --- conditions --- */

static const char *column_or_name(const char *column, const char *name)
{
    return column ? column : name;
}

static struct err *to_lower(struct arena *arena, struct sql_value *value)
{
    char *text = arena_strndup(arena, value->as.bytes.data, value->as.bytes.len);
    if (!text)
        return err_oom();
    str_lower(text);
    *value = SQL_TEXTN(text, value->as.bytes.len);
    return NULL;
}

/* What is wrong in it goes to *errors, and not into the text. */
static struct err *add_condition(struct text *text, const struct sql_filter *filter,
                                 struct sql_value given, struct err **errors)
{
    static const char *const operators[] = {
        [SQL_EQUAL] = " = ",   [SQL_LESS] = " < ",      [SQL_AT_MOST] = " <= ",
        [SQL_GREATER] = " > ", [SQL_AT_LEAST] = " >= ",
    };
    const struct field *field = NULL;
    struct sql_value value = SQL_NULL;
    TRY(sql_find_column(text->table, column_or_name(filter->column, filter->name), &field));
    TRY(sql_convert(field, filter->name, given, &text->values, &value, errors));
    if (value.type == SQL_TYPE_NULL)
        return NULL;
    if (filter->to_lower)
        TRY(to_lower(&text->values, &value));
    sql_text_add(text, " AND ");
    if (filter->compare == SQL_EQUAL)
        sql_text_add(text, model_column_name(field));
    else
        sql_text_ordered(text, field);
    sql_text_add(text, operators[filter->compare]);
    sql_text_operand(text, value);
    return NULL;
}

static void refuse_unknown(const struct sql_table *table, const struct sql_list *list,
                           struct err **errors)
{
    for (size_t i = 0; i < list->condition_count; i++) {
        const struct sql_filter *filter = table->filters;
        while (filter && filter->name && strcmp(filter->name, list->conditions[i].name) != 0)
            filter++;
        if (!filter || !filter->name)
            err_add_field(errors, list->conditions[i].name, "unknown", "is not known");
    }
}

/* In the order of the filters, so that one set has one text. */
static struct err *add_conditions(struct text *text, const struct sql_list *list,
                                  struct err **errors)
{
    const struct sql_table *table = text->table;
    if (list->condition_count > SQL_FILTERS_MAX)
        return err_new(&SQL_FAILED, "a list of %s has too many conditions", table->name);
    buf_printf(&text->sql, " WHERE (%s)", table->where ? table->where : "1 = 1");
    for (const struct sql_filter *filter = table->filters; filter && filter->name; filter++)
        for (size_t i = 0; i < list->condition_count; i++)
            if (strcmp(filter->name, list->conditions[i].name) == 0)
                TRY(add_condition(text, filter, list->conditions[i].value, errors));
    refuse_unknown(table, list, errors);
    return NULL;
}

/* --- order --- */

/* A sort that is not of the table goes to *errors, and has no name. */
static struct err *find_order(const struct sql_table *table, const char *text,
                              struct order *out_order, struct err **errors)
{
    struct order order = {.is_down = text && *text == '-'};
    const char *name = text ? text + order.is_down : NULL, *column = table->key;
    const struct sql_sort *sort = table->sorts;
    while (name && sort && sort->name && strcmp(sort->name, name) != 0)
        sort++;
    if (sort && sort->name) {
        order.name = sort->name;
        column = column_or_name(sort->column, sort->name);
    } else if (name) {
        err_add_field(errors, "sort", "not_in_list", "is no order of this list");
    } else {
        order.name = table->key;
    }
    TRY(sql_find_column(table, column, &order.sort));
    TRY(sql_find_column(table, table->key, &order.key));
    *out_order = order;
    return NULL;
}

static void add_place(struct text *text, const struct order *order, const struct cursor *cursor)
{
    bool is_by_key = order->sort == order->key;
    sql_text_add(text, is_by_key ? " AND " : " AND (");
    sql_text_ordered(text, order->sort);
    if (!is_by_key) {
        sql_text_add(text, ", ");
        sql_text_ordered(text, order->key);
        sql_text_add(text, ")");
    }
    sql_text_add(text, order->is_down ? " < " : " > ");
    sql_text_add(text, is_by_key ? "" : "(");
    sql_text_operand(text, cursor->sort);
    if (!is_by_key) {
        sql_text_add(text, ", ");
        sql_text_operand(text, cursor->key);
        sql_text_add(text, ")");
    }
}

static void add_order(struct text *text, const struct order *order)
{
    const char *direction = order->is_down ? " DESC" : " ASC";
    sql_text_add(text, " ORDER BY ");
    sql_text_ordered(text, order->sort);
    sql_text_add(text, direction);
    if (order->sort != order->key) {
        sql_text_add(text, ", ");
        sql_text_ordered(text, order->key);
        sql_text_add(text, direction);
    }
}

/* --- pages --- */

static int64_t check_limit(int64_t limit, struct err **errors)
{
    if (limit == 0)
        return SQL_LIMIT_DEFAULT;
    if (limit < 1)
        err_add_field(errors, "limit", "too_small", "must be at least 1");
    if (limit > SQL_LIMIT_MAX)
        err_add_field(errors, "limit", "too_large", "must be at most %d", SQL_LIMIT_MAX);
    return limit;
}

/* One row more than a page is asked for, to know of a next one. The cursor is what the parameters
 * borrow from. */
static struct err *compose(struct text *text, const struct sql_list *list,
                           const struct order *order, int64_t limit, struct cursor *cursor,
                           struct err **errors)
{
    sql_text_select(text);
    TRY(add_conditions(text, list, errors));
    if (list->cursor && order->name &&
        sql_cursor_decode(text->table, order, list->cursor, cursor, errors))
        add_place(text, order, cursor);
    add_order(text, order);
    sql_text_add(text, " LIMIT ");
    sql_text_operand(text, SQL_I64(limit + 1));
    return NULL;
}

struct err *sql_table_list(struct sql_conn *conn, struct ctx *ctx, const struct sql_table *table,
                           const struct sql_list *list, struct arena *arena,
                           struct sql_page *out_page)
{
    struct order order;
    struct cursor cursor;
    struct sql_page page = {0};
    _cleanup_(err_free) struct err *wrong = NULL;
    int64_t limit = check_limit(list->limit, &wrong);
    TRY(find_order(table, list->sort, &order, &wrong));
    _cleanup_(sql_text_deinit) struct text text = TEXT(conn, table);
    TRY(compose(&text, list, &order, limit, &cursor, &wrong));
    if (wrong)
        return TAKE(wrong);
    TRY(sql_text_check(&text));
    TRY(sql_fetch_all_params(conn, ctx, table->model, (size_t)limit + 1, arena, &page.items,
                             &page.count, buf_text(&text.sql), text.params, text.count));
    if (page.count > (size_t)limit) {
        page.count = (size_t)limit;
        const char *last = (const char *)page.items + (page.count - 1) * table->model->size;
        TRY(sql_cursor_encode(table, &order, last, arena, &page.next_cursor));
    }
    *out_page = page;
    return NULL;
}

struct err *sql_table_count(struct sql_conn *conn, struct ctx *ctx, const struct sql_table *table,
                            const struct sql_list *list, int64_t *out_count)
{
    static const struct sql_list all = {0};
    _cleanup_(err_free) struct err *wrong = NULL;
    _cleanup_(sql_text_deinit) struct text text = TEXT(conn, table);
    buf_printf(&text.sql, "SELECT count(*) FROM %s", table->name);
    TRY(add_conditions(&text, list ? list : &all, &wrong));
    if (wrong)
        return TAKE(wrong);
    TRY(sql_text_check(&text));
    return sql_fetch_i64_params(conn, ctx, out_count, buf_text(&text.sql), text.params, text.count);
}
