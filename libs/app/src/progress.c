#include <app/progress.h>

#include <stdio.h>
#include <unistd.h>

#include <base/clock.h>

#define PAUSE_MS 200

void app_progress_show(struct app_progress *progress, int64_t count)
{
    int64_t now_ms = clock_mono_ms();
    if (!isatty(STDERR_FILENO) || now_ms - progress->shown_ms < PAUSE_MS)
        return;
    progress->shown_ms = now_ms;
    progress->is_shown = true;
    fprintf(stderr, "\r%s %lld %s", progress->verb, (long long)count, progress->things);
}

void app_progress_end(struct app_progress *progress)
{
    if (progress->is_shown)
        fputc('\n', stderr);
    progress->is_shown = false;
}
