/* What the route and method tables of service.c refer to. */
#ifndef USERS_HANDLERS_H
#define USERS_HANDLERS_H

#include <app/app.h>
#include <http/http.h>

#include "user.h"

/* access.c: ACCOUNT_SUSPENDED or ERR_FORBIDDEN, as the directory has the caller now. */
struct err *check_admin(struct http_req *req) MUST_CHECK;
/* An admin, unless the id is the caller's own. Before that user is fetched ... */
struct err *check_caller(struct http_req *req, const char *id) MUST_CHECK;
/* ... and after. */
struct err *check_user(const struct http_req *req, const struct user *user) MUST_CHECK;
/* Of a caller who has passed both: whether what is for admins may be done to this user. */
bool is_admin_of(const struct http_req *req, const struct user *user);

/* read.c */
http_handler read_me, read_user, list_users;
/* change.c */
http_handler invite_user, patch_me, patch_user, delete_me, delete_user;

/* methods.c: users.v1.* on NATS */
struct err *method_create(struct bus_call *call);
struct err *method_activate(struct bus_call *call);
struct err *method_get(struct bus_call *call);
struct err *method_find_by_email(struct bus_call *call);
struct err *method_list(struct bus_call *call);

/* pending.c: removes what registrations that broke off have left, for ever. */
struct err *remove_pending(struct ctx *ctx, void *service) MUST_CHECK;

/* transfer.c: the subcommands */
struct err *export_users(struct app_runtime *runtime, const char *const *args);
struct err *import_users(struct app_runtime *runtime, const char *const *args);

#endif
