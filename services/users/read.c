#include "handlers.h"
#include "service.h"
#include "store.h"

static struct err *reply_user(struct http_req *req, struct http_res *res, const char *id)
{
    struct service *service = http_state(req);
    struct user user = {0};
    TRY(check_caller(req, id));
    TRY(store_fetch(service->db, http_ctx(req), id, &user));
    TRY(check_user(req, &user));
    bool is_done = false;
    TRY(http_etag(req, res, user.version, &is_done));
    return is_done ? NULL : http_reply(res, 200, &user_model, &user);
}

struct err *read_me(struct http_req *req, struct http_res *res)
{
    return reply_user(req, res, http_identity(req)->subject);
}

struct err *read_user(struct http_req *req, struct http_res *res)
{
    return reply_user(req, res, http_param(req, "id"));
}

struct err *list_users(struct http_req *req, struct http_res *res)
{
    struct service *service = http_state(req);
    TRY(check_admin(req));
    struct sql_page page;
    TRY(store_list(service->db, http_ctx(req), http_query(req), http_arena(req), &page));
    return http_reply_list(res, &user_model, page.items, page.count, page.next_cursor);
}
