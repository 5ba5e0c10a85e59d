/* The outbox: told if committed, in order, soon; server, database and replicas come and go. */
#include "event_test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <base/clock.h>
#include <base/str.h>
#include <metric/metric.h>
#include <slog/trace.h>

#include "event.h"

#define TOLD_MAX 1024

static const char A[] = "01890000-0000-7000-8000-00000000000a";
static const char B[] = "01890000-0000-7000-8000-00000000000b";

static struct told told[TOLD_MAX];
static struct outbox *outbox;

static int set_up_outbox(void **state)
{
    set_up(state);
    outbox = start_outbox(database.db, bus);
    return 0;
}

static int tear_down_outbox(void **state)
{
    outbox_stop(TAKE(outbox), 0);
    return tear_down(state);
}

static void await_published(void)
{
    await_rows("SELECT count(*) FROM outbox", 0);
}

static void test_on_the_wire(void **state)
{
    (void)state;
    struct trace trace;
    trace_start(&trace, NULL, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    trace_set_current(&trace);
    change(outbox, A);
    trace_set_current(NULL);
    await_published();
    assert_int_equal(read_stream(told, TOLD_MAX), 1);
    static const char *const parts[] = {
        "{\"specversion\":\"1.0\",\"id\":\"",
        "\",\"source\":\"things\",\"type\":\"things.v1.events.changed\",\"subject\":"
        "\"01890000-0000-7000-8000-00000000000a\",\"time\":\"20",
        "Z\",\"traceparent\":\"00-0af7651916cd43dd8448eb211c80319c-",
        "-01\",\"datacontenttype\":\"application/json\",\"data\":{\"id\":"
        "\"01890000-0000-7000-8000-00000000000a\",\"version\":1}}"};
    const char *rest = told[0].body;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const char *found = strstr(rest, parts[i]);
        if (!found)
            fail_msg("%s is not in %s", parts[i], rest);
        rest = found + strlen(parts[i]);
    }
    assert_string_equal(rest, "");
}

static void test_events_are_in_order(void **state)
{
    (void)state;
    for (int i = 0; i < 150; i++) {
        change(outbox, A);
        change(outbox, B);
    }
    await_published();
    assert_int_equal(read_stream(told, TOLD_MAX), 300);
    expect_in_order(told, 300);
}

static void test_what_is_rolled_back_is_not_told_of(void **state)
{
    (void)state;
    struct thing thing = {.version = 1};
    str_copy(thing.id, sizeof(thing.id), A);
    const struct outbox_event event = {
        .type = THING_CHANGED, .about = A, .model = &thing_model, .data = &thing};
    struct sql_conn *conn = NULL;
    expect_ok(sql_acquire(database.db, NULL, &conn));
    expect_error(outbox_add(outbox, conn, NULL, &event), &SQL_FAILED); /* no transaction */
    expect_ok(sql_begin(conn, NULL));
    expect_ok(outbox_add(outbox, conn, NULL, &event));
    sql_release(conn);
    change(outbox, B);
    await_published();
    assert_int_equal(read_stream(told, TOLD_MAX), 1);
    assert_string_equal(told[0].about, B);
}

static int compare(const void *a, const void *b)
{
    const int64_t *left = a;
    const int64_t *right = b;
    return (*left > *right) - (*left < *right);
}

/* By a signal: who looks once in a while is late most of the time. */
static void test_events_are_told_of_at_once(void **state)
{
    (void)state;
    enum { TIMES = 15 };
    int64_t took_ms[TIMES];
    change(outbox, A);
    await_published();
    for (int i = 0; i < TIMES; i++) {
        change(outbox, A);
        int64_t committed_ms = clock_mono_ms();
        await_published();
        took_ms[i] = clock_mono_ms() - committed_ms;
    }
    qsort(took_ms, TIMES, sizeof(*took_ms), compare);
    /* Not the median: the machine may be busy with something else. */
    assert_in_range(took_ms[TIMES / 4], 0, 20);
}

