#include "consume.h"

#include <stdio.h>

#include <base/clock.h>
#include <base/str.h>

#include "directory.h"
#include "kinds.h"
#include "projection.h"

/* --- events --- */

static struct err *on_user(const struct inbox_event *event)
{
    return projection_learn(event->state, event->conn, event->ctx, event->data);
}

static struct err *on_deleted(const struct inbox_event *event)
{
    const struct user *user = event->data;
    return projection_learn_deleted(event->state, event->conn, event->ctx, user->id, user->version);
}

static const struct inbox_type types[] = {
    {"users.v1.events.created", &told_user_model, on_user, "A user is there"},
    {"users.v1.events.updated", &told_user_model, on_user, "A user has changed"},
    {"users.v1.events.deleted", &deleted_user_model, on_deleted, "A user is not there any more"},
};

/* --- the snapshot --- */

struct learning {
    const struct service *service;
    const struct user_page *page;
    int64_t began_ms;
};

static struct err *learn_page(struct sql_conn *conn, struct ctx *ctx, void *data)
{
    const struct learning *learning = data;
    for (size_t i = 0; i < learning->page->count; i++) {
        const struct user *user = &learning->page->items[i];
        TRY(projection_learn(learning->service, conn, ctx, user));
        TRY(projection_touch(conn, ctx, user->id, learning->began_ms));
    }
    return NULL;
}

static struct err *learn_all(const struct service *service, struct ctx *ctx, int64_t began_ms)
{
    char cursor[UUID_TEXT] = "";
    do {
        _cleanup_(arena_deinit) struct arena arena = ARENA_INIT((size_t)4 << 20);
        struct user_page page = {0};
        struct learning learning = {service, &page, began_ms};
        TRY(directory_list(service->bus, ctx, cursor[0] ? cursor : NULL, &arena, &page));
        TRY(sql_transact(service->db, ctx, learn_page, &learning));
        str_copy(cursor, sizeof(cursor), page.next_cursor ? page.next_cursor : "");
    } while (cursor[0]);
    return NULL;
}

/* Who was in no page may have come meanwhile: the directory is asked about each one. */
static struct err *doubt(const struct service *service, struct ctx *ctx, const char *user_id,
                         int64_t began_ms)
{
    struct user user = {0};
    struct err *e = directory_get(service->bus, ctx, user_id, &user);
    if (err_is(e, &DIRECTORY_NO_USER)) {
        err_free(e);
        return projection_forget(service, ctx, user_id, began_ms);
    }
    TRY(e);
    struct user_page page = {.items = &user, .count = 1};
    struct learning learning = {service, &page, began_ms};
    return sql_transact(service->db, ctx, learn_page, &learning);
}

static struct err *snapshot(struct ctx *ctx, void *state)
{
    const struct service *service = state;
    int64_t began_ms = clock_now_ms();
    TRY(learn_all(service, ctx, began_ms));
    for (;;) {
        char user_id[UUID_TEXT];
        bool found = false;
        TRY(projection_find_older(service->db, ctx, began_ms, user_id, &found));
        if (!found)
            return NULL;
        TRY(doubt(service, ctx, user_id, began_ms));
    }
}

/* --- the consumer --- */

static struct inbox_options options_of(struct service *service, struct metrics *metrics)
{
    return (struct inbox_options){
        .db = service->db,
        .bus = service->bus,
        .service = "auth",
        .stream = "USERS",
        .types = types,
        .type_count = ARRAY_LEN(types),
        .snapshot = snapshot,
        .state = service,
        .metrics = metrics,
    };
}

struct err *consume_users(struct service *service, struct metrics *metrics,
                          struct inbox **out_inbox)
{
    struct inbox_options options = options_of(service, metrics);
    return inbox_start(&options, out_inbox);
}

/* --- replay --- */

struct replaying {
    bool is_list;
    int failed;
};

static void show_letter(const struct inbox_letter *letter, const struct err *e, void *data)
{
    struct replaying *replaying = data;
    char line[ERR_LINE];
    if (replaying->is_list) {
        printf("%s %s: %s: %s (%lld deliveries)\n", letter->id, letter->type, letter->error,
               letter->detail, (long long)letter->deliveries);
        return;
    }
    err_format(e, line, sizeof(line));
    printf("%s %s: %s\n", letter->id, letter->type, e ? line : "handled");
    replaying->failed += e != NULL;
}

struct err *replay_events(struct app_runtime *runtime, const char *const *args)
{
    struct service service = {
        .db = runtime->db,
        .bus = runtime->bus,
        .settings = runtime->own_settings,
    };
    const struct outbox_options outbox = {.db = service.db, .bus = service.bus, .source = "auth"};
    struct inbox_options options = options_of(&service, NULL);
    struct replaying replaying = {.is_list = args[0] != NULL};
    TRY(outbox_start(&outbox, &service.outbox));
    struct err *e =
        inbox_replay(&options, runtime->ctx, args[1], replaying.is_list, show_letter, &replaying);
    outbox_stop(service.outbox, AUTH_FLUSH_MS);
    TRY(e);
    return replaying.failed > 0 ? err_new(&ERR_INTERNAL, "%d events failed again", replaying.failed)
                                : NULL;
}
