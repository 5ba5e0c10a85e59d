#include <slog/slog.h>

#include "handlers.h"
#include "service.h"
#include "store.h"

#define PAUSE_MIN_MS 200
#define PAUSE_MAX_MS 60000

struct err *remove_pending(struct ctx *ctx, void *data)
{
    const struct service *service = data;
    int64_t ttl_ms = service->settings->pending_ttl_s * 1000;
    int64_t pause_ms = MAX(PAUSE_MIN_MS, MIN(ttl_ms / 4, PAUSE_MAX_MS));
    for (;;) {
        int64_t count = 0;
        TRY(ctx_sleep(ctx, pause_ms));
        struct err *e = store_remove_pending(service->db, ctx, ttl_ms, &count);
        if (count > 0)
            slog_info("registrations that broke off removed", SLOG_I64("count", count));
        if (e && !err_is_retryable(e) && !ctx_is_done(ctx))
            slog_warn("pending users could not be removed; trying again", SLOG_ERR(e));
        err_free(e);
    }
}
