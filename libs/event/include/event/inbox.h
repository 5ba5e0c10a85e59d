/*
 * The inbox: events that take effect exactly once per consumer, however often they are delivered.
 *
 * A consumer is a durable one of JetStream, shared by the replicas of a service, one event at a
 * time, in the order of the stream. Each event is handled in a transaction that also keeps its id
 * in the table `inbox`; an id that stands there already is acknowledged without effect. Rows older
 * than keep_ms go (longer than the stream keeps events, so that nothing comes back after).
 *
 * An event that fails is delivered again with back-off; one that fails max_deliver times for a
 * reason that is not retryable (or is no CloudEvent of a known type and shape) goes to the dead
 * letters: stream DEAD, subject dead.<service>.<type>, with the headers Plankton-Error (slug),
 * Plankton-Error-Detail, Plankton-Deliveries, Plankton-Consumer; `SERVICE replay` handles them again.
 * Events whose type has no row in the table are acknowledged and forgotten.
 *
 * A consumer that begins with nothing, or finds that the stream has lost events that it has not
 * seen (made anew, or its oldest are gone), first calls snapshot() to learn the present state, and
 * goes on with the events from the moment before the snapshot: so a handler must be able to tell old
 * news (versions). The place reached stands in the table `inbox_places`.
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
    const void *data; /* as the row's model describes it */
    struct sql_conn *conn;
    struct ctx *ctx;
    struct arena *arena;
    void *state;
};

struct inbox_type {
    const char *type; /* "users.v1.events.created" */
    const struct model *model;
    struct err *(*handle)(const struct inbox_event *event);
    const char *doc; /* for the AsyncAPI document */
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
    int64_t keep_ms;      /* 0: 8 days */
    int max_deliver;      /* 0: 10 */
    int64_t retry_min_ms; /* before the second delivery; doubles each time; 0: 200 ms */
    int64_t ack_wait_ms;  /* the ctx of a handler; what a dead replica had waits so long; 0: 5 s */
    int64_t retry_max_ms; /* 0: 10 s: ten deliveries take three quarters of a minute */
    struct metrics *metrics; /* inbox_events_total{outcome}, inbox_lag_seconds */
};

struct err *inbox_start(const struct inbox_options *options, struct inbox **out_inbox) MUST_CHECK;
/* After the first snapshot (or at once, without one) everything is known that was told before the
 * start: NULL, else ERR_UPSTREAM_UNAVAILABLE with the reason (readiness, if a service wants it). */
struct err *inbox_check(struct inbox *inbox) MUST_CHECK;
void inbox_stop(struct inbox *inbox);
DEFINE_CLEANUP(struct inbox *, inbox_stop);

/* Handles the service's dead letters again (all, or the one with this event id), each removed from
 * the stream once it took effect. What the subcommand `replay` runs: no inbox of the service needs
 * to be started. on_letter (may be NULL) is told of each: e NULL: handled. */
struct inbox_letter {
    const char *id, *type, *error, *detail;
    int64_t deliveries;
};
struct err *inbox_replay(const struct inbox_options *options, struct ctx *ctx, const char *id,
                         bool is_list_only,
                         void (*on_letter)(const struct inbox_letter *letter, const struct err *e,
                                           void *data),
                         void *data) MUST_CHECK;

#endif
