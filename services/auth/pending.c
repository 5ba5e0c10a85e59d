/*
 * Pending accounts: register.c stored the credentials and did not see the end. Most are settled by
 * the event that tells of the user; here the directory is asked about the others.
 *
 * The same task forgets what is known of users who were deleted long ago.
 */
#include <slog/slog.h>

#include "directory.h"
#include "handlers.h"
#include "kinds.h"
#include "projection.h"

#define PAUSE_MIN_MS 200
#define PAUSE_MAX_MS 60000

static struct err *settle(const struct service *service, struct ctx *ctx, const char *user_id)
{
    struct user user = {0};
    struct err *e = directory_get(service->bus, ctx, user_id, &user);
    bool is_there = !e;
    if (e && !err_is(e, &DIRECTORY_NO_USER))
        return e;
    err_free(e);
    if (is_there)
        TRY(projection_tell(service, ctx, &user));
    return store_settle(service->db, ctx, user_id, is_there);
}

struct err *settle_due(const struct service *service, struct ctx *ctx)
{
    for (;;) {
        char user_id[UUID_TEXT];
        bool found = false;
        TRY(store_find_due(service->db, ctx, user_id, &found));
        if (!found)
            return NULL;
        TRY(settle(service, ctx, user_id));
    }
}

struct err *settle_pending(struct ctx *ctx, void *data)
{
    const struct service *service = data;
    int64_t ttl_ms = service->settings->pending_ttl_s * 1000;
    int64_t pause_ms = MAX(PAUSE_MIN_MS, MIN(ttl_ms / 4, PAUSE_MAX_MS));
    for (;;) {
        TRY(ctx_sleep(ctx, pause_ms));
        struct err *e = settle_due(service, ctx);
        if (!e)
            e = projection_prune(service->db, ctx);
        if (e && !err_is(e, &ERR_UPSTREAM_UNAVAILABLE) && !ctx_is_done(ctx))
            slog_warn("pending accounts could not be settled; trying again", SLOG_ERR(e));
        err_free(e);
    }
}
