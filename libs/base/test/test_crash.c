#include "check.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <base/crash.h>

#ifdef PLANKTON_CRASH_POINTS
#define HAS_CRASH_POINTS true
#else
#define HAS_CRASH_POINTS false
#endif

/* Passes "a", "b", "a", "b", ... and tells how many before it died; 9: it did not. */
static int steps_before_death(const char *crash_at)
{
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setenv("CRASH_AT", crash_at, 1);
        for (int i = 0; i < 9; i++) {
            if (i % 2 == 0)
                CRASH_POINT("a");
            else
                CRASH_POINT("b");
            if (write(pipe_fds[1], ".", 1) != 1)
                _exit(1);
        }
        _exit(0);
    }
    close(pipe_fds[1]);
    char passed[16];
    int steps = 0;
    ssize_t got;
    while ((got = read(pipe_fds[0], passed, sizeof(passed))) > 0)
        steps += (int)got;
    close(pipe_fds[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (steps < 9)
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    else
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return steps;
}

static void test_crash_points(void **state)
{
    (void)state;
    static const struct {
        const char *crash_at;
        int steps;
    } rows[] = {
        {"a", 0},   {"b", 1},  {"a:1", 0}, {"a:2", 2}, {"b:4", 7}, {"b:5", 9},
        {"a:x", 9}, {"ab", 9}, {"", 9},    {"a:0", 9}, {"a:", 9},  {"c", 9},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK_INT(rows[i].crash_at, steps_before_death(rows[i].crash_at),
                  HAS_CRASH_POINTS ? rows[i].steps : 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_crash_points)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
