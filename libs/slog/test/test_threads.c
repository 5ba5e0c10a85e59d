/* Many threads, one pipe: every line arrives whole, in the order of its thread, with its ids. */
#include "check.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <base/macros.h>
#include <base/str.h>
#include <slog/trace.h>

#include "capture.h"

enum { THREADS = 8, LINES = 400 };

static char padding[SLOG_VALUE_MAX];

static void *write_lines(void *data)
{
    int thread = *(const int *)data;
    struct trace trace;
    char id[16];
    snprintf(id, sizeof(id), "thread-%d", thread);
    trace_start(&trace, id, NULL);
    trace_set_current(&trace);
    for (int line = 0; line < LINES; line++)
        slog_info("m", SLOG_I64("thread", thread), SLOG_I64("line", line),
                  SLOG_STRN("padding", padding, (size_t)(line * 37 % SLOG_VALUE_MAX)));
    trace_set_current(NULL);
    return NULL;
}

static int64_t number_of(const char *line, const char *key)
{
    char text[32];
    int64_t number = -1;
    assert_true(capture_member(line, key, text, sizeof(text)));
    assert_true(parse_i64(text, 0, INT64_MAX, &number));
    return number;
}

static void test_lines_never_mix(void **state)
{
    (void)state;
    memset(padding, 'x', sizeof(padding));
    uint64_t dropped = slog_dropped();
    int fd = capture_start(SLOG_INFO, SLOG_JSON, "users");
    FILE *reader = fdopen(dup(fd), "r");
    assert_non_null(reader);
    assert_int_equal(fcntl(fd, F_SETFL, 0), 0); /* wait for lines */

    pthread_t threads[THREADS];
    int numbers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &numbers[i]), 0);
    }
    int64_t next[THREADS] = {0};
    char *line = NULL;
    size_t cap = 0;
    for (int read = 0; read < THREADS * LINES; read++) {
        char id[TRACE_REQUEST_ID], expected[16];
        ssize_t len = getline(&line, &cap, reader);
        assert_true(len > 0);
        assert_true(capture_is_json_line(line, (size_t)len));
        int64_t thread = number_of(line, "thread");
        assert_in_range(thread, 0, THREADS - 1);
        assert_int_equal(number_of(line, "line"), next[thread]++);
        snprintf(expected, sizeof(expected), "thread-%d", (int)thread);
        assert_true(capture_member(line, "request_id", id, sizeof(id)));
        assert_string_equal(id, expected);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(slog_dropped(), dropped);
    free(line);
    fclose(reader);
    capture_stop();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines_never_mix)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
