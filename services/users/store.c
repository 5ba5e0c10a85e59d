#include "store.h"

#include <base/clock.h>
#include <base/crash.h>
#include <base/str.h>
#include <http/idempotency.h>

/* An hour more than a request may be repeated: clocks differ. */
#define DELETED_KEPT_MS (HTTP_KEY_KEPT_MS + 3600000)

/* What two spellings of an address share. */
static void email_key(const char *email, char out[static EMAIL_TEXT])
{
    str_copy(out, EMAIL_TEXT, email);
    str_lower(out);
}

/* --- insert --- */

/* One statement, so that those who come at the same time need not wait for each other: a pending
 * user with the address becomes the new one. */
struct err *store_insert(struct sql_conn *conn, struct ctx *ctx, const struct user *user,
                         bool *out_is_free)
{
    char key[EMAIL_TEXT];
    email_key(user->email, key);
    int64_t affected = 0;
    TRY(sql_exec(conn, ctx,
                 "INSERT INTO users (id, email, email_key, name, role, status, email_verified,"
                 " version, created_at, updated_at)"
                 " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
                 " ON CONFLICT (email_key) DO UPDATE SET id = excluded.id, email = excluded.email,"
                 " name = excluded.name, role = excluded.role, status = excluded.status,"
                 " email_verified = excluded.email_verified, version = excluded.version,"
                 " created_at = excluded.created_at, updated_at = excluded.updated_at"
                 " WHERE users.status = 'pending'",
                 &affected, SQL_TEXT(user->id), SQL_TEXT(user->email), SQL_TEXT(key),
                 SQL_TEXT(user->name), SQL_TEXT(user_roles[user->role]),
                 SQL_TEXT(user_statuses[user->status]), SQL_BOOL(user->email_verified),
                 SQL_I64(user->version), SQL_I64(user->created_at_ms),
                 SQL_I64(user->updated_at_ms)));
    *out_is_free = affected == 1;
    return NULL;
}

/* --- what is told --- */

static struct err *tell(struct outbox *outbox, struct sql_conn *conn, struct ctx *ctx,
                        const char *type, const struct model *model, const struct user *user)
{
    return outbox_add(
        outbox, conn, ctx,
        &(struct outbox_event){.type = type, .about = user->id, .model = model, .data = user});
}

/* --- create --- */

struct creation {
    struct outbox *outbox;
    struct user user;
};

static struct err *insert_new(struct sql_conn *conn, struct ctx *ctx, const struct user *user)
{
    bool is_free = false;
    int64_t deleted = 0;
    TRY(store_insert(conn, ctx, user, &is_free));
    if (!is_free)
        return err_new(&EMAIL_TAKEN, "another user has this email address");
    /* Behind the insert, so that no deletion comes in between; a pending user may stay. */
    TRY(sql_fetch_i64(conn, ctx, &deleted, "SELECT count(*) FROM deleted_users WHERE id = $1",
                      SQL_TEXT(user->id)));
    return deleted == 0
               ? NULL
               : err_new(&USER_NOT_FOUND, "the user that this request has made was deleted");
}

static struct err *create_active(struct sql_conn *conn, struct ctx *ctx, void *data)
{
    const struct creation *creation = data;
    TRY(insert_new(conn, ctx, &creation->user));
    return tell(creation->outbox, conn, ctx, USER_CREATED, &user_record_model, &creation->user);
}

static struct err *create_pending(struct sql_db *db, struct ctx *ctx, const struct user *user)
{
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(db, ctx, &conn));
    return insert_new(conn, ctx, user);
}

/* The address or the id is taken: by this request, when it came before, or by somebody else. */
static struct err *find_made(struct sql_db *db, struct ctx *ctx, struct user *user)
{
    bool found = false;
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(db, ctx, &conn));
    TRY(store_find(conn, ctx, user->id, user, &found));
    return found ? NULL : err_new(&EMAIL_TAKEN, "another user has this email address");
}

