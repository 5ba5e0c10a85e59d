/* Consumers: order, repetition, loss of the server, of its data, of a replica. */
#include "bus_test.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/str.h>
#include <slog/slog.h>
#include <slog/trace.h>

#include "internal.h"

static const struct bus_stream stream = {.name = "THINGS", .subjects = "things.v1.>"};

#define SEEN_MAX 4096

/* What a consumer's handler has seen, and what it is to do. */
struct record {
    struct gate gate; /* events seen */
    int numbers[SEEN_MAX];
    uint64_t deliveries[SEEN_MAX];
    int64_t times_ms[SEEN_MAX];
    char request_id[TRACE_REQUEST_ID];
    char msg_id[64];
    int fail_times;              /* this many calls fail */
    const struct err_kind *kind; /* with this */
    struct gate *hold;           /* each call waits for it */
};

static struct err *on_event(const struct bus_event *event)
{
    struct record *record = event->state;
    int at = gate_count(&record->gate);
    assert_in_range(at, 0, SEEN_MAX - 1);
    record->numbers[at] = (int)strtol(event->bytes, NULL, 10);
    record->deliveries[at] = event->deliveries;
    record->times_ms[at] = clock_mono_ms();
    str_copy(record->request_id, sizeof(record->request_id), trace_current()->request_id);
    str_copy(record->msg_id, sizeof(record->msg_id), event->msg_id);
    gate_add(&record->gate);
    if (record->hold)
        gate_await(record->hold, 1);
    if (record->fail_times > 0) {
        record->fail_times--;
        return err_new(record->kind, "not now");
    }
    return NULL;
}

static struct bus *bus;
static struct record record;

static const struct bus_consumer_options durable = {
    .stream = "THINGS", .durable = "reader", .retry_min_ms = 50, .retry_max_ms = 200};
static const struct bus_consumer_options ephemeral = {.stream = "THINGS", .retry_min_ms = 50};

static int set_up(void **state)
{
    (void)state;
    record = (struct record){.gate = GATE_INIT};
    bus = open_bus("t");
    expect_ok(bus_ensure_stream(bus, NULL, &stream));
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

static struct bus_consumer *consume(const struct bus_consumer_options *options, struct record *into)
{
    struct bus_consumer *consumer = NULL;
    expect_ok(bus_consume(bus, options, on_event, into, &consumer));
    return consumer;
}

static void publish(int first, int last)
{
    for (int i = first; i <= last; i++) {
        char text[16];
        char id[16];
        int len = snprintf(text, sizeof(text), "%d", i);
        snprintf(id, sizeof(id), "id-%d", i);
        expect_ok(bus_publish(bus, NULL, "things.v1.made", id, text, (size_t)len));
    }
}

static void expect_seen(const struct record *seen, int first, int last)
{
    for (int i = first; i <= last; i++)
        assert_int_equal(seen->numbers[i - first], i);
}

static void restart_server(void)
{
    nats_server_kill(&server);
    await_lost(bus);
    nats_server_restart(&server);
    await_connected(bus);
}

static const struct {
    const char *name;
    const struct bus_consumer_options *options;
} both[] = {{"durable", &durable}, {"ephemeral", &ephemeral}};

static void test_events_come_in_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        struct record seen = {.gate = GATE_INIT};
        publish((int)i * 200 + 1, (int)i * 200 + 100);
        struct bus_consumer *consumer = consume(both[i].options, &seen);
        publish((int)i * 200 + 101, (int)i * 200 + 200);
        gate_await(&seen.gate, (int)i * 200 + 200);
        expect_seen(&seen, 1, (int)i * 200 + 200);
        CHECK_INT(both[i].name, seen.deliveries[199], 1);
        bus_consumer_stop(consumer);
    }
}

