#include "projection.h"

#include <base/clock.h>
#include <base/str.h>

#include "sessions.h"

/* Longer than a stream keeps events, and than the inbox knows their ids. */
#define KEEP_DELETED_MS ((int64_t)30 * 24 * 3600 * 1000)
/* Credentials of a user whom the directory does not know any more, though nothing told of that. */
#define KEEP_GONE_MS ((int64_t)24 * 3600 * 1000)

/* --- what is known --- */

static const char *const known_statuses[] = {"active", "suspended", "deleted", NULL};
#define KNOWN_DELETED (STATUS_SUSPENDED + 1)
#define KNOWN_NOT     (-1)

struct known {
    char email[EMAIL_TEXT];
    int role, status;
    int64_t version, updated_at_ms;
};
static const struct field known_fields[] = {
    FIELD(struct known, email, EMAIL),
    FIELD(struct known, role, ENUM, .values = user_roles),
    FIELD(struct known, status, ENUM, .values = known_statuses),
    FIELD(struct known, version, INT),
    FIELD(struct known, updated_at_ms, TIME, .json = "updated_at"),
};
static const struct model known_model =
    MODEL(struct known, known_fields, "What is known of a user");

static const struct field user_id_fields[] = {FIELD(struct user, id, UUID)};
static const struct model user_id_model = MODEL(struct user, user_id_fields, "Whom it is about");

static struct err *find_known(struct sql_conn *conn, struct ctx *ctx, const char *user_id,
                              struct known *out_known)
{
    struct known known = {0};
    struct err *e = sql_fetch_one(conn, ctx, &known_model, &known, NULL,
                                  "SELECT email, role, status, version, updated_at FROM directory"
                                  " WHERE user_id = $1",
                                  SQL_TEXT(user_id));
    bool is_absent = err_is(e, &SQL_NO_ROWS);
    if (e && !is_absent)
        return e;
    err_free(e);
    *out_known =
        is_absent ? (struct known){.status = KNOWN_NOT, .version = -1, .updated_at_ms = -1} : known;
    return NULL;
}

/* A directory of the release before this one does not tell versions. */
static bool is_news(const struct known *known, const struct user *user)
{
    if (known->status == KNOWN_DELETED)
        return false;
    return user->version > 0 ? user->version > known->version
                             : user->updated_at_ms > known->updated_at_ms;
}

static enum projection_effect effect_of(const struct known *known, const struct user *user)
{
    if (known->status == KNOWN_NOT)
        return PROJECTION_ADDED;
    bool is_same = str_equal(known->email, user->email) && known->role == user->role &&
                   known->status == user->status;
    return is_same ? PROJECTION_SAME : PROJECTION_CHANGED;
}

static struct err *write_known(struct sql_conn *conn, struct ctx *ctx, const struct user *user,
                               int status)
{
    char key[EMAIL_TEXT];
    store_email_key(user->email, key);
    return sql_exec(conn, ctx,
                    "INSERT INTO directory (user_id, email, email_key, role, status, version,"
                    " updated_at, learned_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
                    " ON CONFLICT (user_id) DO UPDATE SET email = excluded.email,"
                    " email_key = excluded.email_key, role = excluded.role,"
                    " status = excluded.status,"
                    " version = CASE WHEN excluded.version > directory.version"
                    " THEN excluded.version ELSE directory.version END,"
                    " updated_at = excluded.updated_at, learned_at = excluded.learned_at",
                    NULL, SQL_TEXT(user->id), SQL_TEXT(user->email), SQL_TEXT(key),
                    SQL_TEXT(user_roles[user->role]), SQL_TEXT(known_statuses[status]),
                    SQL_I64(user->version), SQL_I64(user->updated_at_ms), SQL_I64(clock_now_ms()));
}

/* --- what follows --- */