struct err *store_create(struct sql_db *db, struct outbox *outbox, struct ctx *ctx,
                         const struct new_user *new_user, enum user_status status,
                         struct user *out_user)
{
    int64_t now_ms = clock_now_ms();
    struct creation creation = {
        .outbox = outbox,
        .user = {.role = new_user->role,
                 .status = (int)status,
                 .version = 1,
                 .created_at_ms = now_ms,
                 .updated_at_ms = now_ms},
    };
    struct user *user = &creation.user;
    if (new_user->id[0] != '\0')
        str_copy(user->id, sizeof(user->id), new_user->id);
    else
        uuid_new(user->id);
    str_copy(user->email, sizeof(user->email), new_user->email);
    str_copy(user->name, sizeof(user->name), new_user->name);
    struct err *e = status == STATUS_PENDING ? create_pending(db, ctx, user)
                                             : sql_transact(db, ctx, create_active, &creation);
    if (err_is(e, &EMAIL_TAKEN) || err_is(e, &SQL_UNIQUE)) {
        err_free(e);
        e = find_made(db, ctx, user);
    }
    TRY(e);
    CRASH_POINT("users.create.committed");
    *out_user = *user;
    return NULL;
}

/* The limit is no parameter: PostgreSQL would plan for a tenth of the table. The outer condition is
 * for users who become active meanwhile, in words that do not lead it through the whole index. */
struct err *store_remove_pending(struct sql_db *db, struct ctx *ctx, int64_t older_than_ms,
                                 int64_t *out_count)
{
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(db, ctx, &conn));
    return sql_exec(conn, ctx,
                    "DELETE FROM users WHERE status NOT IN ('active', 'suspended') AND id IN"
                    " (SELECT id FROM users WHERE status = 'pending' AND created_at < $1"
                    " ORDER BY created_at LIMIT " TO_TEXT(STORE_REMOVE_MAX) ")",
                    out_count, SQL_I64(clock_now_ms() - older_than_ms));
}

struct err *store_forget_deleted(struct sql_db *db, struct ctx *ctx, int64_t *out_count)
{
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(db, ctx, &conn));
    return sql_exec(
        conn, ctx,
        "DELETE FROM deleted_users WHERE id IN (SELECT id FROM deleted_users"
        " WHERE deleted_at < $1 ORDER BY deleted_at LIMIT " TO_TEXT(STORE_REMOVE_MAX) ")",
        out_count, SQL_I64(clock_now_ms() - DELETED_KEPT_MS));
}

/* --- read --- */

static struct err *fetch_where(struct sql_conn *conn, struct ctx *ctx, const char *statement,
                               const char *value, struct user *out_user)
{
    struct err *e =
        sql_fetch_one(conn, ctx, &user_model, out_user, NULL, statement, SQL_TEXT(value));
    return err_is(e, &SQL_NO_ROWS) ? err_wrap_as(e, &USER_NOT_FOUND, "there is no such user") : e;
}

static struct err *fetch(struct sql_conn *conn, struct ctx *ctx, const char *id,
                         struct user *out_user)
{
    return fetch_where(conn, ctx,
                       "SELECT " USER_COLUMNS " FROM users WHERE id = $1 AND status <> 'pending'",
                       id, out_user);
}

struct err *store_fetch(struct sql_db *db, struct ctx *ctx, const char *id, struct user *out_user)
{
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(db, ctx, &conn));
    return fetch(conn, ctx, id, out_user);
}

struct err *store_fetch_by_email(struct sql_db *db, struct ctx *ctx, const char *email,
                                 struct user *out_user)
{
    char key[EMAIL_TEXT];
    email_key(email, key);
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(db, ctx, &conn));
    return fetch_where(conn, ctx,
                       "SELECT " USER_COLUMNS
                       " FROM users WHERE email_key = $1 AND status <> 'pending'",
                       key, out_user);
}

struct err *store_find(struct sql_conn *conn, struct ctx *ctx, const char *id,
                       struct user *out_user, bool *out_found)
{
    struct err *e = fetch(conn, ctx, id, out_user);
    *out_found = !e;
    if (!err_is(e, &USER_NOT_FOUND))
        return e;
    err_free(e);
    return NULL;
}

struct err *store_fetch_page(struct sql_conn *conn, struct ctx *ctx, const char *after,
                             size_t limit, struct arena *arena, struct user **out_users,
                             size_t *out_count)
{
    void *items = NULL;
    TRY(sql_fetch_all(conn, ctx, &user_model, limit, arena, &items, out_count,
                      "SELECT " USER_COLUMNS " FROM users WHERE status <> 'pending' AND id > $1"
                      " ORDER BY id LIMIT $2",
                      SQL_TEXT(after), SQL_I64((int64_t)limit)));
    *out_users = items;
    return NULL;
}

/* --- change --- */

struct activation {
    struct outbox *outbox;
    const char *id;
    struct user user;
};

