/* Mistakes in descriptions of tables, each found by its name. */
#include "books.h"

struct row {
    char id[UUID_TEXT];
    char text[MODEL_TEXT(300)];
    const char *note;
    int count;
    int64_t at_ms;
    char email[EMAIL_TEXT];
    int wrong;
};

static const struct field fields[] = {
    FIELD(struct row, id, UUID),
    FIELD(struct row, text, STRING),
    FIELD(struct row, note, STRING),
    FIELD(struct row, count, INT),
    FIELD(struct row, at_ms, TIME, .json = "at", .flags = NULLABLE),
    FIELD(struct row, email, EMAIL, .flags = WRITE_ONLY),
};
static const struct model row_model = MODEL(struct row, fields, "A row");
static const struct field odd_fields[] = {
    FIELD(struct row, id, UUID),
    FIELD(struct row, count, INT, .column = "Count"),
};
static const struct model odd_model = MODEL(struct row, odd_fields, "A row");
static const struct field wrong_fields[] = {FIELD(struct row, wrong, STRING)};
static const struct model wrong_model = MODEL(struct row, wrong_fields, "A mistake of its own");

struct query {
    int64_t limit;
    const char *cursor;
    int sort;
    int count;
    struct model_presence given;
};
static const char *const sorts[] = {"count", "-id", "colour", NULL};
static const struct field query_fields[] = {
    SQL_LIST_FIELDS(struct query, sorts, "count"),
    FIELD(struct query, count, INT),
};
static const struct model query_model =
    MODEL_WITH_PRESENCE(struct query, query_fields, given, "A query");
static const struct model blind_query = MODEL(struct query, query_fields, "A query");
static const struct field odd_query_fields[] = {
    FIELD(struct query, cursor, STRING, .json = "limit"),
    FIELD(struct query, limit, INT, .json = "cursor"),
    FIELD(struct query, count, INT, .json = "at"),
};
static const struct model odd_query =
    MODEL_WITH_PRESENCE(struct query, odd_query_fields, given, "A query");

#define ROWS .name = "rows", .model = &row_model, .key = "id"
static const struct sql_table right = {ROWS, .sorts = SQL_SORTS(SQL_SORT("count")),
                                       .filters =
                                           SQL_FILTERS(SQL_FILTER("count"), SQL_FILTER("at"))};
#define F(...) .filters = SQL_FILTERS(__VA_ARGS__)
#define S(...) .sorts = SQL_SORTS(__VA_ARGS__)

static const struct {
    struct sql_table table;
    const struct model *query;
    const char *mistake;
} rows[] = {
    {{.name = "Rows", .model = &row_model, .key = "id"}, NULL, "name is no lower-case identifier"},
    {{.name = "1rows", .model = &row_model, .key = "id"}, NULL, "name is no lower-case identifier"},
    {{.name = "a; b", .model = &row_model, .key = "id"}, NULL, "name is no lower-case identifier"},
    {{.name = "rows", .model = &odd_model, .key = "id"}, NULL, "column Count is no"},
    {{.name = "rows", .model = &wrong_model, .key = "id"}, NULL, "wrong"},
    {{.name = "rows", .model = &row_model, .key = "none"}, NULL, "key none is no column"},
    {{.name = "rows", .model = &row_model, .key = "at"}, NULL, "key at is of the wrong type"},
    {{.name = "rows", .model = &row_model, .key = "at"}, NULL, "key at is NULLABLE"},
    {{.name = "rows", .model = &row_model, .key = "text"}, NULL, "key text is not in a char[]"},
    {{ROWS, .version = "text"}, NULL, "version text is of the wrong type"},
    {{ROWS, .updated_at = "count"}, NULL, "updated_at count is of the wrong type"},
    {{ROWS, .write_once = SQL_COLUMNS("colour")}, NULL, "write_once colour is no column"},
    {{ROWS, .where = "id = $1"}, NULL, "where has a parameter"},
    {{ROWS, S(SQL_SORT("colour"))}, NULL, "sort colour is no column"},
    {{ROWS, S(SQL_SORT("at"))}, NULL, "sort at is NULLABLE"},
    {{ROWS, S(SQL_SORT("email"))}, NULL, "sort email is NULLABLE or WRITE_ONLY"},
    {{ROWS, S(SQL_SORT("text"))}, NULL, "sort text is not in a char[]"},
    {{ROWS, S(SQL_SORT("note"))}, NULL, "sort note is not in a char[]"},
    {{ROWS, S(SQL_SORT("-id", .column = "id"))}, NULL, "sort -id is no"},
    {{ROWS, S(SQL_SORT("id"), SQL_SORT("id"))}, NULL, "sort id is there twice"},
    {{ROWS, F(SQL_FILTER("colour"))}, NULL, "filter colour is no column"},
    {{ROWS, F(SQL_FILTER("limit", .column = "count"))}, NULL, "a name that lists use"},
    {{ROWS, F(SQL_FILTER("id"), SQL_FILTER("id"))}, NULL, "filter id is there twice"},
    {{ROWS, F(SQL_FILTER("id", .to_lower = true))}, NULL, "no text to make lower case"},
    {{ROWS, F(SQL_FILTER("id", .compare = (enum sql_compare)9))}, NULL, "in no known way"},
    {{ROWS}, &query_model, "the query's count is no filter"},
    {{ROWS, S(SQL_SORT("id"), SQL_SORT("count"))}, &query_model, "sort colour is not known"},
    {{ROWS, F(SQL_FILTER("count"))}, &blind_query, "cannot tell whether count is there"},
    {{ROWS, F(SQL_FILTER("at"))}, &odd_query, "limit is no INT"},
    {{ROWS, F(SQL_FILTER("at"))}, &odd_query, "cursor is no text"},
    {{ROWS, F(SQL_FILTER("at"))}, &odd_query, "at is of another type than its column"},
};

static void every_mistake_is_found(void **state)
{
    (void)state;
    OK(sql_table_check(&right, NULL));
    OK(sql_table_check(&books, NULL));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char line[8 * ERR_LINE];
        struct err *e = sql_table_check(&rows[i].table, rows[i].query);
        err_format(e, line, sizeof(line));
        CHECK(line, strstr(line, rows[i].mistake));
        expect(e, &ERR_INTERNAL, rows[i].mistake);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_mistake_is_found)};
    return cmocka_run_group_tests_name("sql.table_check", tests, NULL, NULL);
}
