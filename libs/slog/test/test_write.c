/* What becomes of a line: one write(2), and what happens when that fails. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <base/macros.h>
#include <slog/slog.h>

#include "capture.h"

/* The program's own write() stands in front of the C library's. */
static int writes;
static int interruptions; /* the next writes are interrupted by a signal */

ssize_t write(int fd, const void *bytes, size_t count)
{
    writes++;
    if (interruptions > 0) {
        interruptions--;
        errno = EINTR;
        return -1;
    }
    return syscall(SYS_write, fd, bytes, count);
}

static void test_one_write_per_line(void **state)
{
    (void)state;
    static char message[2 * SLOG_LINE_MAX];
    memset(message, 'x', sizeof(message) - 1);
    capture_start(SLOG_INFO, SLOG_JSON, "users");
    writes = 0;
    slog_debug("off");
    assert_int_equal(writes, 0);
    slog_info("m");
    assert_int_equal(writes, 1);
    slog_info(message, SLOG_STR("a", message), SLOG_STR("b", message));
    assert_int_equal(writes, 2);
}

static void test_interrupted_write_goes_on(void **state)
{
    (void)state;
    uint64_t dropped = slog_dropped();
    capture_start(SLOG_INFO, SLOG_JSON, "users");
    writes = 0;
    interruptions = 3;
    slog_info("m");
    assert_int_equal(writes, 4);
    const char *line = capture_read();
    assert_true(capture_is_json_line(line, strlen(line)));
    assert_int_equal(slog_dropped(), dropped);
}

/* Whether or not the descriptor blocks: a collector of logs that sleeps must not stop a service. */
static void fill_a_pipe(int flags)
{
    int fds[2];
    assert_int_equal(pipe2(fds, flags | O_CLOEXEC), 0);
    slog_init(&(struct slog_options){.fd = fds[1], .format = SLOG_JSON});
    uint64_t dropped = slog_dropped();
    size_t written = 0;
    while (slog_dropped() == dropped) {
        slog_info("m");
        written++;
    }
    slog_info("m");
    assert_int_equal(slog_dropped(), dropped + 2);

    static char text[1 << 20];
    size_t len = 0;
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    for (ssize_t got; (got = read(fds[0], text + len, sizeof(text) - len)) > 0;)
        len += (size_t)got;
    size_t lines = 0;
    for (char *line = text, *end; (end = memchr(line, '\n', len - (size_t)(line - text)));
         line = end + 1) {
        assert_true(capture_is_json_line(line, (size_t)(end + 1 - line)));
        lines++;
    }
    assert_int_equal(lines, written - 1);
    slog_info("m");
    assert_int_equal(slog_dropped(), dropped + 2);
    close(fds[0]);
    close(fds[1]);
}

static void test_full_pipe_loses_whole_lines(void **state)
{
    (void)state;
    fill_a_pipe(O_NONBLOCK);
    fill_a_pipe(0);
}

static void test_reader_gone(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    signal(SIGPIPE, SIG_DFL);
    slog_init(&(struct slog_options){.fd = fds[1]});
    close(fds[0]);
    uint64_t dropped = slog_dropped();
    slog_info("m"); /* would end the process */
    assert_int_equal(slog_dropped(), dropped + 1);
    close(fds[1]);
    slog_info("m");
    assert_int_equal(slog_dropped(), dropped + 2);
}

static void keep_quiet(int number)
{
    (void)number;
}

static void test_own_handler_of_sigpipe_stays(void **state)
{
    (void)state;
    signal(SIGPIPE, keep_quiet);
    slog_init(&(struct slog_options){.level = SLOG_OFF});
    assert_ptr_equal(signal(SIGPIPE, SIG_DFL), keep_quiet);
    slog_init(&(struct slog_options){.level = SLOG_OFF});
    assert_ptr_equal(signal(SIGPIPE, SIG_IGN), SIG_IGN);
}

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A disk that is full in the middle of a line, then has room again. */
static void test_line_after_a_part_is_a_line(void **state)
{
    (void)state;
    static const char half[] = "{\"time\":\"20";
    char path[] = "/tmp/slog_test_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    signal(SIGXFSZ, SIG_IGN);
    slog_init(&(struct slog_options){.fd = fd, .format = SLOG_JSON});
    uint64_t dropped = slog_dropped();
    limit_file_size(sizeof(half) - 1);
    slog_info("in part");
    slog_info("not at all");
    limit_file_size(RLIM_INFINITY);
    slog_info("whole");
    slog_info("second");
    assert_int_equal(slog_dropped(), dropped + 2);

    char text[1024] = "";
    assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
    assert_memory_equal(text, half, sizeof(half) - 1);
    char *whole = text + sizeof(half);
    assert_int_equal(whole[-1], '\n');
    char *second = strchr(whole, '\n') + 1;
    assert_true(capture_is_json_line(whole, (size_t)(second - whole)));
    assert_true(capture_is_json_line(second, strlen(second)));
    close(fd);
}

/* Descriptor 0 in the options is standard error. */
static void test_standard_error_is_the_default(void **state)
{
    (void)state;
    int fds[2];
    char line[512] = "";
    int former = dup(STDERR_FILENO);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
    slog_init(&(struct slog_options){.level = SLOG_INFO});
    slog_info("m");
    assert_true(dup2(former, STDERR_FILENO) >= 0);
    assert_true(read(fds[0], line, sizeof(line) - 1) > 0);
    assert_true(capture_is_json_line(line, strlen(line)));
    close(former);
    close(fds[0]);
    close(fds[1]);
}

static int stop(void **state)
{
    (void)state;
    capture_stop();
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_write_per_line),
        cmocka_unit_test(test_interrupted_write_goes_on),
        cmocka_unit_test(test_full_pipe_loses_whole_lines),
        cmocka_unit_test(test_reader_gone),
        cmocka_unit_test(test_own_handler_of_sigpipe_stays),
        cmocka_unit_test(test_line_after_a_part_is_a_line),
        cmocka_unit_test(test_standard_error_is_the_default),
    };
    return cmocka_run_group_tests(tests, NULL, stop);
}
