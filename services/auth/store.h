/*
 * The tables accounts and sessions. Each function takes a connection of its own from the pool,
 * unless it is given one, and may block until the ctx ends; any thread may call it. Errors are those
 * of <sql/sql.h>.
 */
#ifndef AUTH_STORE_H
#define AUTH_STORE_H

#include <sql/sql.h>

#include "directory.h"
#include "passwords.h"

/* The one row of a statement with one parameter; *out_found false: there is none. */
struct err *store_find(struct sql_db *db, struct ctx *ctx, const struct model *model, void *out,
                       bool *out_found, const char *statement, struct sql_value value) MUST_CHECK;

/* What has had its time is removed by so many rows at once, the oldest first: nobody waits long for
 * the database. */
#define STORE_PRUNE_MAX 500

/* --- accounts --- */

/* Beside those of a user: nobody knows yet whether the registration reached its end. */
#define ACCOUNT_PENDING (STATUS_SUSPENDED + 1)

/* Credentials, and their user as auth knows it (projection.h). */
struct account {
    char user_id[UUID_TEXT];
    char email[EMAIL_TEXT];
    int role;   /* enum user_role */
    int status; /* enum user_status or ACCOUNT_PENDING */
    int64_t version, updated_at_ms;
    char password_hash[PASSWORD_HASH_TEXT];
    int64_t created_at_ms; /* of the credentials */
};
/* What account_model is read from. */
#define ACCOUNT_COLUMNS                                                                            \
    "a.user_id, d.email, d.role, d.status, d.version, d.updated_at, a.password_hash, a.created_at"
#define ACCOUNT_TABLES "accounts a JOIN directory d ON d.user_id = a.user_id"
extern const struct model account_model;

/* Credentials of a user who is not known yet: pending until projection_learn() hears of them, or,
 * after ttl_ms, somebody asks (pending.c). The same user's, if there are any, stay as they are: the
 * same request has put them, and the password may be another by now. */
struct err *store_put_pending(struct sql_db *db, struct ctx *ctx, const char *user_id,
                              const char *email, const char *password_hash, int64_t ttl_ms)
    MUST_CHECK;
/* Pending accounts whose time has come, those first that have waited longest, STORE_DUE_MAX at most.
 * In the arena. */
#define STORE_DUE_MAX 100
struct due_account {
    char user_id[UUID_TEXT];
    int64_t created_at_ms;
};
struct err *store_find_due(struct sql_db *db, struct ctx *ctx, struct arena *arena,
                           struct due_account **out_accounts, size_t *out_count) MUST_CHECK;
/* The time of a pending account comes again, so much later than now. */
struct err *store_postpone(struct sql_db *db, struct ctx *ctx, const char *user_id,
                           int64_t delay_ms) MUST_CHECK;
/* Ends the wait of a pending account: its user is there, or it goes, unless it waits anew. */
struct err *store_settle(struct sql_db *db, struct ctx *ctx, const char *user_id, bool is_there)
    MUST_CHECK;
/* Credentials on a connection of the caller's, not pending. A hash that is there stays. */
struct err *store_put_account(struct sql_conn *conn, struct ctx *ctx, const struct account *account)
    MUST_CHECK;
/* If the hash is still old_hash. No such account: fine, here and below. */
struct err *store_replace_hash(struct sql_db *db, struct ctx *ctx, const char *user_id,
                               const char *old_hash, const char *new_hash) MUST_CHECK;
/* The account's sessions go with it. */
struct err *store_delete_account(struct sql_db *db, struct ctx *ctx, const char *user_id)
    MUST_CHECK;
/* *out_found false: there are no credentials, or their user is not known or was deleted. */
struct err *store_find_account(struct sql_db *db, struct ctx *ctx, const char *user_id,
                               struct account *out_account, bool *out_found) MUST_CHECK;
/* Of the users who are known with this address, the one whose change is the latest. */
struct err *store_find_account_by_email(struct sql_db *db, struct ctx *ctx, const char *email,
                                        struct account *out_account, bool *out_found) MUST_CHECK;
/* The latest credentials of the address whose user is not known yet: of *out_account, user_id,
 * status and password_hash alone. */
struct err *store_find_pending(struct sql_db *db, struct ctx *ctx, const char *email,
                               struct account *out_account, bool *out_found) MUST_CHECK;
/* What two spellings of an address share. */
void store_email_key(const char *email, char out[static EMAIL_TEXT]);

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

/* Those of the user beyond SESSIONS_PER_USER_MAX that were not used for longest go. SQL_FOREIGN_KEY: the account is gone. ACCOUNT_SUSPENDED: the user is not active, which
 * may be newer than what the caller knows. */
struct err *store_add_session(struct sql_db *db, struct ctx *ctx, const struct session *session)
    MUST_CHECK;
struct err *store_find_session(struct sql_db *db, struct ctx *ctx, const char *id,
                               struct session *out_session, bool *out_found) MUST_CHECK;
/* From the session's generation to the next one, if nobody was faster (*out_is_done). */
struct err *store_rotate_session(struct sql_db *db, struct ctx *ctx, const struct session *session,
                                 int64_t now_ms, int64_t expires_at_ms, bool *out_is_done)
    MUST_CHECK;
/* Removes expired sessions, STORE_PRUNE_MAX at most. *out_is_done: there are no more. */
struct err *store_prune_sessions(struct sql_db *db, struct ctx *ctx, bool *out_is_done) MUST_CHECK;
struct err *store_end_sessions(struct sql_db *db, struct ctx *ctx, const char *user_id) MUST_CHECK;

#endif
