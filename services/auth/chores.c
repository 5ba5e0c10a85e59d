/*
 * What is done in the background, now and then: the accounts of registrations that broke off are
 * settled, and what has had its time is removed.
 */
#include <slog/slog.h>

#include "handlers.h"
#include "projection.h"

#define PAUSE_MIN_MS 200
#define PAUSE_MAX_MS 60000

static struct err *prune(const struct service *service, struct ctx *ctx,
                         struct err *(*some)(struct sql_db *db, struct ctx *ctx, bool *out_is_done))
{
    for (bool is_done = false; !is_done;)
        TRY(some(service->db, ctx, &is_done));
    return NULL;
}

static struct err *prune_sessions(const struct service *service, struct ctx *ctx)
{
    return prune(service, ctx, store_prune_sessions);
}

static struct err *prune_directory(const struct service *service, struct ctx *ctx)
{
    return prune(service, ctx, projection_prune);
}

static const struct {
    const char *failure;
    struct err *(*run)(const struct service *service, struct ctx *ctx);
} chores[] = {
    {"pending accounts could not be settled; trying again", settle_due},
    {"expired sessions could not be removed; trying again", prune_sessions},
    {"users deleted long ago could not be forgotten; trying again", prune_directory},
};

struct err *do_chores(struct ctx *ctx, void *data)
{
    const struct service *service = data;
    int64_t ttl_ms = service->settings->pending_ttl_s * 1000;
    int64_t pause_ms = MAX(PAUSE_MIN_MS, MIN(ttl_ms / 4, PAUSE_MAX_MS));
    for (;;) {
        TRY(ctx_sleep(ctx, pause_ms));
        for (size_t i = 0; i < ARRAY_LEN(chores); i++) {
            struct err *e = chores[i].run(service, ctx);
            if (e && !err_is(e, &ERR_UPSTREAM_UNAVAILABLE) && !ctx_is_done(ctx))
                slog_warn(chores[i].failure, SLOG_ERR(e));
            err_free(e);
        }
    }
}
