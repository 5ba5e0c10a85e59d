#include "store.h"

#include <base/clock.h>
#include <base/secret.h>
#include <base/str.h>

#include "kinds.h"

static const struct field account_fields[] = {
    FIELD(struct account, user_id, UUID, .flags = REQUIRED),
    FIELD(struct account, email, EMAIL, .flags = REQUIRED),
    FIELD(struct account, role, ENUM, .flags = REQUIRED, .values = user_roles),
    FIELD(struct account, status, ENUM, .flags = REQUIRED, .values = user_statuses),
    FIELD(struct account, version, INT, .flags = REQUIRED, .max = USER_VERSION_MAX),
    FIELD(struct account, updated_at_ms, TIME, .json = "updated_at", .flags = REQUIRED),
    FIELD(struct account, password_hash, STRING, .flags = REQUIRED, .check = argon_check),
    FIELD(struct account, created_at_ms, TIME, .json = "created_at", .flags = REQUIRED),
};
const struct model account_model = MODEL(struct account, account_fields, "Credentials");

static const struct field session_fields[] = {
    FIELD(struct session, id, UUID),
    FIELD(struct session, user_id, UUID),
    FIELD(struct session, seed, STRING, .flags = COLUMN_ONLY),
    FIELD(struct session, generation, INT),
    FIELD(struct session, created_at_ms, TIME, .json = "created_at"),
    FIELD(struct session, rotated_at_ms, TIME, .json = "rotated_at"),
    FIELD(struct session, expires_at_ms, TIME, .json = "expires_at"),
};
static const struct model session_model = MODEL(struct session, session_fields, "A session");

static struct err *exec(struct sql_db *db, struct ctx *ctx, int64_t *out_affected,
                        const char *statement, const struct sql_value *params, size_t count)
{
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(db, ctx, &conn));
    return sql_exec_params(conn, ctx, statement, out_affected, params, count);
}

struct err *store_find(struct sql_db *db, struct ctx *ctx, const struct model *model, void *out,
                       bool *out_found, const char *statement, struct sql_value value)
{
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(db, ctx, &conn));
    struct err *e = sql_fetch_one(conn, ctx, model, out, NULL, statement, value);
    bool is_absent = err_is(e, &SQL_NO_ROWS);
    if (e && !is_absent)
        return e;
    err_free(e);
    *out_found = !is_absent;
    return NULL;
}

/* --- accounts --- */

void store_email_key(const char *email, char out[static EMAIL_TEXT])
{
    str_copy(out, EMAIL_TEXT, email);
    str_lower(out);
}

/* The columns that nobody but the release before this one reads are filled in all the same. What is
 * pending waits anew, and what is not does not become it. */
static struct err *put(struct sql_conn *conn, struct ctx *ctx, const struct account *account,
                       const char *status, struct sql_value check_at)
{
    char key[EMAIL_TEXT];
    store_email_key(account->email, key);
    return sql_exec(conn, ctx,
                    "INSERT INTO accounts (user_id, email, email_key, role, status, password_hash,"
                    " created_at, updated_at, check_at)"
                    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
                    " ON CONFLICT (user_id) DO UPDATE SET email = excluded.email,"
                    " email_key = excluded.email_key, role = excluded.role,"
                    " status = excluded.status, updated_at = excluded.updated_at,"
                    " check_at = excluded.check_at"
                    " WHERE excluded.status <> 'pending' OR accounts.status = 'pending'",
                    NULL, SQL_TEXT(account->user_id), SQL_TEXT(account->email), SQL_TEXT(key),
                    SQL_TEXT(user_roles[account->role]), SQL_TEXT(status),
                    SQL_TEXT(account->password_hash), SQL_I64(account->created_at_ms),
                    SQL_I64(account->updated_at_ms), check_at);
}

struct err *store_put_pending(struct sql_db *db, struct ctx *ctx, const char *user_id,
                              const char *email, const char *password_hash, int64_t ttl_ms)
{
    struct account account = {.role = ROLE_USER, .created_at_ms = clock_now_ms()};
    str_copy(account.user_id, sizeof(account.user_id), user_id);
    str_copy(account.email, sizeof(account.email), email);
    str_copy(account.password_hash, sizeof(account.password_hash), password_hash);
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(db, ctx, &conn));
    return put(conn, ctx, &account, "pending", SQL_I64(account.created_at_ms + ttl_ms));
}

struct err *store_put_account(struct sql_conn *conn, struct ctx *ctx, const struct account *account)
{
    return put(conn, ctx, account, user_statuses[account->status], SQL_NULL);
}

