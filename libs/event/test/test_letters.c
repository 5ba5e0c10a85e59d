/* Dead letters: what gets there, with which words, and how it comes back. */
#include "event_test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <base/clock.h>
#include <base/str.h>

static const char A[] = "01890000-0000-7000-8000-00000000000a";
static const char B[] = "01890000-0000-7000-8000-00000000000b";

static struct outbox *outbox;

static int set_up_letters(void **state)
{
    set_up(state);
    outbox = start_outbox(database.db, bus);
    return 0;
}

static int tear_down_letters(void **state)
{
    outbox_stop(outbox, 0);
    return tear_down(state);
}

static const struct err_kind REFUSED = {"refused", 422, "Refused", false, ""};
static const struct err_kind AWAY = {"away", 503, "Away", true, ""};

/* What happens to events about A; those about B are handled. */
struct fate {
    const struct err_kind *kind; /* NULL: handled, too */
    atomic_int times;            /* left */
    const char *deliveries; /* before that: of each, 'r' for refused, 'a' for away; may be NULL */
};

static struct err *refuse(const struct inbox_event *event)
{
    struct fate *fate = event->state;
    TRY(note_effect(event)); /* rolled back when it is refused */
    if (fate->deliveries && *fate->deliveries)
        return err_new(*fate->deliveries++ == 'r' ? &REFUSED : &AWAY, "this time");
    if (str_equal(event->about, A) && fate->kind && atomic_fetch_sub(&fate->times, 1) > 0)
        return err_new(fate->kind, "not this\none");
    return NULL;
}

static const struct inbox_type types[] = {{THING_CHANGED, &thing_model, refuse, NULL}};

static struct inbox_options options_of(struct fate *fate)
{
    struct inbox_options options = INBOX_OPTIONS(.max_failures = 3, .state = fate);
    options.types = types;
    return options;
}

struct letters {
    size_t count, handled;
    struct inbox_letter last;
    char id[UUID_TEXT], type[64], error[64], detail[256];
};

static void on_letter(const struct inbox_letter *letter, const struct err *e, void *data)
{
    struct letters *letters = data;
    letters->count++;
    letters->handled += !e;
    letters->last = *letter;
    str_copy(letters->id, sizeof(letters->id), letter->id);
    str_copy(letters->type, sizeof(letters->type), letter->type);
    str_copy(letters->error, sizeof(letters->error), letter->error);
    str_copy(letters->detail, sizeof(letters->detail), letter->detail);
}

static struct letters replay(struct fate *fate, const char *id, enum inbox_replay what)
{
    struct letters letters = {0};
    const struct inbox_options options = options_of(fate);
    expect_ok(inbox_replay(&options, NULL, id, what, on_letter, &letters));
    return letters;
}

static void test_what_cannot_be_handled_is_set_aside(void **state)
{
    (void)state;
    struct fate fate = {.kind = &REFUSED, .times = 1000};
    const struct inbox_options options = options_of(&fate);
    struct inbox *inbox = start_inbox(&options);
    change(outbox, A);
    change(outbox, B);
    await_place(2);
    inbox_stop(inbox);
    await_rows("SELECT count(*) FROM effects", 1);
    assert_int_equal(fate.times, 1000 - 3);
    struct letters letters = replay(&fate, NULL, INBOX_LIST);
    assert_int_equal(letters.count, 1);
    assert_string_equal(letters.type, THING_CHANGED);
    assert_string_equal(letters.error, "refused");
    assert_non_null(strstr(letters.detail, "not this\\x0aone [refused]"));
    assert_int_equal(letters.last.deliveries, 3);
    struct bus_stored stored = {0};
    expect_ok(bus_fetch_stored(bus, NULL, "DEAD", 1, &stored));
    assert_string_equal(stored.subject, "dead.readers.things.v1.events.changed");
    assert_string_equal(bus_stored_header(&stored, "Plankton-Consumer"), "readers-things");
    bus_stored_deinit(&stored);
}

static void test_what_may_be_handled_later_is_not_set_aside(void **state)
{
    (void)state;
    struct fate fate = {.kind = &AWAY, .times = 8};
    const struct inbox_options options = options_of(&fate);
    struct inbox *inbox = start_inbox(&options);
    change(outbox, A);
    change(outbox, B);
    await_rows("SELECT count(*) FROM effects", 2);
    inbox_stop(inbox);
    assert_int_equal(replay(&fate, NULL, INBOX_LIST).count, 0);
}

