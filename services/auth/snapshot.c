#include "snapshot.h"

#include <string.h>

#include <base/clock.h>
#include <base/str.h>

#include "directory.h"
#include "kinds.h"
#include "projection.h"

struct learning {
    const struct service *service;
    const struct user_page *page;
    int64_t began_ms;
    int64_t effects[PROJECTION_CHANGED + 1]; /* of this page, by enum projection_effect */
};

static struct err *learn_page(struct sql_conn *conn, struct ctx *ctx, void *data)
{
    struct learning *learning = data;
    memset(learning->effects, 0, sizeof(learning->effects));
    for (size_t i = 0; i < learning->page->count; i++) {
        const struct user *user = &learning->page->items[i];
        enum projection_effect effect;
        TRY(projection_learn(learning->service, conn, ctx, user, &effect));
        TRY(projection_touch(conn, ctx, user->id, learning->began_ms));
        learning->effects[effect]++;
    }
    return NULL;
}

static struct err *learn(const struct service *service, struct ctx *ctx,
                         const struct user_page *page, int64_t began_ms,
                         struct snapshot_counts *counts)
{
    struct learning learning = {service, page, began_ms, {0}};
    TRY(sql_transact(service->db, ctx, learn_page, &learning));
    counts->added += learning.effects[PROJECTION_ADDED];
    counts->changed += learning.effects[PROJECTION_CHANGED];
    counts->unchanged += learning.effects[PROJECTION_SAME];
    if (counts->on_page)
        counts->on_page(counts, counts->data);
    return NULL;
}

static struct err *learn_all(const struct service *service, struct ctx *ctx, int64_t began_ms,
                             struct snapshot_counts *counts)
{
    char cursor[UUID_TEXT] = "";
    do {
        _cleanup_(arena_deinit) struct arena arena = ARENA_INIT((size_t)4 << 20);
        struct user_page page = {0};
        TRY(directory_list(service->bus, ctx, cursor[0] ? cursor : NULL, &arena, &page));
        TRY(learn(service, ctx, &page, began_ms, counts));
        str_copy(cursor, sizeof(cursor), page.next_cursor ? page.next_cursor : "");
    } while (cursor[0]);
    return NULL;
}

/* Who was in no page may have come meanwhile: the directory is asked about each one. */
static struct err *doubt(const struct service *service, struct ctx *ctx, const char *user_id,
                         int64_t began_ms, struct snapshot_counts *counts)
{
    struct user user = {0};
    struct err *e = directory_get(service->bus, ctx, user_id, &user);
    if (err_is(e, &DIRECTORY_NO_USER)) {
        bool is_forgotten = false;
        err_free(e);
        TRY(projection_forget(service, ctx, user_id, began_ms, &is_forgotten));
        counts->removed += is_forgotten;
        return NULL;
    }
    TRY(e);
    return learn(service, ctx, &(struct user_page){.items = &user, .count = 1}, began_ms, counts);
}

struct err *snapshot_take(const struct service *service, struct ctx *ctx,
                          struct snapshot_counts *counts)
{
    struct snapshot_counts uncounted = {0};
    struct snapshot_counts *all = counts ? counts : &uncounted;
    int64_t began_ms = clock_now_ms();
    char user_id[UUID_TEXT] = "";
    TRY(learn_all(service, ctx, began_ms, all));
    for (;;) {
        bool found = false;
        TRY(projection_find_older(service->db, ctx, began_ms, user_id, &found));
        if (!found)
            return NULL;
        TRY(doubt(service, ctx, user_id, began_ms, all));
    }
}