struct err *projection_learn(const struct service *service, struct sql_conn *conn, struct ctx *ctx,
                             const struct user *user, enum projection_effect *out_effect)
{
    struct known known;
    TRY(find_known(conn, ctx, user->id, &known));
    bool is_new = is_news(&known, user);
    if (out_effect)
        *out_effect = is_new ? effect_of(&known, user) : PROJECTION_SAME;
    if (!is_new)
        return NULL;
    TRY(write_known(conn, ctx, user, user->status));
    TRY(sql_exec(conn, ctx,
                 "UPDATE accounts SET status = 'active', check_at = NULL"
                 " WHERE user_id = $1 AND status = 'pending'",
                 NULL, SQL_TEXT(user->id)));
    bool is_suspended_now = user->status == STATUS_SUSPENDED && known.status != STATUS_SUSPENDED;
    return is_suspended_now ? sessions_end(service, conn, ctx, user->id, SESSIONS_SUSPENDED) : NULL;
}

struct err *projection_learn_deleted(const struct service *service, struct sql_conn *conn,
                                     struct ctx *ctx, const char *user_id, int64_t version)
{
    struct known known;
    TRY(find_known(conn, ctx, user_id, &known));
    if (known.status == KNOWN_DELETED)
        return NULL;
    struct user nobody = {.version = version, .updated_at_ms = clock_now_ms()};
    str_copy(nobody.id, sizeof(nobody.id), user_id);
    TRY(write_known(conn, ctx, &nobody, KNOWN_DELETED));
    TRY(sessions_end(service, conn, ctx, user_id, SESSIONS_DELETED));
    return sql_exec(conn, ctx, "DELETE FROM accounts WHERE user_id = $1", NULL, SQL_TEXT(user_id));
}

/* --- a word from an answer --- */

struct telling {
    const struct service *service;
    const struct user *user;
};

static struct err *learn(struct sql_conn *conn, struct ctx *ctx, void *data)
{
    const struct telling *telling = data;
    return projection_learn(telling->service, conn, ctx, telling->user, NULL);
}

static struct err *look(struct sql_db *db, struct ctx *ctx, const struct user *user,
                        bool *out_is_news)
{
    struct known known;
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(db, ctx, &conn));
    TRY(find_known(conn, ctx, user->id, &known));
    *out_is_news = is_news(&known, user);
    return NULL;
}

struct err *projection_tell(const struct service *service, struct ctx *ctx, const struct user *user)
{
    struct telling telling = {service, user};
    bool is_news_to_us = false;
    TRY(look(service->db, ctx, user, &is_news_to_us));
    return is_news_to_us && user->id[0] ? sql_transact(service->db, ctx, learn, &telling) : NULL;
}

/* --- users who are gone without a word --- */

struct forgetting {
    const struct service *service;
    const char *user_id;
    int64_t learned_before_ms;
    bool is_forgotten;
};

/* No word says that they were deleted, so the credentials stay for a while: the directory may have
 * lost its data, and get it back. */
static struct err *forget(struct sql_conn *conn, struct ctx *ctx, void *data)
{
    struct forgetting *forgetting = data;
    int64_t affected = 0;
    TRY(sql_exec(conn, ctx, "DELETE FROM directory WHERE user_id = $1 AND learned_at < $2",
                 &affected, SQL_TEXT(forgetting->user_id), SQL_I64(forgetting->learned_before_ms)));
    forgetting->is_forgotten = affected > 0;
    if (!forgetting->is_forgotten)
        return NULL;
    TRY(sql_exec(conn, ctx,
                 "UPDATE accounts SET status = 'pending', check_at = $2 WHERE user_id = $1", NULL,
                 SQL_TEXT(forgetting->user_id), SQL_I64(clock_now_ms() + KEEP_GONE_MS)));
    return sessions_end(forgetting->service, conn, ctx, forgetting->user_id, SESSIONS_DELETED);
}

struct err *projection_forget(const struct service *service, struct ctx *ctx, const char *user_id,
                              int64_t learned_before_ms, bool *out_is_forgotten)
{
    struct forgetting forgetting = {service, user_id, learned_before_ms, false};
    TRY(sql_transact(service->db, ctx, forget, &forgetting));
    *out_is_forgotten = forgetting.is_forgotten;
    return NULL;
}

