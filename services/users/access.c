/*
 * Who asks, and for whom. The route table holds the token against the path; a token is a picture
 * of its user that may be minutes old, so here the caller is held against the directory itself: a
 * suspension or a lost role counts at once.
 */
#include <base/str.h>

#include "handlers.h"
#include "service.h"
#include "store.h"

static bool is_caller(const struct http_req *req, const char *id)
{
    return str_equal(id, http_identity(req)->subject);
}

struct err *check_admin(struct http_req *req)
{
    struct service *service = http_state(req);
    struct user caller = {0};
    struct err *e = store_fetch(service->db, http_ctx(req), http_identity(req)->subject, &caller);
    if (err_is(e, &USER_NOT_FOUND))
        return err_wrap_as(e, &ERR_FORBIDDEN, "the user of this token is not there any more");
    TRY(e);
    TRY(check_user(req, &caller));
    if (caller.role != ROLE_ADMIN)
        return err_new(&ERR_FORBIDDEN, "only an admin may do this");
    return NULL;
}

struct err *check_caller(struct http_req *req, const char *id)
{
    return is_caller(req, id) ? NULL : check_admin(req);
}

struct err *check_user(const struct http_req *req, const struct user *user)
{
    if (is_caller(req, user->id) && user->status == STATUS_SUSPENDED)
        return err_new(&ACCOUNT_SUSPENDED, "an admin has suspended this account");
    return NULL;
}

bool is_admin_of(const struct http_req *req, const struct user *user)
{
    return !is_caller(req, user->id) || user->role == ROLE_ADMIN;
}
