/*
 * `auth export` and `auth import`: credentials (as hashes) with what is known of their users, so
 * that people can sign in after the move even before the directory is there. Neither sessions nor
 * signing keys are in it: a file with those could be used in place of a password. Whoever was signed
 * in signs in again.
 *
 * An import tells of no event: nothing happened to anybody.
 */
#include <app/transfer.h>
#include <base/str.h>

#include "handlers.h"
#include "projection.h"
#include "store.h"

static struct err *fetch(struct sql_conn *conn, struct ctx *ctx, const void *last, size_t limit,
                         struct arena *arena, void **out_items, size_t *out_count)
{
    const struct account *after = last;
    return sql_fetch_all(conn, ctx, &account_model, limit, arena, out_items, out_count,
                         "SELECT " ACCOUNT_COLUMNS " FROM " ACCOUNT_TABLES
                         " WHERE a.user_id > $1 AND d.status <> 'deleted'"
                         " ORDER BY a.user_id LIMIT $2",
                         SQL_TEXT(after ? after->user_id : ""), SQL_I64((int64_t)limit));
}

static struct err *check(const struct app_runtime *runtime, const void *item)
{
    const struct account *account = item;
    const long long max_kib = (long long)password_import_kib(runtime->own_settings);
    struct argon2_cost cost = {0};
    if (!argon_read_cost(account->password_hash, &cost) ||
        cost.memory_bytes / 1024 <= (unsigned long long)max_kib)
        return NULL; /* what is no hash, the model refuses */
    struct err *e = NULL;
    err_add_field(&e, "password_hash", "too_much_memory",
                  "takes %zu KiB of memory to check, more than ARGON2_MEMORY_KIB allows for (%lld)",
                  cost.memory_bytes / 1024, max_kib);
    return e;
}

static struct err *find(struct sql_conn *conn, struct ctx *ctx, const char *user_id,
                        bool *out_found, bool *out_is_same, const char *hash)
{
    int64_t found = 0, same = 0;
    TRY(sql_fetch_i64(conn, ctx, &found, "SELECT count(*) FROM accounts WHERE user_id = $1",
                      SQL_TEXT(user_id)));
    TRY(sql_fetch_i64(conn, ctx, &same,
                      "SELECT count(*) FROM accounts WHERE user_id = $1 AND password_hash = $2"
                      " AND status <> 'pending'",
                      SQL_TEXT(user_id), SQL_TEXT(hash)));
    *out_found = found > 0;
    *out_is_same = same > 0;
    return NULL;
}

/* That the user was deleted once does not count against what an operator says now. */
static struct err *insert(struct sql_conn *conn, struct ctx *ctx, const struct account *account)
{
    struct user user = {
        .role = account->role,
        .status = account->status,
        .version = account->version,
        .updated_at_ms = account->updated_at_ms,
    };
    str_copy(user.id, sizeof(user.id), account->user_id);
    str_copy(user.email, sizeof(user.email), account->email);
    TRY(sql_exec(conn, ctx, "DELETE FROM directory WHERE user_id = $1 AND status = 'deleted'", NULL,
                 SQL_TEXT(account->user_id)));
    TRY(store_put_account(conn, ctx, account));
    return projection_learn(NULL, conn, ctx, &user, NULL);
}

/* The credentials are compared; what is known of the user changes by itself. */
static struct err *put(struct sql_conn *conn, struct ctx *ctx, const void *item,
                       enum app_put *out_put, const char **out_why)
{
    const struct account *account = item;
    bool found = false, is_same = false;
    TRY(find(conn, ctx, account->user_id, &found, &is_same, account->password_hash));
    if (found) {
        *out_put = is_same ? APP_SKIPPED : APP_CONFLICT;
        *out_why = "the user has other credentials";
        return NULL;
    }
    *out_put = APP_INSERTED;
    return insert(conn, ctx, account);
}

static const struct app_transfer transfer = {
    .format = "plankton-auth",
    .version = 1,
    .things = "accounts",
    .model = &account_model,
    .fetch = fetch,
    .check = check,
    .put = put,
};

struct err *export_accounts(struct app_runtime *runtime, const char *const *args)
{
    return app_export(runtime, &transfer, args[0]);
}

struct err *import_accounts(struct app_runtime *runtime, const char *const *args)
{
    return app_import(runtime, &transfer, args[0]);
}
