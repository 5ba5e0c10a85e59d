#include <slog/slog.h>

#include "accounts.h"
#include "handlers.h"
#include "kinds.h"
#include "sessions.h"

struct login {
    char email[EMAIL_TEXT];
    const char *password;
};

static const struct field login_fields[] = {
    FIELD(struct login, email, EMAIL, .flags = REQUIRED, .example = "\"ann@example.com\""),
    FIELD(struct login, password, STRING, .flags = REQUIRED | WRITE_ONLY, .min = 1,
          .max = PASSWORD_MAX_BYTES),
};
const struct model login_model = MODEL(struct login, login_fields, "Address and password");

/* A hash that was made with other settings than today's is made anew: it is only now that the
 * password is known. */
static struct err *renew_hash(const struct service *service, struct ctx *ctx, const char *password,
                              const struct account *account)
{
    if (!password_is_outdated(service->passwords, account->password_hash))
        return NULL;
    char hash[PASSWORD_HASH_TEXT];
    TRY(password_hash(service->passwords, ctx, password, hash));
    return store_replace_hash(service->db, ctx, account->user_id, account->password_hash, hash);
}

struct err *login(struct http_req *req, struct http_res *res)
{
    struct service *service = http_state(req);
    const struct login *in = http_body(req);
    struct account account = {0};
    bool found = false, is_right = false;
    TRY(account_find_by_email(service, http_ctx(req), in->email, &account, &found));
    TRY(password_verify(service->passwords, http_ctx(req), in->password,
                        found ? account.password_hash : NULL, &is_right));
    if (!is_right)
        return err_new(&INVALID_CREDENTIALS, "the address and the password do not belong together");
    if (account.status == ACCOUNT_PENDING)
        return err_new(&ERR_UPSTREAM_UNAVAILABLE,
                       "whether this registration was finished cannot be told just now");
    if (account.status != STATUS_ACTIVE)
        return err_new(&ACCOUNT_SUSPENDED, "an admin has suspended this account");
    struct err *e = renew_hash(service, http_ctx(req), in->password, &account);
    if (e)
        slog_warn("a password's hash could not be renewed", SLOG_ERR(e));
    err_free(e);
    struct tokens tokens;
    TRY(session_begin(service, http_ctx(req), &account, &tokens));
    TRY(http_set_header(res, "Cache-Control", "no-store"));
    return http_reply(res, 200, &tokens_model, &tokens);
}
