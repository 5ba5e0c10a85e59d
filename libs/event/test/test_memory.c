/* Every allocation of the calling thread fails once: an error, nothing leaked, and all works again. */
#include "event_test.h"

#include <alloc_fail.h>

static const char A[] = "01890000-0000-7000-8000-00000000000a";

static struct outbox *outbox;

static struct err *start_and_stop_outbox(void)
{
    struct outbox *other = NULL;
    TRY(outbox_start(&(struct outbox_options){.db = database.db, .bus = bus, .source = "things"},
                     &other));
    outbox_stop(other, 0);
    return NULL;
}

static struct err *add(void)
{
    return change_thing(outbox, database.db, A);
}

static struct err *start_and_stop_inbox(void)
{
    struct inbox *inbox = NULL;
    TRY(inbox_start(&INBOX_OPTIONS(), &inbox));
    inbox_stop(inbox);
    return NULL;
}

static struct err *list(void)
{
    return inbox_replay(&INBOX_OPTIONS(), NULL, NULL, INBOX_LIST, NULL, NULL);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct err *(*run)(void);
    } rows[] = {
        {"outbox", start_and_stop_outbox},
        {"add", add},
        {"inbox", start_and_stop_inbox},
        {"list", list},
    };
    outbox = start_outbox(database.db, bus);
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
    await_rows("SELECT count(*) FROM outbox", 0);
    assert_int_equal(test_database_number(&database, "SELECT version FROM things"), 1);
    outbox_stop(outbox, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_out_of_memory, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
