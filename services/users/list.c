/* Keyset pagination: a cursor names the last row of a page, and the next page begins behind it. */
#include <string.h>

#include <base/encode.h>
#include <base/str.h>

#include "store.h"

/* By enum user_sort. Pages are cut between two (column, id) pairs, so that equal values part well.
 */
static const struct order {
    const char *column;
    const char *compare;
    const char *direction;
} orders[] = {
    [SORT_CREATED] = {"created_at", ">", "ASC"}, [SORT_CREATED_DOWN] = {"created_at", "<", "DESC"},
    [SORT_EMAIL] = {"email_key", ">", "ASC"},    [SORT_EMAIL_DOWN] = {"email_key", "<", "DESC"},
    [SORT_NAME] = {"name", ">", "ASC"},          [SORT_NAME_DOWN] = {"name", "<", "DESC"},
};

/* --- cursors --- */

struct cursor {
    int sort;
    int64_t created_at;                   /* when sorting by it */
    char text[MODEL_TEXT(USER_TEXT_MAX)]; /* else the address in lower case, or the name */
    char id[UUID_TEXT];
};

static const struct field cursor_fields[] = {
    FIELD(struct cursor, sort, INT, .flags = REQUIRED, .min = SORT_CREATED, .max = SORT_NAME_DOWN),
    FIELD(struct cursor, created_at, INT, .flags = REQUIRED),
    FIELD(struct cursor, text, STRING, .flags = REQUIRED),
    FIELD(struct cursor, id, UUID, .flags = REQUIRED),
};
static const struct model cursor_model = MODEL(struct cursor, cursor_fields, "End of a page");

static bool is_by_creation(int sort)
{
    return sort == SORT_CREATED || sort == SORT_CREATED_DOWN;
}

static bool is_by_email(int sort)
{
    return sort == SORT_EMAIL || sort == SORT_EMAIL_DOWN;
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
    if (err_is(e, &ERR_OUT_OF_MEMORY))
        return e;
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
    if (is_by_creation(sort)) {
        cursor.created_at = last->created_at_ms;
    } else if (is_by_email(sort)) {
        str_copy(cursor.text, sizeof(cursor.text), last->email);
        str_lower(cursor.text);
    } else {
        str_copy(cursor.text, sizeof(cursor.text), last->name);
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

/* --- the statement --- */

#define PARAMS_MAX 8

/* Only fixed text goes in; values become parameters. */
struct statement {
    struct buf text;
    struct sql_value params[PARAMS_MAX];
    size_t count;
};

static void statement_deinit(struct statement *statement)
{
    buf_deinit(&statement->text);
}
DEFINE_CLEANUP_VALUE(struct statement, statement_deinit);

static size_t add_param(struct statement *statement, struct sql_value value)
{
    statement->params[statement->count++] = value;
    return statement->count;
}

static void add_filter(struct statement *statement, const char *column, const char *value)
{
    buf_printf(&statement->text, " AND %s = $%zu", column, add_param(statement, SQL_TEXT(value)));
}

static void add_cursor(struct statement *statement, const struct cursor *cursor)
{
    const struct order *order = &orders[cursor->sort];
    size_t value = add_param(statement, is_by_creation(cursor->sort) ? SQL_I64(cursor->created_at)
                                                                     : SQL_TEXT(cursor->text));
    size_t id = add_param(statement, SQL_TEXT(cursor->id));
    buf_printf(&statement->text, " AND (%s, id) %s ($%zu, $%zu)", order->column, order->compare,
               value, id);
}

/* cursor NULL: the first page. One row more than a page is asked for, to know of a next one. */
static void compose(struct statement *statement, const struct user_query *query,
                    const char *email_key, const struct cursor *cursor)
{
    const struct order *order = &orders[query->sort];
    buf_append_str(&statement->text,
                   "SELECT " USER_COLUMNS " FROM users WHERE status <> 'pending'");
    if (query->email)
        add_filter(statement, "email_key", email_key);
    if (query->given.present & QUERY_STATUS)
        add_filter(statement, "status", user_statuses[query->status]);
    if (query->given.present & QUERY_ROLE)
        add_filter(statement, "role", user_roles[query->role]);
    if (cursor)
        add_cursor(statement, cursor);
    buf_printf(&statement->text, " ORDER BY %s %s, id %s LIMIT $%zu", order->column,
               order->direction, order->direction, add_param(statement, SQL_I64(query->limit + 1)));
}

static struct err *fetch_page(struct sql_db *db, struct ctx *ctx, const struct statement *statement,
                              struct arena *arena, struct user **out_users, size_t *out_count)
{
    if (buf_status(&statement->text) != BUF_OK)
        return err_oom();
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(db, ctx, &conn));
    void *items = NULL;
    TRY(sql_fetch_all_params(conn, ctx, &user_model, USER_PAGE_MAX + 1, arena, &items, out_count,
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
    char email_key[EMAIL_TEXT] = ""; /* nobody's, when what is looked for is no address */
    if (query->email) {
        str_copy(email_key, sizeof(email_key), query->email);
        str_lower(email_key);
    }
    _cleanup_(statement_deinit) struct statement statement = {.text = BUF_INIT(2048)};
    compose(&statement, query, email_key, query->cursor ? &cursor : NULL);
    struct user *users = NULL;
    size_t count = 0, limit = (size_t)query->limit;
    TRY(fetch_page(db, ctx, &statement, arena, &users, &count));
    const char *next_cursor = NULL;
    if (count > limit)
        TRY(encode_cursor(&users[limit - 1], query->sort, arena, &next_cursor));
    *out_users = users;
    *out_count = MIN(count, limit);
    *out_next_cursor = next_cursor;
    return NULL;
}
