/*
 * Structured logs: one JSON object (or one line of text) per event, one write(2) per line.
 *
 *     slog_info("user created", SLOG_STR("user_id", user.id), SLOG_I64("count", 3));
 *     {"time":"2026-01-02T03:04:05.678Z","level":"info","service":"users","request_id":"...",
 *      "trace_id":"...","span_id":"...","msg":"user created","user_id":"...","count":3}
 *     2026-01-02T03:04:05.678Z INFO  users request_id=... user created user_id=... count=3
 *
 * The ids come from the calling thread's context (<slog/trace.h>); without one they are left out.
 *
 * Secrets. A value is written as *** when its key contains one of the words password, token,
 * secret, authorization, cookie, key: a word is a run of letters ("api_key", "X-Auth-Token",
 * "accessToken", but not "monkey"), in any case, with or without a plural s. It is a safety net:
 * the message and the texts of errors are not looked into.
 *
 * Any bytes may be logged. Text that is not UTF-8 is shown with U+FFFD for each wrong byte; control
 * characters (C0, DEL, C1), line separators and direction overrides are escaped as in JSON, in the
 * text format too, so that no value can forge a line, a key or a terminal sequence.
 *
 * Limits. A line has at most SLOG_LINE_MAX bytes: what POSIX writes to a pipe whole or not at all,
 * so that lines of threads and processes that share a pipe never mix. A message or value takes at
 * most SLOG_VALUE_MAX bytes of it. What goes beyond is cut between two characters, pairs that find
 * no room are left out, and the line ends with "truncated":true; it is valid JSON all the same.
 *
 * Failures. Logging never fails and never stops the caller but for the time of the write. The reader
 * of a full pipe is waited for, for a tenth of a second; then lines are lost without waiting until
 * there is room again. Such a line, and any that cannot be written (EAGAIN, disk full, reader gone),
 * is counted, see slog_dropped(). If only a part of it was written, the next line begins on a line
 * of its own. errno is left as it was. No memory is allocated.
 *
 * Threads: slog_init() while no other thread logs, everything else from any thread. Not from signal
 * handlers. Before slog_init(), lines of level info and above go to standard error as JSON.
 */
#ifndef SLOG_SLOG_H
#define SLOG_SLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/macros.h>
#include <err/err.h>

#define SLOG_LINE_MAX  4096
#define SLOG_VALUE_MAX 2048

enum slog_level { SLOG_DEBUG, SLOG_INFO, SLOG_WARN, SLOG_ERROR, SLOG_OFF };
enum slog_format { SLOG_JSON, SLOG_TEXT };

/* "debug", ... in the order of the enum, ended by NULL: the values of a CFG_ENUM setting. */
extern const char *const slog_level_names[];
extern const char *const slog_format_names[];

struct slog_options {
    const char *service;   /* borrowed for ever; NULL or "": left out */
    enum slog_level level; /* events below it are dropped; SLOG_OFF drops all */
    enum slog_format format;
    int fd; /* borrowed for ever; 0 means standard error */
};

/* May be called again. Sets SIGPIPE to be ignored, unless the program has a handler for it: else a
 * log reader that goes away would end the process. */
void slog_init(const struct slog_options *options);
bool slog_enabled(enum slog_level level);
/* Lines that were lost since the process began. */
uint64_t slog_dropped(void);

enum slog_type { SLOG_TYPE_STR, SLOG_TYPE_I64, SLOG_TYPE_F64, SLOG_TYPE_BOOL, SLOG_TYPE_ERR };

/* Made by the macros below. A pair whose key is NULL ((struct slog_pair){0}) is skipped. A key that
 * names one of the line's own fields (time, level, service, request_id, trace_id, span_id, msg,
 * truncated) gets an underscore in front. Keys are meant to be distinct; this is not checked. */
struct slog_pair {
    const char *key;
    enum slog_type type;
    union {
        struct {
            const char *data; /* NULL is written as null */
            size_t len;
        } str;
        int64_t i64;
        double f64; /* NaN and infinities are written as null */
        bool boolean;
        const struct err *err; /* written with err_format(); borrowed; NULL is written as null */
    } as;
};

#define SLOG_STR(k, v)     slog_str((k), (v))
#define SLOG_STRN(k, v, n) ((struct slog_pair){(k), SLOG_TYPE_STR, {.str = {(v), (n)}}})
#define SLOG_I64(k, v)     ((struct slog_pair){(k), SLOG_TYPE_I64, {.i64 = (v)}})
#define SLOG_F64(k, v)     ((struct slog_pair){(k), SLOG_TYPE_F64, {.f64 = (v)}})
#define SLOG_BOOL(k, v)    ((struct slog_pair){(k), SLOG_TYPE_BOOL, {.boolean = (v)}})
#define SLOG_ERR(v)        ((struct slog_pair){"error", SLOG_TYPE_ERR, {.err = (v)}})

struct slog_pair slog_str(const char *key, const char *value);

/* What the macros below call. Everything is borrowed for the call. message NULL is written as "".
 */
void slog_write(enum slog_level level, const char *message, const struct slog_pair *pairs,
                size_t count);

/* Arguments are not evaluated when the level is off. */
#define SLOG_AT(level, message, ...)                                                               \
    do {                                                                                           \
        if (slog_enabled(level)) {                                                                 \
            const struct slog_pair slog_pairs_[] = {{0}, ##__VA_ARGS__};                           \
            slog_write((level), (message), slog_pairs_ + 1,                                        \
                       sizeof(slog_pairs_) / sizeof(slog_pairs_[0]) - 1);                          \
        }                                                                                          \
    } while (0)

#define slog_debug(message, ...) SLOG_AT(SLOG_DEBUG, message, ##__VA_ARGS__)
#define slog_info(message, ...)  SLOG_AT(SLOG_INFO, message, ##__VA_ARGS__)
#define slog_warn(message, ...)  SLOG_AT(SLOG_WARN, message, ##__VA_ARGS__)
#define slog_error(message, ...) SLOG_AT(SLOG_ERROR, message, ##__VA_ARGS__)

#endif
