/*
 * Structured logs: one JSON object (or text line) per event, one write(2) per line.
 *
 *     slog_info("user created", SLOG_STR("user_id", user.id), SLOG_I64("count", 3));
 *     {"time":"2026-01-02T03:04:05.678Z","level":"info","service":"users","request_id":"...",
 *      "trace_id":"...","span_id":"...","msg":"user created","user_id":"...","count":3}
 *
 * A value whose key contains password, token, secret, authorization, cookie or key (as a whole word
 * between underscores, dots or dashes, any case) is written as "***".
 *
 * Threads: slog_init() once before others start; everything else from any thread. A line is written
 * to the file descriptor directly: it may block if the reader does.
 */
#ifndef SLOG_SLOG_H
#define SLOG_SLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/macros.h>
#include <err/err.h>

enum slog_level { SLOG_DEBUG, SLOG_INFO, SLOG_WARN, SLOG_ERROR, SLOG_OFF };
enum slog_format { SLOG_JSON, SLOG_TEXT };

struct slog_options {
    const char *service; /* borrowed for ever */
    enum slog_level level;
    enum slog_format format;
    int fd; /* 0 means standard error */
};

void slog_init(const struct slog_options *options);
bool slog_enabled(enum slog_level level);

enum slog_type { SLOG_TYPE_STR, SLOG_TYPE_I64, SLOG_TYPE_F64, SLOG_TYPE_BOOL, SLOG_TYPE_ERR };

struct slog_pair {
    const char *key;
    enum slog_type type;
    union {
        struct {
            const char *data; /* NULL is written as null */
            size_t len;
        } str;
        int64_t i64;
        double f64;
        bool boolean;
        const struct err *err; /* written with err_format(); borrowed */
    } as;
};

#define SLOG_STR(k, v)     slog_str((k), (v))
#define SLOG_STRN(k, v, n) ((struct slog_pair){(k), SLOG_TYPE_STR, {.str = {(v), (n)}}})
#define SLOG_I64(k, v)     ((struct slog_pair){(k), SLOG_TYPE_I64, {.i64 = (v)}})
#define SLOG_F64(k, v)     ((struct slog_pair){(k), SLOG_TYPE_F64, {.f64 = (v)}})
#define SLOG_BOOL(k, v)    ((struct slog_pair){(k), SLOG_TYPE_BOOL, {.boolean = (v)}})
#define SLOG_ERR(v)        ((struct slog_pair){"error", SLOG_TYPE_ERR, {.err = (v)}})

struct slog_pair slog_str(const char *key, const char *value);

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
