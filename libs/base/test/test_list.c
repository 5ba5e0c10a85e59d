#include "check.h"

#include <base/list.h>

struct item {
    char name;
    struct list_node node;
};

static const char *names(struct list_node *head, char out[8])
{
    size_t length = 0;
    LIST_FOREACH (node, head) {
        out[length++] = CONTAINER_OF(node, struct item, node)->name;
    }
    out[length] = '\0';
    return out;
}

static void test_order(void **state)
{
    (void)state;
    struct item a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'};
    struct list_node head;
    char text[8];
    list_node_init(&head);
    assert_true(list_is_empty(&head));
    assert_null(list_pop_front(&head));
    assert_string_equal(names(&head, text), "");
    list_push_back(&head, &b.node);
    list_push_back(&head, &c.node);
    list_push_front(&head, &a.node);
    assert_false(list_is_empty(&head));
    assert_string_equal(names(&head, text), "abc");
    list_remove(&b.node);
    assert_string_equal(names(&head, text), "ac");
    list_remove(&b.node); /* in no list: safe */
    assert_ptr_equal(list_pop_front(&head), &a.node);
    assert_ptr_equal(list_pop_front(&head), &c.node);
    assert_true(list_is_empty(&head));
    list_push_back(&head, &a.node);
    assert_string_equal(names(&head, text), "a");
}

static void test_walk_may_remove_what_it_meets(void **state)
{
    (void)state;
    struct item items[5] = {{.name = 'a'}, {.name = 'b'}, {.name = 'c'}, {.name = 'd'}};
    struct list_node head;
    char text[8];
    list_node_init(&head);
    for (size_t i = 0; i < 4; i++)
        list_push_back(&head, &items[i].node);
    LIST_FOREACH (node, &head) {
        if (CONTAINER_OF(node, struct item, node)->name % 2 == 0)
            list_remove(node);
    }
    assert_string_equal(names(&head, text), "ac");
}

static void test_macros(void **state)
{
    (void)state;
    _cleanup_(free) char *kept = malloc(1);
    char *was = kept;
    _cleanup_(free) char *taken = TAKE(kept);
    assert_ptr_equal(taken, was);
    assert_null(kept);
    int numbers[] = {3, 1, 2};
    assert_int_equal(ARRAY_LEN(numbers), 3);
    assert_int_equal(MIN(numbers[0], numbers[1]), 1);
    assert_int_equal(MAX(numbers[1], numbers[2]), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_walk_may_remove_what_it_meets),
        cmocka_unit_test(test_macros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
