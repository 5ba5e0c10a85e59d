/*
 * The users table. Each function takes a connection of its own from the pool, unless it is given
 * one, and may block until the ctx ends; any thread may call it.
 *
 * Errors: USER_NOT_FOUND, EMAIL_TAKEN, and those of <sql/sql.h>.
 */
#ifndef USERS_STORE_H
#define USERS_STORE_H

#include <event/outbox.h>
#include <sql/table.h>

#include "user.h"

/* What user_model is read from. */
#define USER_COLUMNS                                                                               \
    "id, email, name, role, status, email_verified, created_at, updated_at, version"

/* Told of in the transaction of the change (<event/outbox.h>): a user who became active, any other
 * change, a deletion. Of a user who is not active yet nothing is told. */
#define USER_CREATED "users.v1.events.created"
#define USER_UPDATED "users.v1.events.updated"
#define USER_DELETED "users.v1.events.deleted"

/*
 * CRASH_POINT()s, for the chaos test: users.create.committed, users.activate.told (not committed
 * yet), users.activate.committed, users.edit.told (not committed yet), users.edit.committed.
 */

/* Makes a user. A pending user with the same address gives way: it is a registration that was never
 * finished (or is being outrun), so it must not block the address. A user who is there already with
 * the id that the caller has said was made by the same request before: *out_user is that one, as it
 * is by now. USER_NOT_FOUND: it was deleted since. */
struct err *store_create(struct sql_db *db, struct outbox *outbox, struct ctx *ctx,
                         const struct new_user *new_user, enum user_status status,
                         struct user *out_user) MUST_CHECK;
/* Those whose registration began longer ago: it was broken off. The oldest first, STORE_REMOVE_MAX at
 * once, so that nobody waits long for the database; as many: there may be more. */
#define STORE_REMOVE_MAX 500
struct err *store_remove_pending(struct sql_db *db, struct ctx *ctx, int64_t older_than_ms,
                                 int64_t *out_count) MUST_CHECK;
/* From then on the ids of users who were deleted long ago may be said again; no request is repeated
 * for so long. */
struct err *store_forget_deleted(struct sql_db *db, struct ctx *ctx, int64_t *out_count) MUST_CHECK;
/* Pending becomes active; any other user stays as it is (the call may be repeated). */
struct err *store_activate(struct sql_db *db, struct outbox *outbox, struct ctx *ctx,
                           const char *id, struct user *out_user) MUST_CHECK;
/* Pending users are not found by either. */
struct err *store_fetch(struct sql_db *db, struct ctx *ctx, const char *id, struct user *out_user)
    MUST_CHECK;
struct err *store_fetch_by_email(struct sql_db *db, struct ctx *ctx, const char *email,
                                 struct user *out_user) MUST_CHECK;
/* Looks at a user and says what is to become of it; *user may be changed but for id and times. The
 * transaction may be run anew: nothing else may follow from the call. An error ends it without
 * effect. */
enum user_edit { USER_KEEP, USER_UPDATE, USER_DELETE };
typedef struct err *user_editor(struct user *user, void *data, enum user_edit *out_edit);
/* Has the editor decide, and does what it says, with nobody in between. An update is a new version,
 * and a pending user with its address gives way. USER_CHANGED after many collisions with others. */
struct err *store_edit(struct sql_db *db, struct outbox *outbox, struct ctx *ctx, const char *id,
                       user_editor *editor, void *data, struct user *out_user) MUST_CHECK;

/* Those who are not pending. Pages are as <sql/table.h> has them. */
extern const struct sql_table users_table;
struct err *store_list(struct sql_db *db, struct ctx *ctx, const struct user_query *query,
                       struct arena *arena, struct sql_page *out_page) MUST_CHECK;

/* --- on a connection of the caller's --- */

/* Pending users are not found. */
struct err *store_find(struct sql_conn *conn, struct ctx *ctx, const char *id,
                       struct user *out_user, bool *out_found) MUST_CHECK;
/* The user as it is given, with an id that nobody has. *out_is_free false: another user who is not
 * pending has the address. */
struct err *store_insert(struct sql_conn *conn, struct ctx *ctx, const struct user *user,
                         bool *out_is_free) MUST_CHECK;
/* Users in the order of their ids, behind the id `after` ("": from the first one on); no pending
 * ones. *out_users is in the arena. */
struct err *store_fetch_page(struct sql_conn *conn, struct ctx *ctx, const char *after,
                             size_t limit, struct arena *arena, struct user **out_users,
                             size_t *out_count) MUST_CHECK;

#endif
