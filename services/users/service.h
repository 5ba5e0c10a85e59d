/*
 * The composition root of the users service: what main() runs and tests start.
 */
#ifndef USERS_SERVICE_H
#define USERS_SERVICE_H

#include <app/app.h>

struct service {
    struct sql_db *db;
};

extern const struct app users_app;

#endif
