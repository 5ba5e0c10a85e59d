/* What the route table of service.c refers to, and what belongs to it. */
#ifndef AUTH_HANDLERS_H
#define AUTH_HANDLERS_H

#include <http/http.h>

#include "directory.h"
#include "service.h"

/* register.c */
extern const struct model registration_model;
http_handler register_user;
/* Makes a user with a password, complete or not at all. EMAIL_TAKEN as the directory says it. */
struct err *create_account(const struct service *service, struct ctx *ctx, const char *email,
                           const char *name, const char *password, enum directory_role role,
                           struct user *out_user) MUST_CHECK;

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

/* bootstrap.c: makes the bootstrap admin, however long users takes to be there. */
struct err *bootstrap_admin(struct ctx *ctx, void *service) MUST_CHECK;

#endif
