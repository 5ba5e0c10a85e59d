/* What the tests of libs/bus share: a server, models, and waiting for what happens elsewhere. */
#ifndef BUS_TEST_H
#define BUS_TEST_H

#include <pthread.h>

#include <bus/bus.h>
#include <check.h>
#include <nats_server.h>

extern struct nats_server server;
int start_server(void **state);
int stop_server(void **state);

/* Opens a bus to the server; waits until it is connected when that is to be. */
struct bus *open_bus(const char *name);
struct bus *open_bus_with(const struct bus_options *options);
void await_connected(struct bus *bus);
void await_lost(struct bus *bus);
/* e has the kind; freed. */
void expect_error(struct err *e, const struct err_kind *kind);
void expect_ok(struct err *e);

/* Counts events of other threads. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int count;
};
#define GATE_INIT                                                                                  \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER                     \
    }
void gate_add(struct gate *gate);
int gate_count(struct gate *gate);
/* Waits until it has counted at least so far; fails the test after 20 s. */
void gate_await(struct gate *gate, int count);

struct note {
    char text[64];
    int64_t number;
};
extern const struct model note_model;

#endif
