#include "alloc_fail.h"
#include "check.h"

#include <errno.h>

#include <err/err.h>

static const struct err_kind ROW_MISSING = {"row_missing", 404, "No row", false, ""};
static const struct err_kind TRY_LATER = {"try_later", 503, "Later", true, ""};

static const char *line_of(const struct err *e)
{
    static char line[4 * ERR_LINE];
    size_t length = err_format(e, line, sizeof(line));
    assert_int_equal(length, strlen(line));
    return line;
}

static void test_null_is_success(void **state)
{
    (void)state;
    const struct err_field *fields = (const struct err_field *)1;
    assert_null(err_kind(NULL));
    assert_false(err_is(NULL, &ERR_INTERNAL));
    assert_false(err_is_retryable(NULL));
    assert_string_equal(err_detail(NULL), "");
    assert_string_equal(err_detail_of(NULL, &ERR_INTERNAL), "");
    assert_string_equal(line_of(NULL), "");
    assert_int_equal(err_fields(NULL, &fields), 0);
    assert_null(fields);
    assert_int_equal(err_retry_after_ms(NULL), 0);
    assert_null(err_set_retry_after(NULL, 5));
    assert_null(err_wrap(NULL, "context"));
    assert_null(err_wrap_as(NULL, &ERR_INTERNAL, "context"));
    err_free(NULL);
}

static void test_new(void **state)
{
    (void)state;
    _cleanup_(err_free) struct err *e = err_new(&ROW_MISSING, "no row %d", 42);
    assert_ptr_equal(err_kind(e), &ROW_MISSING);
    assert_true(err_is(e, &ROW_MISSING));
    assert_false(err_is(e, &TRY_LATER));
    assert_false(err_is_retryable(e));
    assert_string_equal(err_detail(e), "no row 42");
    assert_string_equal(line_of(e), "no row 42 [row_missing]");
}

static void test_wrap_keeps_kind_and_detail(void **state)
{
    (void)state;
    struct err *cause = err_new(&TRY_LATER, "busy");
    cause = err_wrap(cause, "read user %s", "7");
    _cleanup_(err_free) struct err *e = err_wrap(cause, "answer the request");
    assert_ptr_equal(err_kind(e), &TRY_LATER);
    assert_true(err_is_retryable(e));
    assert_string_equal(err_detail(e), "busy");
    assert_string_equal(line_of(e), "answer the request: read user 7: busy [try_later]");
}

static void test_wrap_as_gives_another_kind(void **state)
{
    (void)state;
    struct err *cause = err_wrap(err_new(&ROW_MISSING, "no row"), "select");
    cause = err_wrap_as(cause, &TRY_LATER, "there is no user %d", 7);
    _cleanup_(err_free) struct err *e = err_wrap(cause, "read");
    assert_ptr_equal(err_kind(e), &TRY_LATER);
    assert_true(err_is(e, &TRY_LATER));
    assert_true(err_is(e, &ROW_MISSING));
    assert_false(err_is(e, &ERR_INTERNAL));
    assert_string_equal(err_detail(e), "there is no user 7");
    assert_string_equal(err_detail_of(e, &TRY_LATER), "there is no user 7");
    assert_string_equal(err_detail_of(e, &ROW_MISSING), "no row");
    assert_string_equal(err_detail_of(e, &ERR_INTERNAL), "");
    assert_string_equal(line_of(e),
                        "read: there is no user 7 [try_later]: select: no row [row_missing]");
}