static void test_the_server_is_away(void **state)
{
    (void)state;
    nats_server_kill(&server);
    for (int i = 0; i < 5; i++)
        change(outbox, A);
    nats_server_restart(&server);
    change(outbox, A);
    await_published();
    nats_server_kill_and_wipe(&server);
    for (int i = 0; i < 5; i++)
        change(outbox, B);
    nats_server_restart(&server);
    await_published();
    await_connected(bus);
    assert_int_equal(read_stream(told, TOLD_MAX), 5);
    expect_in_order(told, 5);
}

/* Nothing that was acknowledged is published again, and nothing overtakes what was refused. */
static void test_the_stream_refuses(void **state)
{
    (void)state;
    change(outbox, A);
    await_published();
    call_jetstream("STREAM.DELETE.THINGS", "");
    call_jetstream("STREAM.CREATE.SMALL", "{\"name\":\"SMALL\",\"subjects\":[\"things.>\"],"
                                          "\"max_msgs\":3,\"discard\":\"new\","
                                          "\"storage\":\"memory\"}");
    for (int i = 0; i < 8; i++)
        change(outbox, B);
    await_rows("SELECT count(*) FROM outbox", 5);
    call_jetstream("STREAM.UPDATE.SMALL", "{\"name\":\"SMALL\",\"subjects\":[\"things.>\"],"
                                          "\"max_msgs\":100,\"discard\":\"new\","
                                          "\"storage\":\"memory\"}");
    await_published();
    struct bus_stream_info info;
    expect_ok(bus_fetch_stream_info(bus, NULL, "SMALL", &info));
    assert_int_equal(info.last_sequence, 8);
}

/* Many are under way when the server dies: each is there once, those of a thing in order. */
static void test_the_server_dies_with_many_under_way(void **state)
{
    (void)state;
    enum { THINGS = 100, ROUNDS = 4 };
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < THINGS; i++) {
            char id[UUID_TEXT];
            snprintf(id, sizeof(id), "01890000-0000-7000-8000-%012d", i);
            change(outbox, id);
            if (i == THINGS / 2)
                nats_server_kill(&server);
        }
        nats_server_restart(&server);
    }
    await_published();
    await_connected(bus);
    assert_int_equal(read_stream(told, TOLD_MAX), ROUNDS * THINGS);
    expect_in_order(told, ROUNDS * THINGS);
}

static void make_stream(int message_size)
{
    char config[128];
    snprintf(config, sizeof(config),
             "{\"name\":\"OTHER\",\"subjects\":[\"things.>\"],"
             "\"max_msg_size\":%d,\"storage\":\"memory\"}",
             message_size);
    call_jetstream(message_size < 0 ? "STREAM.UPDATE.OTHER" : "STREAM.CREATE.OTHER", config);
}

static void add_row(const char *type, const char *about, int version)
{
    static int added;
    char statement[512];
    added++;
    snprintf(statement, sizeof(statement),
             "INSERT INTO outbox (id, type, about, body, created_at) VALUES "
             "('01890000-0000-7000-8000-%012d', '%s', '%s', "
             "'{\"id\":\"01890000-0000-7000-8000-%012d\",\"subject\":\"%s\","
             "\"data\":{\"version\":%d}}', 1)",
             added, type, about, added, about, version);
    test_database_run(&database, statement);
}

