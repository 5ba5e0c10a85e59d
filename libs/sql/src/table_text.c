/* Statements from descriptions of tables. */
#include "table.h"

void sql_text_deinit(struct text *text)
{
    buf_deinit(&text->sql);
    arena_deinit(&text->values);
}

void sql_text_add(struct text *text, const char *words)
{
    buf_append_str(&text->sql, words);
}

/* One too many is seen by sql_text_check(). */
static size_t add_param(struct text *text, struct sql_value value)
{
    if (text->count < TEXT_PARAMS_MAX)
        text->params[text->count] = value;
    return ++text->count;
}

void sql_text_param(struct text *text, struct sql_value value)
{
    buf_printf(&text->sql, "$%zu", add_param(text, value));
}

/* In PostgreSQL the place would make it the column's type, and a number that is beyond that an
 * error. In SQLite it has its own type, and with a cast fewer indexes would be used. */
void sql_text_operand(struct text *text, struct sql_value value)
{
    bool is_cast = text->is_postgres && value.type == SQL_TYPE_I64;
    buf_printf(&text->sql, is_cast ? "CAST($%zu AS BIGINT)" : "$%zu", add_param(text, value));
}

void sql_text_ordered(struct text *text, const struct field *field)
{
    sql_text_add(text, model_column_name(field));
    /* A UUID may be of PostgreSQL's own type, and its text has one order in all collations. */
    if (text->is_postgres && sql_column_type(field) == SQL_TYPE_TEXT && field->type != MODEL_UUID)
        sql_text_add(text, " COLLATE \"C\"");
}

void sql_text_select(struct text *text)
{
    const struct model *model = text->table->model;
    const char *before = "SELECT ";
    for (size_t i = 0; i < model->count; i++) {
        if (!sql_is_read(&model->fields[i]))
            continue;
        sql_text_add(text, before);
        sql_text_add(text, model_column_name(&model->fields[i]));
        before = ", ";
    }
    sql_text_add(text, " FROM ");
    sql_text_add(text, text->table->name);
}

void sql_text_where_equal(struct text *text, const char *column, struct sql_value value)
{
    sql_text_add(text, " WHERE ");
    sql_text_add(text, column);
    sql_text_add(text, " = ");
    sql_text_operand(text, value);
    if (text->table->where)
        buf_printf(&text->sql, " AND (%s)", text->table->where);
}

struct err *sql_text_check(const struct text *text)
{
    if (text->count > TEXT_PARAMS_MAX || buf_status(&text->sql) == BUF_TOO_LARGE)
        return err_new(&SQL_FAILED, "a statement about %s is too long", text->table->name);
    return buf_status(&text->sql) == BUF_OK ? NULL : err_oom();
}
