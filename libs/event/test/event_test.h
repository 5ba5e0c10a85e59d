/* What the tests of libs/event share: a server, a database with the tables, things that change. */
#ifndef EVENT_TEST_H
#define EVENT_TEST_H

#include <pthread.h>

#include <event/inbox.h>
#include <event/outbox.h>
#include <nats_server.h>
#include <test_database.h>

#define PATIENCE_MS 20000

extern struct nats_server server;
extern struct test_database database; /* of the present test */
extern struct bus *bus;

int start_server(void **state);
int stop_server(void **state);
/* A new database with the tables and the table `things`, a bus, the stream THINGS declared. */
int set_up(void **state);
int tear_down(void **state);

struct bus *open_bus(const char *url);
void await_connected(struct bus *a_bus);

/* --- what changes --- */

struct thing {
    char id[UUID_TEXT];
    int64_t version;
};
extern const struct model thing_model;
#define THING_CHANGED "things.v1.events.changed"

/* `things` gets the next version of the thing, and the outbox an event of it, in one transaction. */
struct err *change_thing(struct outbox *outbox, struct sql_db *db, const char *id) MUST_CHECK;
void change(struct outbox *outbox, const char *id);
struct outbox *start_outbox(struct sql_db *db, struct bus *a_bus);
void await_rows(const char *count_statement, int64_t count);

/* --- what the stream has --- */

struct told {
    char id[UUID_TEXT];
    char about[UUID_TEXT];
    int64_t version;
    char body[512];
};
/* All events of THINGS, in its order; their number. */
size_t read_stream(struct told *out_told, size_t max);
/* Of each thing the versions 1, 2, 3, ... without gap or repetition. */
void expect_in_order(const struct told *told, size_t count);
/* A request to the JetStream API, its subject below $JS.API. */
void call_jetstream(const char *subject, const char *body);

/* --- what came of it: `effects` has a row for each time that a handler had an effect --- */

struct err *note_effect(const struct inbox_event *event) MUST_CHECK;
/* Handles events by note_effect(). */
extern const struct inbox_type thing_types[1];
#define INBOX_OPTIONS(...)                                                                         \
    ((struct inbox_options){.db = database.db,                                                     \
                            .bus = bus,                                                            \
                            .service = "readers",                                                  \
                            .stream = "THINGS",                                                    \
                            .types = thing_types,                                                  \
                            .type_count = 1,                                                       \
                            .retry_min_ms = 20,                                                    \
                            .retry_max_ms = 40,                                                    \
                            .ack_wait_ms = 1000,                                                   \
                            ##__VA_ARGS__})
struct inbox *start_inbox(const struct inbox_options *options);
/* Until the consumer has come to this sequence. */
void await_place(int64_t sequence);

/* --- the log --- */

size_t log_length(void);
/* Waits for a line that is written after this length and has all of these (ended by NULL); the text
 * from that line on. Until the next call. */
const char *await_logged(size_t after, const char *const *parts);

/* --- processes that die --- */

/* This program again, with these arguments and CRASH_AT; fails the test unless SIGKILL ended it. */
void run_until_crash(const char *crash_at, const char *const *arguments);

#endif
