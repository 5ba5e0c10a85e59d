/*
 * What every cmocka program includes; cmocka.h needs the first three headers before it.
 *
 * The CHECK macros are for tables: a failure tells the name of the row and both sides.
 */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define CHECK(row, condition)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("%s: not true: %s", (row), #condition);                                       \
    } while (0)

#define CHECK_INT(row, actual, expected)                                                           \
    do {                                                                                           \
        long long actual_ = (long long)(actual);                                                   \
        long long expected_ = (long long)(expected);                                               \
        if (actual_ != expected_)                                                                  \
            fail_msg("%s: %s is %lld, not %lld", (row), #actual, actual_, expected_);              \
    } while (0)

#define CHECK_STR(row, actual, expected)                                                           \
    do {                                                                                           \
        const char *actual_ = (actual);                                                            \
        const char *expected_ = (expected);                                                        \
        if (!actual_ || strcmp(actual_, expected_) != 0)                                           \
            fail_msg("%s: %s is \"%s\", not \"%s\"", (row), #actual, actual_ ? actual_ : "(null)", \
                     expected_);                                                                   \
    } while (0)

#endif
