/* Mistakes in descriptions of tables, which tests find. */
#include <string.h>

#include <base/str.h>

#include "table.h"

#define MISTAKES_MAX   ((size_t)64 * 1024)
#define IDENTIFIER_MAX 63 /* PostgreSQL cuts what is longer */

struct check {
    const struct sql_table *table;
    struct buf mistakes;
};

static void complain(struct check *check, const char *format, ...) PRINTF_LIKE(2, 3);

static void complain(struct check *check, const char *format, ...)
{
    buf_printf(&check->mistakes, "%stable %s: ", check->mistakes.len > 0 ? "; " : "",
               check->table->name);
    va_list args;
    va_start(args, format);
    buf_vprintf(&check->mistakes, format, args);
    va_end(args);
}

static bool is_identifier(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz_0123456789";
    size_t len = strlen(text);
    bool begins_well = len > 0 && (*text < '0' || *text > '9');
    return begins_well && len <= IDENTIFIER_MAX && strspn(text, letters) == len;
}

/* NULL, after a complaint: the model has no such column. */
static const struct field *find(struct check *check, const char *what, const char *column)
{
    const struct field *field = model_find_column(check->table->model, column);
    if (field && sql_is_column(field))
        return field;
    complain(check, "%s %s is no column of the model", what, column);
    return NULL;
}

/* --- columns --- */

static void check_names(struct check *check)
{
    const struct model *model = check->table->model;
    if (!is_identifier(check->table->name))
        complain(check, "the name is no lower-case identifier");
    for (size_t i = 0; i < model->count; i++) {
        const char *column = model_column_name(&model->fields[i]);
        if (sql_is_column(&model->fields[i]) && !is_identifier(column))
            complain(check, "column %s is no lower-case identifier", column);
    }
    if (check->table->where && strpbrk(check->table->where, "$;"))
        complain(check, "where has a parameter or a semicolon");
}

/* One that every row has, and is read. */
static void check_own(struct check *check, const char *what, const char *column, unsigned types)
{
    const struct field *field = find(check, what, column);
    if (!field)
        return;
    if (!(1U << field->type & types))
        complain(check, "%s %s is of the wrong type", what, column);
    if (field->flags & (NULLABLE | WRITE_ONLY))
        complain(check, "%s %s is NULLABLE or WRITE_ONLY", what, column);
}

/* So that every place fits into a cursor. */
static void check_size(struct check *check, const char *what, const char *column, size_t max)
{
    const struct field *field = model_find_column(check->table->model, column);
    if (!field || !sql_is_plain_text(field))
        return;
    if (field->storage != MODEL_IN_CHARS || field->size > max)
        complain(check, "%s %s is not in a char[] of at most %zu bytes", what, column, max);
}

/* --- sorts and filters --- */

#define SORTABLE                                                                                   \
    (1U << MODEL_STRING | 1U << MODEL_INT | 1U << MODEL_FLOAT | 1U << MODEL_BOOL |                 \
     1U << MODEL_ENUM | 1U << MODEL_TIME | 1U << MODEL_UUID | 1U << MODEL_EMAIL | 1U << MODEL_URL)

static void check_sorts(struct check *check)
{
    const struct sql_sort *sorts = check->table->sorts;
    for (const struct sql_sort *sort = sorts; sort && sort->name; sort++) {
        const char *column = sort->column ? sort->column : sort->name;
        check_own(check, "sort", column, SORTABLE);
        check_size(check, "sort", column, SQL_SORT_TEXT);
        if (!is_identifier(sort->name))
            complain(check, "sort %s is no lower-case identifier", sort->name);
        for (const struct sql_sort *other = sorts; other < sort; other++)
            if (strcmp(other->name, sort->name) == 0)
                complain(check, "sort %s is there twice", sort->name);
    }
}

