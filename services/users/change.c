#include <base/str.h>

#include "handlers.h"
#include "service.h"
#include "store.h"

/* How often a change is tried anew when others change the same row. */
#define CHANGE_TRIES 5

struct err *invite_user(struct http_req *req, struct http_res *res)
{
    struct service *service = http_state(req);
    struct user user = {0};
    TRY(store_create(service->db, http_ctx(req), http_body(req), STATUS_ACTIVE, &user));
    TRY(http_set_header(res, "Location", "/api/v1/users/%s", user.id));
    TRY(http_set_etag(res, user.version));
    return http_reply(res, 201, &user_model, &user);
}

static bool is_admin(const struct http_req *req)
{
    return str_equal(http_identity(req)->role, user_roles[ROLE_ADMIN]);
}

static struct err *check_may_patch(const struct http_req *req, const struct user_patch *patch)
{
    if (patch->given.present & (PATCH_ROLE | PATCH_STATUS) && !is_admin(req))
        return err_new(&ERR_FORBIDDEN, "only an admin may change role and status");
    return NULL;
}

static void apply(const struct user_patch *patch, struct user *user)
{
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
}

static struct err *patch_by_id(struct http_req *req, struct http_res *res, const char *id)
{
    struct service *service = http_state(req);
    struct user_patch patch = {0};
    TRY(http_merge(req, &patch));
    TRY(check_may_patch(req, &patch));
    for (int try = 0; try < CHANGE_TRIES; try++) {
        struct user user = {0};
        TRY(store_fetch(service->db, http_ctx(req), id, &user));
        TRY(http_if_match(req, user.version));
        apply(&patch, &user);
        bool changed = false;
        TRY(store_update(service->db, http_ctx(req), &user, &changed));
        if (!changed)
            continue;
        TRY(http_set_etag(res, user.version));
        return http_reply(res, 200, &user_model, &user);
    }
    return err_new(&USER_CHANGED, "the user was changed by others %d times in a row", CHANGE_TRIES);
}

struct err *patch_me(struct http_req *req, struct http_res *res)
{
    return patch_by_id(req, res, http_identity(req)->subject);
}

struct err *patch_user(struct http_req *req, struct http_res *res)
{
    return patch_by_id(req, res, http_param(req, "id"));
}

static struct err *delete_by_id(struct http_req *req, struct http_res *res, const char *id)
{
    struct service *service = http_state(req);
    struct user user = {0};
    for (int try = 0; try < CHANGE_TRIES; try++) {
        TRY(store_fetch(service->db, http_ctx(req), id, &user));
        TRY(http_if_match(req, user.version));
        bool deleted = false;
        TRY(store_delete(service->db, http_ctx(req), id, user.version, &deleted));
        if (deleted)
            return http_reply_empty(res, 204);
    }
    return err_new(&USER_CHANGED, "the user was changed by others %d times in a row", CHANGE_TRIES);
}

struct err *delete_me(struct http_req *req, struct http_res *res)
{
    return delete_by_id(req, res, http_identity(req)->subject);
}

struct err *delete_user(struct http_req *req, struct http_res *res)
{
    return delete_by_id(req, res, http_param(req, "id"));
}
