/*
 * The line: the oldest rows are read, published in their order, and deleted. Several are under way at
 * the same time if they are about different things.
 *
 * In PostgreSQL one replica at a time does that, the one that has locked the row of outbox_line; the
 * transaction is READ COMMITTED, since a serializable one that reads the table would make writers
 * fail. SQLite has one writer at a time, who must not wait for the network: there the rows are read
 * and deleted without a lock in between, and two processes on one file may publish an event twice,
 * with the same Nats-Msg-Id.
 *
 * In PostgreSQL the order of seq is not that of the commits: a row may come into sight after a
 * later one was published. Two events of the same thing are not concerned, as the second
 * transaction waited for the row lock of the first; and exactly the rows that were published are
 * deleted.
 */
#include "outbox.h"

#include <inttypes.h>
#include <string.h>

#include <base/clock.h>
#include <base/crash.h>
#include <base/str.h>
#include <slog/slog.h>

#define COUNT_EVERY_MS  1000
#define STATEMENT_MS    5000
#define BATCH_MS        30000
#define PUBLISH_MS      5000
#define BATCH_ROWS      128
#define BATCH_BYTES     ((size_t)1024 * 1024) /* reached by the last row */
#define BATCH_ARENA_MAX ((size_t)32 * 1024 * 1024)
#define BATCH_ROWS_TEXT "128"

void outbox_show_pending(struct outbox *outbox)
{
    if (outbox->pending_gauge)
        metric_set(outbox->pending_gauge, atomic_load(&outbox->pending));
}

/* --- counting --- */

static struct err *count_rows(struct outbox *outbox, struct ctx *ctx)
{
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(outbox->db, ctx, &conn));
    int64_t oldest_ms = 0;
    struct err *e =
        sql_fetch_i64(conn, ctx, &oldest_ms, "SELECT created_at FROM outbox ORDER BY seq LIMIT 1");
    int64_t count = 0;
    if (err_is(e, &SQL_NO_ROWS))
        err_free(TAKE(e));
    else if (!e) /* with an end, in case nobody publishes for long */
        e = sql_fetch_i64(conn, ctx, &count,
                          "SELECT count(*) FROM (SELECT seq FROM outbox LIMIT $1) AS waiting",
                          SQL_I64(outbox->max_pending));
    TRY(e);
    atomic_store(&outbox->pending, count);
    outbox_show_pending(outbox);
    int64_t age_ms = count > 0 ? clock_now_ms() - oldest_ms : 0;
    if (outbox->oldest_seconds)
        metric_set(outbox->oldest_seconds, MAX(age_ms, 0) / 1000);
    return NULL;
}

static struct err *count_now_and_then(struct outbox *outbox)
{
    int64_t now_ms = clock_mono_ms();
    if (outbox->counted_ms != INT64_MIN && now_ms - outbox->counted_ms < COUNT_EVERY_MS)
        return NULL;
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, &outbox->ctx, STATEMENT_MS);
    TRY(count_rows(outbox, &ctx));
    outbox->counted_ms = now_ms;
    return NULL;
}

/* --- a batch --- */

struct row {
    int64_t seq;
    char id[UUID_TEXT];
    const char *type, *about, *body;
};

static const struct field row_fields[] = {
    FIELD(struct row, seq, INT),     FIELD(struct row, id, UUID),
    FIELD(struct row, type, STRING), FIELD(struct row, about, STRING),
    FIELD(struct row, body, STRING),
};
static const struct model row_model = MODEL(struct row, row_fields, "A row of the outbox");

struct batch {
    struct outbox *outbox;
    struct ctx *ctx;
    struct arena arena;
    struct row rows[BATCH_ROWS];
    bool is_published[BATCH_ROWS];
    size_t count;
    size_t published; /* how many of them */
};

static struct err *read_rows(struct batch *batch, struct sql_conn *conn)
{
    _cleanup_(sql_rows_close) struct sql_rows *rows = NULL;
    TRY(sql_query(
        conn, batch->ctx, &rows,
        "SELECT seq, id, type, about, body FROM outbox ORDER BY seq LIMIT " BATCH_ROWS_TEXT));
    bool has_row = true;
    while (batch->count < BATCH_ROWS && batch->arena.used < BATCH_BYTES) {
        TRY(sql_rows_next(rows, &has_row));
        if (!has_row)
            break;
        TRY(sql_rows_scan(rows, &row_model, &batch->arena, &batch->rows[batch->count]));
        batch->count++;
    }
    return NULL;
}

