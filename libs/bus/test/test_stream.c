/* Streams: made, changed, declared; events stored once. */
#include "bus_test.h"

#include <stdio.h>
#include <string.h>

#include <base/str.h>

#include "internal.h"

static const struct bus_stream stream = {.name = "THINGS", .subjects = "things.v1.>"};

static struct bus *bus;

static int set_up(void **state)
{
    (void)state;
    bus = open_bus("t");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    bus_close(bus);
    nats_server_kill_and_wipe(&server);
    nats_server_restart(&server);
    return 0;
}

/* A number of the stream's description, such as config/max_bytes. */
static int64_t look_up(const char *group, const char *name)
{
    struct json_doc *doc = NULL;
    int64_t code;
    expect_ok(bus_js_stream(bus, NULL, stream.name, &doc, &code));
    int64_t number = -1;
    json_i64(json_get(json_get(json_root(doc), group), name), &number);
    json_free(doc);
    return number;
}

static void send_to_api(const char *subject, const char *body_text)
{
    struct buf body = BUF_INIT(4096);
    buf_append_str(&body, body_text);
    int64_t code;
    expect_ok(bus_js_call(bus, NULL, subject, &body, NULL, &code));
    buf_deinit(&body);
}

static void test_created_with_defaults(void **state)
{
    (void)state;
    expect_ok(bus_ensure_stream(bus, NULL, &stream));
    assert_int_equal(look_up("config", "max_bytes"), 256 * 1024 * 1024);
    assert_int_equal(look_up("config", "max_age"), 0);
    expect_ok(bus_ensure_stream(bus, NULL, &stream));
}

static void test_updated_and_the_rest_kept(void **state)
{
    (void)state;
    send_to_api("STREAM.CREATE.THINGS", "{\"name\":\"THINGS\",\"subjects\":[\"things.old\"],"
                                        "\"max_msg_size\":5000,\"storage\":\"file\"}");
    struct bus_stream changed = stream;
    changed.max_age_s = 3600;
    changed.max_bytes = 1 << 20;
    expect_ok(bus_ensure_stream(bus, NULL, &changed));
    assert_int_equal(look_up("config", "max_bytes"), 1 << 20);
    assert_int_equal(look_up("config", "max_age"), 3600000000000);
    assert_int_equal(look_up("config", "max_msg_size"), 5000);
    expect_ok(bus_publish(bus, NULL, "things.v1.made", "id-1", "{}", 2));
    assert_int_equal(look_up("state", "messages"), 1);
}

