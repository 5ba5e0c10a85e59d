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
struct outbox *start_outbox(struct sql_db *db, struct bus *a_bus, const char *source);
void await_rows(const char *count_statement, int64_t count);

/* --- what came of it: `effects` has a row for each time that a handler had an effect --- */

struct err *note_effect(const struct inbox_event *event) MUST_CHECK;

#endif