static void check_filter(struct check *check, const struct sql_filter *filter)
{
    const struct field *field =
        find(check, "filter", filter->column ? filter->column : filter->name);
    if (str_equal(filter->name, "limit") || str_equal(filter->name, "cursor") ||
        str_equal(filter->name, "sort"))
        complain(check, "filter %s has a name that lists use", filter->name);
    if (filter->compare > SQL_AT_LEAST)
        complain(check, "filter %s compares in no known way", filter->name);
    if (field && !(1U << field->type & SORTABLE))
        complain(check, "filter %s is of a type that cannot be compared", filter->name);
    if (field && filter->to_lower && !sql_is_plain_text(field))
        complain(check, "filter %s has no text to make lower case", filter->name);
}

static void check_filters(struct check *check)
{
    const struct sql_filter *filters = check->table->filters, *filter = filters;
    for (; filter && filter->name; filter++) {
        check_filter(check, filter);
        for (const struct sql_filter *other = filters; other < filter; other++)
            if (strcmp(other->name, filter->name) == 0)
                complain(check, "filter %s is there twice", filter->name);
    }
    if (filter - filters > SQL_FILTERS_MAX)
        complain(check, "there are more than %d filters", SQL_FILTERS_MAX);
}

/* --- the model of queries --- */

static void check_query_sorts(struct check *check, const struct field *field)
{
    for (size_t i = 0; field->values && field->values[i]; i++) {
        const char *name = field->values[i] + (field->values[i][0] == '-');
        const struct sql_sort *sort = check->table->sorts;
        while (sort && sort->name && strcmp(sort->name, name) != 0)
            sort++;
        if (!sort || !sort->name)
            complain(check, "the query's sort %s is not known", field->values[i]);
    }
}

static void check_query_filter(struct check *check, const struct model *query,
                               const struct field *field)
{
    const char *name = model_json_name(field);
    const struct sql_filter *filter = check->table->filters;
    while (filter && filter->name && strcmp(filter->name, name) != 0)
        filter++;
    if (!filter || !filter->name) {
        complain(check, "the query's %s is no filter", name);
        return;
    }
    const struct field *column =
        model_find_column(check->table->model, filter->column ? filter->column : filter->name);
    bool is_text = sql_column_type(field) == SQL_TYPE_TEXT;
    if (column && !is_text && column->type != field->type)
        complain(check, "the query's %s is of another type than its column", name);
    if (query->presence_offset == SIZE_MAX && (!is_text || field->type == MODEL_ENUM))
        complain(check, "the query cannot tell whether %s is there", name);
}

static void check_query(struct check *check, const struct model *query)
{
    for (size_t i = 0; i < query->count; i++) {
        const struct field *field = &query->fields[i];
        const char *name = model_json_name(field);
        if (str_equal(name, "limit")) {
            if (field->type != MODEL_INT)
                complain(check, "the query's limit is no INT");
        } else if (str_equal(name, "cursor") || str_equal(name, "sort")) {
            if (sql_column_type(field) != SQL_TYPE_TEXT)
                complain(check, "the query's %s is no text", name);
            if (*name == 's')
                check_query_sorts(check, field);
        } else {
            check_query_filter(check, query, field);
        }
    }
}

struct err *sql_table_check(const struct sql_table *table, const struct model *query)
{
    TRY(model_check(table->model));
    if (query)
        TRY(model_check(query));
    struct check check = {.table = table, .mistakes = BUF_INIT(MISTAKES_MAX)};
    check_names(&check);
    check_own(&check, "key", table->key, 1U << MODEL_UUID | 1U << MODEL_INT | 1U << MODEL_STRING);
    check_size(&check, "key", table->key, SQL_KEY_TEXT);
    if (table->version)
        check_own(&check, "version", table->version, 1U << MODEL_INT);
    if (table->updated_at)
        check_own(&check, "updated_at", table->updated_at, 1U << MODEL_TIME);
    for (const char *const *name = table->write_once; name && *name; name++)
        find(&check, "write_once", *name);
    check_sorts(&check);
    check_filters(&check);
    if (query)
        check_query(&check, query);
    struct err *e =
        check.mistakes.len > 0 ? err_new(&ERR_INTERNAL, "%s", buf_text(&check.mistakes)) : NULL;
    buf_deinit(&check.mistakes);
    return e;
}
