#include "consume.h"

#include "directory.h"
#include "projection.h"
#include "snapshot.h"

/* --- events --- */

static struct err *on_user(const struct inbox_event *event)
{
    return projection_learn(event->state, event->conn, event->ctx, event->data, NULL);
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

static struct err *snapshot(struct ctx *ctx, void *state)
{
    return snapshot_take(state, ctx, NULL);
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

struct err *consume_wait(struct service *service, struct ctx *ctx)
{
    struct inbox_options options = options_of(service, NULL);
    return inbox_wait(&options, ctx);
}

/* --- replay --- */

struct err *replay_events(struct app_runtime *runtime, const char *const *args)
{
    struct service service = {
        .db = runtime->db,
        .bus = runtime->bus,
        .settings = runtime->own_settings,
    };
    const struct outbox_options outbox = {.db = service.db, .bus = service.bus, .source = "auth"};
    struct inbox_options options = options_of(&service, NULL);
    TRY(outbox_start(&outbox, &service.outbox));
    struct err *e = inbox_replay_command(&options, runtime->ctx, args);
    outbox_stop(service.outbox, AUTH_FLUSH_MS);
    return e;
}