/* Of the failures only those that are its own count, however many outages are between. */
static void test_an_outage_is_not_the_events_fault(void **state)
{
    static const struct {
        const char *deliveries;
        size_t letters; /* with three failures */
    } rows[] = {{"aaaaaaaarr", 0}, {"aaaarr", 0}, {"rar", 0}, {"raaaararaa", 1}, {"aaaaarrr", 1}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fate fate = {.deliveries = rows[i].deliveries};
        const struct inbox_options options = options_of(&fate);
        struct inbox *inbox = start_inbox(&options);
        change(outbox, A);
        await_place(1);
        inbox_stop(inbox);
        CHECK_INT(rows[i].deliveries, replay(&fate, NULL, INBOX_LIST).count, rows[i].letters);
        tear_down_letters(state);
        set_up_letters(state);
    }
}

static void test_malformed_events_are_set_aside_at_once(void **state)
{
    (void)state;
#define HEAD "{\"specversion\":\"1.0\",\"id\":\"7\",\"source\":\"s\",\"type\":\"" THING_CHANGED "\""
    static const struct {
        const char *name, *body;
    } rows[] = {
        {"not JSON", "{"},
        {"nothing", ""},
        {"no object", "[]"},
        {"no specversion", "{\"id\":\"1\",\"source\":\"s\",\"type\":\"" THING_CHANGED "\"}"},
        {"another specversion", "{\"specversion\":\"2.0\",\"id\":\"1\",\"source\":\"s\"}"},
        {"no id", "{\"specversion\":\"1.0\",\"source\":\"s\",\"type\":\"" THING_CHANGED "\"}"},
        {"an empty id", "{\"specversion\":\"1.0\",\"id\":\"\",\"source\":\"s\"}"},
        {"a number as id", "{\"specversion\":\"1.0\",\"id\":1,\"source\":\"s\"}"},
        {"another type",
         "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"a.b\"}"},
        {"no data", HEAD "}"},
        {"a bad time", HEAD ",\"time\":\"yesterday\",\"data\":{}}"},
        {"data of another shape", HEAD ",\"data\":{\"id\":\"x\",\"version\":\"1\"}}"},
        {"a bad subject", HEAD ",\"subject\":{},\"data\":{}}"},
    };
#undef HEAD
    struct fate fate = {0};
    const struct inbox_options options = options_of(&fate);
    struct inbox *inbox = start_inbox(&options);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        expect_ok(bus_publish(bus, NULL, THING_CHANGED, NULL, rows[i].body, strlen(rows[i].body)));
        await_place((int64_t)i + 1);
        struct letters letters = replay(&fate, NULL, INBOX_LIST);
        CHECK_INT(rows[i].name, letters.count, i + 1);
        CHECK_STR(rows[i].name, letters.error, "malformed_event");
        CHECK_STR(rows[i].name, letters.type, THING_CHANGED);
        CHECK_INT(rows[i].name, letters.last.deliveries, 1);
    }
    inbox_stop(inbox);
    struct letters letters = replay(&fate, NULL, INBOX_HANDLE); /* they are as bad as they were */
    assert_int_equal(letters.count, ARRAY_LEN(rows));
    assert_int_equal(letters.handled, 0);
    assert_int_equal(replay(&fate, NULL, INBOX_LIST).count, ARRAY_LEN(rows));
}

static void test_replay(void **state)
{
    (void)state;
    struct fate fate = {.kind = &REFUSED, .times = 1000};
    const struct inbox_options options = options_of(&fate);
    struct inbox *inbox = start_inbox(&options);
    for (int i = 0; i < 3; i++)
        change(outbox, A);
    await_place(3);
    inbox_stop(inbox);
    struct letters letters = replay(&fate, NULL, INBOX_HANDLE);
    assert_int_equal(letters.count, 3); /* still refused, still there */
    assert_int_equal(letters.handled, 0);
    fate.kind = NULL;
    expect_error(inbox_replay(&options, NULL, "no such id", INBOX_HANDLE, NULL, NULL),
                 &ERR_NOT_FOUND);
    struct letters one = replay(&fate, letters.id, INBOX_HANDLE);
    assert_int_equal(one.count, 1);
    assert_int_equal(one.handled, 1);
    await_rows("SELECT count(*) FROM effects WHERE version = 3", 1);
    letters = replay(&fate, NULL, INBOX_HANDLE);
    assert_int_equal(letters.handled, 2);
    assert_int_equal(replay(&fate, NULL, INBOX_LIST).count, 0);
    await_rows("SELECT count(*) FROM effects", 3);
    await_place(3);
}

