#include <slog/slog.h>

#include "handlers.h"
#include "service.h"
#include "store.h"

#define PAUSE_MIN_MS 200
#define PAUSE_MAX_MS 60000

static struct err *remove_all(const struct service *service, struct ctx *ctx, int64_t ttl_ms)
{
    int64_t count, total = 0;
    struct err *e;
    do {
        count = 0;
        e = store_remove_pending(service->db, ctx, ttl_ms, &count);
        total += count;
    } while (count == STORE_REMOVE_MAX);
    if (total > 0)
        slog_info("registrations that broke off removed", SLOG_I64("count", total));
    return e;
}

static struct err *forget_all(const struct service *service, struct ctx *ctx)
{
    int64_t count = 0;
    do
        TRY(store_forget_deleted(service->db, ctx, &count));
    while (count == STORE_REMOVE_MAX);
    return NULL;
}

struct err *remove_pending(struct ctx *ctx, void *data)
{
    const struct service *service = data;
    int64_t ttl_ms = service->settings->pending_ttl_s * 1000;
    int64_t pause_ms = MAX(PAUSE_MIN_MS, MIN(ttl_ms / 4, PAUSE_MAX_MS));
    for (;;) {
        TRY(ctx_sleep(ctx, pause_ms));
        struct err *e = remove_all(service, ctx, ttl_ms);
        if (!e)
            e = forget_all(service, ctx);
        if (e && !err_is_retryable(e) && !ctx_is_done(ctx))
            slog_warn("pending users could not be removed; trying again", SLOG_ERR(e));
        err_free(e);
    }
}
