#include "alloc_fail.h"
#include "check.h"

#include <string.h>

#include <model/problem.h>

#include "cjson_memory.h"

static const struct err_kind USER_NOT_FOUND = {"user_not_found", 404, "User not found", false,
                                               "No user has this id."};
static const struct err_kind WEAK_PASSWORD = {"weak_password", 422, "Weak password", false, ""};
static const struct err_kind HELPLESS = {"helpless", 500, "Helpless", false, ""};
static const struct err_kind SHADOW = {"internal", 404, "Another kind of this code", false, ""};
static const struct err_kind *const own_kinds[] = {&USER_NOT_FOUND, &WEAK_PASSWORD, NULL};

static struct err *two_fields(void)
{
    struct err *e = NULL;
    err_add_field(&e, "email", "required", "is required");
    err_add_field(&e, "a/0/\"b\"", "too_long", "at most %d", 5);
    return e;
}

static struct err *from_plain(void)
{
    return err_new(&USER_NOT_FOUND, "there is no user %d", 42);
}

static struct err *from_context(void)
{
    return err_wrap(err_wrap(from_plain(), "read user"), "answer the request");
}

static struct err *from_other_kind(void)
{
    return err_wrap_as(err_new(&ERR_INTERNAL, "SELECT secret"), &USER_NOT_FOUND, "no such user");
}

static struct err *from_no_message(void)
{
    return err_new(&USER_NOT_FOUND, "%s", "");
}

static struct err *from_internal(void)
{
    return err_new(&ERR_INTERNAL, "password=hunter2 in %s", "/etc/secret");
}

static struct err *from_helpless(void)
{
    return err_new(&HELPLESS, "secret");
}

static struct err *from_fields(void)
{
    return err_wrap(two_fields(), "register");
}

static struct err *from_fields_as_internal(void)
{
    return err_wrap_as(two_fields(), &ERR_INTERNAL, "an upstream said so");
}

