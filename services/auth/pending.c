/*
 * Pending accounts: register.c stored the credentials and did not see the end. Most are settled by
 * the event that tells of the user; here the directory is asked about the others.
 */
#include <base/clock.h>

#include "directory.h"
#include "handlers.h"
#include "kinds.h"
#include "projection.h"

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

/* Nobody is to wait for an account that fails again and again: it is asked about once more after as
 * long as it has been pending, so that the pauses double. */
#define DELAY_MIN_MS 1000
#define DELAY_MAX_MS (3600 * 1000)

static struct err *postpone(const struct service *service, struct ctx *ctx,
                            const struct due_account *due)
{
    int64_t age_ms = clock_now_ms() - due->created_at_ms;
    return store_postpone(service->db, ctx, due->user_id,
                          MIN(MAX(age_ms, DELAY_MIN_MS), DELAY_MAX_MS));
}

static void keep_first(struct err **first, struct err *e)
{
    if (*first)
        err_free(e);
    else
        *first = e;
}

/* Whether it is of any use to go on with others. */
static bool is_away(const struct err *e)
{
    return err_is(e, &ERR_UPSTREAM_UNAVAILABLE) || err_is(e, &ERR_UPSTREAM_TIMEOUT);
}

/* The first error, after all others had their turn. */
static struct err *settle_some(const struct service *service, struct ctx *ctx, bool *out_is_last)
{
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(64 << 10);
    struct due_account *due = NULL;
    struct err *first = NULL;
    size_t count = 0;
    bool is_over = false;
    TRY(store_find_due(service->db, ctx, &arena, &due, &count));
    for (size_t i = 0; i < count && !is_over; i++) {
        struct err *e = settle(service, ctx, due[i].user_id);
        if (!e)
            continue;
        struct err *worse = postpone(service, ctx, &due[i]);
        is_over = is_away(e) || worse;
        keep_first(&first, e);
        keep_first(&first, worse);
    }
    *out_is_last = count < STORE_DUE_MAX;
    return first;
}

struct err *settle_due(const struct service *service, struct ctx *ctx)
{
    for (bool is_last = false; !is_last;)
        TRY(settle_some(service, ctx, &is_last));
    return NULL;
}
