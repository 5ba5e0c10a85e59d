/*
 * How far a subcommand has come, on a line of standard error that is written over; on a terminal
 * only, so that a log has nothing of it.
 *
 *     struct app_progress progress = {.verb = "exported", .things = "users"};
 *     ...
 *     app_progress_show(&progress, ++count);
 *     ...
 *     app_progress_end(&progress);
 *
 * Threads: one at a time.
 */
#ifndef APP_PROGRESS_H
#define APP_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed but for the first two, which are borrowed. */
struct app_progress {
    const char *verb;   /* "exported" */
    const char *things; /* "users" */
    bool is_shown;      /* there is a line that the next one is written over */
    int64_t shown_ms;
};

/* A few times a second at most. */
void app_progress_show(struct app_progress *progress, int64_t count);
/* Ends the line, so that something else can be written. */
void app_progress_end(struct app_progress *progress);

#endif