static void test_event_carries_its_context(void **state)
{
    (void)state;
    struct trace trace;
    trace_start(&trace, "request-9", NULL);
    trace_set_current(&trace);
    publish(1, 1);
    trace_set_current(NULL);
    struct bus_consumer *consumer = consume(&durable, &record);
    gate_await(&record.gate, 1);
    bus_consumer_stop(consumer);
    assert_string_equal(record.request_id, "request-9");
    assert_string_equal(record.msg_id, "id-1");
}

static void test_filter(void **state)
{
    (void)state;
    expect_ok(bus_publish(bus, NULL, "things.v1.other", NULL, "7", 1));
    publish(1, 1);
    struct bus_consumer_options options = durable;
    options.filter = "things.v1.made";
    struct bus_consumer *consumer = consume(&options, &record);
    gate_await(&record.gate, 1);
    bus_consumer_stop(consumer);
    expect_seen(&record, 1, 1);
}

/* Waits grow from one delivery to the next, and nothing overtakes. */
static void test_failed_event_comes_again_later(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        struct record seen = {
            .gate = GATE_INIT, .fail_times = 3, .kind = &ERR_UPSTREAM_UNAVAILABLE};
        publish(1, 2);
        struct bus_consumer *consumer = consume(both[i].options, &seen);
        gate_await(&seen.gate, 5);
        static const int numbers[] = {1, 1, 1, 1, 2};
        static const int deliveries[] = {1, 2, 3, 4, 1};
        for (size_t at = 0; at < ARRAY_LEN(numbers); at++) {
            CHECK_INT(both[i].name, seen.numbers[at], numbers[at]);
            CHECK_INT(both[i].name, seen.deliveries[at], deliveries[at]);
        }
        static const int waits_ms[] = {50, 100, 200};
        for (size_t at = 0; at < ARRAY_LEN(waits_ms); at++)
            CHECK(both[i].name, seen.times_ms[at + 1] - seen.times_ms[at] >= waits_ms[at] - 5);
        bus_consumer_stop(consumer);
    }
}

static void test_hopeless_event_is_dropped(void **state)
{
    (void)state;
    publish(1, 2);
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        struct record seen = {.gate = GATE_INIT, .fail_times = 3, .kind = &ERR_INTERNAL};
        struct bus_consumer_options options = *both[i].options;
        options.max_deliver = 3;
        options.retry_min_ms = 1;
        struct bus_consumer *consumer = consume(&options, &seen);
        gate_await(&seen.gate, 4);
        static const int numbers[] = {1, 1, 1, 2};
        for (size_t at = 0; at < ARRAY_LEN(numbers); at++)
            CHECK_INT(both[i].name, seen.numbers[at], numbers[at]);
        bus_consumer_stop(consumer);
    }
}

static void test_retryable_event_is_never_dropped(void **state)
{
    (void)state;
    record.fail_times = 8;
    record.kind = &ERR_UPSTREAM_UNAVAILABLE;
    struct bus_consumer_options options = durable;
    options.max_deliver = 2;
    options.retry_min_ms = 1;
    publish(1, 1);
    struct bus_consumer *consumer = consume(&options, &record);
    gate_await(&record.gate, 9);
    assert_int_equal(record.deliveries[8], 9);
    bus_consumer_stop(consumer);
}

static void test_consumer_goes_on_where_it_was(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        struct record seen = {.gate = GATE_INIT};
        publish(10 * round + 1, 10 * round + 10);
        struct bus_consumer *consumer = consume(&durable, &seen);
        gate_await(&seen.gate, 10);
        bus_consumer_stop(consumer);
        expect_seen(&seen, 10 * round + 1, 10 * round + 10);
        assert_int_equal(gate_count(&seen.gate), 10);
    }
}

static void test_server_crashes_in_between(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        struct record seen = {.gate = GATE_INIT};
        struct bus_consumer *consumer = consume(both[i].options, &seen);
        int before = (int)i * 40;
        for (int round = 0; round < 4; round++) {
            publish(before + 10 * round + 1, before + 10 * round + 10);
            gate_await(&seen.gate, before + 10 * round + 10);
            restart_server();
        }
        publish(before + 41, before + 41);
        gate_await(&seen.gate, before + 41);
        bus_consumer_stop(consumer);
        expect_seen(&seen, 1, before + 40); /* 41 was there already */
    }
}

