#include <slog/slog.h>

#include "handlers.h"
#include "kinds.h"
#include "store.h"

#define RETRY_MIN_MS 50
#define RETRY_MAX_MS 5000

static struct err *try_once(const struct service *service, struct ctx *ctx)
{
    const char *email = service->settings->bootstrap_admin_email;
    struct account account = {0};
    bool found = false;
    TRY(store_find_account_by_email(service->db, ctx, email, &account, &found));
    if (found)
        return NULL;
    struct user user = {0};
    struct err *e = create_account(service, ctx, email, "Administrator",
                                   service->settings->bootstrap_admin_password, ROLE_ADMIN, &user);
    if (err_is(e, &DIRECTORY_EMAIL_TAKEN)) {
        slog_warn("the bootstrap admin's address belongs to a user already; no admin was made",
                  SLOG_STR("email", email));
        err_free(e);
        return NULL;
    }
    if (!e)
        slog_info("bootstrap admin made", SLOG_STR("user_id", user.id));
    return e;
}

struct err *bootstrap_admin(struct ctx *ctx, void *data)
{
    struct service *service = data;
    int64_t pause_ms = RETRY_MIN_MS;
    for (;;) {
        struct err *e = try_once(service, ctx);
        if (!e) {
            atomic_store(&service->bootstrapped, true);
            return NULL;
        }
        /* The directory being away is what start-up looks like; anything else is worth a line. */
        if (!err_is(e, &ERR_UPSTREAM_UNAVAILABLE) && !ctx_is_done(ctx))
            slog_warn("the bootstrap admin could not be made; trying again", SLOG_ERR(e));
        err_free(e);
        struct err *over = ctx_sleep(ctx, pause_ms);
        if (over) {
            err_free(over);
            return NULL;
        }
        pause_ms = MIN(pause_ms * 2, RETRY_MAX_MS);
    }
}
