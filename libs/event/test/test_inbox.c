/* The inbox: one effect for each event, in order; gaps and snapshots; replicas. */
#include "event_test.h"

#include <stdio.h>
#include <stdlib.h>

#include <base/clock.h>
#include <base/str.h>
#include <metric/metric.h>

static const char A[] = "01890000-0000-7000-8000-00000000000a";

static struct outbox *outbox;

static int set_up_inbox(void **state)
{
    set_up(state);
    outbox = start_outbox(database.db, bus);
    return 0;
}

static int tear_down_inbox(void **state)
{
    outbox_stop(outbox, 0);
    return tear_down(state);
}

static void change_times(int times)
{
    for (int i = 0; i < times; i++)
        change(outbox, A);
    await_rows("SELECT count(*) FROM outbox", 0);
}

static void await_effects(int64_t count)
{
    await_rows("SELECT count(*) FROM effects", count);
}

/* --- effects --- */

static void test_each_event_has_its_effect_once(void **state)
{
    (void)state;
    change_times(20);
    struct inbox *inbox = start_inbox(&INBOX_OPTIONS());
    change_times(20);
    await_effects(40);
    inbox_stop(inbox);
    change_times(5);
    inbox = start_inbox(&INBOX_OPTIONS()); /* goes on where it was */
    await_effects(45);
    inbox_stop(inbox);
    await_rows("SELECT count(DISTINCT id) FROM effects", 45);
    await_rows("SELECT count(DISTINCT version) FROM effects WHERE about = "
               "'01890000-0000-7000-8000-00000000000a'",
               45);
}

/* As after the duplicate window of the stream, or from a publisher that never had one. */
static void test_an_event_that_is_published_again(void **state)
{
    (void)state;
    static struct told told[4];
    struct inbox *inbox = start_inbox(&INBOX_OPTIONS());
    change_times(1);
    await_effects(1);
    assert_int_equal(read_stream(told, 4), 1);
    for (int i = 0; i < 2; i++)
        expect_ok(bus_publish(bus, NULL, THING_CHANGED, NULL, told[0].body, strlen(told[0].body)));
    change_times(1);
    await_effects(2);
    await_place(4);
    inbox_stop(inbox);
    await_rows("SELECT count(*) FROM inbox", 2);
}

/* It is over when all that was there at its beginning took effect, and not before. */
static void test_waiting_for_what_is_there(void **state)
{
    (void)state;
    const struct inbox_options options = INBOX_OPTIONS();
    change_times(5);
    _cleanup_(ctx_deinit) struct ctx soon, late;
    ctx_init(&soon, NULL, 50);
    expect_error(inbox_wait(&options, &soon), &ERR_UPSTREAM_TIMEOUT); /* nobody handles them */
    ctx_init(&late, NULL, PATIENCE_MS);
    struct inbox *inbox = start_inbox(&options);
    expect_ok(inbox_wait(&options, &late));
    assert_int_equal(test_database_number(&database, "SELECT count(*) FROM effects"), 5);
    change_times(20);
    expect_ok(inbox_wait(&options, &late));
    assert_int_equal(test_database_number(&database, "SELECT count(*) FROM effects"), 25);
    inbox_stop(inbox);
    expect_ok(inbox_wait(&options, &late)); /* nothing has come since */
}

/* The acknowledgements are lost with the consumer: everything comes again. */
static void test_the_server_forgets_the_consumer(void **state)
{
    (void)state;
    struct inbox *inbox = start_inbox(&INBOX_OPTIONS());
    change_times(10);
    await_effects(10);
    inbox_stop(inbox);
    call_jetstream("CONSUMER.DELETE.THINGS.readers-things", "");
    inbox = start_inbox(&INBOX_OPTIONS());
    change_times(1);
    await_effects(11);
    inbox_stop(inbox);
}

static void test_events_of_no_interest(void **state)
{
    (void)state;
    static const char other[] = "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\","
                                "\"type\":\"things.v1.events.other\"}";
    struct metrics *metrics = NULL;
    expect_ok(metrics_new(&metrics));
    struct inbox *inbox = start_inbox(&INBOX_OPTIONS(.metrics = metrics));
    expect_ok(bus_publish(bus, NULL, "things.v1.events.other", NULL, other, strlen(other)));
    change_times(1);
    await_effects(1);
    await_place(2);
    inbox_stop(inbox);
    static const char *const outcomes[] = {"handled", "ignored"};
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        struct metric *counter =
            metric_counter(metrics, "inbox_events_total", "",
                           METRIC_LABELS({"consumer", "readers-things"}, {"outcome", outcomes[i]}));
        CHECK_INT(outcomes[i], metric_value(counter), 1);
    }
    metrics_free(metrics);
}

