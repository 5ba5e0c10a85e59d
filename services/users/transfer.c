/*
 * `users export` and `users import`. Registrations that are not finished are not exported. An import
 * tells of no event: what it brings happened before, elsewhere, and was told of there; who needs
 * the present state asks for a snapshot (users.v1.list).
 */
#include <app/transfer.h>
#include <base/str.h>

#include "handlers.h"
#include "store.h"

static struct err *fetch(struct sql_conn *conn, struct ctx *ctx, const void *last, size_t limit,
                         struct arena *arena, void **out_items, size_t *out_count)
{
    const struct user *after = last;
    struct user *users = NULL;
    TRY(store_fetch_page(conn, ctx, after ? after->id : "", limit, arena, &users, out_count));
    *out_items = users;
    return NULL;
}

static bool is_same(const struct user *a, const struct user *b)
{
    return str_equal(a->email, b->email) && str_equal(a->name, b->name) && a->role == b->role &&
           a->status == b->status && a->email_verified == b->email_verified &&
           a->created_at_ms == b->created_at_ms && a->updated_at_ms == b->updated_at_ms &&
           a->version == b->version;
}

static struct err *put(struct sql_conn *conn, struct ctx *ctx, const void *item,
                       enum app_put *out_put, const char **out_why)
{
    const struct user *user = item;
    struct user present = {0};
    bool found = false;
    TRY(store_find(conn, ctx, user->id, &present, &found));
    if (found) {
        *out_put = is_same(user, &present) ? APP_SKIPPED : APP_CONFLICT;
        *out_why = "the user is there, and different";
        return NULL;
    }
    bool is_free = false;
    TRY(store_insert(conn, ctx, user, &is_free));
    *out_put = is_free ? APP_INSERTED : APP_CONFLICT;
    *out_why = "another user has this email address";
    return NULL;
}

static const struct app_transfer transfer = {
    .format = "plankton-users",
    .version = 1,
    .things = "users",
    .model = &user_record_model,
    .fetch = fetch,
    .put = put,
};

struct err *export_users(struct app_runtime *runtime, const char *const *args)
{
    return app_export(runtime, &transfer, args[0]);
}

struct err *import_users(struct app_runtime *runtime, const char *const *args)
{
    return app_import(runtime, &transfer, args[0]);
}
