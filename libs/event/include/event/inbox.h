/*
 * The inbox: events that take effect exactly once per consumer, however often they are delivered.
 *
 * A consumer is a durable one of JetStream, shared by the replicas of a service, one event at a
 * time, in the order of the stream. Each event is handled in a transaction that also keeps its id
 * in the table `inbox`; an id that stands there already is acknowledged without effect. Rows older
 * than keep_ms go (longer than the stream keeps events, so that nothing comes back after).
 *
 * An event that fails is delivered again with back-off, and those behind it wait. For a reason that
 * is retryable that goes on for ever. For another one it is set aside the max_failures-th time that
 * it fails so: deliveries that failed for a retryable reason do not count, and each replica counts
 * for itself, on each connection anew. What is no CloudEvent whose type is its subject and whose
 * data fit the row's model is set aside at once. Then it is a dead letter: in the stream DEAD (256
 * MiB, the oldest make room) on the subject dead.<service>.<type>, with the headers Plankton-Error
 * (slug), Plankton-Error-Detail, Plankton-Deliveries and Plankton-Consumer; inbox_replay() handles it
 * again. Until DEAD has taken it, it is not passed over. Events whose type has no row in the table
 * are acknowledged and forgotten. What has more than 256 KiB, or an id of more than 255 bytes, is no
 * event; of the former the letter has the beginning. A subject too long for the letter's becomes
 * dead.<service>.unnamed.
 *
 * The place reached stands in the table `inbox_places`, written with the effect. A consumer that has
 * none, or finds at a connection or at an event that there is something between its place and what
 * the stream has (made anew, its oldest or newest events gone, a database older than the
 * acknowledgements), calls snapshot() to learn the present state, and goes on with the events since
 * before the snapshot. So events may tell what the snapshot has told, and replayed ones come late: a
 * handler must be able to tell old news. Compare versions, and keep what was deleted, marked as such:
 * else old news of it makes it anew. A snapshot tells who is there; who was known and is not in it
 * is gone, and no event will say so. Without snapshot() a gap is logged, and the events that are
 * there are handled.
 *
 * Tables: <event/outbox.h>. Threads: one per inbox, on which handlers and snapshots run; inbox_start()
 * and inbox_stop() by the owner, the rest from any.
 */
#ifndef EVENT_INBOX_H
#define EVENT_INBOX_H

#include <bus/bus.h>
#include <sql/sql.h>

struct inbox;

/* One event in its transaction. All of it is borrowed until the handler returns, which may be
 * called again for the same event (SQL_SERIALIZATION, a crash): it writes through conn and has no
 * other effects. */
struct inbox_event {
    const char *id, *type, *about;
    int64_t time_ms;
    const void *data; /* as the row's model describes it; read by MODEL_READ_TRUSTED */
    struct sql_conn *conn;
    struct ctx *ctx;
    struct arena *arena;
    void *state;
};

struct inbox_type {
    const char *type; /* "users.v1.events.created" */
    const struct model *model;
    struct err *(*handle)(const struct inbox_event *event);
    const char *doc; /* for who reads the table; in no AsyncAPI document */
};

struct inbox_options {
    struct sql_db *db;
    struct bus *bus;
    const char *service; /* "auth": the durable's name is <service>-<stream in lower case> */
    const char *stream;  /* "USERS" */
    const char *filter;  /* NULL: all of the stream */
    const struct inbox_type *types; /* borrowed until inbox_stop() */
    size_t type_count;
    /* Learns the present state; runs outside of a transaction, on the consumer's thread, and may be
     * called again. NULL: events only. */
    struct err *(*snapshot)(struct ctx *ctx, void *state);
    void *state;
    int64_t keep_ms;         /* of ids; longer than the stream keeps events; 0: 8 days */
    int max_failures;        /* of one event, that are not retryable; 0: 10 */
    int64_t retry_min_ms;    /* before the second delivery; doubles each time; 0: 200 ms */
    int64_t retry_max_ms;    /* 0: 10 s: ten failures take three quarters of a minute */
    int64_t ack_wait_ms;     /* of a handler; what a dead replica had begun waits so long; 0: 5 s */
    struct metrics *metrics; /* inbox_events_total{outcome}, inbox_lag_seconds */
};

/* Never fails because database or bus are away. Copies the options, not what they point to. */
struct err *inbox_start(const struct inbox_options *options, struct inbox **out_inbox) MUST_CHECK;
/* NULL once there was a snapshot, in this life or a former one (without snapshots: once the stream
 * was there); else ERR_UPSTREAM_UNAVAILABLE, or why the database cannot be asked, which takes 1 s at
 * most. For readiness, if a service wants it. */
struct err *inbox_check(struct inbox *inbox) MUST_CHECK;
/* Waits until every event that the stream has now took effect, is a dead letter, or is known by a
 * snapshot, whichever inbox of the service does that, in this process or another. Asks the table;
 * ERR_UPSTREAM_TIMEOUT when the ctx ends. */
struct err *inbox_wait(const struct inbox_options *options, struct ctx *ctx) MUST_CHECK;
/* Cancels what runs, and waits for it. Before bus_close(). NULL is fine. */
void inbox_stop(struct inbox *inbox);
DEFINE_CLEANUP(struct inbox *, inbox_stop);

/* Goes through the service's dead letters: all, or those with this id, which is an event's or, as
 * for those that cannot be read, seq:N of the letter. No inbox of the service needs to be started,
 * and one that is may run meanwhile. on_letter (may be NULL) is told of each, whose strings live
 * until it returns; e NULL: it was done. The error is not that of a letter: the bus or the ctx, or
 * ERR_NOT_FOUND when there is none with the id. */
enum inbox_replay {
    INBOX_LIST,    /* nothing else */
    INBOX_HANDLE,  /* again; removed once it took effect */
    INBOX_DISCARD, /* removed without effect, which is logged; wants an id, else ERR_INTERNAL */
};
struct inbox_letter {
    uint64_t sequence; /* in the stream DEAD */
    int64_t time_ms;   /* when it was set aside; 0: not told */
    const char *id;    /* of the event; "": it cannot be read */
    const char *type, *error, *detail;
    int64_t deliveries;
};
struct err *inbox_replay(const struct inbox_options *options, struct ctx *ctx, const char *id,
                         enum inbox_replay what,
                         void (*on_letter)(const struct inbox_letter *letter, const struct err *e,
                                           void *data),
                         void *data) MUST_CHECK;
/* The subcommand itself, a row of <app/app.h>'s .commands (APP_DATABASE | APP_BUS):
 *     {"replay", INBOX_REPLAY_ARGUMENTS, "handle again what was set aside", ..., run_replay},
 * where run_replay() makes the inbox's options, with the state that its handlers want, and returns
 * this. Prints a line for each letter to standard output. ERR_INVALID_REQUEST: --discard without an
 * id, or with --list; ERR_INTERNAL: some failed again. */
#define INBOX_REPLAY_ARGUMENTS "[--list] [--discard] [ID]"
struct err *inbox_replay_command(const struct inbox_options *options, struct ctx *ctx,
                                 const char *const *args) MUST_CHECK;

#endif
