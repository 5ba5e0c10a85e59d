/* The subcommands that do not serve. Each returns the exit status; settings are loaded. */
#ifndef APP_COMMANDS_H
#define APP_COMMANDS_H

#include "process.h"

int app_migrate(struct process *process);
int app_migrate_status(struct process *process);
int app_healthcheck(struct process *process);
int app_openapi(struct process *process);
int app_asyncapi(struct process *process);

/* --- own_commands.c: those of the service itself --- */

/* NULL when it has none of this name. */
const struct app_command *app_find_own_command(const struct app *app, const char *name);
/* Takes the words behind the command's name apart, before anything else is done. False, and told on
 * standard error, when they are not what the command takes. */
bool app_read_own_args(const struct app *app, const struct app_command *command, char *const *words,
                       const char **out_args);
int app_run_own_command(struct process *process, const struct app_command *command,
                        const char *const *args);
void app_write_own_help(const struct app *app, struct buf *out);

/* --- commands.c --- */

/* Prints e and frees it; APP_EXIT_FAILED. */
int app_fail(const struct process *process, struct err *e);
/* Prints the text; 0, or APP_EXIT_FAILED when it failed or could not be written. */
int app_print(const struct process *process, const struct buf *text);

#endif
