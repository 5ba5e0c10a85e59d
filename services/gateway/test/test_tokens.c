#include "check.h"

#include <stdio.h>
#include <stdlib.h>

#include "alloc_fail.h"
#include "tokens.h"

/* A checker that takes every token but those that begin with "bad". */
struct checker {
    int checks;
    int64_t expires_s;
    uint64_t epoch;
};

static struct err *check(void *data, struct str token, int64_t *out_expires_s)
{
    struct checker *checker = data;
    checker->checks++;
    if (token.len >= 3 && memcmp(token.data, "bad", 3) == 0)
        return err_new(&ERR_UNAUTHENTICATED, "it is bad");
    *out_expires_s = checker->expires_s;
    return NULL;
}

static uint64_t epoch(void *data)
{
    return ((struct checker *)data)->epoch;
}

struct fixture {
    struct checker checker;
    struct token_checker interface;
    struct tokens tokens;
    struct stats stats;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->checker = (struct checker){.expires_s = 1000, .epoch = 1};
    f->interface = (struct token_checker){check, epoch, &f->checker};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    tokens_deinit(&f->tokens);
    free(f);
    return 0;
}

static bool is_good(struct fixture *f, const char *token, int64_t now_s)
{
    struct str text = {token, strlen(token)};
    _cleanup_(err_free) struct err *e =
        tokens_check(&f->tokens, &f->interface, text, now_s, &f->stats);
    return !e;
}

static void a_good_token_is_checked_once(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 5; i++)
        assert_true(is_good(f, "a", 10));
    assert_int_equal(f->checker.checks, 1);
    assert_true(is_good(f, "b", 10));
    assert_true(is_good(f, "ab", 10));
    assert_int_equal(f->checker.checks, 3);
    assert_int_equal(f->stats.token_hits, 4);
    assert_int_equal(f->stats.token_misses, 3);
}

static void a_bad_token_is_checked_each_time(void **state)
{
    struct fixture *f = *state;
    assert_false(is_good(f, "bad", 10));
    assert_false(is_good(f, "bad", 10));
    assert_int_equal(f->checker.checks, 2);
    assert_int_equal(f->tokens.count, 0);
}

static void an_expired_token_is_checked_again(void **state)
{
    struct fixture *f = *state;
    assert_true(is_good(f, "a", 10));
    assert_true(is_good(f, "a", 999));
    assert_int_equal(f->checker.checks, 1);
    assert_true(is_good(f, "a", 1000));
    assert_int_equal(f->checker.checks, 2);
    assert_int_equal(f->tokens.count, 1);
}

static void other_keys_void_everything(void **state)
{
    struct fixture *f = *state;
    assert_true(is_good(f, "a", 10));
    f->checker.epoch++;
    assert_true(is_good(f, "b", 10));
    assert_int_equal(f->tokens.count, 1);
    assert_true(is_good(f, "a", 10));
    assert_int_equal(f->checker.checks, 3);
}

static void the_least_used_one_makes_room(void **state)
{
    struct fixture *f = *state;
    char token[16];
    for (int i = 0; i < TOKENS_MAX; i++) {
        snprintf(token, sizeof(token), "t%d", i);
        assert_true(is_good(f, token, 10));
    }
    assert_true(is_good(f, "t0", 10)); /* used: t1 is the one to go */
    assert_int_equal(f->checker.checks, TOKENS_MAX);
    assert_true(is_good(f, "one more", 10));
    assert_int_equal(f->tokens.count, TOKENS_MAX);
    f->checker.checks = 0;
    assert_true(is_good(f, "t0", 10));
    assert_true(is_good(f, "t2", 10));
    assert_int_equal(f->checker.checks, 0);
    assert_true(is_good(f, "t1", 10));
    assert_int_equal(f->checker.checks, 1);
}

static void without_memory_it_is_checked_again(void **state)
{
    struct fixture *f = *state;
    alloc_fail_after(0);
    bool good = is_good(f, "a", 10);
    assert_true(alloc_fail_stop());
    assert_true(good);
    assert_int_equal(f->tokens.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_good_token_is_checked_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bad_token_is_checked_each_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_expired_token_is_checked_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_keys_void_everything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_least_used_one_makes_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_memory_it_is_checked_again, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