/* Rows about other things may pass one that is refused; those about the same thing never do. */
static void test_one_of_several_is_refused(void **state)
{
    (void)state;
    static const char C[] = "01890000-0000-7000-8000-00000000000c";
    static const char REFUSED[] = "refused.v1.events.changed";
    outbox_stop(TAKE(outbox), 0);
    add_row(THING_CHANGED, A, 1);
    add_row(REFUSED, B, 1);
    add_row(THING_CHANGED, C, 1);
    add_row(THING_CHANGED, B, 2);
    add_row(THING_CHANGED, A, 2);
    size_t before = log_length();
    struct metrics *metrics = NULL;
    expect_ok(metrics_new(&metrics));
    expect_ok(outbox_start(
        &(struct outbox_options){
            .db = database.db, .bus = bus, .source = "things", .metrics = metrics},
        &outbox));
    await_logged(before, (const char *const[]){"events wait", REFUSED, "no one listens", NULL});
    struct metric *failures = metric_counter(metrics, "outbox_failures_total", "", NULL);
    for (int64_t end_ms = clock_mono_ms() + PATIENCE_MS; metric_value(failures) < 3;) {
        assert_true(clock_mono_ms() < end_ms);
        err_free(ctx_sleep(NULL, 2));
    }
    assert_int_equal(test_database_number(&database, "SELECT count(*) FROM outbox"), 3);
    call_jetstream("STREAM.CREATE.REFUSED",
                   "{\"name\":\"REFUSED\",\"subjects\":[\"refused.>\"],\"storage\":\"memory\"}");
    await_published();
    static const struct {
        const char *about;
        int64_t version;
    } order[] = {{A, 1}, {C, 1}, {B, 2}, {A, 2}};
    assert_int_equal(read_stream(told, TOLD_MAX), ARRAY_LEN(order));
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        CHECK_STR("about", told[i].about, order[i].about);
        CHECK_INT("version", told[i].version, order[i].version);
    }
    outbox_stop(TAKE(outbox), 0);
    metrics_free(metrics);
    outbox = start_outbox(database.db, bus);
}

/* It is named, at once and again while it holds up the rest, and so are those after it. */
static void test_an_event_that_holds_up_the_line(void **state)
{
    (void)state;
    outbox_stop(TAKE(outbox), 0);
    call_jetstream("STREAM.DELETE.THINGS", "");
    make_stream(1);
    expect_ok(outbox_start(
        &(struct outbox_options){
            .db = database.db, .bus = bus, .source = "things", .tell_every_ms = 1100},
        &outbox));
    size_t before = log_length();
    change(outbox, A);
    char id[64];
    const char *line = await_logged(
        before,
        (const char *const[]){"\"level\":\"warn\"", "\"msg\":\"events wait to be published\"",
                              "\"event_type\":\"things.v1.events.changed\"", "\"held_s\":0,",
                              "message size exceeds maximum", NULL});
    const char *found = strstr(line, "\"event_id\":\"");
    assert_non_null(found);
    str_copy_n(id, sizeof(id), found, strlen("\"event_id\":\"") + UUID_TEXT);
    size_t first = log_length();
    await_logged(first, (const char *const[]){"\"level\":\"error\"", id, "\"pending\":1,", NULL});
    test_database_run(&database, "DELETE FROM outbox"); /* by a person who gives it up */
    await_logged(first, (const char *const[]){"events are published again", NULL});
    first = log_length();
    change(outbox, A);
    await_logged(first, (const char *const[]){"\"level\":\"warn\"", "\"held_s\":0,", NULL});
    make_stream(-1);
    await_logged(first, (const char *const[]){"events are published again", NULL});
    await_published();
}

struct large {
    const char *text;
};
static const struct field large_fields[] = {FIELD(struct large, text, STRING)};
static const struct model large_model = MODEL(struct large, large_fields, "Anything");

static void test_what_no_server_would_take(void **state)
{
    (void)state;
    static const char *const types[] = {
        "",    ".",    "a..b",         ".a",       "a.",     "a b", "a.*",
        "a.>", "a\tb", "a\r\nPUB b 0", "\303\244", "a\177b", NULL,
    };
    char longest[EVENT_TYPE_MAX + 2];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    struct sql_conn *conn = NULL;
    expect_ok(sql_acquire(database.db, NULL, &conn));
    expect_ok(sql_begin(conn, NULL));
    struct thing thing = {.id = "", .version = 1};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        const struct outbox_event event = {.type = types[i] ? types[i] : longest,
                                           .about = A,
                                           .model = &thing_model,
                                           .data = &thing};
        expect_error(outbox_add(outbox, conn, NULL, &event), &ERR_INTERNAL);
    }
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(EVENT_MAX);
    while (text.len < EVENT_MAX - 1)
        buf_append_char(&text, 'x');
    const struct large large = {buf_text(&text)};
    const struct outbox_event event = {
        .type = THING_CHANGED, .about = A, .model = &large_model, .data = &large};
    expect_error(outbox_add(outbox, conn, NULL, &event), &ERR_INTERNAL);
    sql_release(conn);
    await_published();
}

