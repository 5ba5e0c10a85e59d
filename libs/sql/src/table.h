/* What the files of <sql/table.h> share: statements that are put together from a description. */
#ifndef SQL_SRC_TABLE_H
#define SQL_SRC_TABLE_H

#include <base/buf.h>
#include <sql/table.h>

/* --- table_text.c: a statement that grows --- */

#define TEXT_MAX 16384
/* An update of all columns; a list with all conditions and a cursor. */
#define TEXT_PARAMS_MAX (MODEL_FIELDS_MAX + SQL_FILTERS_MAX)

/* Only names of descriptions and fixed words go into the text; values become parameters. */
struct text {
    const struct sql_table *table;
    bool is_postgres;
    struct buf sql;
    struct sql_value params[TEXT_PARAMS_MAX];
    size_t count;
    struct arena values; /* of parameters that are in no caller's memory */
};

#define TEXT(conn_, table_)                                                                        \
    {                                                                                              \
        .table = (table_), .is_postgres = sql_conn_dialect(conn_) == SQL_POSTGRES,                 \
        .sql = BUF_INIT(TEXT_MAX), .values = ARENA_INIT(TEXT_MAX)                                  \
    }
void sql_text_deinit(struct text *text);
DEFINE_CLEANUP_VALUE(struct text, sql_text_deinit);

void sql_text_add(struct text *text, const char *words);
/* $n, where the column's place gives the type. */
void sql_text_param(struct text *text, struct sql_value value);
/* $n to compare a column with: of BIGINT, whatever integer the column is. */
void sql_text_operand(struct text *text, struct sql_value value);
/* A column to sort or compare by: text by its bytes. */
void sql_text_ordered(struct text *text, const struct field *field);
/* "SELECT the columns FROM the table" */
void sql_text_select(struct text *text);
/* " WHERE column = $n", and the table's own condition. */
void sql_text_where_equal(struct text *text, const char *column, struct sql_value value);
/* err_oom() or SQL_FAILED, if the text did not become whole. */
struct err *sql_text_check(const struct text *text) MUST_CHECK;

/* --- table_value.c --- */

/* What the row of a model is as a column; SQL_TYPE_NULL: none. */
enum sql_type sql_column_type(const struct field *field);
bool sql_is_column(const struct field *field);
bool sql_is_read(const struct field *field);       /* by fetch and list */
bool sql_is_plain_text(const struct field *field); /* any text, of any length */
/* SQL_FAILED: the model has no such column. */
struct err *sql_find_column(const struct sql_table *table, const char *name,
                            const struct field **out_field) MUST_CHECK;

/* What the database is to keep of the member; borrows text. */
struct err *sql_member_value(const struct model *model, const struct field *field, const void *row,
                             struct sql_value *out_value) MUST_CHECK;
int64_t sql_member_i64(const struct field *field, const void *row);
void sql_member_set_i64(const struct field *field, int64_t number, void *row);

/* A value to compare the column with, from one of its type or from text. What a client can have
 * sent wrong is added to *errors under the name, and *out_value stays. SQL_FAILED: neither of its
 * type nor text. Text of *out_value is given, or in the arena. */
struct err *sql_convert(const struct field *field, const char *name, struct sql_value given,
                        struct arena *arena, struct sql_value *out_value, struct err **errors)
    MUST_CHECK;

/* --- table_cursor.c --- */

/* How a list is ordered. */
struct order {
    const char *name;         /* of the sort, or the key */
    const struct field *sort; /* the key's, too, where that alone orders */
    const struct field *key;
    bool is_down;
};

#define CURSOR_BYTES (SQL_CURSOR_MAX * 3 / 4)

struct cursor {
    char bytes[CURSOR_BYTES + 1]; /* the text of the values */
    struct sql_value sort, key;
};

struct err *sql_cursor_encode(const struct sql_table *table, const struct order *order,
                              const void *row, struct arena *arena, const char **out_text)
    MUST_CHECK;
/* False: it is none of the list, which is added to *errors. */
bool sql_cursor_decode(const struct sql_table *table, const struct order *order, const char *text,
                       struct cursor *out_cursor, struct err **errors);

#endif
