#include "bus_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include <slog/slog.h>

#define PATIENCE_S 20

struct nats_server server;

int start_server(void **state)
{
    (void)state;
    slog_init(
        &(struct slog_options){.service = "test", .fd = open("/dev/null", O_WRONLY | O_CLOEXEC)});
    nats_server_start(&server);
    return 0;
}

int stop_server(void **state)
{
    (void)state;
    nats_server_stop(&server);
    return 0;
}

void expect_error(struct err *e, const struct err_kind *kind)
{
    char line[ERR_LINE];
    err_format(e, line, sizeof(line));
    if (!err_is(e, kind))
        fail_msg("expected %s, got \"%s\"", kind->slug, line);
    err_free(e);
}

void expect_ok(struct err *e)
{
    char line[ERR_LINE];
    err_format(e, line, sizeof(line));
    if (e)
        fail_msg("expected no error, got \"%s\"", line);
}

void await_connected(struct bus *bus)
{
    struct ctx ctx;
    ctx_init(&ctx, NULL, PATIENCE_S * 1000);
    expect_ok(bus_wait(bus, &ctx));
    ctx_deinit(&ctx);
}

/* The bus tells nobody of it: asked often. */
void await_lost(struct bus *bus)
{
    for (int tries = 0; bus_is_connected(bus); tries++) {
        if (tries > PATIENCE_S * 1000)
            fail_msg("still connected");
        err_free(ctx_sleep(NULL, 1));
    }
}

struct bus *open_bus_with(const struct bus_options *options)
{
    struct bus *bus = NULL;
    expect_ok(bus_open(options, &bus));
    return bus;
}

struct bus *open_bus(const char *name)
{
    struct bus *bus = open_bus_with(&(struct bus_options){.url = server.url, .name = name});
    await_connected(bus);
    return bus;
}

void gate_add(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->count++;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

int gate_count(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    int count = gate->count;
    pthread_mutex_unlock(&gate->lock);
    return count;
}

void gate_await(struct gate *gate, int count)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&gate->lock);
    int failure = 0;
    while (gate->count < count && !failure)
        failure = pthread_cond_timedwait(&gate->changed, &gate->lock, &until);
    int reached = gate->count;
    pthread_mutex_unlock(&gate->lock);
    if (reached < count)
        fail_msg("waited for %d events, %d came", count, reached);
}

static const struct field note_fields[] = {
    FIELD(struct note, text, STRING, .flags = REQUIRED, .min = 1),
    FIELD(struct note, number, INT, .flags = READ_ONLY),
};
const struct model note_model = MODEL(struct note, note_fields, "What the tests send");