static void note_held(struct outbox *outbox, const struct row *row)
{
    struct outbox_held *held = &outbox->held;
    held->is_cause = true;
    if (str_equal(held->id, row->id))
        return;
    str_copy(held->id, sizeof(held->id), row->id);
    str_copy_n(held->type, sizeof(held->type), row->type, MIN(strlen(row->type), EVENT_TYPE_MAX));
    held->since_ms = clock_mono_ms();
    outbox->tell_at_ms = INT64_MIN;
}

/* The end of the rows from this one on that are about different things, so that any of them may
 * fail, or be stored before another. An event of a thing is sent only when all before it of this
 * thing were acknowledged: that, and that a batch ends with the first failure, keeps their order. */
static size_t end_of_window(const struct batch *batch, size_t first)
{
    size_t end = first;
    for (; end < batch->count && end - first < BUS_TOGETHER_MAX; end++) {
        for (size_t i = first; i < end; i++) {
            if (str_equal(batch->rows[i].about, batch->rows[end].about))
                return end;
        }
    }
    return end;
}

static struct err *publish_window(struct batch *batch, size_t first, size_t end)
{
    struct bus_message messages[BUS_TOGETHER_MAX];
    for (size_t i = first; i < end; i++) {
        const struct row *row = &batch->rows[i];
        messages[i - first] = (struct bus_message){
            .subject = row->type, .msg_id = row->id, .bytes = row->body, .len = strlen(row->body)};
    }
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, batch->ctx, PUBLISH_MS);
    struct err *e = bus_publish_together(batch->outbox->bus, &ctx, messages, end - first,
                                         &batch->is_published[first]);
    const struct row *failed = NULL;
    for (size_t i = first; i < end; i++) {
        batch->published += batch->is_published[i];
        if (!failed && !batch->is_published[i])
            failed = &batch->rows[i];
    }
    if (!failed)
        return e;
    note_held(batch->outbox, failed);
    return err_wrap(e, "publish event %s", failed->id);
}

static struct err *publish_rows(struct batch *batch)
{
    for (size_t first = 0, end; first < batch->count; first = end) {
        end = end_of_window(batch, first);
        TRY(publish_window(batch, first, end));
    }
    return NULL;
}

/* Those that were published, as one parameter. */
static struct err *delete_rows(struct batch *batch, struct sql_conn *conn, struct ctx *ctx)
{
    bool is_postgres = sql_conn_dialect(conn) == SQL_POSTGRES;
    _cleanup_(buf_deinit) struct buf list = BUF_INIT(BATCH_ROWS * 24);
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->is_published[i])
            buf_printf(&list, "%s%" PRId64,
                       list.len > 0  ? ","
                       : is_postgres ? "{"
                                     : "[",
                       batch->rows[i].seq);
    }
    buf_append_char(&list, is_postgres ? '}' : ']');
    if (buf_status(&list) != BUF_OK)
        return err_oom();
    return sql_exec(conn, ctx,
                    is_postgres
                        ? "DELETE FROM outbox WHERE seq = ANY (CAST($1 AS BIGINT[]))"
                        : "DELETE FROM outbox WHERE seq IN (SELECT value FROM json_each($1))",
                    NULL, SQL_TEXTN(list.data, list.len));
}

static struct err *note_published(struct batch *batch)
{
    struct outbox *outbox = batch->outbox;
    int64_t count = (int64_t)batch->published;
    atomic_fetch_sub(&outbox->pending, MIN(count, atomic_load(&outbox->pending)));
    outbox_show_pending(outbox);
    if (outbox->published)
        metric_add(outbox->published, count);
    CRASH_POINT("outbox.deleted");
    return NULL;
}

/* The first error; the other one is freed. */
static struct err *first_of(struct err *first, struct err *second)
{
    if (!first)
        return second;
    err_free(second);
    return first;
}

/* What was published is to be forgotten, even if the time of the batch is over. */
static struct err *finish_rows(struct batch *batch, struct sql_conn *conn, bool is_in_transaction)
{
    if (batch->published == 0)
        return NULL;
    CRASH_POINT("outbox.published");
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, NULL, STATEMENT_MS);
    TRY(delete_rows(batch, conn, &ctx));
    if (is_in_transaction)
        TRY(sql_commit(conn, &ctx));
    return note_published(batch);
}

/* The transaction waits for the network, within BATCH_MS: what a DBA has set against transactions
 * that were forgotten would end it every time, and nothing would ever be published. In the same
 * round trip as the lock, for this transaction alone. */
static const char take_line[] =
    "SELECT id FROM outbox_line WHERE id = 1"
    " AND set_config('idle_in_transaction_session_timeout', '0', true) IS NOT NULL"
    " AND CASE WHEN CAST(current_setting('server_version_num') AS INTEGER) >= 170000"
    " THEN set_config('transaction_timeout', '0', true) IS NOT NULL ELSE true END"
    " FOR UPDATE SKIP LOCKED";

