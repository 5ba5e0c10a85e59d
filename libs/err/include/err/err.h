/*
 * Errors as values.
 *
 * NULL is success. A function that can fail returns `struct err *`; the caller owns it and returns
 * it, wraps it, or frees it (err_free). Each error has a *kind*, the sentinel that code matches on
 * (err_is), and a message. As it travels up, each level that knows something adds a line of context
 * (err_wrap). Text is never matched.
 *
 *     struct err *store_fetch_user(struct store *store, const char *id, struct user *out_user)
 *     {
 *         struct err *e = sql_fetch_one(...);
 *         if (err_is(e, &SQL_NO_ROWS))
 *             return err_wrap_as(e, &USER_NOT_FOUND, "there is no user %s", id);
 *         return err_wrap(e, "read user %s", id);          // NULL stays NULL
 *     }
 *
 * What a client may see: the title of the kind, its slug, and for statuses below 500 the message
 * given where the kind was set (err_detail). Context added by err_wrap() and every message of a 5xx
 * is for logs only (err_format).
 *
 * Running out of memory is a static error (err_oom): making it cannot fail, freeing it does
 * nothing, and every function here that needs memory and finds none returns it in place of its
 * result.
 *
 * Libraries return errors and never log them; the edge logs once.
 *
 * Threads: an error belongs to one thread at a time; it may be handed over.
 */
#ifndef ERR_ERR_H
#define ERR_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/macros.h>

struct err;

/* Declared once in a kinds.def per owner; see ERR_DECLARE_KINDS. Compared by address. */
struct err_kind {
    const char *slug;  /* "user_not_found" */
    int status;        /* HTTP status */
    const char *title; /* "User not found" */
    bool retryable;    /* the same request may succeed later */
    const char *help;  /* one sentence for docs/error-codes.md */
};

/* In a header:   #define X ERR_DECLARE_KIND      In one .c file:   #define X ERR_DEFINE_KIND
 *                #include "kinds.def"                              #include "kinds.def"
 *                #undef X                                          #undef X           */
#define ERR_DECLARE_KIND(symbol, slug, status, title, retryable, help)                             \
    extern const struct err_kind symbol;
#define ERR_DEFINE_KIND(symbol, slug, status, title, retryable, help)                              \
    const struct err_kind symbol = {slug, status, title, retryable, help};
#define ERR_KIND_ADDRESS(symbol, slug, status, title, retryable, help) &symbol,

#define X ERR_DECLARE_KIND
#include <err/kinds.def>
#undef X

/* All general kinds, ended by NULL. */
extern const struct err_kind *const ERR_GENERAL_KINDS[];

/* The kind with this slug: first in kinds (NULL-ended, may be NULL), then among the general ones;
 * NULL if none has it. */
const struct err_kind *err_kind_find(const struct err_kind *const *kinds, const char *slug);

/* A message is cut between two characters to this many bytes. */
#define ERR_MESSAGE_MAX 1024

struct err *err_new(const struct err_kind *kind, const char *format, ...)
    MUST_CHECK NEVER_NULL PRINTF_LIKE(2, 3);
struct err *err_vnew(const struct err_kind *kind, const char *format, va_list args)
    MUST_CHECK NEVER_NULL PRINTF_LIKE(2, 0);
/* For a message of several lines that was composed elsewhere: taken as it stands, cut between two
 * characters to ERR_TEXT_MAX bytes. */
#define ERR_TEXT_MAX 16384
struct err *err_new_text(const struct err_kind *kind, const char *text) MUST_CHECK NEVER_NULL;
/* kind from errno: ENOMEM is err_oom(), ETIMEDOUT ERR_UPSTREAM_TIMEOUT, ECONNREFUSED and its like
 * ERR_UPSTREAM_UNAVAILABLE, all else ERR_INTERNAL. The message ends with the errno's text. */
struct err *err_errno(int errnum, const char *format, ...) MUST_CHECK NEVER_NULL PRINTF_LIKE(2, 3);
struct err *err_oom(void) MUST_CHECK NEVER_NULL;

/* Adds context; kind and detail stay. NULL stays NULL. Takes cause, even when it fails. */
struct err *err_wrap(struct err *cause, const char *format, ...) MUST_CHECK PRINTF_LIKE(2, 3);
/* Gives the error another kind and detail; the cause stays below it and err_is() still finds its
 * kind. NULL stays NULL. Takes cause. */
struct err *err_wrap_as(struct err *cause, const struct err_kind *kind, const char *format, ...)
    MUST_CHECK PRINTF_LIKE(3, 4);

/* Frees the whole chain. NULL and err_oom() are fine. */
void err_free(struct err *e);
DEFINE_CLEANUP(struct err *, err_free);

/* The outermost kind; NULL for NULL. */
const struct err_kind *err_kind(const struct err *e);
/* Whether any error of the chain has the kind. false for NULL. */
bool err_is(const struct err *e, const struct err_kind *kind);
/* err_kind()->retryable; false for NULL. */
bool err_is_retryable(const struct err *e);
/* The message given where the outermost kind was set; "" for NULL. Lives as long as e. */
const char *err_detail(const struct err *e);
/* The message given where this kind was set, at the outermost place of the chain that has it; ""
 * when none has. */
const char *err_detail_of(const struct err *e, const struct err_kind *kind);

/* One line, outermost context first, each kind where it was set:
 * "read user 42: there is no user 42 [user_not_found]: no such row [sql_no_rows]". Control
 * characters are shown as \xNN. "" for NULL. Returns the length that the whole line has; out is
 * always NUL-terminated (unless cap is 0) and a line that does not fit is cut between two
 * characters. */
size_t err_format(const struct err *e, char *out, size_t cap);
#define ERR_LINE 1024 /* a sensible size for err_format() */

/* Field errors, for ERR_INVALID_REQUEST; more than ERR_FIELDS_MAX are counted, not kept. The detail
 * of an error with fields tells their number. */
#define ERR_FIELDS_MAX 64
struct err_field {
    const char *field; /* JSON-pointer-like, without the leading slash: "address/lines/0" */
    const char *code;  /* "required", "too_long", ... */
    const char *detail;
};
/* *e is NULL (an ERR_INVALID_REQUEST is made) or an error made by this function before; any other
 * stays as it is. Out of memory turns *e into err_oom(). */
void err_add_field(struct err **e, const char *field, const char *code, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* Of the outermost error of the chain that has any; 0 and NULL otherwise. */
size_t err_fields(const struct err *e, const struct err_field **out_fields);

/* When a client may try again (Retry-After); 0 when unknown. Set returns e itself, for chaining;
 * NULL and err_oom() are left alone. Of a chain, the outermost that is known counts. */
struct err *err_set_retry_after(struct err *e, int64_t after_ms) MUST_CHECK;
int64_t err_retry_after_ms(const struct err *e);

/* Returns from the present function when the expression is an error. */
#define TRY(expression)                                                                            \
    do {                                                                                           \
        struct err *try_error_ = (expression);                                                     \
        if (try_error_)                                                                            \
            return try_error_;                                                                     \
    } while (0)

/* The same, adding context. */
#define TRY_WRAP(expression, ...)                                                                  \
    do {                                                                                           \
        struct err *try_error_ = (expression);                                                     \
        if (try_error_)                                                                            \
            return err_wrap(try_error_, __VA_ARGS__);                                              \
    } while (0)

#endif
