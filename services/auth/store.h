/*
 * The tables of auth: accounts and sessions. Each function takes a connection of its own from the
 * pool and may block until the ctx ends; any thread may call it. Errors are those of <sql/sql.h>.
 */
#ifndef AUTH_STORE_H
#define AUTH_STORE_H

#include <sql/sql.h>

#include "directory.h"
#include "passwords.h"

/* --- accounts --- */

/* Beside those of a user: the registration may not have reached its end. */
#define ACCOUNT_PENDING (STATUS_SUSPENDED + 1)

/* Credentials, and their user as the directory had it at updated_at_ms. */
struct account {
    char user_id[UUID_TEXT];
    char email[EMAIL_TEXT];
    int role;   /* enum user_role */
    int status; /* enum user_status or ACCOUNT_PENDING */
    int64_t updated_at_ms;
    char password_hash[PASSWORD_HASH_TEXT];
};

/* Writes the account, new or not. Old pending ones with its address go: nobody will finish them. */
struct err *store_put_account(struct sql_db *db, struct ctx *ctx, const struct account *account)
    MUST_CHECK;
/* Email, role and status, unless a later word of the directory is there already. No such account:
 * fine, here and below. */
struct err *store_update_account(struct sql_db *db, struct ctx *ctx, const struct account *account)
    MUST_CHECK;
/* If the hash is still old_hash. */
struct err *store_replace_hash(struct sql_db *db, struct ctx *ctx, const char *user_id,
                               const char *old_hash, const char *new_hash) MUST_CHECK;
/* The account's sessions go with it. */
struct err *store_delete_account(struct sql_db *db, struct ctx *ctx, const char *user_id)
    MUST_CHECK;
/* *out_found false: there is none. */
struct err *store_find_account(struct sql_db *db, struct ctx *ctx, const char *user_id,
                               struct account *out_account, bool *out_found) MUST_CHECK;
/* The one with the latest word of the directory; none that is pending. */
struct err *store_find_account_by_email(struct sql_db *db, struct ctx *ctx, const char *email,
                                        struct account *out_account, bool *out_found) MUST_CHECK;

/* --- sessions --- */

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

/* All expired sessions go, and those of the user beyond SESSIONS_PER_USER_MAX that were not used
 * for longest. SQL_FOREIGN_KEY: the account is gone. */
struct err *store_add_session(struct sql_db *db, struct ctx *ctx, const struct session *session)
    MUST_CHECK;
struct err *store_find_session(struct sql_db *db, struct ctx *ctx, const char *id,
                               struct session *out_session, bool *out_found) MUST_CHECK;
/* From the session's generation to the next one, if nobody was faster (*out_is_done). */
struct err *store_rotate_session(struct sql_db *db, struct ctx *ctx, const struct session *session,
                                 int64_t now_ms, int64_t expires_at_ms, bool *out_is_done)
    MUST_CHECK;
struct err *store_end_session(struct sql_db *db, struct ctx *ctx, const char *id) MUST_CHECK;
struct err *store_end_sessions(struct sql_db *db, struct ctx *ctx, const char *user_id) MUST_CHECK;

#endif
