#include "check.h"

#include <slog/slog.h>

#include "sample.h"

static int start(void **state)
{
    struct http_server_options options = sample_options();
    struct http_server *server = NULL;
    slog_init(&(struct slog_options){.level = SLOG_OFF});
    struct err *e = http_server_start(&options, &server);
    if (e) {
        char line[ERR_LINE];
        err_format(e, line, sizeof(line));
        print_error("%s\n", line);
        err_free(e);
        return -1;
    }
    *state = server;
    return 0;
}

static int stop(void **state)
{
    http_server_stop(*state, 0);
    return 0;
}

static void test_smoke(void **state)
{
    _cleanup_(http_answer_deinit) struct http_answer answer = {0};
    assert_null(http_test_call(*state, GET, "/items", NULL, NULL, &answer));
    print_message("%d %s\n", answer.status, answer.body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_smoke),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
