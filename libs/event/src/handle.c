/* The one transaction of an event. */
#include "inbox.h"

#include <base/clock.h>
#include <base/crash.h>

#define ARENA_MAX  ((size_t)8 * 1024 * 1024)
#define KEEP_MS    (8LL * 24 * 3600 * 1000)
#define PRUNE_ROWS 1000

struct handling {
    const struct inbox_consumer *consumer;
    const struct inbox_type *type;
    const struct event *event;
    const struct place *from; /* NULL: the place is not moved */
    uint64_t sequence;
    const void *data;
    enum inbox_outcome outcome;
};

static struct err *handle(const struct handling *handling, struct sql_conn *conn, struct ctx *ctx)
{
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(ARENA_MAX);
    const struct event *event = handling->event;
    const struct inbox_event given = {.id = event->id,
                                      .type = event->type,
                                      .about = event->about,
                                      .time_ms = event->time_ms,
                                      .data = handling->data,
                                      .conn = conn,
                                      .ctx = ctx,
                                      .arena = &arena,
                                      .state = handling->consumer->options->state};
    return handling->type->handle(&given);
}

static struct err *run(struct sql_conn *conn, struct ctx *ctx, void *data)
{
    struct handling *handling = data;
    const struct inbox_consumer *consumer = handling->consumer;
    int64_t is_new = 0;
    CRASH_POINT("inbox.begun");
    TRY(sql_exec(conn, ctx,
                 "INSERT INTO inbox (consumer, id, handled_at) VALUES ($1, $2, $3) "
                 "ON CONFLICT DO NOTHING",
                 &is_new, SQL_TEXT(consumer->name), SQL_TEXT(handling->event->id),
                 SQL_I64(clock_now_ms())));
    handling->outcome = is_new ? INBOX_HANDLED : INBOX_REPEATED;
    if (is_new)
        TRY(handle(handling, conn, ctx));
    if (handling->from)
        TRY(inbox_move_place(consumer, conn, ctx, handling->from, handling->sequence));
    CRASH_POINT("inbox.handled");
    return NULL;
}

static struct err *only_move(struct sql_conn *conn, struct ctx *ctx, void *data)
{
    const struct handling *handling = data;
    return inbox_move_place(handling->consumer, conn, ctx, handling->from, handling->sequence);
}

static const struct inbox_type *find_type(const struct inbox_options *options, const char *name)
{
    for (size_t i = 0; i < options->type_count; i++) {
        if (str_equal(options->types[i].type, name))
            return &options->types[i];
    }
    return NULL;
}

static struct err *read_data(const struct inbox_type *type, const struct event *event,
                             struct arena *arena, const void **out_data)
{
    void *data = arena_alloc(arena, type->model->size);
    if (!data)
        return err_oom();
    struct err *e = model_read_value(type->model, MODEL_READ_TRUSTED, event->data, arena, data);
    if (err_is(e, &ERR_INVALID_REQUEST))
        return err_wrap_as(e, &EVENT_MALFORMED, "the data of event %s are no %s", event->id,
                           type->model->name);
    TRY(e);
    *out_data = data;
    return NULL;
}

struct err *inbox_handle(const struct inbox_consumer *consumer, struct ctx *ctx,
                         const struct event *event, const struct place *from, uint64_t sequence,
                         enum inbox_outcome *out_outcome)
{
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(ARENA_MAX);
    const struct inbox_options *options = consumer->options;
    struct handling handling = {.consumer = consumer,
                                .type = find_type(options, event->type),
                                .event = event,
                                .from = from,
                                .sequence = sequence,
                                .outcome = INBOX_IGNORED};
    if (handling.type) {
        TRY(read_data(handling.type, event, &arena, &handling.data));
        TRY_WRAP(sql_transact(options->db, ctx, run, &handling), "handle event %s", event->id);
    } else if (from) {
        TRY(sql_transact(options->db, ctx, only_move, &handling));
    }
    CRASH_POINT("inbox.committed");
    *out_outcome = handling.outcome;
    return NULL;
}

struct err *inbox_prune(const struct inbox_consumer *consumer, struct ctx *ctx, bool *out_is_done)
{
    int64_t keep_ms = consumer->options->keep_ms ? consumer->options->keep_ms : KEEP_MS;
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(consumer->options->db, ctx, &conn));
    int64_t count = 0;
    TRY(sql_exec(conn, ctx,
                 "DELETE FROM inbox WHERE consumer = $1 AND id IN (SELECT id FROM inbox "
                 "WHERE consumer = $1 AND handled_at < $2 ORDER BY handled_at LIMIT $3)",
                 &count, SQL_TEXT(consumer->name), SQL_I64(clock_now_ms() - keep_ms),
                 SQL_I64(PRUNE_ROWS)));
    *out_is_done = count < PRUNE_ROWS;
    return NULL;
}