static void test_replay_command(void **state)
{
    (void)state;
    struct fate fate = {.kind = &REFUSED, .times = 1000};
    const struct inbox_options options = options_of(&fate);
    struct inbox *inbox = start_inbox(&options);
    for (int i = 1; i <= 2; i++) {
        change(outbox, A);
        await_place(i);
    }
    inbox_stop(inbox);
    const struct {
        const char *row;
        const char *args[3]; /* --list, --discard, ID */
        const struct err_kind *kind;
        size_t left;
    } rows[] = {
        {"a list", {"--list"}, NULL, 2},
        {"a list to be discarded", {"--list", "--discard", "seq:1"}, &ERR_INVALID_REQUEST, 2},
        {"discard, not told what", {NULL, "--discard"}, &ERR_INVALID_REQUEST, 2},
        {"discard", {NULL, "--discard", "seq:1"}, NULL, 1},
        {"gone", {NULL, NULL, "seq:1"}, &ERR_NOT_FOUND, 1},
        {"refused again", {NULL}, &ERR_INTERNAL, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(err_free) struct err *e = inbox_replay_command(&options, NULL, rows[i].args);
        CHECK(rows[i].row, err_kind(e) == rows[i].kind);
        CHECK_INT(rows[i].row, replay(&fate, NULL, INBOX_LIST).count, rows[i].left);
    }
    fate.kind = NULL;
    expect_ok(inbox_replay_command(&options, NULL, (const char *const[3]){NULL}));
    assert_int_equal(replay(&fate, NULL, INBOX_LIST).count, 0);
}

/* On purpose, one at a time: what can be read by its id, what cannot by its place. */
static void test_discard(void **state)
{
    (void)state;
    struct fate fate = {.kind = &REFUSED, .times = 1000};
    const struct inbox_options options = options_of(&fate);
    struct inbox *inbox = start_inbox(&options);
    int64_t begun_ms = clock_now_ms();
    change(outbox, A);
    await_place(1);
    for (int i = 2; i <= 3; i++) {
        expect_ok(bus_publish(bus, NULL, THING_CHANGED, NULL, "{", 1));
        await_place(i);
    }
    inbox_stop(inbox);
    struct letters letters = replay(&fate, NULL, INBOX_LIST);
    assert_int_equal(letters.count, 3);
    assert_int_equal(letters.last.sequence, 3);
    assert_in_range(letters.last.time_ms, begun_ms - 1, clock_now_ms() + 1);
    assert_string_equal(letters.id, "");
    expect_error(inbox_replay(&options, NULL, NULL, INBOX_DISCARD, NULL, NULL), &ERR_INTERNAL);
    static const char *const none[] = {"", "seq:", "seq:4", "seq:02", "2"};
    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        expect_error(inbox_replay(&options, NULL, none[i], INBOX_DISCARD, NULL, NULL),
                     &ERR_NOT_FOUND);
    size_t before = log_length();
    letters = replay(&fate, "seq:2", INBOX_DISCARD);
    assert_int_equal(letters.handled, 1);
    await_logged(before, (const char *const[]){"\"msg\":\"dead letter discarded\"",
                                               "\"sequence\":2,", "malformed_event", NULL});
    letters = replay(&fate, "seq:1", INBOX_LIST);
    assert_int_equal(replay(&fate, letters.id, INBOX_DISCARD).handled, 1);
    await_logged(before, (const char *const[]){"discarded", letters.id, "\"refused\"", NULL});
    letters = replay(&fate, NULL, INBOX_LIST);
    assert_int_equal(letters.count, 1);
    assert_int_equal(letters.last.sequence, 3);
    assert_int_equal(atomic_load(&fate.times), 1000 - 3); /* none was handled */
}

/* One that took effect and was not removed, as after a crash in between. */
static void test_a_letter_that_was_handled(void **state)
{
    (void)state;
    struct fate fate = {.kind = &REFUSED, .times = 1000};
    const struct inbox_options options = options_of(&fate);
    struct inbox *inbox = start_inbox(&options);
    change(outbox, A);
    await_place(1);
    inbox_stop(inbox);
    struct letters letters = replay(&fate, NULL, INBOX_LIST);
    char statement[256];
    snprintf(statement, sizeof(statement),
             "INSERT INTO inbox (consumer, id, handled_at) VALUES ('readers-things', '%s', 1)",
             letters.id);
    test_database_run(&database, statement);
    assert_int_equal(replay(&fate, NULL, INBOX_HANDLE).handled, 1);
    assert_int_equal(replay(&fate, NULL, INBOX_LIST).count, 0);
    await_rows("SELECT count(*) FROM effects", 0);
}

static void test_letters_of_others_are_left_alone(void **state)
{
    (void)state;
    struct fate fate = {.kind = &REFUSED, .times = 1000};
    const struct inbox_options options = options_of(&fate);
    struct inbox *inbox = start_inbox(&options);
    change(outbox, A);
    await_place(1);
    inbox_stop(inbox);
    struct letters letters = {0};
    struct inbox_options others[] = {options, options};
    others[0].service = "writers";
    others[1].stream = "OTHERS";
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        expect_ok(inbox_replay(&others[i], NULL, NULL, INBOX_HANDLE, on_letter, &letters));
    assert_int_equal(letters.count, 0);
    struct ctx ctx;
    ctx_init(&ctx, NULL, 0);
    expect_error(inbox_replay(&options, &ctx, NULL, INBOX_HANDLE, NULL, NULL),
                 &ERR_UPSTREAM_TIMEOUT);
    ctx_deinit(&ctx);
}

/* Each would be in the way for ever if there were no letter that takes it. */
static void test_what_is_too_long_holds_nothing_up(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t subject_len, id_len, body_len;
        const char *type;
    } rows[] = {
        {"a subject", 250, 1, 0, "unnamed"},
        {"an id", 0, 256, 0, THING_CHANGED},
        {"all that a message can hold", 0, 1, (size_t)1000 * 1024, THING_CHANGED},
    };
    struct fate fate = {0};
    const struct inbox_options options = options_of(&fate);
    struct inbox *inbox = start_inbox(&options);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf subject = BUF_INIT(512), body = BUF_INIT(SIZE_MAX);
        buf_append_str(&subject, rows[i].subject_len ? "things.v1.events." : THING_CHANGED);
        while (subject.len < rows[i].subject_len)
            buf_append_char(&subject, 'x');
        buf_printf(&body, "{\"specversion\":\"1.0\",\"source\":\"s\",\"type\":\"%s\",\"id\":\"",
                   THING_CHANGED);
        for (size_t n = 0; n < rows[i].id_len; n++)
            buf_append_char(&body, '7');
        buf_printf(&body, "\",\"data\":{\"id\":\"%s\",\"version\":1}}", A);
        while (body.len < rows[i].body_len)
            buf_append_char(&body, ' ');
        expect_ok(bus_publish(bus, NULL, buf_text(&subject), NULL, body.data, body.len));
        await_place((int64_t)i + 1);
        struct letters letters = replay(&fate, NULL, INBOX_LIST);
        CHECK_INT(rows[i].name, letters.count, i + 1);
        CHECK_STR(rows[i].name, letters.type, rows[i].type);
        CHECK_STR(rows[i].name, letters.error, "malformed_event");
    }
    inbox_stop(inbox);
}