static void test_format_bounds_and_escapes(void **state)
{
    (void)state;
    static const struct {
        const char *name, *message, *line;
    } rows[] = {
        {"plain", "text", "text [row_missing]"},
        {"no message", "", "[row_missing]"},
        {"newline", "a\nb\r\n", "a\\x0ab\\x0d\\x0a [row_missing]"},
        {"escape sequence", "\x1b[2J", "\\x1b[2J [row_missing]"},
        {"delete", "\x7f", "\\x7f [row_missing]"},
        {"UTF-8 stands", "h\xc3\xa9", "h\xc3\xa9 [row_missing]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(err_free) struct err *e = err_new(&ROW_MISSING, "%s", rows[i].message);
        CHECK_STR(rows[i].name, line_of(e), rows[i].line);
        size_t whole = strlen(rows[i].line);
        for (size_t cap = 1; cap <= whole + 1; cap++) {
            char cut[64];
            memset(cut, 'x', sizeof(cut));
            CHECK_INT(rows[i].name, err_format(e, cut, cap), whole);
            CHECK(rows[i].name, strncmp(cut, rows[i].line, strlen(cut)) == 0);
            CHECK(rows[i].name, strlen(cut) + 2 >= cap || strlen(cut) == whole);
            CHECK_INT(rows[i].name, cut[cap], 'x');
        }
        CHECK_INT(rows[i].name, err_format(e, NULL, 0), whole);
    }
}

static void test_cut_is_between_characters(void **state)
{
    (void)state;
    _cleanup_(err_free) struct err *e =
        err_new(&ROW_MISSING, "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    static const size_t lengths[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10};
    for (size_t room = 0; room < ARRAY_LEN(lengths); room++) {
        char cut[16];
        err_format(e, cut, room + 1);
        assert_int_equal(strlen(cut), lengths[room]);
    }
}

static void test_messages_are_bounded(void **state)
{
    (void)state;
    /* An é of two bytes that ends before the limit, on it and after it. */
    static const struct {
        const char *name;
        int before;
        size_t length;
    } rows[] = {
        {"shorter", ERR_MESSAGE_MAX - 3, ERR_MESSAGE_MAX},
        {"exact", ERR_MESSAGE_MAX - 2, ERR_MESSAGE_MAX},
        {"in the middle", ERR_MESSAGE_MAX - 1, ERR_MESSAGE_MAX - 1},
        {"longer", ERR_MESSAGE_MAX, ERR_MESSAGE_MAX},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(err_free) struct err *e =
            err_new(&ROW_MISSING, "%0*d\xc3\xa9%s", rows[i].before, 1, "and more");
        CHECK_INT(rows[i].name, strlen(err_detail(e)), rows[i].length);
    }
    /* No UTF-8 at all is cut somewhere, not searched to its beginning. */
    char bytes[ERR_MESSAGE_MAX + 10];
    memset(bytes, 0x80, sizeof(bytes));
    bytes[sizeof(bytes) - 1] = '\0';
    _cleanup_(err_free) struct err *e = err_new(&ROW_MISSING, "%s", bytes);
    assert_in_range(strlen(err_detail(e)), ERR_MESSAGE_MAX - 4, ERR_MESSAGE_MAX);
    _cleanup_(err_free) struct err *unprintable = err_new(&ROW_MISSING, "%ls", L"\xe9");
    assert_string_equal(err_detail(unprintable), "");
}

static void test_long_texts_are_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t before, length;
    } rows[] = {
        {"longer than a message", ERR_MESSAGE_MAX, ERR_MESSAGE_MAX + 3},
        {"exact", ERR_TEXT_MAX - 3, ERR_TEXT_MAX},
        {"cut after the character", ERR_TEXT_MAX - 2, ERR_TEXT_MAX},
        {"cut before the character", ERR_TEXT_MAX - 1, ERR_TEXT_MAX - 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[ERR_TEXT_MAX + 8] = "";
        memset(text, '%', rows[i].before);
        memcpy(text + rows[i].before, "\xc3\xa9\n", 4);
        _cleanup_(err_free) struct err *e = err_new_text(&ROW_MISSING, text);
        CHECK_INT(rows[i].name, strlen(err_detail(e)), rows[i].length);
        CHECK(rows[i].name, memcmp(err_detail(e), text, rows[i].length) == 0);
    }
}

static void test_errno(void **state)
{
    (void)state;
    static const struct {
        int errnum;
        const struct err_kind *kind;
        const char *detail;
    } rows[] = {
        {ETIMEDOUT, &ERR_UPSTREAM_TIMEOUT, "connect to x: Connection timed out"},
        {ECONNREFUSED, &ERR_UPSTREAM_UNAVAILABLE, "connect to x: Connection refused"},
        {ECONNRESET, &ERR_UPSTREAM_UNAVAILABLE, "connect to x: Connection reset by peer"},
        {EHOSTUNREACH, &ERR_UPSTREAM_UNAVAILABLE, "connect to x: No route to host"},
        {ENOENT, &ERR_INTERNAL, "connect to x: No such file or directory"},
        {123456, &ERR_INTERNAL, "connect to x: Unknown error 123456"},
        {ENOMEM, &ERR_OUT_OF_MEMORY, "out of memory"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(err_free) struct err *e = err_errno(rows[i].errnum, "connect to %s", "x");
        CHECK(rows[i].detail, err_kind(e) == rows[i].kind);
        CHECK_STR(rows[i].detail, err_detail(e), rows[i].detail);
    }
    static const char reason[] = ": No such file or directory";
    _cleanup_(err_free) struct err *cut = err_errno(ENOENT, "%02000d", 1);
    assert_int_equal(strlen(err_detail(cut)), ERR_MESSAGE_MAX);
    assert_string_equal(err_detail(cut) + ERR_MESSAGE_MAX - strlen(reason), reason);
}

static void test_retry_after_of_the_outermost_that_knows(void **state)
{
    (void)state;
    struct err *e = err_set_retry_after(err_new(&TRY_LATER, "busy"), 3000);
    e = err_wrap(e, "context");
    assert_int_equal(err_retry_after_ms(e), 3000);
    e = err_wrap_as(e, &ERR_OVERLOADED, "full");
    assert_int_equal(err_retry_after_ms(e), 3000);
    e = err_set_retry_after(e, 500);
    assert_int_equal(err_retry_after_ms(e), 500);
    err_free(e);
    assert_int_equal(err_retry_after_ms(err_set_retry_after(err_oom(), 500)), 0);
}

static void test_oom_is_static(void **state)
{
    (void)state;
    struct err *oom = err_oom();
    assert_ptr_equal(oom, err_oom());
    assert_ptr_equal(err_kind(oom), &ERR_OUT_OF_MEMORY);
    assert_true(err_is_retryable(oom));
    assert_string_equal(line_of(oom), "out of memory [out_of_memory]");
    assert_ptr_equal(err_wrap(oom, "context"), oom);
    err_free(oom);
    err_free(oom);
    _cleanup_(err_free) struct err *other = err_wrap_as(oom, &TRY_LATER, "later");
    assert_true(err_is(other, &ERR_OUT_OF_MEMORY));
    assert_ptr_equal(err_kind(other), &TRY_LATER);
}

static struct err *make_new(void)
{
    return err_new(&ROW_MISSING, "message");
}

static struct err *make_errno(void)
{
    return err_errno(ENOENT, "message");
}

static struct err *make_wrapped(void)
{
    return err_wrap(err_new(&ROW_MISSING, "message"), "context");
}

static struct err *make_wrapped_as(void)
{
    return err_wrap_as(err_new(&ROW_MISSING, "message"), &TRY_LATER, "other");
}

/* LeakSanitizer sees to it that the cause is freed. */
static void test_out_of_memory_in_place_of_the_result(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct err *(*make)(void);
        const struct err_kind *kind;
        size_t allocations;
    } rows[] = {
        {"new", make_new, &ROW_MISSING, 1},
        {"errno", make_errno, &ERR_INTERNAL, 1},
        {"wrap", make_wrapped, &ROW_MISSING, 2},
        {"wrap_as", make_wrapped_as, &TRY_LATER, 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (size_t successes = 0; successes <= rows[i].allocations; successes++) {
            alloc_fail_after(successes);
            _cleanup_(err_free) struct err *e = rows[i].make();
            bool failed = alloc_fail_stop();
            CHECK_INT(rows[i].name, failed, successes < rows[i].allocations);
            CHECK(rows[i].name, err_kind(e) == (failed ? &ERR_OUT_OF_MEMORY : rows[i].kind));
        }
}

static struct err *fail_if(bool should_fail)
{
    return should_fail ? err_new(&ROW_MISSING, "no row") : NULL;
}

static struct err *try_it(bool should_fail, int *calls)
{
    TRY(fail_if(should_fail));
    ++*calls;
    return NULL;
}

static struct err *try_it_with_context(bool should_fail, int *calls)
{
    TRY_WRAP(fail_if(should_fail), "step %d", 1);
    ++*calls;
    return NULL;
}

static void test_try(void **state)
{
    (void)state;
    int calls = 0;
    assert_null(try_it(false, &calls));
    assert_null(try_it_with_context(false, &calls));
    assert_int_equal(calls, 2);
    _cleanup_(err_free) struct err *plain = try_it(true, &calls);
    _cleanup_(err_free) struct err *wrapped = try_it_with_context(true, &calls);
    assert_int_equal(calls, 2);
    assert_string_equal(line_of(plain), "no row [row_missing]");
    assert_string_equal(line_of(wrapped), "step 1: no row [row_missing]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_null_is_success),
        cmocka_unit_test(test_new),
        cmocka_unit_test(test_wrap_keeps_kind_and_detail),
        cmocka_unit_test(test_wrap_as_gives_another_kind),
        cmocka_unit_test(test_format_bounds_and_escapes),
        cmocka_unit_test(test_cut_is_between_characters),
        cmocka_unit_test(test_messages_are_bounded),
        cmocka_unit_test(test_long_texts_are_bounded),
        cmocka_unit_test(test_errno),
        cmocka_unit_test(test_retry_after_of_the_outermost_that_knows),
        cmocka_unit_test(test_oom_is_static),
        cmocka_unit_test(test_out_of_memory_in_place_of_the_result),
        cmocka_unit_test(test_try),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
