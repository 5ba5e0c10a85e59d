/*
 * Settings from the environment: one table says everything about them.
 *
 *     struct settings { int http_threads; int64_t drain_ms; char *database_url; };
 *     static const struct cfg_setting rows[] = {
 *         CFG_INT(struct settings, http_threads, "HTTP_THREADS", .def = "16", .min = 1, .max = 1024,
 *                 .help = "Threads that answer requests"),
 *         CFG_DURATION(struct settings, drain_ms, "SHUTDOWN_DRAIN_MS", .def = "25000", ...),
 *         CFG_SECRET(struct settings, database_url, "DATABASE_URL", .required = true, ...),
 *     };
 *     static const struct cfg_table table = CFG_TABLE("users", rows);
 *
 * For each NAME the environment may have NAME or NAME_FILE (the value is the file's content without
 * one trailing newline; both at once is a mistake). An empty value counts as not set. All mistakes of
 * all tables are reported in one error. Unknown variables are ignored: the environment is shared.
 *
 * Threads: loading and freeing by one thread; loaded values are read by any. Loading reads files.
 */
#ifndef CFG_CFG_H
#define CFG_CFG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/buf.h>
#include <err/err.h>

enum cfg_type {
    CFG_TYPE_INT,      /* int64_t or int, by the member's size */
    CFG_TYPE_DURATION, /* int64_t in the unit of the name's suffix (_MS, _S); "250", "1.5s", "10m" */
    CFG_TYPE_SIZE,     /* int64_t bytes, or KiB when the name ends in _KIB; "1048576", "64KiB", "1MiB" */
    CFG_TYPE_BOOL,     /* bool: true false 1 0 yes no on off */
    CFG_TYPE_ENUM,     /* int: index in values */
    CFG_TYPE_STRING,   /* char *, NULL when not set and without default */
    CFG_TYPE_URL,      /* char *; absolute, of one of the schemes in values (NULL: any) */
    CFG_TYPE_ADDRESS,  /* char *; host:port, :port or [ip6]:port; port 0 to 65535 */
    CFG_TYPE_SECRET,   /* char *; masked wherever it is shown, wiped when freed */
};

struct cfg_setting {
    const char *name;
    enum cfg_type type;
    size_t offset;
    size_t size;
    const char *def;           /* default as text, NULL for none */
    bool required;             /* no default and must be set */
    int64_t min, max;          /* numbers, and length of strings; both 0: no limits */
    const char *const *values; /* enum values or URL schemes, NULL-ended */
    const char *help;          /* one sentence */
    /* Further check; false with a reason such as "a power of two" for "must be ...". */
    bool (*check)(const char *text, struct buf *out_must_be);
};

#define CFG_ROW(kind, type_, member, name_, ...)                                                   \
    {                                                                                              \
        .name = (name_), .type = CFG_TYPE_##kind, .offset = offsetof(type_, member),               \
        .size = sizeof(((type_ *)0)->member), __VA_ARGS__                                          \
    }
#define CFG_INT(type_, member, name_, ...)      CFG_ROW(INT, type_, member, name_, __VA_ARGS__)
#define CFG_DURATION(type_, member, name_, ...) CFG_ROW(DURATION, type_, member, name_, __VA_ARGS__)
#define CFG_SIZE(type_, member, name_, ...)     CFG_ROW(SIZE, type_, member, name_, __VA_ARGS__)
#define CFG_BOOL(type_, member, name_, ...)     CFG_ROW(BOOL, type_, member, name_, __VA_ARGS__)
#define CFG_ENUM(type_, member, name_, ...)     CFG_ROW(ENUM, type_, member, name_, __VA_ARGS__)
#define CFG_STRING(type_, member, name_, ...)   CFG_ROW(STRING, type_, member, name_, __VA_ARGS__)
#define CFG_URL(type_, member, name_, ...)      CFG_ROW(URL, type_, member, name_, __VA_ARGS__)
#define CFG_ADDRESS(type_, member, name_, ...)  CFG_ROW(ADDRESS, type_, member, name_, __VA_ARGS__)
#define CFG_SECRET(type_, member, name_, ...)   CFG_ROW(SECRET, type_, member, name_, __VA_ARGS__)

struct cfg_table {
    const char *title; /* heading in the reference */
    const struct cfg_setting *settings;
    size_t count;
};
#define CFG_TABLE(title_, rows) {(title_), (rows), sizeof(rows) / sizeof((rows)[0])}

/* A table and the struct that it fills: a process has several (the shared one and its own). */
struct cfg_binding {
    const struct cfg_table *table;
    void *settings; /* zeroed by the caller before the first load */
};

/* Kind of the one error that lists every mistake. */
#define X ERR_DECLARE_KIND
#include <cfg/kinds.def>
#undef X

/* environ is NAME=value strings, NULL-ended. On error nothing is kept in any struct. Otherwise free
 * with cfg_unload(). */
struct err *cfg_load(const struct cfg_binding *bindings, size_t count, char *const *environ)
    MUST_CHECK;
void cfg_unload(const struct cfg_binding *bindings, size_t count);

/* What the `config` subcommand prints: NAME=value, source (default, environment, file PATH), help. */
struct err *cfg_describe(const struct cfg_binding *bindings, size_t count, char *const *environ,
                         struct buf *out) MUST_CHECK;
/* The table as a section of docs/configuration.md. */
struct err *cfg_markdown(const struct cfg_table *table, struct buf *out) MUST_CHECK;

#endif
