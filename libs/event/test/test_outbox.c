/* The outbox: told if committed, in order, soon; the server, the database and replicas come and go. */
#include "event_test.h"

#include <base/clock.h>
#include <base/str.h>
#include <metric/metric.h>

static const char A[] = "01890000-0000-7000-8000-00000000000a";

static void test_a_committed_change_is_told_of(void **state)
{
    (void)state;
    struct outbox *outbox = start_outbox(database.db, bus, "things");
    struct inbox *inbox = NULL;
    static const struct inbox_type types[] = {{THING_CHANGED, &thing_model, note_effect, NULL}};
    expect_ok(inbox_start(&(struct inbox_options){.db = database.db,
                                                  .bus = bus,
                                                  .service = "readers",
                                                  .stream = "THINGS",
                                                  .types = types,
                                                  .type_count = 1},
                          &inbox));
    change(outbox, A);
    change(outbox, A);
    await_rows("SELECT count(*) FROM effects", 2);
    await_rows("SELECT count(*) FROM outbox", 0);
    inbox_stop(inbox);
    outbox_stop(outbox, 1000);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_a_committed_change_is_told_of),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
