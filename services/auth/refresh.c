#include <slog/slog.h>

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

/* The account as the directory has it now, so that a new role or a suspension takes effect; while
 * the directory is away, as it was. */
static struct err *fetch_account(const struct service *service, struct ctx *ctx,
                                 const char *user_id, struct account *out_account, bool *out_found)
{
    struct user user = {0};
    struct err *e = directory_get(service->bus, ctx, user_id, &user);
    if (err_is(e, &DIRECTORY_NO_USER)) {
        err_free(e);
        *out_found = false;
        return NULL;
    }
    if (e) {
        slog_warn("the directory is away; refreshing by what it said last", SLOG_ERR(e));
        err_free(e);
    } else {
        TRY(store_refresh_account(service->db, ctx, &user));
    }
    return store_find_account(service->db, ctx, user_id, out_account, out_found);
}

struct err *refresh(struct http_req *req, struct http_res *res)
{
    const struct service *service = http_state(req);
    const struct refresh_request *in = http_body(req);
    struct session session = {0};
    TRY(session_rotate(service, http_ctx(req), in->refresh_token, &session));
    struct account account = {0};
    bool found = false;
    TRY(fetch_account(service, http_ctx(req), session.user_id, &account, &found));
    if (!found || account.status != STATUS_ACTIVE) {
        TRY(store_end_sessions(service->db, http_ctx(req), session.user_id));
        return err_new(&INVALID_REFRESH_TOKEN, "the account is suspended or deleted");
    }
    struct tokens tokens;
    TRY(session_tokens(service, &session, &account, &tokens));
    TRY(http_set_header(res, "Cache-Control", "no-store"));
    return http_reply(res, 200, &tokens_model, &tokens);
}
