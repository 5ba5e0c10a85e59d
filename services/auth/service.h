/*
 * The composition root of the auth service: what main() runs and tests start.
 */
#ifndef AUTH_SERVICE_H
#define AUTH_SERVICE_H

#include <app/app.h>
#include <conc/group.h>

#include "keys.h"
#include "passwords.h"
#include "settings.h"

struct service {
    struct sql_db *db;
    struct bus *bus;
    const struct auth_settings *settings;
    const char *issuer, *audience;
    struct passwords *passwords;
    struct keys keys;
    unsigned char refresh_key[AUTH_KEY_BYTES]; /* the server's half of refresh tokens' keys */
    struct ctx ctx;                            /* of the background; ends with the service */
    struct group *background;                  /* bootstrap.c, pending.c */
    atomic_bool is_bootstrapped;
    atomic_int_least64_t directory_rests_until_ms; /* accounts.c; monotonic */
};

extern const struct app auth_app;

#endif