/* What the table has and what was added since is counted now and then, and meanwhile about right. */
static void await_value(const struct metric *metric, int64_t value)
{
    int64_t end_ms = clock_mono_ms() + PATIENCE_MS;
    while (metric_value(metric) != value) {
        if (clock_mono_ms() > end_ms)
            fail_msg("%lld, not %lld", (long long)metric_value(metric), (long long)value);
        err_free(ctx_sleep(NULL, 2));
    }
}

static void test_too_many_wait(void **state)
{
    (void)state;
    struct metrics *metrics = NULL;
    struct outbox *small = NULL;
    expect_ok(metrics_new(&metrics));
    outbox_stop(TAKE(outbox), 0);
    nats_server_kill(&server);
    expect_ok(outbox_start(&(struct outbox_options){.db = database.db,
                                                    .bus = bus,
                                                    .source = "things",
                                                    .max_pending = 3,
                                                    .metrics = metrics},
                           &small));
    for (int i = 0; i < 3; i++)
        change(small, A);
    struct metric *pending = metric_gauge(metrics, "outbox_pending", "", NULL);
    await_value(pending, 3);
    struct err *e = change_thing(small, database.db, A);
    assert_true(err_retry_after_ms(e) > 0);
    expect_error(e, &ERR_OVERLOADED);
    nats_server_restart(&server);
    await_published();
    struct metric *published = metric_counter(metrics, "outbox_published_total", "", NULL);
    await_value(published, 3);
    await_value(pending, 0);
    change(small, A);
    outbox_stop(small, PATIENCE_MS);
    metrics_free(metrics);
    outbox = start_outbox(database.db, bus);
}

static void test_stopping_publishes_the_rest(void **state)
{
    (void)state;
    for (int round = 1; round <= 5; round++) {
        for (int i = 0; i < 20; i++)
            change(outbox, A);
        outbox_stop(TAKE(outbox), PATIENCE_MS);
        assert_int_equal(test_database_number(&database, "SELECT count(*) FROM outbox"), 0);
        outbox = start_outbox(database.db, bus);
    }
    nats_server_kill(&server); /* with nobody to publish to it does not take the whole time */
    change(outbox, A);
    int64_t begin_ms = clock_mono_ms();
    outbox_stop(TAKE(outbox), PATIENCE_MS);
    assert_in_range(clock_mono_ms() - begin_ms, 0, PATIENCE_MS / 2);
    nats_server_restart(&server);
    outbox = start_outbox(database.db, bus); /* and a successor goes on */
    await_published();
}

/* --- replicas --- */

enum { REPLICAS = 3, WRITERS = 6, CHANGES = 25 };

struct replica {
    struct sql_db *db;
    struct bus *bus;
    struct outbox *outbox;
};

static void write_changes(size_t index, void *data)
{
    struct replica *replica = (struct replica *)data + index % REPLICAS;
    for (int i = 0; i < CHANGES; i++) {
        struct err *e;
        while (err_is(e = change_thing(replica->outbox, replica->db, index % 2 ? A : B),
                      &SQL_SERIALIZATION))
            err_free(e);
        expect_ok(e);
    }
}

static void test_replicas_share_the_line(void **state)
{
    (void)state;
    struct replica replicas[REPLICAS] = {{0}};
    for (size_t i = 0; i < REPLICAS; i++) {
        struct replica *replica = &replicas[i];
        expect_ok(sql_open(&(struct sql_options){.url = database.url}, &replica->db));
        replica->bus = open_bus(server.url);
        await_connected(replica->bus);
        replica->outbox = start_outbox(replica->db, replica->bus);
    }
    run_threads(WRITERS, write_changes, replicas);
    await_published();
    for (size_t i = 0; i < REPLICAS; i++) {
        outbox_stop(replicas[i].outbox, 0);
        bus_close(replicas[i].bus);
        sql_close(replicas[i].db);
    }
    assert_int_equal(read_stream(told, TOLD_MAX), WRITERS * CHANGES);
    expect_in_order(told, WRITERS * CHANGES);
}

