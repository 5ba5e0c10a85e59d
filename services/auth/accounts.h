/*
 * Accounts: the credentials that are here, with what is known of their user (projection.h). Blocks;
 * any thread may call.
 */
#ifndef AUTH_ACCOUNTS_H
#define AUTH_ACCOUNTS_H

#include "service.h"
#include "store.h"

/* For a login. The directory is asked first, since an address may have changed this moment; while it
 * is away, or does not answer soon, the projection is what counts. An unknown address takes the same
 * steps as a known one. *out_found false: there is no such user, or one without credentials.
 * ACCOUNT_PENDING (while the directory is away): the person may have registered, and only the
 * directory knows. */
struct err *account_find_by_email(struct service *service, struct ctx *ctx, const char *email,
                                  struct account *out_account, bool *out_found) MUST_CHECK;
/* By the projection. The directory is asked for a user who is not known here (and its error returned
 * if it is away). */
struct err *account_find(const struct service *service, struct ctx *ctx, const char *user_id,
                         struct account *out_account, bool *out_found) MUST_CHECK;

/* Credentials of a user whom the directory has: the last step of making them. Should the user have
 * been deleted meanwhile, there are none afterwards. */
struct err *account_put(const struct service *service, struct ctx *ctx, const struct user *user,
                        const char *password_hash) MUST_CHECK;

#endif
