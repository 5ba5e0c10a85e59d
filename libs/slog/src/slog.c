#include <slog/slog.h>

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <base/clock.h>

#include "event.h"

const char *const slog_format_names[] = {"json", "text", NULL};

static struct slog_options options = {
    .service = "", .level = SLOG_INFO, .format = SLOG_JSON, .fd = STDERR_FILENO};
static atomic_uint_fast64_t dropped;
/* The last line was written in part: the next one must not continue it. */
static atomic_bool torn;

static void ignore_sigpipe(void)
{
    struct sigaction action;
    if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL) {
        action.sa_handler = SIG_IGN;
        sigaction(SIGPIPE, &action, NULL);
    }
}

void slog_init(const struct slog_options *wanted)
{
    options = *wanted;
    if (!options.service)
        options.service = "";
    if (options.fd == 0)
        options.fd = STDERR_FILENO;
    ignore_sigpipe();
}

bool slog_enabled(enum slog_level level)
{
    return level >= options.level && level < SLOG_OFF;
}

uint64_t slog_dropped(void)
{
    return atomic_load_explicit(&dropped, memory_order_relaxed);
}

struct slog_pair slog_str(const char *key, const char *value)
{
    return SLOG_STRN(key, value, value ? strlen(value) : 0);
}

/* The present time; everything but the milliseconds is kept from the last line of this second. */
static const char *time_text(void)
{
    static _Thread_local char text[CLOCK_TEXT];
    static _Thread_local int64_t text_second = INT64_MIN;
    int64_t now_ms = clock_now_ms();
    if (now_ms / 1000 != text_second) {
        clock_format(now_ms, text);
        text_second = now_ms / 1000;
    }
    int64_t ms = now_ms % 1000;
    text[20] = (char)('0' + ms / 100);
    text[21] = (char)('0' + ms / 10 % 10);
    text[22] = (char)('0' + ms % 10);
    return text;
}

/* One write(2); a second one only if a signal came before the first byte. */
static void send_line(const struct line *line)
{
    bool was_torn = atomic_exchange_explicit(&torn, false, memory_order_relaxed);
    const char *start = line->data + (was_torn ? 0 : 1);
    size_t count = line->len - (was_torn ? 0 : 1);
    ssize_t written;
    do
        written = write(options.fd, start, count);
    while (written < 0 && errno == EINTR);
    if (written == (ssize_t)count)
        return;
    atomic_fetch_add_explicit(&dropped, 1, memory_order_relaxed);
    if (written > 0 || was_torn)
        atomic_store_explicit(&torn, true, memory_order_relaxed);
}

void slog_write(enum slog_level level, const char *message, const struct slog_pair *pairs,
                size_t count)
{
    if (!slog_enabled(level))
        return;
    int former_errno = errno;
    struct event event = {
        .time = time_text(),
        .level = level,
        .service = options.service,
        .message = message ? message : "",
        .trace = trace_current(),
        .pairs = pairs,
        .count = count,
    };
    struct line line;
    slog_line_init(&line);
    if (options.format == SLOG_JSON)
        slog_event_put_json(&line, &event);
    else
        slog_event_put_text(&line, &event);
    send_line(&line);
    errno = former_errno;
}
