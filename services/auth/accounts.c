#include "accounts.h"

#include <base/str.h>
#include <slog/slog.h>

#include "kinds.h"

static void take_over(struct account *account, const struct user *user)
{
    str_copy(account->user_id, sizeof(account->user_id), user->id);
    str_copy(account->email, sizeof(account->email), user->email);
    account->role = user->role;
    account->status = user->status;
    account->updated_at_ms = user->updated_at_ms;
}

/* user: zeroed, when there is none. */
static struct err *find_account_of(const struct service *service, struct ctx *ctx,
                                   const struct user *user, struct account *out_account,
                                   bool *out_found)
{
    struct account account = {0};
    bool found = false;
    TRY(store_find_account(service->db, ctx, user->id, &account, &found));
    if (found) {
        struct account before = account;
        take_over(&account, user);
        if (!str_equal(before.email, account.email) || before.role != account.role ||
            before.status != account.status)
            TRY(store_update_account(service->db, ctx, &account));
        *out_account = account;
    }
    *out_found = found;
    return NULL;
}

static void tell_of_absence(struct err *e)
{
    slog_warn("the directory is away; going by what it said last", SLOG_ERR(e));
    err_free(e);
}

struct err *account_find_by_email(const struct service *service, struct ctx *ctx, const char *email,
                                  struct account *out_account, bool *out_found)
{
    struct user user = {0};
    struct err *e = directory_find_by_email(service->bus, ctx, email, &user);
    if (e && !err_is(e, &DIRECTORY_NO_USER)) {
        tell_of_absence(e);
        return store_find_account_by_email(service->db, ctx, email, out_account, out_found);
    }
    err_free(e);
    return find_account_of(service, ctx, &user, out_account, out_found);
}

struct err *account_find(const struct service *service, struct ctx *ctx, const char *user_id,
                         struct account *out_account, bool *out_found)
{
    struct user user = {0};
    struct err *e = directory_get(service->bus, ctx, user_id, &user);
    if (e && !err_is(e, &DIRECTORY_NO_USER)) {
        tell_of_absence(e);
        return store_find_account(service->db, ctx, user_id, out_account, out_found);
    }
    err_free(e);
    return find_account_of(service, ctx, &user, out_account, out_found);
}

struct err *account_put(const struct service *service, struct ctx *ctx, const struct user *user,
                        const char *password_hash)
{
    struct account account = {0};
    take_over(&account, user);
    str_copy(account.password_hash, sizeof(account.password_hash), password_hash);
    return store_put_account(service->db, ctx, &account);
}
