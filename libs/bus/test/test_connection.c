/* Opening without a server, losing it, finding it again. */
#include "bus_test.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <base/clock.h>
#include <conc/thread.h>

static struct err *ask(struct bus *bus, struct ctx *ctx)
{
    return bus_request(bus, ctx, "nobody.listens", NULL, NULL, NULL, NULL, NULL, NULL);
}

static void test_open_does_not_wait_for_a_server(void **state)
{
    (void)state;
    int64_t began_ms = clock_mono_ms();
    struct bus *bus = open_bus_with(&(struct bus_options){.url = "nats://127.0.0.1:1"});
    assert_in_range(clock_mono_ms() - began_ms, 0, 1000);
    assert_false(bus_is_connected(bus));
    expect_error(bus_check(bus), &ERR_UPSTREAM_UNAVAILABLE);
    expect_error(ask(bus, NULL), &ERR_UPSTREAM_UNAVAILABLE);
    expect_error(bus_publish(bus, NULL, "a.b", NULL, "{}", 2), &ERR_UPSTREAM_UNAVAILABLE);
    struct ctx ctx;
    ctx_init(&ctx, NULL, 20);
    expect_error(bus_wait(bus, &ctx), &ERR_UPSTREAM_TIMEOUT);
    ctx_deinit(&ctx);
    bus_close(bus);
}

/* A server that accepts and says nothing must hold up neither calls nor, for long, the close. */
static void test_silent_server(void **state)
{
    (void)state;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 4), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    char url[64];
    snprintf(url, sizeof(url), "nats://127.0.0.1:%d", ntohs(address.sin_port));
    struct bus *bus = open_bus_with(&(struct bus_options){.url = url, .name = "t"});
    int64_t began_ms = clock_mono_ms();
    expect_error(ask(bus, NULL), &ERR_UPSTREAM_UNAVAILABLE);
    assert_in_range(clock_mono_ms() - began_ms, 0, 1000);
    bus_close(bus);
    assert_in_range(clock_mono_ms() - began_ms, 0, 5000);
    close(listener);
}

static void test_wrong_options(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct bus_options options;
    } rows[] = {
        {"no such host", {.url = "nats://host.invalid:4222", .name = "t"}},
        {"not a URL", {.url = "::", .name = "t"}},
        {"no creds file", {.name = "t", .creds_file = "/nonexistent"}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bus_options options = rows[i].options;
        if (!options.url)
            options.url = server.url;
        struct bus *bus = open_bus_with(&options);
        struct ctx ctx;
        ctx_init(&ctx, NULL, 150);
        struct err *e = bus_wait(bus, &ctx);
        CHECK(rows[i].name, err_is(e, &ERR_UPSTREAM_TIMEOUT));
        err_free(e);
        ctx_deinit(&ctx);
        bus_close(bus);
    }
}

static void test_second_server_of_a_list(void **state)
{
    (void)state;
    char urls[128];
    snprintf(urls, sizeof(urls), "nats://127.0.0.1:1,%s", server.url);
    struct bus *bus = open_bus_with(&(struct bus_options){.url = urls, .name = "t"});
    await_connected(bus);
    bus_close(bus);
}

static void test_reason_is_told(void **state)
{
    (void)state;
    struct bus *bus = open_bus("t");
    assert_true(bus_is_connected(bus));
    expect_ok(bus_check(bus));
    expect_ok(bus_wait(bus, NULL));
    nats_server_kill(&server);
    await_lost(bus);
    struct err *e = bus_check(bus);
    assert_non_null(strstr(err_detail(e), "not connected"));
    err_free(e);
    nats_server_restart(&server);
    await_connected(bus);
    bus_close(bus);
}

static struct err *echo(struct bus_call *call)
{
    *(struct note *)call->out = *(const struct note *)call->in;
    return NULL;
}

static const struct bus_method echo_method = {"test.echo", echo, &note_model, &note_model, NULL};

static void expect_echo(struct bus *bus)
{
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(4096);
    struct note note = {.text = "again"};
    struct note answer = {0};
    expect_ok(bus_request(bus, NULL, "test.echo", &note_model, &note, &note_model, &arena, &answer,
                          NULL));
    assert_string_equal(answer.text, "again");
}

static void test_everything_is_back_after_a_crash(void **state)
{
    (void)state;
    struct bus *bus = open_bus("t");
    expect_ok(bus_serve(bus, &echo_method, 1, NULL));
    for (int round = 0; round < 3; round++) {
        expect_echo(bus);
        nats_server_kill(&server);
        await_lost(bus);
        expect_error(ask(bus, NULL), &ERR_UPSTREAM_UNAVAILABLE);
        nats_server_restart(&server);
        int64_t back_ms = clock_mono_ms();
        await_connected(bus);
        assert_in_range(clock_mono_ms() - back_ms, 0, 2000);
    }
    expect_echo(bus);
    bus_close(bus);
}

static void test_served_before_the_server_is_there(void **state)
{
    (void)state;
    nats_server_kill(&server);
    struct bus *bus = open_bus_with(&(struct bus_options){.url = server.url, .name = "t"});
    expect_ok(bus_serve(bus, &echo_method, 1, NULL));
    nats_server_restart(&server);
    await_connected(bus);
    expect_echo(bus);
    bus_close(bus);
}

static void test_metrics(void **state)
{
    (void)state;
    _cleanup_(metrics_free) struct metrics *metrics = NULL;
    expect_ok(metrics_new(&metrics));
    struct bus *bus =
        open_bus_with(&(struct bus_options){.url = server.url, .name = "t", .metrics = metrics});
    expect_ok(bus_serve(bus, &echo_method, 1, NULL));
    await_connected(bus);
    expect_echo(bus);
    expect_error(ask(bus, NULL), &ERR_UPSTREAM_UNAVAILABLE);
    bus_close(bus);
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(1 << 20);
    expect_ok(metrics_write(metrics, &text));
    static const char *const lines[] = {
        "bus_connected 0\n",
        "bus_request_duration_seconds_count{code=\"ok\",subject=\"test.echo\"} 1\n",
        "_count{code=\"upstream_unavailable\",subject=\"nobody.listens\"} 1\n",
        "bus_handler_duration_seconds_count{subject=\"test.echo\"} 1\n",
        "bus_requests_refused_total{subject=\"test.echo\"} 0\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        CHECK(lines[i], strstr(buf_text(&text), lines[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_does_not_wait_for_a_server),
        cmocka_unit_test(test_silent_server),
        cmocka_unit_test(test_wrong_options),
        cmocka_unit_test(test_second_server_of_a_list),
        cmocka_unit_test(test_reason_is_told),
        cmocka_unit_test(test_everything_is_back_after_a_crash),
        cmocka_unit_test(test_served_before_the_server_is_there),
        cmocka_unit_test(test_metrics),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
