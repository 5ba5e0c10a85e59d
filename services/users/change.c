#include <base/str.h>

#include "handlers.h"
#include "service.h"
#include "store.h"

struct err *invite_user(struct http_req *req, struct http_res *res)
{
    struct service *service = http_state(req);
    struct new_user new_user = *(const struct new_user *)http_body(req);
    struct user user = {0};
    TRY(check_admin(req));
    TRY(http_creation_id(req, new_user.id));
    TRY(store_create(service->db, service->outbox, http_ctx(req), &new_user, STATUS_ACTIVE, &user));
    TRY(http_set_header(res, "Location", "/api/v1/users/%s", user.id));
    TRY(http_set_etag(res, user.version));
    return http_reply(res, 201, &user_model, &user);
}

/* --- patch --- */

struct patching {
    struct http_req *req;
    struct user_patch patch;
};

/* Whether anything is different then: a patch that says what is so already makes no new version. */
static bool apply(const struct user_patch *patch, struct user *user)
{
    struct user before = *user;
    if (patch->given.present & PATCH_EMAIL) {
        if (!str_equal_nocase(user->email, patch->email))
            user->email_verified = false;
        str_copy(user->email, sizeof(user->email), patch->email);
    }
    if (patch->given.present & PATCH_NAME)
        str_copy(user->name, sizeof(user->name), patch->name);
    if (patch->given.present & PATCH_ROLE)
        user->role = patch->role;
    if (patch->given.present & PATCH_STATUS)
        user->status = patch->status;
    return !str_equal(before.email, user->email) || !str_equal(before.name, user->name) ||
           before.role != user->role || before.status != user->status;
}

static struct err *patch_it(struct user *user, void *data, enum user_edit *out_edit)
{
    const struct patching *patching = data;
    const struct user_patch *patch = &patching->patch;
    TRY(check_user(patching->req, user));
    if (patch->given.present & (PATCH_ROLE | PATCH_STATUS) && !is_admin_of(patching->req, user))
        return err_new(&ERR_FORBIDDEN, "only an admin may change role and status");
    TRY(http_if_match(patching->req, user->version));
    *out_edit = apply(patch, user) ? USER_UPDATE : USER_KEEP;
    return NULL;
}

static struct err *patch_by_id(struct http_req *req, struct http_res *res, const char *id)
{
    struct service *service = http_state(req);
    struct patching patching = {.req = req};
    struct user user = {0};
    TRY(http_merge(req, &patching.patch));
    TRY(check_caller(req, id));
    TRY(store_edit(service->db, service->outbox, http_ctx(req), id, patch_it, &patching, &user));
    TRY(http_set_etag(res, user.version));
    return http_reply(res, 200, &user_model, &user);
}

struct err *patch_me(struct http_req *req, struct http_res *res)
{
    return patch_by_id(req, res, http_identity(req)->subject);
}

struct err *patch_user(struct http_req *req, struct http_res *res)
{
    return patch_by_id(req, res, http_param(req, "id"));
}

/* --- delete --- */

static struct err *delete_it(struct user *user, void *data, enum user_edit *out_edit)
{
    const struct http_req *req = data;
    TRY(check_user(req, user));
    TRY(http_if_match(req, user->version));
    *out_edit = USER_DELETE;
    return NULL;
}

static struct err *delete_by_id(struct http_req *req, struct http_res *res, const char *id)
{
    struct service *service = http_state(req);
    struct user user = {0};
    TRY(check_caller(req, id));
    TRY(store_edit(service->db, service->outbox, http_ctx(req), id, delete_it, req, &user));
    return http_reply_empty(res, 204);
}

struct err *delete_me(struct http_req *req, struct http_res *res)
{
    return delete_by_id(req, res, http_identity(req)->subject);
}

struct err *delete_user(struct http_req *req, struct http_res *res)
{
    return delete_by_id(req, res, http_param(req, "id"));
}
