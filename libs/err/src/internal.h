#ifndef ERR_INTERNAL_H
#define ERR_INTERNAL_H

#include <err/err.h>

struct field_list;

/* One level of a chain. Never changed by anyone but its owner; the one for out of memory by nobody.
 */
struct err {
    const struct err_kind *kind;
    bool is_context; /* made by err_wrap(): the kind is the cause's */
    struct err *cause;
    struct field_list *fields;
    int64_t retry_after_ms;
    char message[];
};

/* Bounded like a message: at most ERR_MESSAGE_MAX bytes, cut between two characters. */
size_t err_format_bounded(char *out, size_t cap, const char *format, va_list args)
    PRINTF_LIKE(3, 0);
/* The largest length up to len that does not end inside a UTF-8 character. */
size_t err_whole_characters(const char *text, size_t len);

/* The number of wrong fields in words, which is the message of an error that has fields. */
const char *err_field_summary(const struct field_list *list);
void err_field_list_free(struct field_list *list);

#endif