static void test_ids_are_kept_for_a_time(void **state)
{
    (void)state;
    test_database_run(&database, "INSERT INTO inbox (consumer, id, handled_at) VALUES "
                                 "('readers-things', 'old', 1), ('another', 'old', 1)");
    struct inbox *inbox = start_inbox(&INBOX_OPTIONS(.keep_ms = 60000));
    change_times(1);
    await_rows("SELECT count(*) FROM inbox WHERE id = 'old'", 1);
    await_rows("SELECT count(*) FROM inbox WHERE consumer = 'readers-things'", 1);
    inbox_stop(inbox);
}

static void test_names_that_are_too_long(void **state)
{
    (void)state;
    struct inbox *inbox = NULL;
    struct inbox_options options = INBOX_OPTIONS();
    options.service = "a-name-of-more-than-sixty-characters-is-longer-than-any-service-needs";
    expect_error(inbox_start(&options, &inbox), &ERR_INTERNAL);
}

/* --- replicas --- */

static void test_replicas_share_the_events(void **state)
{
    (void)state;
    struct sql_db *db = NULL;
    struct bus *other = open_bus(server.url);
    expect_ok(sql_open(&(struct sql_options){.url = database.url}, &db));
    struct inbox *first = start_inbox(&INBOX_OPTIONS());
    struct inbox_options options = INBOX_OPTIONS();
    options.db = db;
    options.bus = other;
    struct inbox *second = start_inbox(&options);
    change_times(60);
    await_effects(60);
    await_rows("SELECT count(DISTINCT id) FROM effects", 60);
    inbox_stop(first); /* and the other one goes on */
    change_times(5);
    await_effects(65);
    inbox_stop(second);
    bus_close(other);
    sql_close(db);
}

/* --- the server --- */

static void test_the_server_is_restarted(void **state)
{
    (void)state;
    struct inbox *inbox = start_inbox(&INBOX_OPTIONS());
    change_times(3);
    await_effects(3);
    for (int round = 1; round <= 2; round++) {
        nats_server_kill(&server);
        for (int i = 0; i < 3; i++)
            change(outbox, A);
        nats_server_restart(&server);
        await_effects(3 + 3 * round);
    }
    inbox_stop(inbox);
    await_rows("SELECT count(DISTINCT id) FROM effects", 9);
}

static void test_the_server_comes_late(void **state)
{
    (void)state;
    nats_server_kill_and_wipe(&server);
    struct inbox *inbox = start_inbox(&INBOX_OPTIONS());
    expect_error(inbox_check(inbox), &ERR_UPSTREAM_UNAVAILABLE);
    change(outbox, A);
    nats_server_restart(&server);
    await_effects(1);
    expect_ok(inbox_check(inbox));
    inbox_stop(inbox);
}

/* --- snapshots --- */

struct snapshots {
    pthread_mutex_t lock;
    int taken;
    int fail_times;
    const struct err_kind *failure; /* NULL: the usual one */
};

static struct err *take_snapshot(struct ctx *ctx, void *data)
{
    struct snapshots *snapshots = data;
    (void)ctx;
    pthread_mutex_lock(&snapshots->lock);
    bool is_failure = snapshots->fail_times-- > 0;
    snapshots->taken += !is_failure;
    pthread_mutex_unlock(&snapshots->lock);
    const struct err_kind *kind =
        snapshots->failure ? snapshots->failure : &ERR_UPSTREAM_UNAVAILABLE;
    return is_failure ? err_new(kind, "users is away") : NULL;
}

static int taken(struct snapshots *snapshots)
{
    pthread_mutex_lock(&snapshots->lock);
    int count = snapshots->taken;
    pthread_mutex_unlock(&snapshots->lock);
    return count;
}

static void await_taken(struct snapshots *snapshots, int count)
{
    int64_t end_ms = clock_mono_ms() + PATIENCE_MS;
    while (taken(snapshots) < count) {
        if (clock_mono_ms() > end_ms)
            fail_msg("%d snapshots, not %d", taken(snapshots), count);
        err_free(ctx_sleep(NULL, 2));
    }
}