static void test_refused_stream(void **state)
{
    (void)state;
    expect_ok(bus_ensure_stream(bus, NULL, &stream));
    static const struct bus_stream overlapping = {.name = "OTHER", .subjects = "things.>"};
    expect_error(bus_ensure_stream(bus, NULL, &overlapping), &BUS_FAILED);
    char name[300];
    memset(name, 'X', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    const struct bus_stream long_name = {.name = name, .subjects = "long.>"};
    expect_error(bus_ensure_stream(bus, NULL, &long_name), &BUS_FAILED);
}

static void test_events_are_stored_once(void **state)
{
    (void)state;
    expect_error(bus_publish(bus, NULL, "things.v1.made", "id-1", "{}", 2),
                 &ERR_UPSTREAM_UNAVAILABLE);
    expect_ok(bus_ensure_stream(bus, NULL, &stream));
    for (int i = 0; i < 3; i++)
        expect_ok(bus_publish(bus, NULL, "things.v1.made", "id-1", "{}", 2));
    expect_ok(bus_publish(bus, NULL, "things.v1.made", "id-2", "{}", 2));
    expect_ok(bus_publish(bus, NULL, "things.v1.made", NULL, "", 0));
    assert_int_equal(look_up("state", "messages"), 3);
}

static void test_event_too_large_for_its_stream(void **state)
{
    (void)state;
    send_to_api("STREAM.CREATE.THINGS", "{\"name\":\"THINGS\",\"subjects\":[\"things.v1.>\"],"
                                        "\"max_msg_size\":100,\"storage\":\"file\"}");
    char text[200];
    memset(text, ' ', sizeof(text));
    expect_error(bus_publish(bus, NULL, "things.v1.made", NULL, text, sizeof(text)), &BUS_FAILED);
}

/* Each for itself: what is refused does not take the others with it. */
static void test_events_published_together(void **state)
{
    (void)state;
    send_to_api("STREAM.CREATE.THINGS", "{\"name\":\"THINGS\",\"subjects\":[\"things.v1.>\"],"
                                        "\"max_msg_size\":100,\"storage\":\"file\"}");
    char text[200];
    memset(text, ' ', sizeof(text));
    struct bus_message messages[BUS_TOGETHER_MAX + 1];
    bool is_stored[BUS_TOGETHER_MAX + 1];
    for (size_t i = 0; i < ARRAY_LEN(messages); i++)
        messages[i] = (struct bus_message){.subject = "things.v1.made", .bytes = text, .len = 2};
    expect_ok(bus_publish_together(bus, NULL, messages, BUS_TOGETHER_MAX, is_stored));
    assert_int_equal(look_up("state", "messages"), BUS_TOGETHER_MAX);
    messages[1].len = sizeof(text); /* the server refuses it */
    messages[3].subject = "no.stream.has.it";
    messages[5].len = BUS_MESSAGE_MAX + 1; /* is not sent, and nothing after it */
    expect_error(bus_publish_together(bus, NULL, messages, 7, is_stored), &BUS_FAILED);
    for (size_t i = 0; i < 7; i++)
        CHECK_INT("stored", is_stored[i], i == 0 || i == 2 || i == 4);
    assert_int_equal(look_up("state", "messages"), BUS_TOGETHER_MAX + 3);
    expect_ok(bus_publish_together(bus, NULL, NULL, 0, NULL));
    expect_error(bus_publish_together(bus, NULL, messages, BUS_TOGETHER_MAX + 1, is_stored),
                 &ERR_INTERNAL);
    struct ctx ctx;
    ctx_init(&ctx, NULL, 0);
    is_stored[0] = true;
    expect_error(bus_publish_together(bus, &ctx, messages, 1, is_stored), &ERR_UPSTREAM_TIMEOUT);
    assert_false(is_stored[0]);
    ctx_deinit(&ctx);
}

static void publish_until_stored(void)
{
    struct ctx ctx;
    ctx_init(&ctx, NULL, 10000);
    struct err *e;
    while ((e = bus_publish(bus, &ctx, "things.v1.made", NULL, "{}", 2))) {
        assert_true(err_is_retryable(e) && !ctx_is_done(&ctx));
        err_free(e);
        err_free(ctx_sleep(&ctx, 5));
    }
    ctx_deinit(&ctx);
}

/* Before and after the loss of the server and of all it had stored. */
static void test_declared_stream_comes_by_itself(void **state)
{
    (void)state;
    expect_ok(bus_declare_stream(bus, &stream));
    publish_until_stored();
    nats_server_kill_and_wipe(&server);
    nats_server_restart(&server);
    publish_until_stored();
    assert_int_equal(look_up("state", "messages"), 1);
}

static void await_failed_stream(void)
{
    for (bool has_failed = false; !has_failed; err_free(ctx_sleep(NULL, 2))) {
        pthread_mutex_lock(&bus->lock);
        has_failed = bus->streams_failed;
        pthread_mutex_unlock(&bus->lock);
    }
}

static void test_declared_stream_that_is_refused_at_first(void **state)
{
    (void)state;
    send_to_api("STREAM.CREATE.IN_THE_WAY", "{\"name\":\"IN_THE_WAY\",\"subjects\":[\"things.>\"],"
                                            "\"storage\":\"memory\"}");
    expect_ok(bus_declare_stream(bus, &stream));
    await_failed_stream();
    send_to_api("STREAM.DELETE.IN_THE_WAY", "");
    publish_until_stored();
    assert_int_equal(look_up("state", "messages"), 1);
}

static void test_too_many_declared_streams(void **state)
{
    (void)state;
    static struct bus_stream streams[BUS_STREAMS_MAX + 1];
    for (int i = 0; i <= BUS_STREAMS_MAX; i++)
        streams[i] = stream;
    for (int i = 0; i < 2 * BUS_STREAMS_MAX; i++)
        expect_ok(bus_declare_stream(bus, &streams[i % BUS_STREAMS_MAX]));
    expect_error(bus_declare_stream(bus, &streams[BUS_STREAMS_MAX]), &ERR_INTERNAL);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_created_with_defaults),
        CASE(test_updated_and_the_rest_kept),
        CASE(test_refused_stream),
        CASE(test_events_are_stored_once),
        CASE(test_event_too_large_for_its_stream),
        CASE(test_events_published_together),
        CASE(test_declared_stream_comes_by_itself),
        CASE(test_declared_stream_that_is_refused_at_first),
        CASE(test_too_many_declared_streams),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
