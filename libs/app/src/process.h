/* The process, as the subcommands and the parts of serve see it. */
#ifndef APP_PROCESS_H
#define APP_PROCESS_H

#include <pthread.h>
#include <stdatomic.h>

#include <app/idempotency.h>

#include "settings.h"

enum {
    APP_EXIT_FAILED = 1,
    APP_EXIT_WRONG = 2, /* a wrong command, or wrong settings */
};

/*
 *     STARTING --(the listener is open)--> SERVING --(signal)--> STOPPING
 *         `-------------(signal, failed start)----------------------^
 *
 * The admin listener's threads read the process: parts are there before it starts and go after it
 * has stopped; runtime.state is set before SERVING and used from then on.
 */
enum phase { PHASE_STARTING, PHASE_SERVING, PHASE_STOPPING };

struct process {
    const struct app *app;
    const char *argument; /* of the command line, behind the command; NULL: none */
    int64_t began_ms;     /* monotonic */
    struct settings settings;
    struct app_runtime runtime;
    struct ctx ctx; /* ends with the first signal */
    struct http_server *admin;
    struct http_server *server;   /* NULL: not yet, or the app listens itself */
    struct route_table tables[2]; /* what the server serves, and whom it asks */
    struct http_authenticator authenticator;
    struct app_idempotency idempotency; /* with a database */
    bool is_started;                    /* start() has made what stop() frees */
    _Atomic enum phase phase;
    pthread_mutex_t lock;  /* of what follows */
    atomic_bool was_ready; /* said so at least once */
    char waiting_for[512]; /* why it is still starting; "" when nothing is in the way */
};

/* --- serve.c: returns the exit status --- */
int app_serve(struct process *process);

/* --- parts.c: what a service is given --- */
/* Opens them all, and waits for none. */
struct err *app_open_parts(struct process *process) MUST_CHECK;
void app_close_parts(struct process *process);
struct err *app_open_database(struct process *process) MUST_CHECK;
struct err *app_open_bus(struct process *process) MUST_CHECK;
/* Once: ERR_UPSTREAM_UNAVAILABLE when the database is away. */
struct err *app_migrate_database(struct process *process) MUST_CHECK;
/* Waits until the database answers, and migrates it. ERR_CANCELLED when the ctx ends first. */
struct err *app_prepare_database(struct process *process) MUST_CHECK;

/* --- admin.c --- */
struct err *app_start_admin(struct process *process) MUST_CHECK;

/* --- readiness.c --- */
/* NULL: for nothing more. */
void app_set_waiting_for(struct process *process, const struct err *e);
/* NULL when the database answers within a second, or is only busy. parent may be NULL. */
struct err *app_ask_database(struct process *process, struct ctx *parent) MUST_CHECK;
/* {"ready":true,"reasons":{}}, or with the reasons why not. */
void app_write_readiness(struct process *process, struct buf *out, bool *out_ready);

/* --- signals.c --- */
/* The first SIGTERM or SIGINT from now on cancels the ctx, the second ends the process with status
 * 1. Called before any other thread is started: they all inherit that both are blocked. */
struct err *app_watch_signals(struct ctx *ctx, pthread_t *out_watcher) MUST_CHECK;
void app_unwatch_signals(pthread_t watcher);

#endif
