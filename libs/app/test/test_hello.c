/* examples/hello.c as the program that it is: started, asked, stopped. HELLO is its path. */
#include "child.h"

#include <stdlib.h>
#include <string.h>

static void test_hello(void **state)
{
    (void)state;
    const char *path = getenv("HELLO");
    assert_non_null(path);
    struct child child;
    child_execute(&child, path, NULL, NULL);
    child_await_listening(&child);
    char body[4096];
    assert_int_equal(ask(child.address, "/hello/J%C3%B6rg", body, sizeof(body)), 200);
    assert_string_equal(body, "{\"text\":\"Hello, J\xc3\xb6rg!\"}");
    assert_int_equal(ask(child.address, "/hello", body, sizeof(body)), 404);
    assert_int_equal(ask(child.admin, "/livez", NULL, 0), 200);
    assert_int_equal(ask(child.admin, "/readyz", NULL, 0), 200);
    await_answer_has(child.admin, "/metrics", "route=\"/hello/{name}\"");
    child_stop(&child);
    assert_non_null(strstr(child.text, "\"route\":\"/hello/{name}\",\"status\":200"));
}

static void test_hello_describes_itself(void **state)
{
    (void)state;
    struct child child;
    child_execute(&child, getenv("HELLO"), ARGS("openapi"), NULL);
    assert_int_equal(child_end(&child), 0);
    assert_non_null(strstr(child.text, "\"/hello/{name}\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello),
        cmocka_unit_test(test_hello_describes_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
