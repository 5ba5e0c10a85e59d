#include "handlers.h"
#include "store.h"

struct err *logout(struct http_req *req, struct http_res *res)
{
    const struct service *service = http_state(req);
    TRY(store_end_session(service->db, http_ctx(req), http_identity(req)->session));
    return http_reply_empty(res, 204);
}
