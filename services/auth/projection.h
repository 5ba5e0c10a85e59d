/*
 * What auth knows of the directory's users (the table directory): address, role, status. It learns
 * from the directory's events and answers, in any order and as often as they come: of two words
 * about a user the one with the higher version counts, and after the word that a user was deleted
 * none does.
 *
 * What follows from a word happens in the same transaction: the sessions of a user who is suspended
 * or deleted end, credentials of a deleted user go, and those of a registration that broke off
 * before its last step are good from then on.
 *
 * Blocks on the database; any thread may call.
 */
#ifndef AUTH_PROJECTION_H
#define AUTH_PROJECTION_H

#include "service.h"
#include "store.h"

/* In the open transaction of conn. Without an outbox in the service (import), nothing is told.
 * out_effect may be NULL. */
enum projection_effect {
    PROJECTION_SAME, /* old news, or nothing that is known here has changed */
    PROJECTION_ADDED,
    PROJECTION_CHANGED,
};
struct err *projection_learn(const struct service *service, struct sql_conn *conn, struct ctx *ctx,
                             const struct user *user, enum projection_effect *out_effect)
    MUST_CHECK;
/* The user was deleted; version: of the last word on them. */
struct err *projection_learn_deleted(const struct service *service, struct sql_conn *conn,
                                     struct ctx *ctx, const char *user_id, int64_t version)
    MUST_CHECK;

/* In a transaction of its own, which a word that is known already does not take. */
struct err *projection_tell(const struct service *service, struct ctx *ctx, const struct user *user)
    MUST_CHECK;

/* --- for a snapshot (snapshot.c), which tells who is there, and so who is not --- */

/* The user was heard of right now, which is not before since_ms, even if the clock was set back. */
struct err *projection_touch(struct sql_conn *conn, struct ctx *ctx, const char *user_id,
                             int64_t since_ms) MUST_CHECK;
/* The first one behind user_id ("": of all) of whom nothing was heard since; comes in its place. */
struct err *projection_find_older(struct sql_db *db, struct ctx *ctx, int64_t learned_before_ms,
                                  char user_id[static UUID_TEXT], bool *out_found) MUST_CHECK;
/* The directory does not have the user: unless something was heard since, the sessions end, and the
 * credentials are pending from then on (pending.c). */
struct err *projection_forget(const struct service *service, struct ctx *ctx, const char *user_id,
                              int64_t learned_before_ms, bool *out_is_forgotten) MUST_CHECK;

/* --- for a directory that went back to a former state (resync.c) --- */

/* What is known stays, but any word is news from now on: of PROJECTION_UNLEARN_MAX users behind
 * user_id ("": the first ones), whose last one comes in its place; *out_count of them. Of users who
 * were deleted nothing is known any more. */
#define PROJECTION_UNLEARN_MAX 500
struct err *projection_unlearn(struct sql_db *db, struct ctx *ctx, char user_id[static UUID_TEXT],
                               size_t *out_count) MUST_CHECK;
/* Forgets users who were deleted long ago, STORE_PRUNE_MAX at most. *out_is_done: there are no more. */
struct err *projection_prune(struct sql_db *db, struct ctx *ctx, bool *out_is_done) MUST_CHECK;

#endif
