/* What the route table of service.c refers to, and what belongs to it. */
#ifndef AUTH_HANDLERS_H
#define AUTH_HANDLERS_H

#include <http/http.h>

#include "directory.h"
#include "service.h"

/* register.c */
extern const struct model registration_model;
http_handler register_user;

struct new_account {
    const char *id; /* of the user */
    const char *email, *name, *password_hash;
    enum user_role role;
};
/* Makes a user with a password, or finishes that, or finds it finished. DIRECTORY_EMAIL_TAKEN; after
 * any error but that, the person may or may not be there, and the same again, or another
 * registration, tells. */
struct err *create_account(const struct service *service, struct ctx *ctx,
                           const struct new_account *new_account, struct user *out_user) MUST_CHECK;

/* login.c */
extern const struct model login_model;
http_handler login;

/* refresh.c */
extern const struct model refresh_model;
http_handler refresh;

/* logout.c */
http_handler logout;

/* jwks.c */
http_handler read_jwks;

/* bootstrap.c: sees to it that the bootstrap admin is there, however long users takes. */
struct err *bootstrap_admin(struct ctx *ctx, void *service) MUST_CHECK;

/* chores.c: what is done now and then, for ever. */
struct err *do_chores(struct ctx *ctx, void *service) MUST_CHECK;

/* pending.c: settles the accounts of registrations that broke off, all whose time has come, those first
 * that have waited longest. One that fails is put off, and returned is its error. */
struct err *settle_due(const struct service *service, struct ctx *ctx) MUST_CHECK;

/* resync.c, transfer.c: subcommands */
struct err *resync(struct app_runtime *runtime, const char *const *args);
struct err *export_accounts(struct app_runtime *runtime, const char *const *args);
struct err *import_accounts(struct app_runtime *runtime, const char *const *args);

#endif
