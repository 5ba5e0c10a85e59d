/* Processes that die between any two steps: no event is lost, none has its effect twice. */
#include "event_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <base/str.h>
#include <slog/slog.h>

static const char A[] = "01890000-0000-7000-8000-00000000000a";

/* Works until it dies, but not for ever. */
__attribute__((noreturn)) static void be_child(const char *role, const char *database_url,
                                               const char *nats_url)
{
    slog_init(&(struct slog_options){.service = "child", .level = SLOG_OFF});
    alarm(PATIENCE_MS / 1000);
    expect_ok(sql_open(&(struct sql_options){.url = database_url}, &database.db));
    bus = open_bus(nats_url);
    if (str_equal(role, "writer")) {
        struct outbox *outbox = start_outbox(database.db, bus);
        for (;;)
            change(outbox, A);
    }
    start_inbox(&INBOX_OPTIONS());
    for (;;)
        pause();
}

static void crash(const char *role, const char *at)
{
    run_until_crash(at, (const char *const[]){role, database.url, server.url, NULL});
}

/* Versions 1 to count, each once. */
static void expect_effects(struct inbox *inbox, struct outbox *outbox)
{
    int64_t count = test_database_number(&database, "SELECT version FROM things");
    await_rows("SELECT count(*) FROM outbox", 0);
    await_rows("SELECT count(*) FROM effects", count);
    await_rows("SELECT count(DISTINCT version) FROM effects", count);
    await_rows("SELECT coalesce(max(version), 0) FROM effects", count);
    inbox_stop(inbox);
    outbox_stop(outbox, 0);
}

static void test_writers_that_die(void **state)
{
    static const char *const places[] = {"outbox.added:2", "outbox.published", "outbox.published:2",
                                         "outbox.deleted", "outbox.deleted:2"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        struct outbox *outbox = start_outbox(database.db, bus);
        change(outbox, A);
        outbox_stop(outbox, PATIENCE_MS);
        crash("writer", places[i]);
        outbox = start_outbox(database.db, bus);
        expect_effects(start_inbox(&INBOX_OPTIONS()), outbox);
        tear_down(state);
        set_up(state);
    }
}

static void test_readers_that_die(void **state)
{
    static const char *const places[] = {"inbox.begun",     "inbox.begun:3",   "inbox.handled",
                                         "inbox.handled:2", "inbox.committed", "inbox.committed:3"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        struct outbox *outbox = start_outbox(database.db, bus);
        for (int k = 0; k < 4; k++)
            change(outbox, A);
        await_rows("SELECT count(*) FROM outbox", 0);
        crash("reader", places[i]);
        expect_effects(start_inbox(&INBOX_OPTIONS()), outbox);
        tear_down(state);
        set_up(state);
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(int argc, char **argv)
{
    if (argc == 4)
        be_child(argv[1], argv[2], argv[3]);
#ifdef PLANKTON_CRASH_POINTS
    const struct CMUnitTest tests[] = {
        CASE(test_writers_that_die),
        CASE(test_readers_that_die),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
#else
    (void)test_writers_that_die;
    (void)test_readers_that_die;
    return 0; /* there is no place to die at in this build */
#endif
}
