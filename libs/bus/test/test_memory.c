/* Every allocation of the calling thread fails once: an error, nothing leaked, and all works again. */
#include "bus_test.h"

#include <alloc_fail.h>

#include "internal.h"

static struct bus *bus;

static struct err *echo(struct bus_call *call)
{
    *(struct note *)call->out = *(const struct note *)call->in;
    return NULL;
}

static const struct bus_method methods[] = {{"test.echo", echo, &note_model, &note_model, NULL}};
static const struct bus_stream stream = {.name = "THINGS", .subjects = "things.v1.>"};

static struct err *open_and_close(void)
{
    struct bus *other = NULL;
    TRY(bus_open(&(struct bus_options){.url = server.url, .name = "t", .creds_file = "/x"},
                 &other));
    bus_close(other);
    return NULL;
}

static struct err *request(void)
{
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(4096);
    struct note note = {.text = "a"};
    struct note answer;
    return bus_request(bus, NULL, "test.echo", &note_model, &note, &note_model, &arena, &answer,
                       NULL);
}

static struct err *request_of_nobody(void)
{
    struct err *e = bus_request(bus, NULL, "test.nobody", NULL, NULL, NULL, NULL, NULL, NULL);
    if (!err_is(e, &ERR_UPSTREAM_UNAVAILABLE))
        return e;
    err_free(e);
    return NULL;
}

static struct err *serve(void)
{
    struct bus *other = NULL;
    TRY(bus_open(&(struct bus_options){.url = server.url, .name = "t"}, &other));
    struct err *e = bus_serve(other, methods, 1, NULL);
    bus_close(other);
    return e;
}

static struct err *ensure(void)
{
    return bus_ensure_stream(bus, NULL, &stream);
}

static struct err *publish(void)
{
    return bus_publish(bus, NULL, "things.v1.made", "id", "{}", 2);
}

static struct err *publish_together(void)
{
    const struct bus_message messages[] = {{.subject = "things.v1.made", .bytes = "{}", .len = 2},
                                           {.subject = "things.v1.made", .bytes = "{}", .len = 2}};
    bool is_stored[ARRAY_LEN(messages)];
    return bus_publish_together(bus, NULL, messages, ARRAY_LEN(messages), is_stored);
}

static struct err *ignore(const struct bus_event *event)
{
    (void)event;
    return NULL;
}

static struct err *consume(void)
{
    struct bus_consumer *consumer = NULL;
    TRY(bus_consume(bus, &(struct bus_consumer_options){.stream = "NONE"}, ignore, NULL,
                    &consumer));
    bus_consumer_stop(consumer);
    return NULL;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct err *(*run)(void);
    } rows[] = {
        {"open", open_and_close},
        {"request", request},
        {"request of nobody", request_of_nobody},
        {"serve", serve},
        {"ensure", ensure},
        {"publish", publish},
        {"publish together", publish_together},
        {"consume", consume},
    };
    bus = open_bus("t");
    expect_ok(bus_serve(bus, methods, 1, NULL));
    expect_ok(bus_flush(bus, 5000));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t successes = 0;; successes++) {
            alloc_fail_after(successes);
            struct err *e = rows[i].run();
            bool has_failed = alloc_fail_stop();
            if (has_failed && !err_is(e, &ERR_OUT_OF_MEMORY))
                fail_msg("%s: %zu allocations worked, and then it was not out of memory",
                         rows[i].name, successes);
            err_free(e);
            CHECK(rows[i].name, has_failed == (e != NULL));
            if (!has_failed)
                break;
        }
    }
    bus_close(bus);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
