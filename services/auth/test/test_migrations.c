/* That migrations keep what they promise to programs that do not know them. */
#include "auth_test.h"

#include <promises.h>

extern const struct sql_migrations auth_migrations;

static void test_auth_keeps_its_promises(void **state)
{
    (void)state;
    _cleanup_(buf_deinit) struct buf broken = BUF_INIT(65536);
    promises_find_broken(&auth_migrations, &broken);
    assert_string_equal(buf_text(&broken), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_auth_keeps_its_promises)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