static void await_failures(struct snapshots *snapshots, int times_left)
{
    int left;
    int64_t end_ms = clock_mono_ms() + PATIENCE_MS;
    do {
        assert_true(clock_mono_ms() < end_ms);
        err_free(ctx_sleep(NULL, 2));
        pthread_mutex_lock(&snapshots->lock);
        left = snapshots->fail_times;
        pthread_mutex_unlock(&snapshots->lock);
    } while (left > times_left);
}

#define SNAPSHOT_OPTIONS() INBOX_OPTIONS(.snapshot = take_snapshot, .state = &snapshots)

/* What was told before the snapshot is in it; what comes after has its effect. */
static void test_who_knows_nothing_takes_a_snapshot(void **state)
{
    (void)state;
    struct snapshots snapshots = {.lock = PTHREAD_MUTEX_INITIALIZER, .fail_times = 2};
    change_times(3);
    struct inbox *inbox = start_inbox(&SNAPSHOT_OPTIONS());
    await_taken(&snapshots, 1);
    change_times(2);
    await_effects(2);
    expect_ok(inbox_check(inbox));
    inbox_stop(inbox);
    inbox = start_inbox(&SNAPSHOT_OPTIONS()); /* knows */
    change_times(1);
    await_effects(3);
    nats_server_kill(&server);
    nats_server_restart(&server);
    change_times(1);
    await_effects(4);
    assert_int_equal(taken(&snapshots), 1);
    inbox_stop(inbox);
    await_rows("SELECT coalesce(min(version), 0) FROM effects", 4);
}

static void test_not_ready_before_the_first_snapshot(void **state)
{
    (void)state;
    struct snapshots snapshots = {.lock = PTHREAD_MUTEX_INITIALIZER, .fail_times = 1000};
    struct inbox *inbox = start_inbox(&SNAPSHOT_OPTIONS());
    await_failures(&snapshots, 1000 - 2);
    expect_error(inbox_check(inbox), &ERR_UPSTREAM_UNAVAILABLE);
    pthread_mutex_lock(&snapshots.lock);
    snapshots.fail_times = 0;
    pthread_mutex_unlock(&snapshots.lock);
    await_taken(&snapshots, 1);
    await_rows("SELECT count(*) FROM inbox_places", 1);
    inbox_stop(inbox);
    nats_server_kill(&server); /* who has known once is ready without the server */
    inbox = start_inbox(&SNAPSHOT_OPTIONS());
    expect_ok(inbox_check(inbox));
    inbox_stop(inbox);
    nats_server_restart(&server);
}

static void lose_everything(void)
{
    nats_server_kill_and_wipe(&server);
    nats_server_restart(&server);
}

static void lose_the_oldest(void)
{
    change_times(6);
    call_jetstream("STREAM.PURGE.THINGS", "{\"keep\":2}");
}

static void restore_an_old_database(void)
{
    change_times(2);
    struct inbox *inbox = start_inbox(&INBOX_OPTIONS());
    await_place(6);
    inbox_stop(inbox);
    test_database_run(&database, "UPDATE inbox_places SET last_sequence = 5");
}

static void test_gaps(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*lose)(void);
        bool is_gap;
    } rows[] = {
        {"the stream was made anew", lose_everything, true},
        {"the oldest events are gone", lose_the_oldest, true},
        {"the database is of yesterday", restore_an_old_database, true},
        {"nothing is lost", NULL, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct snapshots snapshots = {.lock = PTHREAD_MUTEX_INITIALIZER};
        struct inbox *inbox = start_inbox(&SNAPSHOT_OPTIONS());
        await_taken(&snapshots, 1);
        change_times(4);
        await_effects(4);
        inbox_stop(inbox);
        if (rows[i].lose)
            rows[i].lose();
        change_times(1);
        test_database_run(&database, "DELETE FROM effects");
        inbox = start_inbox(&SNAPSHOT_OPTIONS());
        if (rows[i].is_gap)
            await_taken(&snapshots, 2);
        else
            await_effects(1);
        change_times(1);
        await_rows("SELECT count(*) FROM effects JOIN things ON things.version = effects.version",
                   1);
        CHECK_INT(rows[i].name, taken(&snapshots), rows[i].is_gap ? 2 : 1);
        inbox_stop(inbox);
        tear_down_inbox(state);
        set_up_inbox(state);
    }
}

