/*
 * The composition root of the auth service: what main() runs and tests start.
 */
#ifndef AUTH_SERVICE_H
#define AUTH_SERVICE_H

#include <app/app.h>
#include <conc/group.h>
#include <event/inbox.h>
#include <event/outbox.h>

#include "keys.h"
#include "passwords.h"
#include "settings.h"

/* How long a process that ends goes on to publish. What is left is published by the next one. */
#define AUTH_FLUSH_MS 1000

struct service {
    struct sql_db *db;
    struct bus *bus;
    struct outbox *outbox;
    struct inbox *inbox; /* consume.c */
    const struct auth_settings *settings;
    const char *issuer, *audience;
    struct passwords *passwords;
    struct keys keys;
    struct key_ring refresh_keys; /* the server's half of refresh tokens' keys */
    struct ctx ctx;               /* of the background; ends with the service */
    struct group *background;     /* bootstrap.c, chores.c */
    atomic_bool is_bootstrapped;
    atomic_int_least64_t directory_rests_until_ms; /* accounts.c; monotonic */
};

extern const struct app auth_app;

#endif
