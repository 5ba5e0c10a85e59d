#include <base/str.h>
#include <slog/slog.h>

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

/* The account of an address. The directory knows whose it is and in which state; while it is away,
 * what it said last has to do, so that people can sign in. */
static struct err *find_account(const struct service *service, struct ctx *ctx, const char *email,
                                struct account *out_account, bool *out_found)
{
    struct user user = {0};
    struct err *e = directory_find_by_email(service->bus, ctx, email, &user);
    if (err_is(e, &DIRECTORY_NO_USER)) {
        err_free(e);
        *out_found = false;
        return NULL;
    }
    if (e) {
        slog_warn("the directory is away; signing in by what it said last", SLOG_ERR(e));
        err_free(e);
        return store_find_account_by_email(service->db, ctx, email, out_account, out_found);
    }
    bool found = false;
    TRY(store_find_account(service->db, ctx, user.id, out_account, &found));
    if (found && (!str_equal(out_account->email, user.email) || out_account->role != user.role ||
                  out_account->status != user.status)) {
        TRY(store_refresh_account(service->db, ctx, &user));
        TRY(store_find_account(service->db, ctx, user.id, out_account, &found));
    }
    *out_found = found;
    return NULL;
}

struct err *login(struct http_req *req, struct http_res *res)
{
    const struct service *service = http_state(req);
    const struct login *in = http_body(req);
    struct account account = {0};
    bool found = false, right = false;
    TRY(find_account(service, http_ctx(req), in->email, &account, &found));
    TRY(password_verify(service->passwords, http_ctx(req), in->password,
                        found ? account.password_hash : NULL, &right));
    if (!right)
        return err_new(&INVALID_CREDENTIALS, "the address and the password do not belong together");
    if (account.status == STATUS_SUSPENDED)
        return err_new(&ACCOUNT_SUSPENDED, "an admin has suspended this account");
    struct tokens tokens;
    TRY(session_begin(service, http_ctx(req), &account, &tokens));
    TRY(http_set_header(res, "Cache-Control", "no-store"));
    return http_reply(res, 200, &tokens_model, &tokens);
}
