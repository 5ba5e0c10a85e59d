#include "store.h"

const struct sql_table users_table = {
    .name = "users",
    .model = &user_model,
    .key = "id",
    .version = "version",
    .updated_at = "updated_at",
    .write_once = SQL_COLUMNS("created_at"),
    .sorts = SQL_SORTS(SQL_SORT("created_at"), SQL_SORT("email", .column = "email_key"),
                       SQL_SORT("name")),
    .filters = SQL_FILTERS(SQL_FILTER("email", .column = "email_key", .to_lower = true),
                           SQL_FILTER("status"), SQL_FILTER("role")),
    .where = "status <> 'pending'",
};

struct err *store_list(struct sql_db *db, struct ctx *ctx, const struct user_query *query,
                       struct arena *arena, struct sql_page *out_page)
{
    struct sql_list list;
    TRY(sql_list_from(&user_query_model, query, &list));
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(db, ctx, &conn));
    return sql_table_list(conn, ctx, &users_table, &list, arena, out_page);
}
