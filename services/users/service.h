/*
 * The composition root of the users service: what main() runs and tests start.
 */
#ifndef USERS_SERVICE_H
#define USERS_SERVICE_H

#include <app/app.h>
#include <conc/group.h>
#include <event/outbox.h>

#include "settings.h"

struct service {
    struct sql_db *db;
    struct outbox *outbox;
    const struct users_settings *settings;
    struct ctx ctx;           /* of the background; ends with the service */
    struct group *background; /* pending.c */
};

extern const struct app users_app;

#endif
