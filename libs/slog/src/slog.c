#include <slog/slog.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/clock.h>

#include "event.h"

#define PATIENCE_MS 100 /* with who reads the pipe */

const char *const slog_format_names[] = {"json", "text", NULL};

static struct slog_options options = {
    .service = "", .level = SLOG_INFO, .format = SLOG_JSON, .fd = STDERR_FILENO};
static atomic_uint_fast64_t dropped;
/* The last line was written in part: the next one must not continue it. */
static atomic_bool torn;

static bool is_pipe;
static pthread_mutex_t pipe_turn = PTHREAD_MUTEX_INITIALIZER;
static bool is_stalled; /* pipe_turn: its reader was waited for in vain */

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
    struct stat status;
    is_pipe = fstat(options.fd, &status) == 0 && S_ISFIFO(status.st_mode);
    is_stalled = false;
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

/* Whether a line can be written to the pipe without blocking: where there is room at all, there is
 * room for SLOG_LINE_MAX. It is only waited for once: else each thread would stop at each line while
 * the reader sleeps, and a service must outlive who collects its logs. */
static bool has_room(void)
{
    struct pollfd out = {.fd = options.fd, .events = POLLOUT};
    int ready;
    do
        ready = poll(&out, 1, is_stalled ? 0 : PATIENCE_MS);
    while (ready < 0 && errno == EINTR);
    is_stalled = ready == 0;
    return !is_stalled;
}

/* One write(2); a second one only if a signal came before the first byte. */
static void write_line(const struct line *line)
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

static void send_line(const struct line *line)
{
    if (!is_pipe) {
        write_line(line);
        return;
    }
    pthread_mutex_lock(&pipe_turn); /* or another thread would take the room */
    if (has_room())
        write_line(line);
    else
        atomic_fetch_add_explicit(&dropped, 1, memory_order_relaxed);
    pthread_mutex_unlock(&pipe_turn);
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
