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

/* In the open transaction of conn. */
struct err *projection_learn(const struct service *service, struct sql_conn *conn, struct ctx *ctx,
                             const struct user *user) MUST_CHECK;
/* The user was deleted; version: of the last word on them. */
struct err *projection_learn_deleted(const struct service *service, struct sql_conn *conn,
                                     struct ctx *ctx, const char *user_id, int64_t version)
    MUST_CHECK;

/* In a transaction of its own, which a word that is known already does not take. */
struct err *projection_tell(const struct service *service, struct ctx *ctx, const struct user *user)
    MUST_CHECK;

#endif