/* The event that is being handled when the server dies is acknowledged afterwards: not delivered
 * again, and nothing waits for ack_wait_ms. */
static void test_acknowledgement_survives_a_crash(void **state)
{
    (void)state;
    struct gate hold = GATE_INIT;
    record.hold = &hold;
    struct bus_consumer *consumer = consume(&durable, &record);
    publish(1, 2);
    gate_await(&record.gate, 1);
    restart_server();
    int64_t began_ms = clock_mono_ms();
    gate_add(&hold);
    gate_await(&record.gate, 2);
    assert_in_range(clock_mono_ms() - began_ms, 0, 5000);
    bus_consumer_stop(consumer);
    expect_seen(&record, 1, 2);
    assert_int_equal(record.deliveries[1], 1);
}

/* The server is away for longer than ack_wait_ms when an event has been handled. */
static void test_late_acknowledgement(void **state)
{
    (void)state;
    struct gate hold = GATE_INIT;
    record.hold = &hold;
    struct bus_consumer_options options = durable;
    options.ack_wait_ms = 200;
    struct bus_consumer *consumer = consume(&options, &record);
    publish(1, 2);
    gate_await(&record.gate, 1);
    nats_server_kill(&server);
    gate_add(&hold);
    err_free(ctx_sleep(NULL, 300));
    nats_server_restart(&server);
    gate_await(&record.gate, 2);
    bus_consumer_stop(consumer);
    expect_seen(&record, 1, 2);
}

/* What a replica does that dies with an event in its hands. */
static void take_and_die(void)
{
    static const char config[] =
        "{\"stream_name\":\"THINGS\",\"config\":{\"ack_policy\":\"explicit\","
        "\"durable_name\":\"reader\",\"ack_wait\":300000000,"
        "\"max_ack_pending\":1,\"max_deliver\":-1}}";
    natsConnection *connection = NULL;
    natsSubscription *inbox = NULL;
    natsMsg *message = NULL;
    assert_int_equal(natsConnection_ConnectTo(&connection, server.url), NATS_OK);
    assert_int_equal(natsConnection_RequestString(&message, connection,
                                                  "$JS.API.CONSUMER.DURABLE.CREATE.THINGS.reader",
                                                  config, 5000),
                     NATS_OK);
    natsMsg_Destroy(message);
    assert_int_equal(natsConnection_SubscribeSync(&inbox, connection, "inbox"), NATS_OK);
    assert_int_equal(natsConnection_PublishRequestString(
                         connection, "$JS.API.CONSUMER.MSG.NEXT.THINGS.reader", "inbox", ""),
                     NATS_OK);
    assert_int_equal(natsSubscription_NextMsg(&message, inbox, 5000), NATS_OK);
    natsMsg_Destroy(message);
    natsSubscription_Destroy(inbox);
    natsConnection_Destroy(connection);
}

/* A replica takes an event and is never heard of again. */
static void test_event_of_a_dead_replica_comes_again(void **state)
{
    (void)state;
    publish(1, 2);
    struct bus_consumer_options options = durable;
    options.ack_wait_ms = 300;
    take_and_die();
    struct bus_consumer *consumer = consume(&options, &record);
    gate_await(&record.gate, 2);
    bus_consumer_stop(consumer);
    expect_seen(&record, 1, 2);
    assert_int_equal(record.deliveries[0], 2);
}

/* The stream is not there at first, as its owner comes later. */
static void test_stream_comes_late(void **state)
{
    (void)state;
    bus_close(bus);
    nats_server_kill_and_wipe(&server);
    bus = open_bus_with(&(struct bus_options){.url = server.url, .name = "t"});
    struct record seen[2] = {{.gate = GATE_INIT}, {.gate = GATE_INIT}};
    struct bus_consumer *consumers[] = {consume(&durable, &seen[0]), consume(&ephemeral, &seen[1])};
    nats_server_restart(&server);
    await_connected(bus);
    expect_ok(bus_ensure_stream(bus, NULL, &stream));
    publish(1, 3);
    for (size_t i = 0; i < ARRAY_LEN(consumers); i++) {
        gate_await(&seen[i].gate, 3);
        expect_seen(&seen[i], 1, 3);
        bus_consumer_stop(consumers[i]);
    }
}

