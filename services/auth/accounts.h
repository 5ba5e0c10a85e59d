/*
 * Accounts as they are now: the credentials that are here, with what the directory says of their
 * user. While it is away, what it said last has to do, so that people can sign in. Blocks; any
 * thread may call.
 */
#ifndef AUTH_ACCOUNTS_H
#define AUTH_ACCOUNTS_H

#include "service.h"
#include "store.h"

/* *out_found false: there is no such user, or one without credentials. An unknown address takes the
 * same steps as a known one. */
struct err *account_find_by_email(const struct service *service, struct ctx *ctx, const char *email,
                                  struct account *out_account, bool *out_found) MUST_CHECK;
struct err *account_find(const struct service *service, struct ctx *ctx, const char *user_id,
                         struct account *out_account, bool *out_found) MUST_CHECK;

/* Credentials of a user whom the directory has: the last step of making them. */
struct err *account_put(const struct service *service, struct ctx *ctx, const struct user *user,
                        const char *password_hash) MUST_CHECK;

#endif
