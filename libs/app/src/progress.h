/* What export and import tell on standard error. */
#ifndef APP_PROGRESS_H
#define APP_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed but for the first two. */
struct progress {
    const char *verb;   /* "exported" */
    const char *things; /* "users" */
    bool is_shown;      /* there is a line that the next one is written over */
    int64_t shown_ms;
};

/* A few times a second at most, and on a terminal only. */
void app_progress_show(struct progress *progress, int64_t count);
/* Ends the line, so that something else can be written. */
void app_progress_end(struct progress *progress);

/* The lines that are no items. */
#define TRANSFER_FORMAT_MAX 64
struct transfer_header {
    char format[TRANSFER_FORMAT_MAX];
    int64_t version;
};
struct transfer_end {
    bool end;
    int64_t count;
};
extern const struct model app_transfer_header_model, app_transfer_end_model;

#endif