/* While the connection stands: what is behind the place is gone, and then something comes. */
static void test_a_gap_in_a_session(void **state)
{
    (void)state;
    struct snapshots snapshots = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct inbox *inbox = start_inbox(&SNAPSHOT_OPTIONS());
    await_taken(&snapshots, 1);
    change_times(2);
    await_effects(2);
    call_jetstream("CONSUMER.DELETE.THINGS.readers-things", "");
    change_times(3);
    call_jetstream("STREAM.PURGE.THINGS", "");
    change_times(1);
    await_taken(&snapshots, 2);
    change_times(1);
    await_rows("SELECT coalesce(max(version), 0) FROM effects", 7);
    inbox_stop(inbox);
}

/* As after a failover to a standby that was behind: what was acknowledged is lost in the database,
 * and neither the connection to NATS nor the process ends. */
static void test_the_database_goes_back_in_a_session(void **state)
{
    (void)state;
    struct snapshots snapshots = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct inbox *inbox = start_inbox(&SNAPSHOT_OPTIONS());
    await_taken(&snapshots, 1);
    change_times(3);
    await_effects(3);
    test_database_run(&database, "UPDATE inbox_places SET last_sequence = 2");
    test_database_run(&database, "DELETE FROM inbox WHERE id IN (SELECT id FROM effects "
                                 "WHERE version = 3)");
    test_database_run(&database, "DELETE FROM effects WHERE version = 3");
    change_times(1); /* is in the snapshot */
    await_taken(&snapshots, 2);
    change_times(1);
    await_rows("SELECT coalesce(max(version), 0) FROM effects", 5);
    await_place(5);
    assert_int_equal(taken(&snapshots), 2);
    inbox_stop(inbox);
}

/* The event that showed the gap cannot help it: to set it aside would pass over the gap, too. */
static void test_a_snapshot_that_fails_for_long(void **state)
{
    (void)state;
    struct snapshots snapshots = {.lock = PTHREAD_MUTEX_INITIALIZER, .failure = &ERR_INTERNAL};
    struct inbox *inbox = start_inbox(
        &INBOX_OPTIONS(.snapshot = take_snapshot, .state = &snapshots, .max_failures = 2));
    await_taken(&snapshots, 1);
    change_times(2);
    await_effects(2);
    pthread_mutex_lock(&snapshots.lock);
    snapshots.fail_times = 4;
    pthread_mutex_unlock(&snapshots.lock);
    test_database_run(&database, "UPDATE inbox_places SET last_sequence = 1");
    change_times(1);
    await_taken(&snapshots, 2);
    await_place(3);
    inbox_stop(inbox);
}

/* Without a snapshot there is nothing to be done about it. */
static void test_a_gap_without_snapshots(void **state)
{
    (void)state;
    struct inbox *inbox = start_inbox(&INBOX_OPTIONS());
    change_times(2);
    await_effects(2);
    inbox_stop(inbox);
    change_times(4);
    call_jetstream("STREAM.PURGE.THINGS", "{\"keep\":1}");
    inbox = start_inbox(&INBOX_OPTIONS());
    await_effects(3);
    inbox_stop(inbox);
    await_rows("SELECT coalesce(max(version), 0) FROM effects", 6);
    await_place(6);
}

/* --- the consumer on the server --- */

static void test_the_consumer_is_changed(void **state)
{
    (void)state;
    struct inbox *inbox = start_inbox(&INBOX_OPTIONS(.filter = "things.v1.events.none"));
    change_times(1);
    await_rows("SELECT count(*) FROM inbox_places", 1);
    inbox_stop(inbox);
    struct inbox_options options = INBOX_OPTIONS(.filter = THING_CHANGED);
    options.ack_wait_ms = 2000;
    inbox = start_inbox(&options);
    change_times(1);
    await_rows("SELECT coalesce(max(version), 0) FROM effects", 2);
    inbox_stop(inbox);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up_inbox, tear_down_inbox)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_each_event_has_its_effect_once),
        CASE(test_an_event_that_is_published_again),
        CASE(test_waiting_for_what_is_there),
        CASE(test_the_server_forgets_the_consumer),
        CASE(test_events_of_no_interest),
        CASE(test_ids_are_kept_for_a_time),
        CASE(test_names_that_are_too_long),
        CASE(test_replicas_share_the_events),
        CASE(test_the_server_is_restarted),
        CASE(test_the_server_comes_late),
        CASE(test_who_knows_nothing_takes_a_snapshot),
        CASE(test_not_ready_before_the_first_snapshot),
        CASE(test_gaps),
        CASE(test_a_gap_in_a_session),
        CASE(test_the_database_goes_back_in_a_session),
        CASE(test_a_snapshot_that_fails_for_long),
        CASE(test_a_gap_without_snapshots),
        CASE(test_the_consumer_is_changed),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
