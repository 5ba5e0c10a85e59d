#include "consume.h"

#include <inttypes.h>
#include <stdio.h>

#include <base/clock.h>

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

struct replaying {
    enum inbox_replay what;
    int failed;
};

/* Whoever wrote the event has not to do with the terminal of who looks at it. */
static void show_text(const char *text)
{
    for (const char *c = *text ? text : "-"; *c; c++)
        putchar((unsigned char)*c < ' ' || *c == 0x7f ? '?' : *c);
    putchar(' ');
}

static void show_letter(const struct inbox_letter *letter, const struct err *e, void *data)
{
    struct replaying *replaying = data;
    char time[CLOCK_TEXT];
    char line[ERR_LINE];
    clock_format(letter->time_ms, time);
    err_format(e, line, sizeof(line));
    printf("%s seq:%" PRIu64 " ", time, letter->sequence);
    show_text(letter->id);
    show_text(letter->type);
    if (replaying->what == INBOX_LIST) {
        show_text(letter->error);
        show_text(letter->detail);
        printf("(%" PRId64 " deliveries)\n", letter->deliveries);
        return;
    }
    puts(e ? line : replaying->what == INBOX_DISCARD ? "discarded" : "handled");
    replaying->failed += e != NULL;
}

static struct err *read_what(const char *const *args, enum inbox_replay *out_what)
{
    bool is_list = args[0] != NULL;
    bool is_discard = args[1] != NULL;
    if (is_discard && (is_list || !args[2]))
        return err_new(&ERR_INVALID_REQUEST, "replay --discard takes the one to be discarded: its "
                                             "id, or seq:N as --list shows it");
    *out_what = is_list ? INBOX_LIST : is_discard ? INBOX_DISCARD : INBOX_HANDLE;
    return NULL;
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
    struct replaying replaying = {0};
    TRY(read_what(args, &replaying.what));
    TRY(outbox_start(&outbox, &service.outbox));
    struct err *e =
        inbox_replay(&options, runtime->ctx, args[2], replaying.what, show_letter, &replaying);
    outbox_stop(service.outbox, AUTH_FLUSH_MS);
    TRY(e);
    if (replaying.failed == 0)
        return NULL;
    return err_new(&ERR_INTERNAL, "%d events %s", replaying.failed,
                   replaying.what == INBOX_DISCARD ? "are still there" : "failed again");
}