static struct err *activate(struct sql_conn *conn, struct ctx *ctx, void *data)
{
    struct activation *activation = data;
    int64_t affected = 0;
    TRY(sql_exec(conn, ctx,
                 "UPDATE users SET status = 'active', version = version + 1, updated_at = $2"
                 " WHERE id = $1 AND status = 'pending'",
                 &affected, SQL_TEXT(activation->id), SQL_I64(clock_now_ms())));
    TRY(fetch(conn, ctx, activation->id, &activation->user));
    if (affected == 0) /* it was done before */
        return NULL;
    TRY(tell(activation->outbox, conn, ctx, USER_CREATED, &user_record_model, &activation->user));
    CRASH_POINT("users.activate.told");
    return NULL;
}

struct err *store_activate(struct sql_db *db, struct outbox *outbox, struct ctx *ctx,
                           const char *id, struct user *out_user)
{
    struct activation activation = {.outbox = outbox, .id = id};
    TRY(sql_transact(db, ctx, activate, &activation));
    CRASH_POINT("users.activate.committed");
    *out_user = activation.user;
    return NULL;
}

/* One user, in a transaction from the look at it to the change. */
struct edit {
    struct outbox *outbox;
    const char *id;
    user_editor *editor;
    void *data;
    struct user user;
};

static struct err *update_user(struct sql_conn *conn, struct ctx *ctx, struct user *user)
{
    char key[EMAIL_TEXT];
    email_key(user->email, key);
    TRY(sql_exec(conn, ctx, "DELETE FROM users WHERE email_key = $1 AND status = 'pending'", NULL,
                 SQL_TEXT(key)));
    user->version++;
    /* Never back, whatever the clock does: others tell the newer of two versions by it. */
    user->updated_at_ms = MAX(clock_now_ms(), user->updated_at_ms + 1);
    return sql_exec(conn, ctx,
                    "UPDATE users SET email = $2, email_key = $3, name = $4, role = $5,"
                    " status = $6, email_verified = $7, updated_at = $8, version = $9"
                    " WHERE id = $1",
                    NULL, SQL_TEXT(user->id), SQL_TEXT(user->email), SQL_TEXT(key),
                    SQL_TEXT(user->name), SQL_TEXT(user_roles[user->role]),
                    SQL_TEXT(user_statuses[user->status]), SQL_BOOL(user->email_verified),
                    SQL_I64(user->updated_at_ms), SQL_I64(user->version));
}

/* The user as it was, but for the version. */
static struct err *remove_user(struct sql_conn *conn, struct ctx *ctx, struct user *user)
{
    user->version++;
    TRY(sql_exec(conn, ctx, "DELETE FROM users WHERE id = $1", NULL, SQL_TEXT(user->id)));
    return sql_exec(conn, ctx,
                    "INSERT INTO deleted_users (id, deleted_at) VALUES ($1, $2)"
                    " ON CONFLICT (id) DO UPDATE SET deleted_at = excluded.deleted_at",
                    NULL, SQL_TEXT(user->id), SQL_I64(clock_now_ms()));
}

static struct err *edit_user(struct sql_conn *conn, struct ctx *ctx, void *data)
{
    struct edit *edit = data;
    enum user_edit what = USER_KEEP;
    TRY(fetch(conn, ctx, edit->id, &edit->user));
    TRY(edit->editor(&edit->user, edit->data, &what));
    if (what == USER_KEEP)
        return NULL;
    bool is_deleted = what == USER_DELETE;
    TRY(is_deleted ? remove_user(conn, ctx, &edit->user) : update_user(conn, ctx, &edit->user));
    TRY(tell(edit->outbox, conn, ctx, is_deleted ? USER_DELETED : USER_UPDATED,
             is_deleted ? &deleted_user_model : &user_record_model, &edit->user));
    CRASH_POINT("users.edit.told");
    return NULL;
}

struct err *store_edit(struct sql_db *db, struct outbox *outbox, struct ctx *ctx, const char *id,
                       user_editor *editor, void *data, struct user *out_user)
{
    struct edit edit = {.outbox = outbox, .id = id, .editor = editor, .data = data};
    struct err *e = sql_transact(db, ctx, edit_user, &edit);
    if (err_is(e, &SQL_SERIALIZATION))
        return err_wrap_as(e, &USER_CHANGED, "others keep changing the same user");
    if (err_is(e, &SQL_UNIQUE))
        return err_wrap_as(e, &EMAIL_TAKEN, "another user has this email address");
    TRY(e);
    CRASH_POINT("users.edit.committed");
    *out_user = edit.user;
    return NULL;
}
