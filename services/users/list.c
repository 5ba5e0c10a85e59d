/* Keyset pagination: a cursor names the last row of a page, and the next page begins behind it. */
#include <string.h>

#include <base/encode.h>
#include <base/str.h>

#include "store.h"

#define LIST_COLUMNS                                                                               \
    "id, email, name, role, status, email_verified, created_at, updated_at, version"
#define LIMIT_MAX 200

/* By enum user_sort; a page ends between two (column, id) pairs. */
static const struct order {
    const char *column;
    const char *compare;
    const char *direction;
} orders[] = {
    [SORT_CREATED] = {"created_at", ">", "ASC"}, [SORT_CREATED_DOWN] = {"created_at", "<", "DESC"},
    [SORT_EMAIL] = {"email_key", ">", "ASC"},    [SORT_EMAIL_DOWN] = {"email_key", "<", "DESC"},
    [SORT_NAME] = {"name", ">", "ASC"},          [SORT_NAME_DOWN] = {"name", "<", "DESC"},
};

struct cursor {
    int64_t sort;
    int64_t number; /* value of a numeric column */
    char text[MODEL_TEXT(EMAIL_TEXT)];
    char id[UUID_TEXT];
};

static const struct field cursor_fields[] = {
    FIELD(struct cursor, sort, INT, .flags = REQUIRED, .min = SORT_CREATED, .max = SORT_NAME_DOWN),
    FIELD(struct cursor, number, INT, .flags = REQUIRED),
    FIELD(struct cursor, text, STRING, .flags = REQUIRED),
    FIELD(struct cursor, id, UUID, .flags = REQUIRED),
};
static const struct model cursor_model = MODEL(struct cursor, cursor_fields, "End of a page");

static bool is_numeric(int64_t sort)
{
    return sort == SORT_CREATED || sort == SORT_CREATED_DOWN;
}

static struct err *bad_cursor(const char *why)
{
    struct err *e = NULL;
    err_add_field(&e, "cursor", "invalid_cursor", "%s", why);
    return e;
}

static struct err *decode_cursor(const char *text, int sort, struct arena *arena,
                                 struct cursor *out_cursor)
{
    char json[BASE64URL_DECODED_MAX(USER_CURSOR_MAX) + 1];
    size_t len = 0;
    if (!base64url_decode(json, sizeof(json), text, strlen(text), &len))
        return bad_cursor("is not a next_cursor of this list");
    struct cursor cursor = {0};
    struct err *e = model_read(&cursor_model, MODEL_READ, json, len, arena, &cursor);
    if (e) {
        err_free(e);
        return bad_cursor("is not a next_cursor of this list");
    }
    if (cursor.sort != sort)
        return bad_cursor("belongs to a list with another sort");
    *out_cursor = cursor;
    return NULL;
}

static struct err *encode_cursor(const struct user *last, int sort, struct arena *arena,
                                 const char **out_text)
{
    struct cursor cursor = {.sort = sort};
    str_copy(cursor.id, sizeof(cursor.id), last->id);
    if (is_numeric(sort)) {
        cursor.number = last->created_at_ms;
    } else {
        bool by_email = sort == SORT_EMAIL || sort == SORT_EMAIL_DOWN;
        str_copy(cursor.text, sizeof(cursor.text), by_email ? last->email : last->name);
        if (by_email)
            str_lower(cursor.text);
    }
    _cleanup_(buf_deinit) struct buf json = BUF_INIT(USER_CURSOR_MAX);
    struct json_writer writer = JSON_WRITER(&json);
    model_write(&cursor_model, &cursor, &writer);
    char *text = arena_alloc(arena, BASE64URL_LEN(json.len) + 1);
    if (buf_status(&json) != BUF_OK || !text)
        return err_oom();
    base64url_encode(text, json.data, json.len);
    *out_text = text;
    return NULL;
}

#define LIST_PARAMS_MAX 8

/* A statement under construction; only fixed text goes in, values become parameters. */
struct statement {
    struct buf text;
    struct sql_value params[LIST_PARAMS_MAX];
    size_t count;
};

static void statement_deinit(struct statement *statement)
{
    buf_deinit(&statement->text);
}
DEFINE_CLEANUP_VALUE(struct statement, statement_deinit);

static void add_filter(struct statement *statement, const char *condition, struct sql_value value)
{
    statement->params[statement->count++] = value;
    buf_printf(&statement->text, " AND %s $%zu", condition, statement->count);
}

static void add_cursor(struct statement *statement, const struct cursor *cursor)
{
    const struct order *order = &orders[cursor->sort];
    statement->params[statement->count++] =
        is_numeric(cursor->sort) ? SQL_I64(cursor->number) : SQL_TEXT(cursor->text);
    statement->params[statement->count++] = SQL_TEXT(cursor->id);
    buf_printf(&statement->text, " AND (%s, id) %s ($%zu, $%zu)", order->column, order->compare,
               statement->count - 1, statement->count);
}

static struct err *fetch_page(struct sql_db *db, struct ctx *ctx, const struct statement *statement,
                              struct arena *arena, struct user **out_users, size_t *out_count)
{
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(db, ctx, &conn));
    void *items = NULL;
    TRY(sql_fetch_all_params(conn, ctx, &user_model, LIMIT_MAX + 1, arena, &items, out_count,
                             buf_text(&statement->text), statement->params, statement->count));
    *out_users = items;
    return NULL;
}

struct err *store_list(struct sql_db *db, struct ctx *ctx, const struct user_query *query,
                       struct arena *arena, struct user **out_users, size_t *out_count,
                       const char **out_next_cursor)
{
    struct cursor cursor = {0};
    if (query->cursor)
        TRY(decode_cursor(query->cursor, query->sort, arena, &cursor));
    char key[EMAIL_TEXT] = "";
    _cleanup_(statement_deinit) struct statement statement = {.text = BUF_INIT(2048)};
    buf_append_str(&statement.text, "SELECT " LIST_COLUMNS " FROM users WHERE status <> 'pending'");
    if (query->email) {
        str_copy(key, sizeof(key), query->email);
        str_lower(key);
        add_filter(&statement, "email_key =", SQL_TEXT(key));
    }
    if (query->given.present & QUERY_STATUS)
        add_filter(&statement, "status =", SQL_TEXT(user_statuses[query->status]));
    if (query->given.present & QUERY_ROLE)
        add_filter(&statement, "role =", SQL_TEXT(user_roles[query->role]));
    if (query->cursor)
        add_cursor(&statement, &cursor);
    const struct order *order = &orders[query->sort];
    statement.params[statement.count++] = SQL_I64(query->limit + 1);
    buf_printf(&statement.text, " ORDER BY %s %s, id %s LIMIT $%zu", order->column,
               order->direction, order->direction, statement.count);
    if (buf_status(&statement.text) != BUF_OK)
        return err_oom();

    struct user *users = NULL;
    size_t count = 0;
    TRY(fetch_page(db, ctx, &statement, arena, &users, &count));
    const char *next_cursor = NULL;
    if (count >
        (size_t)query->limit) { /* one row more was asked for, to know whether there is one */
        count = (size_t)query->limit;
        TRY(encode_cursor(&users[count - 1], query->sort, arena, &next_cursor));
    }
    *out_users = users;
    *out_count = count;
    *out_next_cursor = next_cursor;
    return NULL;
}