struct err *store_replace_hash(struct sql_db *db, struct ctx *ctx, const char *user_id,
                               const char *old_hash, const char *new_hash)
{
    return exec(db, ctx, NULL,
                "UPDATE accounts SET password_hash = $3 WHERE user_id = $1 AND password_hash = $2",
                SQL_PARAMS(SQL_TEXT(user_id), SQL_TEXT(old_hash), SQL_TEXT(new_hash)));
}

struct err *store_delete_account(struct sql_db *db, struct ctx *ctx, const char *user_id)
{
    return exec(db, ctx, NULL, "DELETE FROM accounts WHERE user_id = $1",
                SQL_PARAMS(SQL_TEXT(user_id)));
}

struct err *store_find_account(struct sql_db *db, struct ctx *ctx, const char *user_id,
                               struct account *out_account, bool *out_found)
{
    return store_find(db, ctx, &account_model, out_account, out_found,
                      "SELECT " ACCOUNT_COLUMNS " FROM " ACCOUNT_TABLES
                      " WHERE a.user_id = $1 AND d.status <> 'deleted'",
                      SQL_TEXT(user_id));
}

struct err *store_find_account_by_email(struct sql_db *db, struct ctx *ctx, const char *email,
                                        struct account *out_account, bool *out_found)
{
    char key[EMAIL_TEXT];
    store_email_key(email, key);
    return store_find(db, ctx, &account_model, out_account, out_found,
                      "SELECT " ACCOUNT_COLUMNS " FROM " ACCOUNT_TABLES
                      " WHERE d.email_key = $1 AND d.status <> 'deleted'"
                      " ORDER BY d.updated_at DESC LIMIT 1",
                      SQL_TEXT(key));
}

/* --- pending accounts --- */

struct pending {
    char user_id[UUID_TEXT];
    char password_hash[PASSWORD_HASH_TEXT];
};
static const struct field pending_fields[] = {
    FIELD(struct pending, user_id, UUID),
    FIELD(struct pending, password_hash, STRING, .flags = COLUMN_ONLY),
};
static const struct model pending_model = MODEL(struct pending, pending_fields, "To be checked");

struct err *store_find_pending(struct sql_db *db, struct ctx *ctx, const char *email,
                               struct account *out_account, bool *out_found)
{
    char key[EMAIL_TEXT];
    store_email_key(email, key);
    struct pending pending;
    bool found = false;
    TRY(store_find(db, ctx, &pending_model, &pending, &found,
                   "SELECT user_id, password_hash FROM accounts"
                   " WHERE email_key = $1 AND status = 'pending' ORDER BY created_at DESC LIMIT 1",
                   SQL_TEXT(key)));
    if (found) {
        struct account account = {.status = ACCOUNT_PENDING};
        str_copy(account.user_id, sizeof(account.user_id), pending.user_id);
        str_copy(account.password_hash, sizeof(account.password_hash), pending.password_hash);
        *out_account = account;
    }
    *out_found = found;
    return NULL;
}

static const struct field due_fields[] = {
    FIELD(struct due_account, user_id, UUID),
    FIELD(struct due_account, created_at_ms, TIME, .json = "created_at"),
};
static const struct model due_model = MODEL(struct due_account, due_fields, "To be settled");

/* As the index accounts_due has it; the first release wrote no check_at. */
#define DUE_AT "COALESCE(check_at, created_at + 3600000)"

struct err *store_find_due(struct sql_db *db, struct ctx *ctx, struct arena *arena,
                           struct due_account **out_accounts, size_t *out_count)
{
    void *items = NULL;
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(db, ctx, &conn));
    TRY(sql_fetch_all(conn, ctx, &due_model, STORE_DUE_MAX, arena, &items, out_count,
                      "SELECT user_id, created_at FROM accounts WHERE status = 'pending'"
                      " AND " DUE_AT " <= $1 ORDER BY " DUE_AT " LIMIT " TO_TEXT(STORE_DUE_MAX),
                      SQL_I64(clock_now_ms())));
    *out_accounts = items;
    return NULL;
}

struct err *store_postpone(struct sql_db *db, struct ctx *ctx, const char *user_id,
                           int64_t delay_ms)
{
    return exec(db, ctx, NULL,
                "UPDATE accounts SET check_at = $2 WHERE user_id = $1 AND status = 'pending'",
                SQL_PARAMS(SQL_TEXT(user_id), SQL_I64(clock_now_ms() + delay_ms)));
}

