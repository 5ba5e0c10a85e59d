/*
 * The directory of users on NATS, in memory and with faults to order: what services/users answers
 * to users.v1.* and tells in its events, which may not be linked here.
 */
#ifndef AUTH_FAKE_DIRECTORY_H
#define AUTH_FAKE_DIRECTORY_H

#include <pthread.h>

#include "service_test.h"

#include "directory.h"

#define FAKE_USERS_MAX 256

struct fake_user {
    struct user user;
    bool is_pending;
};

/* The next calls of a method (by its last word: "create") fail, before or after they took effect.
 */
struct fault {
    const char *method; /* NULL: no fault */
    const struct err_kind *kind;
    int times;
    bool after;
};

struct fake_directory {
    struct bus *bus;
    bool is_silent;       /* nothing is told of what changes */
    bool is_old;          /* of the release before: knows no ids of the caller's */
    pthread_mutex_t lock; /* of what follows */
    struct fake_user users[FAKE_USERS_MAX];
    size_t count;
    struct fault fault;
    const char *fault_id; /* of the call that fails; NULL: any */
    /* Runs once, without the lock, when this method has taken effect and before it is answered. */
    const char *pause_at;
    void (*pause)(void *data);
    void *pause_data;
};

/* Answers from then on; waits until a request through `asker` gets there. */
void fake_directory_start(struct fake_directory *directory, const char *nats_url,
                          struct bus *asker);
/* Its users stay. Requests are answered by nobody afterwards. */
void fake_directory_stop(struct fake_directory *directory);
void fake_directory_clear(struct fake_directory *directory);
/* The next fault, in place of one that is left. */
void fake_directory_order(struct fake_directory *directory, struct fault fault);
/* The same, of calls about this user alone. */
void fake_directory_order_for(struct fake_directory *directory, const char *id, struct fault fault);
/* From now on nothing is told of what changes. */
void fake_directory_silence(struct fake_directory *directory);
/* Runs pause(data) once, before the method is answered. */
void fake_directory_pause(struct fake_directory *directory, const char *method,
                          void (*pause)(void *data), void *data);

/* A user of that status, made there without auth. */
struct user fake_directory_add(struct fake_directory *directory, const char *email, int role,
                               int status);
/* Changes the user with this id; its version goes up. */
void fake_directory_change(struct fake_directory *directory, const char *id, const char *email,
                           int role, int status);
/* An event of this type ("updated") with these data. */
void fake_directory_tell(struct fake_directory *directory, const char *type, const char *about,
                         const char *data);
void fake_directory_remove(struct fake_directory *directory, const char *id);
/* Active and suspended users with this address. */
size_t fake_directory_count(struct fake_directory *directory, const char *email);

#endif
