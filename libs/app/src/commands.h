/* The subcommands that do not serve. Each returns the exit status; settings are loaded. */
#ifndef APP_COMMANDS_H
#define APP_COMMANDS_H

#include "process.h"

int app_migrate(struct process *process);
int app_migrate_status(struct process *process);
int app_healthcheck(struct process *process);
int app_openapi(struct process *process);

/* Prints e and frees it; APP_EXIT_FAILED. */
int app_fail(const struct process *process, struct err *e);
/* Prints the text; 0, or APP_EXIT_FAILED when it failed or could not be written. */
int app_print(const struct process *process, const struct buf *text);

#endif
