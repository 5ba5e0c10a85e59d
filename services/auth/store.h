/*
 * The tables of auth: accounts and sessions. Each function takes a connection of its own from the
 * pool and may block until the ctx ends; any thread may call it. Errors are those of <sql/sql.h>.
 */
#ifndef AUTH_STORE_H
#define AUTH_STORE_H

#include <sql/sql.h>

#include "directory.h"
#include "passwords.h"

struct account {
    char user_id[UUID_TEXT];
    char email[EMAIL_TEXT];
    int role;
    int status;
    char password_hash[PASSWORD_HASH_TEXT];
};

/* Writes the credentials of a user whom the directory has just made. The directory owns addresses:
 * an account that still holds this one under another id is out of date and goes. */
struct err *store_put_account(struct sql_db *db, struct ctx *ctx, const struct account *account)
    MUST_CHECK;
/* What the directory says of a user now. */
struct err *store_refresh_account(struct sql_db *db, struct ctx *ctx, const struct user *user)
    MUST_CHECK;
/* The account's sessions go with it. No such account: fine. */
struct err *store_delete_account(struct sql_db *db, struct ctx *ctx, const char *user_id)
    MUST_CHECK;
/* *out_found false: there is none. */
struct err *store_find_account(struct sql_db *db, struct ctx *ctx, const char *user_id,
                               struct account *out_account, bool *out_found) MUST_CHECK;
struct err *store_find_account_by_email(struct sql_db *db, struct ctx *ctx, const char *email,
                                        struct account *out_account, bool *out_found) MUST_CHECK;

#define SESSION_SEED_BYTES    32
#define SESSIONS_PER_USER_MAX 50

struct session {
    char id[UUID_TEXT];
    char user_id[UUID_TEXT];
    char seed[2 * SESSION_SEED_BYTES + 1]; /* hexadecimal */
    int64_t generation;
    int64_t created_at_ms;
    int64_t rotated_at_ms;
    int64_t expires_at_ms;
};

/* Expired sessions of the user go, and the oldest beyond SESSIONS_PER_USER_MAX. */
struct err *store_add_session(struct sql_db *db, struct ctx *ctx, const struct session *session)
    MUST_CHECK;
struct err *store_find_session(struct sql_db *db, struct ctx *ctx, const char *id,
                               struct session *out_session, bool *out_found) MUST_CHECK;
/* From the session's generation to the next one, if nobody was faster (*out_done). */
struct err *store_rotate_session(struct sql_db *db, struct ctx *ctx, const struct session *session,
                                 int64_t now_ms, int64_t expires_at_ms, bool *out_done) MUST_CHECK;
struct err *store_end_session(struct sql_db *db, struct ctx *ctx, const char *id) MUST_CHECK;
struct err *store_end_sessions(struct sql_db *db, struct ctx *ctx, const char *user_id) MUST_CHECK;

#endif
