#include <slog/slog.h>

#include "accounts.h"
#include "handlers.h"
#include "kinds.h"
#include "projection.h"

#define RETRY_MIN_MS 50
#define RETRY_MAX_MS 5000

/* The directory has an admin who cannot sign in: invited, or the credentials were lost. */
static struct err *give_password(const struct service *service, struct ctx *ctx,
                                 const struct user *user)
{
    struct account account = {0};
    bool found = false;
    TRY(projection_tell(service, ctx, user));
    TRY(store_find_account(service->db, ctx, user->id, &account, &found));
    if (found)
        return NULL;
    char hash[PASSWORD_HASH_TEXT];
    TRY(password_hash(service->passwords, ctx, service->settings->bootstrap_admin_password, hash));
    TRY(account_put(service, ctx, user, hash));
    slog_info("bootstrap admin got a password", SLOG_STR("user_id", user->id));
    return NULL;
}

static struct err *make_admin(const struct service *service, struct ctx *ctx)
{
    char hash[PASSWORD_HASH_TEXT], id[UUID_TEXT];
    struct user user = {0};
    uuid_new(id);
    TRY(password_hash(service->passwords, ctx, service->settings->bootstrap_admin_password, hash));
    const struct new_account admin = {
        .id = id,
        .email = service->settings->bootstrap_admin_email,
        .name = "Administrator",
        .password_hash = hash,
        .role = ROLE_ADMIN,
    };
    TRY(create_account(service, ctx, &admin, &user));
    slog_info("bootstrap admin made", SLOG_STR("user_id", user.id));
    return NULL;
}

static struct err *try_once(const struct service *service, struct ctx *ctx)
{
    struct user user = {0};
    struct err *e =
        directory_find_by_email(service->bus, ctx, service->settings->bootstrap_admin_email, &user);
    if (err_is(e, &DIRECTORY_NO_USER)) {
        err_free(e);
        return make_admin(service, ctx);
    }
    TRY(e);
    if (user.role == ROLE_ADMIN)
        return give_password(service, ctx, &user);
    slog_warn("the bootstrap admin's address is that of a user who is no admin",
              SLOG_STR("user_id", user.id));
    return NULL;
}

/* Whether there was an admin when this database was last used; then nobody needs to wait. */
static bool was_there(const struct service *service, struct ctx *ctx)
{
    struct account account = {0};
    bool found = false;
    struct err *e = store_find_account_by_email(
        service->db, ctx, service->settings->bootstrap_admin_email, &account, &found);
    err_free(e);
    return !e && found;
}

struct err *bootstrap_admin(struct ctx *ctx, void *data)
{
    struct service *service = data;
    if (was_there(service, ctx))
        atomic_store(&service->is_bootstrapped, true);
    for (int64_t pause_ms = RETRY_MIN_MS;; pause_ms = MIN(pause_ms * 2, RETRY_MAX_MS)) {
        struct err *e = try_once(service, ctx);
        if (!e) {
            atomic_store(&service->is_bootstrapped, true);
            return NULL;
        }
        /* The directory away, another replica at the same: that is what a start looks like. */
        bool is_usual = err_is(e, &ERR_UPSTREAM_UNAVAILABLE) || err_is(e, &DIRECTORY_EMAIL_TAKEN);
        if (!is_usual && !ctx_is_done(ctx))
            slog_warn("the bootstrap admin could not be made; trying again", SLOG_ERR(e));
        err_free(e);
        TRY(ctx_sleep(ctx, pause_ms));
    }
}
