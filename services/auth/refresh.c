#include "accounts.h"
#include "handlers.h"
#include "kinds.h"
#include "sessions.h"

struct refresh_request {
    const char *refresh_token;
};

static const struct field refresh_fields[] = {
    FIELD(struct refresh_request, refresh_token, STRING, .flags = REQUIRED | WRITE_ONLY, .min = 1,
          .max = 512),
};
const struct model refresh_model =
    MODEL(struct refresh_request, refresh_fields, "The refresh token of the last answer");

struct err *refresh(struct http_req *req, struct http_res *res)
{
    const struct service *service = http_state(req);
    const struct refresh_request *in = http_body(req);
    struct session session = {0};
    TRY(session_rotate(service, http_ctx(req), in->refresh_token, &session));
    struct account account = {0};
    bool found = false;
    TRY(account_find(service, http_ctx(req), session.user_id, &account, &found));
    if (!found || account.status != STATUS_ACTIVE) {
        TRY(store_end_sessions(service->db, http_ctx(req), session.user_id));
        return err_new(&INVALID_REFRESH_TOKEN, "the account is suspended or deleted");
    }
    struct tokens tokens;
    TRY(session_tokens(service, &session, &account, &tokens));
    TRY(http_set_header(res, "Cache-Control", "no-store"));
    return http_reply(res, 200, &tokens_model, &tokens);
}