static struct err *publish_in_line(struct batch *batch, bool *out_has_line)
{
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(batch->outbox->db, batch->ctx, &conn));
    TRY(sql_begin_read_committed(conn, batch->ctx));
    int64_t line = 0;
    struct err *e = sql_fetch_i64(conn, batch->ctx, &line, take_line);
    if (err_is(e, &SQL_NO_ROWS)) {
        err_free(e);
        *out_has_line = false;
        return NULL;
    }
    TRY(e);
    TRY(read_rows(batch, conn));
    e = publish_rows(batch);
    return first_of(e, finish_rows(batch, conn, true));
}

static struct err *publish_without_lock(struct batch *batch)
{
    struct sql_db *db = batch->outbox->db;
    struct sql_conn *reader = NULL;
    TRY(sql_acquire(db, batch->ctx, &reader));
    struct err *e = read_rows(batch, reader);
    sql_release(reader);
    TRY(e);
    e = publish_rows(batch);
    if (batch->published == 0)
        return e;
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    e = first_of(e, sql_acquire(db, NULL, &conn));
    return conn ? first_of(e, finish_rows(batch, conn, false)) : e;
}

static struct err *publish_batch(struct outbox *outbox, enum outbox_progress *out_progress)
{
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, &outbox->ctx, BATCH_MS);
    _cleanup_(free) struct batch *batch = calloc(1, sizeof(*batch));
    if (!batch)
        return err_oom();
    batch->outbox = outbox;
    batch->ctx = &ctx;
    batch->arena = ARENA_INIT(BATCH_ARENA_MAX);
    bool has_line = true;
    struct err *e = sql_dialect(outbox->db) == SQL_POSTGRES ? publish_in_line(batch, &has_line)
                                                            : publish_without_lock(batch);
    if (!has_line)
        *out_progress = OUTBOX_STUCK;
    else
        *out_progress = batch->count > 0 ? OUTBOX_MORE : OUTBOX_EMPTY;
    arena_deinit(&batch->arena);
    return e;
}

/* --- an attempt --- */

/* An event that holds up the line for long wants a person: it may never be taken. */
static void tell(struct outbox *outbox, const struct err *e)
{
    int64_t now_ms = clock_mono_ms();
    const struct outbox_held *held = &outbox->held;
    int64_t held_ms = held->is_cause ? now_ms - held->since_ms : 0;
    enum slog_level level = held_ms < outbox->tell_every_ms ? SLOG_WARN : SLOG_ERROR;
    if (now_ms < outbox->tell_at_ms || ctx_is_done(&outbox->ctx) || !slog_enabled(level))
        return;
    outbox->tell_at_ms = now_ms + outbox->tell_every_ms;
    const struct slog_pair pairs[] = {
        held->is_cause ? SLOG_STR("event_id", held->id) : (struct slog_pair){0},
        held->is_cause ? SLOG_STR("event_type", held->type) : (struct slog_pair){0},
        held->is_cause ? SLOG_I64("held_s", held_ms / 1000) : (struct slog_pair){0},
        SLOG_I64("pending", atomic_load(&outbox->pending)),
        SLOG_ERR(e),
    };
    slog_write(level, "events wait to be published", pairs, ARRAY_LEN(pairs));
}

/* Takes e. */
static enum outbox_progress fail(struct outbox *outbox, struct err *e)
{
    if (outbox->failures)
        metric_add(outbox->failures, 1);
    tell(outbox, e);
    outbox->is_failing = true;
    err_free(e);
    return OUTBOX_STUCK;
}

/* Something was published, or nothing is left: another replica was here, or a person. */
static void succeed(struct outbox *outbox)
{
    if (outbox->is_failing)
        slog_info("events are published again");
    outbox->is_failing = false;
    outbox->tell_at_ms = INT64_MIN;
    outbox->held = (struct outbox_held){0};
}

enum outbox_progress outbox_publish(struct outbox *outbox, bool is_signalled)
{
    outbox->held.is_cause = false;
    struct err *e = count_now_and_then(outbox);
    if (e)
        return fail(outbox, e);
    if (!is_signalled && atomic_load(&outbox->pending) == 0)
        return OUTBOX_EMPTY;
    if (!bus_is_connected(outbox->bus))
        return OUTBOX_STUCK;
    enum outbox_progress progress = OUTBOX_EMPTY;
    e = publish_batch(outbox, &progress);
    if (e)
        return fail(outbox, e);
    if (progress != OUTBOX_STUCK)
        succeed(outbox);
    return progress;
}
