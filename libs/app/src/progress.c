#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#include <base/clock.h>
#include <model/model.h>

#define PAUSE_MS 200

static const struct field header_fields[] = {
    FIELD(struct transfer_header, format, STRING, .flags = REQUIRED),
    FIELD(struct transfer_header, version, INT, .flags = REQUIRED),
};
const struct model app_transfer_header_model =
    MODEL(struct transfer_header, header_fields, "The first line of an export");

static const struct field end_fields[] = {
    FIELD(struct transfer_end, end, BOOL, .flags = REQUIRED),
    FIELD(struct transfer_end, count, INT, .flags = REQUIRED),
};
const struct model app_transfer_end_model =
    MODEL(struct transfer_end, end_fields, "The last line of an export");

void app_progress_show(struct progress *progress, int64_t count)
{
    int64_t now_ms = clock_mono_ms();
    if (!isatty(STDERR_FILENO) || now_ms - progress->shown_ms < PAUSE_MS)
        return;
    progress->shown_ms = now_ms;
    progress->is_shown = true;
    fprintf(stderr, "\r%s %lld %s", progress->verb, (long long)count, progress->things);
}

void app_progress_end(struct progress *progress)
{
    if (progress->is_shown)
        fputc('\n', stderr);
    progress->is_shown = false;
}
