/*
 * Small macros that every file may use: scope-bound cleanup, array length, moving a pointer.
 *
 * Cleanup follows systemd and dbus-broker: a variable is initialised where it is declared, its
 * destructor runs when the scope ends, destructors take NULL and half-built objects, and ownership
 * leaves the scope only through TAKE().
 *
 *     _cleanup_(user_free) struct user *user = NULL;     user_free_p() must exist (DEFINE_CLEANUP)
 *     _cleanup_(buf_deinit) struct buf text = BUF_INIT(4096);
 *     *out_user = TAKE(user);
 */
#ifndef BASE_MACROS_H
#define BASE_MACROS_H

#include <stddef.h>
#include <stdlib.h>

#define _cleanup_(function)     __attribute__((cleanup(function##_p), unused))
#define MUST_CHECK              __attribute__((warn_unused_result))
#define NEVER_NULL              __attribute__((returns_nonnull))
#define PRINTF_LIKE(text, args) __attribute__((format(printf, text, args)))

/* For a destructor that takes a pointer: DEFINE_CLEANUP(struct user *, user_free); */
#define DEFINE_CLEANUP(type, function)                                                             \
    static inline void function##_p(type *place)                                                   \
    {                                                                                              \
        if (*place)                                                                                \
            function(*place);                                                                      \
    }                                                                                              \
    struct cleanup_needs_semicolon

/* For a destructor of a value in the caller's storage:
 * DEFINE_CLEANUP_VALUE(struct buf, buf_deinit); */
#define DEFINE_CLEANUP_VALUE(type, function)                                                       \
    static inline void function##_p(type *place)                                                   \
    {                                                                                              \
        function(place);                                                                           \
    }                                                                                              \
    struct cleanup_needs_semicolon

/* _cleanup_(free) char *text = NULL; */
static inline void free_p(void *place)
{
    free(*(void **)place);
}

/* The value of a pointer variable, which becomes NULL: ownership has moved. */
#define TAKE(pointer)                                                                              \
    ({                                                                                             \
        __auto_type taken_ = (pointer);                                                            \
        (pointer) = NULL;                                                                          \
        taken_;                                                                                    \
    })

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))
#define MIN(a, b)        ((a) < (b) ? (a) : (b))
#define MAX(a, b)        ((a) > (b) ? (a) : (b))

/* A macro's value as a string literal, to be put together with others. */
#define TO_TEXT(macro)  TO_TEXT_(macro)
#define TO_TEXT_(value) #value

#define CONTAINER_OF(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
