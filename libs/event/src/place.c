/*
 * How far a consumer has come. The server keeps that as well, but not together with our database:
 * when either of them has lost something (a stream made anew, its oldest events gone, a database
 * restored from a backup), the two places tell.
 */
#include "inbox.h"

#include <base/crash.h>
#include <slog/slog.h>

struct place_row {
    char stream_created[40];
    int64_t last_sequence;
};
static const struct field place_fields[] = {
    FIELD(struct place_row, stream_created, STRING),
    FIELD(struct place_row, last_sequence, INT),
};
static const struct model place_model = MODEL(struct place_row, place_fields, "A consumer's place");

struct err *inbox_read_place(const struct inbox_consumer *consumer, struct ctx *ctx,
                             struct place *out_place)
{
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(consumer->options->db, ctx, &conn));
    struct place_row row;
    struct err *e = sql_fetch_one(conn, ctx, &place_model, &row, NULL,
                                  "SELECT stream_created, last_sequence FROM inbox_places "
                                  "WHERE consumer = $1",
                                  SQL_TEXT(consumer->name));
    struct place place = {0};
    if (err_is(e, &SQL_NO_ROWS)) {
        err_free(e);
    } else {
        TRY(e);
        str_copy(place.stream_created, sizeof(place.stream_created), row.stream_created);
        place.last_sequence = (uint64_t)row.last_sequence;
    }
    *out_place = place;
    return NULL;
}

struct err *inbox_move_place(const struct inbox_consumer *consumer, struct sql_conn *conn,
                             struct ctx *ctx, const struct place *from, uint64_t to)
{
    int64_t affected = 0;
    TRY(sql_exec(conn, ctx,
                 "UPDATE inbox_places SET last_sequence = $1 "
                 "WHERE consumer = $2 AND stream_created = $3 AND last_sequence = $4",
                 &affected, SQL_I64((int64_t)to), SQL_TEXT(consumer->name),
                 SQL_TEXT(from->stream_created), SQL_I64((int64_t)from->last_sequence)));
    return affected > 0 ? NULL
                        : err_new(&ERR_UPSTREAM_UNAVAILABLE,
                                  "the place of %s is not where it was: it is looked up again",
                                  consumer->name);
}

/* Whatever stood there. */
static struct err *write_place(const struct inbox_consumer *consumer, struct ctx *ctx,
                               const struct place *place)
{
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(consumer->options->db, ctx, &conn));
    return sql_exec(conn, ctx,
                    "INSERT INTO inbox_places (consumer, stream_created, last_sequence) "
                    "VALUES ($1, $2, $3) ON CONFLICT (consumer) DO UPDATE "
                    "SET stream_created = excluded.stream_created, "
                    "last_sequence = excluded.last_sequence",
                    NULL, SQL_TEXT(consumer->name), SQL_TEXT(place->stream_created),
                    SQL_I64((int64_t)place->last_sequence));
}

/* NULL: nothing is missing. A server that has filtered counts what it has passed over, too. */
static const char *what_is_missing(const struct inbox_consumer *consumer, const struct place *place,
                                   const struct bus_stream_info *stream, uint64_t acknowledged)
{
    if (!*place->stream_created)
        return "nothing is known yet";
    if (!str_equal(place->stream_created, stream->created))
        return "the stream was made anew";
    if (place->last_sequence > stream->last_sequence)
        return "the stream has lost its newest events";
    if (place->last_sequence + 1 < stream->first_sequence)
        return "the stream no longer has the next event";
    if (!consumer->options->filter && acknowledged > place->last_sequence)
        return "the database has lost events that were acknowledged";
    return NULL;
}

static struct err *take_snapshot(const struct inbox_consumer *consumer, struct ctx *ctx,
                                 const char *reason)
{
    slog_info("snapshot", SLOG_STR("consumer", consumer->name), SLOG_STR("reason", reason));
    TRY_WRAP(consumer->options->snapshot(ctx, consumer->options->state), "snapshot for %s",
             consumer->name);
    CRASH_POINT("inbox.snapshot");
    return NULL;
}

struct err *inbox_catch_up(const struct inbox_consumer *consumer, struct ctx *ctx,
                           const struct bus_stream_info *stream, uint64_t acknowledged,
                           struct place *place)
{
    const char *reason = what_is_missing(consumer, place, stream, acknowledged);
    if (!reason)
        return NULL;
    struct place next = {0};
    str_copy(next.stream_created, sizeof(next.stream_created), stream->created);
    if (consumer->options->snapshot) {
        next.last_sequence = stream->last_sequence; /* as of before the snapshot */
        TRY(take_snapshot(consumer, ctx, reason));
    } else {
        next.last_sequence = MAX(stream->first_sequence - 1, acknowledged);
        if (*place->stream_created)
            slog_warn("events are lost", SLOG_STR("consumer", consumer->name),
                      SLOG_STR("reason", reason));
    }
    TRY(write_place(consumer, ctx, &next));
    *place = next;
    return NULL;
}