/* A replica that holds the line and does not go on does not stop the others for ever. */
static void test_the_line_is_taken_over(void **state)
{
    (void)state;
    if (sql_dialect(database.db) == SQL_SQLITE)
        return; /* has no line */
    struct sql_conn *holder = NULL;
    int64_t line = 0;
    expect_ok(sql_acquire(database.db, NULL, &holder));
    expect_ok(sql_begin_read_committed(holder, NULL));
    expect_ok(sql_fetch_i64(holder, NULL, &line, "SELECT id FROM outbox_line FOR UPDATE"));
    change(outbox, A);
    err_free(ctx_sleep(NULL, 100));
    assert_int_equal(test_database_number(&database, "SELECT count(*) FROM outbox"), 1);
    sql_release(holder);
    int64_t begin_ms = clock_mono_ms();
    await_published();
    assert_in_range(clock_mono_ms() - begin_ms, 0, 1500);
}

/* --- JetStream that takes its time --- */

static atomic_int asked;

static struct err *answer_late(struct bus_call *call)
{
    atomic_fetch_add(&asked, 1);
    return ctx_sleep(call->ctx, 300);
}

static void set_role_timeout(const char *timeout)
{
    char statement[128];
    snprintf(statement, sizeof(statement),
             "ALTER ROLE CURRENT_USER SET idle_in_transaction_session_timeout = %s", timeout);
    test_database_run(&database, statement);
}

/* The transaction of the line waits for the network, and is not forgotten. */
static void test_a_dba_ends_idle_transactions(void **state)
{
    (void)state;
    if (sql_dialect(database.db) == SQL_SQLITE)
        return; /* has no such thing */
    static const struct bus_method late[] = {{.subject = THING_CHANGED, .handle = answer_late}};
    struct sql_db *db = NULL;
    struct bus *other = NULL;
    struct bus_stream_info info;
    expect_ok(bus_open(&(struct bus_options){.url = server.url, .name = "late"}, &other));
    await_connected(other);
    outbox_stop(TAKE(outbox), 0);
    call_jetstream("STREAM.DELETE.THINGS", "");
    expect_ok(bus_serve(other, late, ARRAY_LEN(late), NULL));
    expect_error(bus_fetch_stream_info(other, NULL, "THINGS", &info), &BUS_FAILED); /* served now */
    set_role_timeout("50"); /* ms, of the connections to come */
    expect_ok(sql_open(&(struct sql_options){.url = database.url}, &db));
    outbox = start_outbox(db, bus);
    change(outbox, A); /* where nobody is in a hurry */
    await_published();
    assert_int_equal(atomic_load(&asked), 1);
    outbox_stop(TAKE(outbox), 0);
    sql_close(db);
    set_role_timeout("DEFAULT");
    bus_close(other);
    outbox = start_outbox(database.db, bus);
}

/* Rows of a replica that died before it could publish them. */
static void test_rows_of_others_are_found(void **state)
{
    (void)state;
    test_database_run(&database,
                      "INSERT INTO outbox (id, type, about, body, created_at) VALUES "
                      "('01890000-0000-7000-8000-000000000001', 'things.v1.events.changed', 'x', "
                      "'{}', 1)");
    await_published();
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up_outbox, tear_down_outbox)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_on_the_wire),
        CASE(test_events_are_in_order),
        CASE(test_what_is_rolled_back_is_not_told_of),
        CASE(test_events_are_told_of_at_once),
        CASE(test_the_server_is_away),
        CASE(test_the_stream_refuses),
        CASE(test_the_server_dies_with_many_under_way),
        CASE(test_one_of_several_is_refused),
        CASE(test_an_event_that_holds_up_the_line),
        CASE(test_what_no_server_would_take),
        CASE(test_too_many_wait),
        CASE(test_stopping_publishes_the_rest),
        CASE(test_replicas_share_the_line),
        CASE(test_the_line_is_taken_over),
        CASE(test_a_dba_ends_idle_transactions),
        CASE(test_rows_of_others_are_found),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
