#include <base/secret.h>
#include <base/str.h>

#include "handlers.h"
#include "service.h"
#include "store.h"

/* How often a change is tried when others change the same user. */
#define CHANGE_TRIES 10

struct err *invite_user(struct http_req *req, struct http_res *res)
{
    struct service *service = http_state(req);
    TRY(check_admin(req));
    struct user user = {0};
    TRY(store_create(service->db, http_ctx(req), http_body(req), STATUS_ACTIVE, &user));
    TRY(http_set_header(res, "Location", "/api/v1/users/%s", user.id));
    TRY(http_set_etag(res, user.version));
    return http_reply(res, 201, &user_model, &user);
}

/* Who was outrun waits a little, twice as long at most each time, before another try. */
static struct err *give_way(struct http_req *req, int try)
{
    if (try + 1 == CHANGE_TRIES)
        return err_new(&USER_CHANGED, "others changed the user %d times in a row", CHANGE_TRIES);
    return ctx_sleep(http_ctx(req), random_below(1U << (try + 1)));
}

/* --- patch --- */

/* Of others, only an admin gets here. */
static struct err *check_may_patch(const struct http_req *req, const struct user_patch *patch,
                                   const struct user *user)
{
    bool is_of_admins = patch->given.present & (PATCH_ROLE | PATCH_STATUS);
    bool is_self = str_equal(user->id, http_identity(req)->subject);
    if (is_of_admins && is_self && user->role != ROLE_ADMIN)
        return err_new(&ERR_FORBIDDEN, "only an admin may change role and status");
    return NULL;
}

/* Whether anything is different now: a patch that says what is so already makes no new version. */
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

static struct err *patch_by_id(struct http_req *req, struct http_res *res, const char *id)
{
    struct service *service = http_state(req);
    struct user_patch patch = {0};
    TRY(http_merge(req, &patch));
    for (int try = 0;; try++) {
        struct user user = {0};
        TRY(fetch_for_caller(req, id, &user));
        TRY(check_may_patch(req, &patch, &user));
        TRY(http_if_match(req, user.version));
        bool is_done = true;
        if (apply(&patch, &user))
            TRY(store_update(service->db, http_ctx(req), &user, &is_done));
        if (is_done) {
            TRY(http_set_etag(res, user.version));
            return http_reply(res, 200, &user_model, &user);
        }
        TRY(give_way(req, try));
    }
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

static struct err *delete_by_id(struct http_req *req, struct http_res *res, const char *id)
{
    struct service *service = http_state(req);
    for (int try = 0;; try++) {
        struct user user = {0};
        TRY(fetch_for_caller(req, id, &user));
        TRY(http_if_match(req, user.version));
        bool is_done = false;
        TRY(store_delete(service->db, http_ctx(req), id, user.version, &is_done));
        if (is_done)
            return http_reply_empty(res, 204);
        TRY(give_way(req, try));
    }
}

struct err *delete_me(struct http_req *req, struct http_res *res)
{
    return delete_by_id(req, res, http_identity(req)->subject);
}

struct err *delete_user(struct http_req *req, struct http_res *res)
{
    return delete_by_id(req, res, http_param(req, "id"));
}