/* The server comes back without its data: a new stream is read from its beginning. */
static void test_stream_is_made_anew(void **state)
{
    (void)state;
    struct record seen[2] = {{.gate = GATE_INIT}, {.gate = GATE_INIT}};
    struct bus_consumer *consumers[] = {consume(&durable, &seen[0]), consume(&ephemeral, &seen[1])};
    publish(1, 5);
    gate_await(&seen[0].gate, 5);
    gate_await(&seen[1].gate, 5);
    nats_server_kill_and_wipe(&server);
    await_lost(bus);
    nats_server_restart(&server);
    await_connected(bus);
    expect_ok(bus_ensure_stream(bus, NULL, &stream));
    publish(6, 8);
    for (size_t i = 0; i < ARRAY_LEN(consumers); i++) {
        gate_await(&seen[i].gate, 8);
        expect_seen(&seen[i], 1, 8);
        bus_consumer_stop(consumers[i]);
    }
}

/* Two replicas of a service: each event goes to one, and the next waits for it. */
static void test_replicas_share_a_durable(void **state)
{
    (void)state;
    struct record seen[2] = {{.gate = GATE_INIT}, {.gate = GATE_INIT}};
    struct bus_consumer *consumers[] = {consume(&durable, &seen[0]), consume(&durable, &seen[1])};
    enum { EVENTS = 60 };
    publish(1, EVENTS);
    while (gate_count(&seen[0].gate) + gate_count(&seen[1].gate) < EVENTS)
        err_free(ctx_sleep(NULL, 5));
    for (size_t i = 0; i < ARRAY_LEN(consumers); i++) {
        bus_consumer_stop(consumers[i]);
        for (int at = 1; at < gate_count(&seen[i].gate); at++)
            assert_true(seen[i].numbers[at] > seen[i].numbers[at - 1]);
    }
    assert_int_equal(gate_count(&seen[0].gate) + gate_count(&seen[1].gate), EVENTS);
}

/* An event that a stopped replica had not begun is not held up. */
static void test_stopped_consumer_gives_back(void **state)
{
    (void)state;
    struct gate hold = GATE_INIT;
    record.hold = &hold;
    publish(1, 2);
    struct bus_consumer *consumer = consume(&durable, &record);
    gate_await(&record.gate, 1);
    expect_error(bus_drain(bus, 50), &ERR_UPSTREAM_TIMEOUT);
    gate_add(&hold);
    bus_consumer_stop(consumer);
    assert_int_equal(gate_count(&record.gate), 1);
    bus_close(bus);
    bus = open_bus("t");
    struct record seen = {.gate = GATE_INIT};
    int64_t began_ms = clock_mono_ms();
    consumer = consume(&durable, &seen);
    gate_await(&seen.gate, 1);
    assert_in_range(clock_mono_ms() - began_ms, 0, 5000);
    assert_int_equal(seen.numbers[0], 2);
    bus_consumer_stop(consumer);
}

static void test_drain_finishes_the_event_at_hand(void **state)
{
    (void)state;
    struct gate hold = GATE_INIT;
    record.hold = &hold;
    publish(1, 1);
    struct bus_consumer *consumer = consume(&durable, &record);
    gate_await(&record.gate, 1);
    gate_add(&hold);
    expect_ok(bus_drain(bus, 5000));
    publish(2, 2); /* sending is still possible */
    bus_consumer_stop(consumer);
    assert_int_equal(gate_count(&record.gate), 1);
}

