/* The settings of users alone; the shared ones are in <app/app.h>. */
#ifndef USERS_SETTINGS_H
#define USERS_SETTINGS_H

#include <cfg/cfg.h>

struct users_settings {
    int64_t pending_ttl_s;
};

extern const struct cfg_table users_settings_table;

#endif