static void test_writes(void **state)
{
    (void)state;
    static const struct {
        struct err *(*make)(void);
        const char *request_id, *text;
    } cases[] = {
        {from_plain, "r1",
         "{\"type\":\"urn:plankton:error:user_not_found\",\"title\":\"User not found\","
         "\"status\":404,\"detail\":\"there is no user 42\",\"code\":\"user_not_found\","
         "\"request_id\":\"r1\"}"},
        {from_context, NULL,
         "{\"type\":\"urn:plankton:error:user_not_found\",\"title\":\"User not found\","
         "\"status\":404,\"detail\":\"there is no user 42\",\"code\":\"user_not_found\"}"},
        {from_other_kind, "\"",
         "{\"type\":\"urn:plankton:error:user_not_found\",\"title\":\"User not found\","
         "\"status\":404,\"detail\":\"no such user\",\"code\":\"user_not_found\","
         "\"request_id\":\"\\\"\"}"},
        {from_no_message, NULL,
         "{\"type\":\"urn:plankton:error:user_not_found\",\"title\":\"User not found\","
         "\"status\":404,\"detail\":\"User not found\",\"code\":\"user_not_found\"}"},
        {from_internal, "r2",
         "{\"type\":\"urn:plankton:error:internal\",\"title\":\"Internal error\",\"status\":500,"
         "\"detail\":\"A fault of the server. The request_id finds it in the logs.\","
         "\"code\":\"internal\",\"request_id\":\"r2\"}"},
        {from_helpless, NULL,
         "{\"type\":\"urn:plankton:error:helpless\",\"title\":\"Helpless\",\"status\":500,"
         "\"detail\":\"Helpless\",\"code\":\"helpless\"}"},
        {err_oom, NULL,
         "{\"type\":\"urn:plankton:error:out_of_memory\",\"title\":\"Out of memory\","
         "\"status\":503,\"detail\":\"The server is short of memory for the moment.\","
         "\"code\":\"out_of_memory\"}"},
        {from_fields, NULL,
         "{\"type\":\"urn:plankton:error:invalid_request\",\"title\":\"Invalid request\","
         "\"status\":422,\"detail\":\"2 fields are wrong\",\"code\":\"invalid_request\",\"errors\":"
         "[{\"field\":\"email\",\"code\":\"required\",\"detail\":\"is required\"},"
         "{\"field\":\"a/0/\\\"b\\\"\",\"code\":\"too_long\",\"detail\":\"at most 5\"}]}"},
        {from_fields_as_internal, NULL,
         "{\"type\":\"urn:plankton:error:internal\",\"title\":\"Internal error\",\"status\":500,"
         "\"detail\":\"A fault of the server. The request_id finds it in the logs.\","
         "\"code\":\"internal\"}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_(err_free) struct err *e = cases[i].make();
        _cleanup_(buf_deinit) struct buf out = BUF_INIT(4096);
        problem_write(e, cases[i].request_id, &out);
        assert_string_equal(buf_text(&out), cases[i].text);
    }
}

static void test_buffer_keeps_the_failure(void **state)
{
    (void)state;
    _cleanup_(err_free) struct err *e = from_plain();
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(20);
    problem_write(e, NULL, &out);
    assert_int_equal(buf_status(&out), BUF_TOO_LARGE);
}

static void test_reads_back_what_was_written(void **state)
{
    (void)state;
    static struct err *(*const makers[])(void) = {from_plain, from_context, from_other_kind,
                                                  from_fields, err_oom};
    for (size_t i = 0; i < ARRAY_LEN(makers); i++) {
        _cleanup_(err_free) struct err *e = makers[i]();
        _cleanup_(buf_deinit) struct buf first = BUF_INIT(4096);
        _cleanup_(buf_deinit) struct buf second = BUF_INIT(4096);
        problem_write(e, "r", &first);
        _cleanup_(err_free) struct err *again = problem_read(first.data, first.len, own_kinds);
        assert_ptr_equal(err_kind(again), err_kind(e));
        problem_write(again, "r", &second);
        assert_string_equal(buf_text(&second), buf_text(&first));
    }
}

static void test_reads(void **state)
{
    (void)state;
    static const struct err_kind *const shadowing[] = {&SHADOW, NULL};
    static const struct {
        const char *text;
        const struct err_kind *const *kinds;
        const struct err_kind *kind;
        size_t fields;
        const char *detail;
    } cases[] = {
        {"{\"code\":\"user_not_found\",\"detail\":\"d\"}", own_kinds, &USER_NOT_FOUND, 0, "d"},
        {"{\"code\":\"user_not_found\"}", own_kinds, &USER_NOT_FOUND, 0, ""},
        {"{\"code\":\"rate_limited\",\"detail\":7}", own_kinds, &ERR_RATE_LIMITED, 0, ""},
        {"{\"code\":\"rate_limited\",\"x\":[]}", NULL, &ERR_RATE_LIMITED, 0, ""},
        {"{\"code\":\"internal\",\"detail\":\"d\"}", shadowing, &SHADOW, 0, "d"},
        {"{\"code\":\"weak_password\",\"detail\":\"d\",\"errors\":[{\"field\":\"password\","
         "\"code\":\"common\",\"detail\":\"e\"},{\"field\":\"x\",\"code\":\"y\"},{\"field\":1},7]}",
         own_kinds, &WEAK_PASSWORD, 2, "d"},
        {"{\"code\":\"user_not_found\",\"detail\":\"d\"}", NULL, &ERR_INTERNAL, 0,
         "an error answer with the unknown code user_not_found: d"},
        {"{\"detail\":\"d\"}", NULL, &ERR_INTERNAL, 0, "an error answer without a code"},
        {"{\"code\":404}", NULL, &ERR_INTERNAL, 0, "an error answer without a code"},
        {"[]", NULL, &ERR_INTERNAL, 0, "an error answer without a code"},
        {"<html>", NULL, &ERR_INTERNAL, 0,
         "an error answer that is no JSON: byte 0: expected a value"},
        {"", NULL, &ERR_INTERNAL, 0, "an error answer that is no JSON: byte 0: expected a value"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct err_field *fields;
        _cleanup_(err_free) struct err *e =
            problem_read(cases[i].text, strlen(cases[i].text), cases[i].kinds);
        if (err_kind(e) != cases[i].kind)
            fail_msg("%s became %s", cases[i].text, err_kind(e)->slug);
        assert_int_equal(err_fields(e, &fields), cases[i].fields);
        assert_string_equal(err_detail(e), cases[i].detail);
    }
}

static void test_out_of_memory_is_the_answer_then(void **state)
{
    (void)state;
    static const char text[] = "{\"code\":\"weak_password\",\"detail\":\"d\",\"errors\":"
                               "[{\"field\":\"a\",\"code\":\"b\",\"detail\":\"c\"}]}";
    for (size_t successes = 0;; successes++) {
        alloc_fail_after(successes);
        _cleanup_(err_free) struct err *e = problem_read(text, sizeof(text) - 1, own_kinds);
        bool failed = alloc_fail_stop();
        assert_ptr_equal(err_kind(e), failed ? &ERR_OUT_OF_MEMORY : &WEAK_PASSWORD);
        if (!failed)
            break;
    }
}

int main(void)
{
    cjson_memory_can_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writes),
        cmocka_unit_test(test_buffer_keeps_the_failure),
        cmocka_unit_test(test_reads_back_what_was_written),
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_out_of_memory_is_the_answer_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
