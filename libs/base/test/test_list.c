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

static void destroy(int *count)
{
    ++*count;
}
DEFINE_CLEANUP(int *, destroy);

static void test_cleanup_follows_ownership(void **state)
{
    (void)state;
    int first = 0, second = 0;
    {
        _cleanup_(destroy) int *nothing = NULL;
        _cleanup_(destroy) int *kept = &first;
        int *receiver = NULL;
        {
            _cleanup_(destroy) int *given = &second;
            receiver = TAKE(given);
            assert_null(given);
        }
        assert_ptr_equal(receiver, &second);
        assert_null(nothing);
        assert_ptr_equal(kept, &first);
        assert_int_equal(first, 0);
    }
    assert_int_equal(first, 1);
    assert_int_equal(second, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_walk_may_remove_what_it_meets),
        cmocka_unit_test(test_cleanup_follows_ownership),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
