/*
 * The users table. Each function takes a connection of its own from the pool and may block until
 * the ctx ends; any thread may call it.
 *
 * Errors: USER_NOT_FOUND, EMAIL_TAKEN, and those of <sql/sql.h>.
 */
#ifndef USERS_STORE_H
#define USERS_STORE_H

#include <sql/sql.h>

#include "user.h"

/* What user_model is read from. */
#define USER_COLUMNS                                                                               \
    "id, email, name, role, status, email_verified, created_at, updated_at, version"

/* Makes a user with a new id. A pending user with the same address gives way: it is a registration
 * that was never finished (or is being outrun), so it must not block the address. */
struct err *store_create(struct sql_db *db, struct ctx *ctx, const struct new_user *new_user,
                         enum user_status status, struct user *out_user) MUST_CHECK;
/* Pending becomes active; any other user stays as it is (the call may be repeated). */
struct err *store_activate(struct sql_db *db, struct ctx *ctx, const char *id,
                           struct user *out_user) MUST_CHECK;
/* Pending users are not found by either. */
struct err *store_fetch(struct sql_db *db, struct ctx *ctx, const char *id, struct user *out_user)
    MUST_CHECK;
struct err *store_fetch_by_email(struct sql_db *db, struct ctx *ctx, const char *email,
                                 struct user *out_user) MUST_CHECK;
/* Writes email, name, role, status and email_verified if the row still has user->version, and then
 * brings *user up to date. *out_is_done false: somebody else changed or deleted it meanwhile. A
 * pending user with the address gives way here, too. */
struct err *store_update(struct sql_db *db, struct ctx *ctx, struct user *user, bool *out_is_done)
    MUST_CHECK;
/* *out_is_done false: there is no such user in this version. */
struct err *store_delete(struct sql_db *db, struct ctx *ctx, const char *id, int64_t version,
                         bool *out_is_done) MUST_CHECK;

/* A page by keyset: stable while users come and go. *out_next_cursor is NULL on the last page.
 * Everything is in the arena. A cursor that is not ours, or of another sort: ERR_INVALID_REQUEST.
 */
struct err *store_list(struct sql_db *db, struct ctx *ctx, const struct user_query *query,
                       struct arena *arena, struct user **out_users, size_t *out_count,
                       const char **out_next_cursor) MUST_CHECK;

#endif
