#include "check.h"

#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/macros.h>

static int pipe_fds[2] = {-1, -1};

int capture_start(enum slog_level level, enum slog_format format, const char *service)
{
    capture_stop();
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    assert_int_equal(fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK), 0);
    slog_init(&(struct slog_options){
        .service = service, .level = level, .format = format, .fd = pipe_fds[1]});
    return pipe_fds[0];
}

void capture_stop(void)
{
    slog_init(&(struct slog_options){.level = SLOG_OFF});
    for (size_t i = 0; i < ARRAY_LEN(pipe_fds); i++) {
        if (pipe_fds[i] >= 0)
            close(pipe_fds[i]);
        pipe_fds[i] = -1;
    }
}

static char *read_all(void)
{
    static char text[65536];
    ssize_t got = read(pipe_fds[0], text, sizeof(text) - 1);
    if (got < 0)
        assert_int_equal(errno, EAGAIN);
    text[got > 0 ? got : 0] = '\0';
    return text;
}

const char *capture_read(void)
{
    return read_all();
}

const char *capture_read_line(void)
{
    char *text = read_all();
    char *time = strstr(text, "20");
    int64_t time_ms;
    assert_non_null(time);
    assert_true(clock_parse(time, CLOCK_TEXT - 1, &time_ms));
    assert_in_range(clock_now_ms() - time_ms, 0, 60000);
    memcpy(time, CAPTURE_TIME, CLOCK_TEXT - 1);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    return text;
}
