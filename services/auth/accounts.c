#include "accounts.h"

#include <base/clock.h>
#include <base/str.h>
#include <slog/slog.h>

#include "kinds.h"
#include "projection.h"

/* --- the directory, as a login asks it --- */

/* A person waits; the projection knows nearly as much. */
#define ANSWER_MS 500
/* After no answer: how long it is not asked again, so that not every login waits. */
#define REST_MS 5000

static struct err *ask(struct service *service, struct ctx *parent, const char *email,
                       struct user *out_user)
{
    if (clock_mono_ms() < atomic_load(&service->directory_rests_until_ms))
        return err_new(&ERR_UPSTREAM_UNAVAILABLE, "the directory did not answer just now");
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, parent, ANSWER_MS);
    struct err *e = directory_find_by_email(service->bus, &ctx, email, out_user);
    if (err_is(e, &ERR_UPSTREAM_TIMEOUT) && !ctx_is_done(parent))
        atomic_store(&service->directory_rests_until_ms, clock_mono_ms() + REST_MS);
    if (e && !err_is(e, &DIRECTORY_NO_USER))
        slog_warn("the directory is away; going by what it said last", SLOG_ERR(e));
    return e;
}

/* Both are looked for, whatever the first finds: an unknown address takes the same steps. */
static struct err *find_alone(const struct service *service, struct ctx *ctx, const char *email,
                              struct account *out_account, bool *out_found)
{
    struct account pending = {0};
    bool is_known = false, is_pending = false;
    TRY(store_find_pending(service->db, ctx, email, &pending, &is_pending));
    TRY(store_find_account_by_email(service->db, ctx, email, out_account, &is_known));
    if (!is_known && is_pending)
        *out_account = pending;
    *out_found = is_known || is_pending;
    return NULL;
}

struct err *account_find_by_email(struct service *service, struct ctx *ctx, const char *email,
                                  struct account *out_account, bool *out_found)
{
    struct user user = {0};
    struct err *e = ask(service, ctx, email, &user);
    bool is_away = e && !err_is(e, &DIRECTORY_NO_USER);
    err_free(e);
    if (is_away)
        return find_alone(service, ctx, email, out_account, out_found);
    TRY(projection_tell(service, ctx, &user));
    return store_find_account(service->db, ctx, user.id, out_account, out_found);
}

struct err *account_find(const struct service *service, struct ctx *ctx, const char *user_id,
                         struct account *out_account, bool *out_found)
{
    struct user user = {0};
    TRY(store_find_account(service->db, ctx, user_id, out_account, out_found));
    if (*out_found)
        return NULL;
    struct err *e = directory_get(service->bus, ctx, user_id, &user);
    if (err_is(e, &DIRECTORY_NO_USER)) {
        err_free(e);
        return NULL;
    }
    TRY(e);
    TRY(projection_tell(service, ctx, &user));
    return store_find_account(service->db, ctx, user_id, out_account, out_found);
}

/* --- making one --- */

struct putting {
    const struct service *service;
    const struct user *user;
    const char *password_hash;
};

static struct err *put(struct sql_conn *conn, struct ctx *ctx, void *data)
{
    const struct putting *putting = data;
    const struct user *user = putting->user;
    struct account account = {
        .role = user->role,
        .status = user->status,
        .updated_at_ms = user->updated_at_ms,
        .created_at_ms = clock_now_ms(),
    };
    str_copy(account.user_id, sizeof(account.user_id), user->id);
    str_copy(account.email, sizeof(account.email), user->email);
    str_copy(account.password_hash, sizeof(account.password_hash), putting->password_hash);
    TRY(store_put_account(conn, ctx, &account));
    TRY(projection_learn(putting->service, conn, ctx, user, NULL));
    return sql_exec(conn, ctx,
                    "DELETE FROM accounts WHERE user_id = $1 AND EXISTS (SELECT 1 FROM directory"
                    " WHERE user_id = $1 AND status = 'deleted')",
                    NULL, SQL_TEXT(user->id));
}

struct err *account_put(const struct service *service, struct ctx *ctx, const struct user *user,
                        const char *password_hash)
{
    struct putting putting = {service, user, password_hash};
    return sql_transact(service->db, ctx, put, &putting);
}