struct err *projection_touch(struct sql_conn *conn, struct ctx *ctx, const char *user_id,
                             int64_t since_ms)
{
    return sql_exec(conn, ctx, "UPDATE directory SET learned_at = $2 WHERE user_id = $1", NULL,
                    SQL_TEXT(user_id), SQL_I64(MAX(clock_now_ms(), since_ms)));
}

struct err *projection_find_older(struct sql_db *db, struct ctx *ctx, int64_t learned_before_ms,
                                  char user_id[static UUID_TEXT], bool *out_found)
{
    struct user user = {0};
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(db, ctx, &conn));
    struct err *e = sql_fetch_one(conn, ctx, &user_id_model, &user, NULL,
                                  "SELECT user_id AS id FROM directory WHERE user_id > $1"
                                  " AND learned_at < $2 AND status <> 'deleted'"
                                  " ORDER BY user_id LIMIT 1",
                                  SQL_TEXT(user_id), SQL_I64(learned_before_ms));
    *out_found = !e;
    if (err_is(e, &SQL_NO_ROWS)) {
        err_free(e);
        return NULL;
    }
    TRY(e);
    str_copy(user_id, UUID_TEXT, user.id);
    return NULL;
}

/* --- a directory that went back --- */

struct unlearning {
    const char *after;
    char last[UUID_TEXT];
    size_t count;
};

static struct err *unlearn(struct sql_conn *conn, struct ctx *ctx, void *data)
{
    struct unlearning *unlearning = data;
    const char *after = unlearning->after;
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT((size_t)4 << 20);
    void *items = NULL;
    TRY(sql_fetch_all(conn, ctx, &user_id_model, PROJECTION_UNLEARN_MAX, &arena, &items,
                      &unlearning->count,
                      "SELECT user_id AS id FROM directory WHERE user_id > $1"
                      " ORDER BY user_id LIMIT " TO_TEXT(PROJECTION_UNLEARN_MAX),
                      SQL_TEXT(after)));
    if (unlearning->count == 0)
        return NULL;
    const struct user *users = items;
    str_copy(unlearning->last, UUID_TEXT, users[unlearning->count - 1].id);
    TRY(sql_exec(conn, ctx,
                 "DELETE FROM directory WHERE user_id > $1 AND user_id <= $2"
                 " AND status = 'deleted'",
                 NULL, SQL_TEXT(after), SQL_TEXT(unlearning->last)));
    return sql_exec(conn, ctx,
                    "UPDATE directory SET version = 0 WHERE user_id > $1 AND user_id <= $2", NULL,
                    SQL_TEXT(after), SQL_TEXT(unlearning->last));
}

struct err *projection_unlearn(struct sql_db *db, struct ctx *ctx, char user_id[static UUID_TEXT],
                               size_t *out_count)
{
    struct unlearning unlearning = {.after = user_id};
    TRY(sql_transact(db, ctx, unlearn, &unlearning));
    if (unlearning.count > 0)
        str_copy(user_id, UUID_TEXT, unlearning.last);
    *out_count = unlearning.count;
    return NULL;
}

/* --- users who were deleted long ago --- */

struct err *projection_prune(struct sql_db *db, struct ctx *ctx, bool *out_is_done)
{
    int64_t count = 0;
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(db, ctx, &conn));
    TRY(sql_exec(conn, ctx,
                 "DELETE FROM directory WHERE user_id IN"
                 " (SELECT user_id FROM directory WHERE status = 'deleted' AND learned_at < $1"
                 " ORDER BY learned_at LIMIT " TO_TEXT(STORE_PRUNE_MAX) ")",
                 &count, SQL_I64(clock_now_ms() - KEEP_DELETED_MS)));
    *out_is_done = count < STORE_PRUNE_MAX;
    return NULL;
}