/* Another thread makes it. */
static void await_dead_stream(void)
{
    struct bus_stream_info info;
    struct err *e = NULL;
    for (int64_t end_ms = clock_mono_ms() + PATIENCE_MS;
         (e = bus_fetch_stream_info(bus, NULL, "DEAD", &info)) && clock_mono_ms() < end_ms;) {
        err_free(e);
        err_free(ctx_sleep(NULL, 2));
    }
    expect_ok(e);
}

/* Then it is not lost either: it waits in its place. */
static void test_no_room_for_letters(void **state)
{
    (void)state;
    enum { TIMES = 1000, MANY_TIMES_MAX_FAILURES = 10 };
    struct fate fate = {.kind = &REFUSED, .times = TIMES};
    const struct inbox_options options = options_of(&fate);
    struct inbox *inbox = start_inbox(&options);
    await_dead_stream();
    call_jetstream("STREAM.DELETE.DEAD", "");
    change(outbox, A);
    await_rows("SELECT count(*) FROM outbox", 0);
    for (int64_t end_ms = clock_mono_ms() + PATIENCE_MS;
         atomic_load(&fate.times) > TIMES - MANY_TIMES_MAX_FAILURES;) {
        assert_true(clock_mono_ms() < end_ms);
        err_free(ctx_sleep(NULL, 2));
    }
    await_place(0);
    nats_server_kill(&server); /* a new connection makes the stream anew */
    nats_server_restart(&server);
    await_place(1);
    inbox_stop(inbox);
    assert_int_equal(replay(&fate, NULL, INBOX_LIST).count, 1);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up_letters, tear_down_letters)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_what_cannot_be_handled_is_set_aside),
        CASE(test_what_may_be_handled_later_is_not_set_aside),
        CASE(test_an_outage_is_not_the_events_fault),
        CASE(test_malformed_events_are_set_aside_at_once),
        CASE(test_replay),
        CASE(test_replay_command),
        CASE(test_discard),
        CASE(test_a_letter_that_was_handled),
        CASE(test_letters_of_others_are_left_alone),
        CASE(test_what_is_too_long_holds_nothing_up),
        CASE(test_no_room_for_letters),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
