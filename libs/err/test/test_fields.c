#include "alloc_fail.h"
#include "check.h"

#include <err/err.h>

static void test_all_are_reported(void **state)
{
    (void)state;
    const struct err_field *fields;
    struct err *e = NULL;
    err_add_field(&e, "email", "required", "is required");
    assert_string_equal(err_detail(e), "1 field is wrong");
    err_add_field(&e, "address/lines/0", "too_long", "has %d characters, at most %d", 7, 5);
    assert_ptr_equal(err_kind(e), &ERR_INVALID_REQUEST);
    assert_string_equal(err_detail(e), "2 fields are wrong");
    assert_int_equal(err_fields(e, &fields), 2);
    assert_string_equal(fields[0].field, "email");
    assert_string_equal(fields[0].code, "required");
    assert_string_equal(fields[0].detail, "is required");
    assert_string_equal(fields[1].field, "address/lines/0");
    assert_string_equal(fields[1].code, "too_long");
    assert_string_equal(fields[1].detail, "has 7 characters, at most 5");
    err_free(e);
}

static void test_found_through_context(void **state)
{
    (void)state;
    const struct err_field *fields;
    struct err *e = NULL;
    err_add_field(&e, "inner", "code", "detail");
    e = err_wrap(e, "bind");
    e = err_wrap_as(e, &ERR_CONFLICT, "conflict");
    assert_int_equal(err_fields(e, &fields), 1);
    assert_string_equal(fields[0].field, "inner");
    char line[ERR_LINE];
    err_format(e, line, sizeof(line));
    assert_string_equal(line, "conflict [conflict]: bind: 1 field is wrong [invalid_request]");
    err_free(e);
}

static void test_beyond_the_maximum_are_counted(void **state)
{
    (void)state;
    const struct err_field *fields;
    struct err *e = NULL;
    for (int i = 0; i < ERR_FIELDS_MAX + 6; i++)
        err_add_field(&e, "field", "code", "number %d", i);
    assert_int_equal(err_fields(e, &fields), ERR_FIELDS_MAX);
    assert_string_equal(fields[ERR_FIELDS_MAX - 1].detail, "number 63");
    assert_string_equal(err_detail(e), "70 fields are wrong, not all are listed");
    err_free(e);
}

static void test_longest_texts_fit(void **state)
{
    (void)state;
    char text[2 * ERR_MESSAGE_MAX];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    memcpy(text + ERR_MESSAGE_MAX - 1, "\xc3\xa9", 2); /* across the limit */
    const struct err_field *fields;
    struct err *e = NULL;
    for (int i = 0; i < ERR_FIELDS_MAX; i++)
        err_add_field(&e, text, text, "%s", text);
    assert_int_equal(err_fields(e, &fields), ERR_FIELDS_MAX);
    for (int i = 0; i < ERR_FIELDS_MAX; i++) {
        assert_int_equal(strlen(fields[i].field), ERR_MESSAGE_MAX - 1);
        assert_int_equal(strlen(fields[i].code), ERR_MESSAGE_MAX - 1);
        assert_int_equal(strlen(fields[i].detail), ERR_MESSAGE_MAX - 1);
    }
    err_free(e);
}

static void test_other_errors_stay_as_they_are(void **state)
{
    (void)state;
    const struct err_field *fields;
    struct err *e = err_new(&ERR_CONFLICT, "conflict");
    struct err *same = e;
    err_add_field(&e, "field", "code", "detail");
    assert_ptr_equal(e, same);
    assert_string_equal(err_detail(e), "conflict");
    assert_int_equal(err_fields(e, &fields), 0);
    err_free(e);
    e = err_oom();
    err_add_field(&e, "field", "code", "detail");
    assert_ptr_equal(e, err_oom());
}

static void test_out_of_memory(void **state)
{
    (void)state;
    for (size_t successes = 0;; successes++) {
        struct err *e = NULL;
        alloc_fail_after(successes);
        for (int i = 0; i < 10; i++)
            err_add_field(&e, "field", "code", "%01000d", i);
        bool failed = alloc_fail_stop();
        assert_int_equal(err_is(e, &ERR_OUT_OF_MEMORY), failed);
        assert_int_equal(err_is(e, &ERR_INVALID_REQUEST), !failed);
        err_free(e);
        if (!failed) {
            assert_true(successes >= 4);
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_are_reported),
        cmocka_unit_test(test_found_through_context),
        cmocka_unit_test(test_beyond_the_maximum_are_counted),
        cmocka_unit_test(test_longest_texts_fit),
        cmocka_unit_test(test_other_errors_stay_as_they_are),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
