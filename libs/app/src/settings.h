/* The settings of one process: the shared tables that its app needs, with its defaults, and its
 * own. */
#ifndef APP_SETTINGS_H
#define APP_SETTINGS_H

#include <app/app.h>

#define SETTINGS_ROWS_MAX 16

struct settings {
    struct app_settings shared;
    void *own; /* NULL: none */
    struct cfg_setting general_rows[SETTINGS_ROWS_MAX], database_rows[SETTINGS_ROWS_MAX];
    struct cfg_table general, database;
    struct cfg_binding bindings[5];
    size_t binding_count;
};

/* *settings is zeroed and must not move afterwards. */
struct err *app_settings_init(struct settings *settings, const struct app *app) MUST_CHECK;
/* From the environment. */
struct err *app_settings_load(struct settings *settings, const struct app *app) MUST_CHECK;
void app_settings_deinit(struct settings *settings);

#endif
