#include "handlers.h"
#include "sessions.h"

struct err *logout(struct http_req *req, struct http_res *res)
{
    const struct service *service = http_state(req);
    const struct http_identity *identity = http_identity(req);
    TRY(session_end(service, http_ctx(req), identity->session, identity->subject, SESSION_LOGOUT));
    return http_reply_empty(res, 204);
}