/* By an operator: it is made anew, and what was handled already is not handled again. */
static void test_consumer_is_deleted(void **state)
{
    (void)state;
    struct bus_consumer *consumer = consume(&durable, &record);
    publish(1, 3);
    gate_await(&record.gate, 3);
    int64_t code;
    expect_ok(bus_js_call(bus, NULL, "CONSUMER.DELETE.THINGS.reader", NULL, NULL, &code));
    publish(4, 5);
    gate_await(&record.gate, 5);
    bus_consumer_stop(consumer);
    expect_seen(&record, 1, 5);
}

static void await_log(const char *path, const char *text)
{
    static char log[65536];
    for (int tries = 0;; tries++) {
        FILE *file = fopen(path, "re");
        assert_non_null(file);
        log[fread(log, 1, sizeof(log) - 1, file)] = '\0';
        fclose(file);
        if (strstr(log, text))
            return;
        if (tries > 2000)
            fail_msg("no \"%s\" in:\n%s", text, log);
        err_free(ctx_sleep(NULL, 10));
    }
}

/* Each reason is told of, not the first one alone, and that it is over: an operator sees what the
 * consumer waits for now. */
static void test_waiting_is_told(void **state)
{
    (void)state;
    char path[] = "/tmp/plankton-consumer-XXXXXX";
    int log = mkstemp(path), nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_true(log >= 0 && nowhere >= 0);
    slog_init(&(struct slog_options){.service = "test", .fd = log});
    struct metrics *metrics = NULL;
    expect_ok(metrics_new(&metrics));
    struct bus *metered = open_bus_with(
        &(struct bus_options){.url = server.url, .name = "metered", .metrics = metrics});
    struct bus_consumer *consumer = NULL;
    expect_ok(bus_consume(metered, &durable, on_event, &record, &consumer));
    struct metric *waiting =
        metric_gauge(metrics, "bus_consumer_waiting", "",
                     METRIC_LABELS({"stream", "THINGS"}, {"consumer", "reader"}));
    publish(1, 1);
    gate_await(&record.gate, 1);
    assert_int_equal(metric_value(waiting), 0);

    int64_t code;
    expect_ok(bus_js_call(bus, NULL, "STREAM.DELETE.THINGS", NULL, NULL, &code));
    await_log(path, "consumer waits");   /* what ended the session: it depends */
    await_log(path, "stream not found"); /* what it is that lasts */
    assert_int_equal(metric_value(waiting), 1);

    expect_ok(bus_ensure_stream(bus, NULL, &stream));
    await_log(path, "consumer goes on");
    assert_int_equal(metric_value(waiting), 0);
    bus_consumer_stop(consumer);
    bus_close(metered);
    metrics_free(metrics);
    slog_init(&(struct slog_options){.service = "test", .fd = nowhere});
    close(log);
    unlink(path);
}

static void test_consumer_without_a_server_stops(void **state)
{
    (void)state;
    struct bus_consumer *consumer = consume(&durable, &record);
    nats_server_kill(&server);
    await_lost(bus);
    int64_t began_ms = clock_mono_ms();
    bus_consumer_stop(consumer);
    assert_in_range(clock_mono_ms() - began_ms, 0, 1000);
    nats_server_restart(&server);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_events_come_in_order),
        CASE(test_event_carries_its_context),
        CASE(test_filter),
        CASE(test_failed_event_comes_again_later),
        CASE(test_hopeless_event_is_dropped),
        CASE(test_retryable_event_is_never_dropped),
        CASE(test_consumer_goes_on_where_it_was),
        CASE(test_server_crashes_in_between),
        CASE(test_acknowledgement_survives_a_crash),
        CASE(test_late_acknowledgement),
        CASE(test_event_of_a_dead_replica_comes_again),
        CASE(test_stream_comes_late),
        CASE(test_stream_is_made_anew),
        CASE(test_replicas_share_a_durable),
        CASE(test_stopped_consumer_gives_back),
        CASE(test_drain_finishes_the_event_at_hand),
        CASE(test_consumer_is_deleted),
        CASE(test_waiting_is_told),
        CASE(test_consumer_without_a_server_stops),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