struct err *store_settle(struct sql_db *db, struct ctx *ctx, const char *user_id, bool is_there)
{
    if (is_there)
        return exec(db, ctx, NULL,
                    "UPDATE accounts SET status = 'active', check_at = NULL"
                    " WHERE user_id = $1 AND status = 'pending'",
                    SQL_PARAMS(SQL_TEXT(user_id)));
    return exec(db, ctx, NULL,
                "DELETE FROM accounts WHERE user_id = $1 AND status = 'pending' AND " DUE_AT
                " <= $2",
                SQL_PARAMS(SQL_TEXT(user_id), SQL_I64(clock_now_ms())));
}

/* --- sessions --- */

static struct err *insert_session(struct sql_conn *conn, struct ctx *ctx, void *data)
{
    const struct session *session = data;
    int64_t active = 0;
    TRY(sql_exec(conn, ctx,
                 "INSERT INTO sessions (id, user_id, seed, generation, created_at, rotated_at,"
                 " expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
                 NULL, SQL_TEXT(session->id), SQL_TEXT(session->user_id), SQL_TEXT(session->seed),
                 SQL_I64(session->generation), SQL_I64(session->created_at_ms),
                 SQL_I64(session->rotated_at_ms), SQL_I64(session->expires_at_ms)));
    TRY(sql_fetch_i64(conn, ctx, &active,
                      "SELECT count(*) FROM directory WHERE user_id = $1 AND status = 'active'",
                      SQL_TEXT(session->user_id)));
    return active > 0 ? NULL
                      : err_new(&ACCOUNT_SUSPENDED, "an admin has suspended this account just now");
}

static struct err *make_room(struct sql_db *db, struct ctx *ctx, const struct session *session)
{
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(db, ctx, &conn));
    return sql_exec(conn, ctx,
                    "DELETE FROM sessions WHERE user_id = $1 AND id NOT IN"
                    " (SELECT id FROM sessions WHERE user_id = $1"
                    " ORDER BY rotated_at DESC, id DESC LIMIT $2)",
                    NULL, SQL_TEXT(session->user_id), SQL_I64(SESSIONS_PER_USER_MAX - 1));
}

/* The look at the user and the session are one transaction: a suspension that comes meanwhile either
 * is seen here or sees the session. */
struct err *store_add_session(struct sql_db *db, struct ctx *ctx, const struct session *session)
{
    struct session copy = *session;
    TRY(make_room(db, ctx, session));
    struct err *e = sql_transact(db, ctx, insert_session, &copy);
    secret_wipe(&copy, sizeof(copy));
    return e;
}

/* The limit is no parameter: PostgreSQL would plan for a tenth of the table. */
struct err *store_prune_sessions(struct sql_db *db, struct ctx *ctx, bool *out_is_done)
{
    int64_t count = 0;
    TRY(exec(db, ctx, &count,
             "DELETE FROM sessions WHERE expires_at <= $1 AND id IN"
             " (SELECT id FROM sessions WHERE expires_at <= $1"
             " ORDER BY expires_at LIMIT " TO_TEXT(STORE_PRUNE_MAX) ")",
             SQL_PARAMS(SQL_I64(clock_now_ms()))));
    *out_is_done = count < STORE_PRUNE_MAX;
    return NULL;
}

struct err *store_find_session(struct sql_db *db, struct ctx *ctx, const char *id,
                               struct session *out_session, bool *out_found)
{
    return store_find(db, ctx, &session_model, out_session, out_found,
                      "SELECT id, user_id, seed, generation, created_at, rotated_at, expires_at"
                      " FROM sessions WHERE id = $1",
                      SQL_TEXT(id));
}

struct err *store_rotate_session(struct sql_db *db, struct ctx *ctx, const struct session *session,
                                 int64_t now_ms, int64_t expires_at_ms, bool *out_is_done)
{
    int64_t affected = 0;
    TRY(exec(db, ctx, &affected,
             "UPDATE sessions SET generation = generation + 1, rotated_at = $3, expires_at = $4"
             " WHERE id = $1 AND generation = $2",
             SQL_PARAMS(SQL_TEXT(session->id), SQL_I64(session->generation), SQL_I64(now_ms),
                        SQL_I64(expires_at_ms))));
    *out_is_done = affected == 1;
    return NULL;
}

struct err *store_end_sessions(struct sql_db *db, struct ctx *ctx, const char *user_id)
{
    return exec(db, ctx, NULL, "DELETE FROM sessions WHERE user_id = $1",
                SQL_PARAMS(SQL_TEXT(user_id)));
}
