/* The gateway's own settings; those of every service are in <app/app.h>. */
#ifndef GATEWAY_SETTINGS_H
#define GATEWAY_SETTINGS_H

#include <cfg/cfg.h>

#include "address.h"

#define TRUSTED_MAX 64
#define WORKERS_MAX 256

struct gateway_settings {
    char *routes_file; /* NULL: the built-in routes */
    int64_t workers;   /* 0: one per core */
    char *trusted_proxies;
    int64_t max_connections;
    int64_t header_timeout_ms, body_timeout_ms, idle_timeout_ms;
};

extern const struct cfg_table gateway_settings_table;

/* The networks of a comma-separated list; false when one is malformed or there are too many. */
bool trusted_parse(const char *list, struct network out[static TRUSTED_MAX], size_t *out_count);

#endif
