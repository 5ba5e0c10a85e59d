/*
 * Who asks, and for whom. The route table holds the token against the path; a token is a picture
 * of its user that may be minutes old, so here the caller is held against the directory itself: a
 * suspension or a lost role counts at once.
 */
#include <base/str.h>

#include "handlers.h"
#include "service.h"
#include "store.h"

static struct err *check_not_suspended(const struct user *caller)
{
    return caller->status == STATUS_SUSPENDED
               ? err_new(&ACCOUNT_SUSPENDED, "an admin has suspended this account")
               : NULL;
}

struct err *check_admin(struct http_req *req)
{
    struct service *service = http_state(req);
    struct user caller = {0};
    struct err *e = store_fetch(service->db, http_ctx(req), http_identity(req)->subject, &caller);
    if (err_is(e, &USER_NOT_FOUND))
        return err_wrap_as(e, &ERR_FORBIDDEN, "the user of this token is not there any more");
    TRY(e);
    TRY(check_not_suspended(&caller));
    if (caller.role != ROLE_ADMIN)
        return err_new(&ERR_FORBIDDEN, "only an admin may do this");
    return NULL;
}

struct err *fetch_for_caller(struct http_req *req, const char *id, struct user *out_user)
{
    struct service *service = http_state(req);
    bool is_self = str_equal(id, http_identity(req)->subject);
    if (!is_self)
        TRY(check_admin(req));
    struct user user = {0};
    TRY(store_fetch(service->db, http_ctx(req), id, &user));
    if (is_self)
        TRY(check_not_suspended(&user));
    *out_user = user;
    return NULL;
}
