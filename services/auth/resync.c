/*
 * `auth resync`: the directory went back to a former state (its database was restored from a backup),
 * so that what is known here has higher versions than what it says now, and would stay for good.
 *
 * 1. What events tell of the state that is no more takes effect first, or it would be taken for news
 *    later. A service that runs does that, or else the inbox that is started here.
 * 2. Versions are forgotten, not what they are of: from then on any word counts, and of those that
 *    come the one with the higher version, as ever. So events that come meanwhile are not lost to a
 *    page that was read before them.
 * 3. A snapshot, with all that follows from it: sessions end as by an event.
 *
 * The service may run all the time; wherever this breaks off, it can be run again.
 */
#include <stdio.h>

#include <app/progress.h>

#include "consume.h"
#include "handlers.h"
#include "projection.h"
#include "snapshot.h"

#define CATCH_UP_MS (10 * 60 * 1000)

static struct err *catch_up(struct service *service, struct ctx *parent)
{
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, parent, CATCH_UP_MS);
    TRY(consume_users(service, NULL, &service->inbox));
    struct err *e = consume_wait(service, &ctx);
    inbox_stop(TAKE(service->inbox));
    return err_wrap(e, "wait until the events of before took effect");
}

static struct err *unlearn(const struct service *service, struct ctx *ctx)
{
    char last[UUID_TEXT] = "";
    size_t count = 0;
    do
        TRY(projection_unlearn(service->db, ctx, last, &count));
    while (count > 0);
    return NULL;
}

static void show(const struct snapshot_counts *counts, void *data)
{
    app_progress_show(data, counts->added + counts->changed + counts->unchanged);
}

static struct err *run(struct service *service, struct ctx *ctx)
{
    struct app_progress progress = {.verb = "compared", .things = "users"};
    struct snapshot_counts counts = {.on_page = show, .data = &progress};
    TRY(catch_up(service, ctx));
    TRY(unlearn(service, ctx));
    struct err *e = snapshot_take(service, ctx, &counts);
    app_progress_end(&progress);
    TRY(e);
    printf("%lld added, %lld changed, %lld removed, %lld unchanged\n", (long long)counts.added,
           (long long)counts.changed, (long long)counts.removed, (long long)counts.unchanged);
    return NULL;
}

struct err *resync(struct app_runtime *runtime, const char *const *args)
{
    (void)args;
    struct service service = {
        .db = runtime->db,
        .bus = runtime->bus,
        .settings = runtime->own_settings,
    };
    const struct outbox_options outbox = {.db = service.db, .bus = service.bus, .source = "auth"};
    TRY(outbox_start(&outbox, &service.outbox));
    struct err *e = run(&service, runtime->ctx);
    outbox_stop(service.outbox, AUTH_FLUSH_MS);
    return e;
}
