/*
 * The transactional outbox: events that are told of if and only if the change they tell of was
 * committed (Garcia-Molina's sagas, the "transactional outbox" pattern).
 *
 *     TRY(sql_exec(conn, ctx, "UPDATE users SET ...", ...));             in one
 *     TRY(outbox_add(outbox, conn, ctx, &(struct outbox_event){          transaction
 *         .type = "users.v1.events.updated", .about = user->id,
 *         .model = &user_event_model, .data = user}));
 *
 * The event is a row of the table `outbox` (EVENT_TABLES below) until JetStream has acknowledged
 * it. A thread publishes the rows after their commit, all events of a service in one line (ADR 9):
 * those about one thing in the order of its changes, if each change writes a row of that thing. It
 * wakes at the commit (sql_on_commit()), and looks every second for rows of replicas that died. What
 * the stream refuses holds up the rest until it takes it (a few about other things may pass); the
 * log names it, at once and then every minute (docs/runbook.md: how to get the line moving).
 *
 * Replicas share the line: one at a time publishes (in PostgreSQL who gets the row of outbox_line
 * FOR UPDATE SKIP LOCKED), and any takes over when it is gone. What was published and not yet
 * deleted at a crash is published again with the same Nats-Msg-Id, which the stream drops within its
 * duplicate window and the inbox (<event/inbox.h>) for ever.
 *
 * On the wire: CloudEvents 1.0, JSON format, one event per message; the NATS subject is the type.
 *
 *     {"specversion":"1.0","id":"<UUIDv7>","source":"users","type":"users.v1.events.updated",
 *      "subject":"<about>","time":"2026-11-24T01:02:03.004Z",
 *      "datacontenttype":"application/json","data":{...}}
 *
 * with "traceparent" (the extension "Distributed Tracing") where the change has a trace. At most
 * 256 KiB.
 *
 * EVENT_TABLES. Each service has these tables, made by a migration of its own, for outbox and inbox;
 * libs/event/test/migrations/0001_events.{sqlite,postgres}.sql are the files to copy. Of SQLite:
 *
 *     CREATE TABLE outbox (
 *         seq        INTEGER PRIMARY KEY AUTOINCREMENT,
 *         id         TEXT   NOT NULL UNIQUE,
 *         type       TEXT   NOT NULL,
 *         about      TEXT   NOT NULL,
 *         body       TEXT   NOT NULL,
 *         created_at BIGINT NOT NULL
 *     );
 *     CREATE TABLE outbox_line (id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1));
 *     INSERT INTO outbox_line (id) VALUES (1);
 *     CREATE TABLE inbox (
 *         consumer   TEXT   NOT NULL,
 *         id         TEXT   NOT NULL,
 *         handled_at BIGINT NOT NULL,
 *         PRIMARY KEY (consumer, id)
 *     );
 *     CREATE INDEX inbox_by_time ON inbox (consumer, handled_at);
 *     CREATE TABLE inbox_places (
 *         consumer       TEXT   NOT NULL PRIMARY KEY,
 *         stream_created TEXT   NOT NULL,
 *         last_sequence  BIGINT NOT NULL
 *     );
 *
 * In PostgreSQL seq is BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, and every TEXT but body has
 * COLLATE "C".
 */
#ifndef EVENT_OUTBOX_H
#define EVENT_OUTBOX_H

#include <bus/bus.h>
#include <sql/sql.h>

struct outbox;

struct outbox_options {
    struct sql_db *db;
    struct bus *bus;
    const char *source;      /* CloudEvents "source": the service's name */
    int64_t max_pending;     /* rows; 0: 100000. Beyond: outbox_add() is ERR_OVERLOADED */
    struct metrics *metrics; /* outbox_pending, outbox_oldest_seconds, outbox_published_total,
                                outbox_failures_total; NULL: none */
    int64_t tell_every_ms; /* when the line is held up: between two lines in the log; 0: a minute */
};

/* Begins to publish what stands there. Never fails because database or bus are away. The stream is
 * the caller's to declare. */
struct err *outbox_start(const struct outbox_options *options, struct outbox **out_outbox)
    MUST_CHECK;
/* Publishes for flush_ms more if there is something and that is possible, then ends. After the last
 * commit of a transaction with an outbox_add(), before bus_close(). NULL is fine. */
void outbox_stop(struct outbox *outbox, int64_t flush_ms);

struct outbox_event {
    const char *type;  /* and NATS subject */
    const char *about; /* CloudEvents "subject": id of the thing that changed */
    const struct model *model;
    const void *data;
};
/* In the open transaction of conn, else SQL_FAILED. ERR_OVERLOADED when too many wait (of all
 * replicas, counted once a second and about right in between); ERR_INTERNAL for what no server
 * would ever take: more than 256 KiB, or a type that is no subject (words of printable ASCII with
 * dots between, 200 bytes, no wildcards). Any thread. */
struct err *outbox_add(struct outbox *outbox, struct sql_conn *conn, struct ctx *ctx,
                       const struct outbox_event *event) MUST_CHECK;

#endif
