/*
 * Settings from the environment: one table says everything about them.
 *
 *     struct settings { int http_threads; int64_t drain_ms; char *database_url; };
 *     static const struct cfg_setting rows[] = {
 *         CFG_INT(struct settings, http_threads, "HTTP_THREADS", .def = "16",
 *                 .min = 1, .max = 1024, .help = "Threads that answer requests"),
 *         CFG_DURATION(struct settings, drain_ms, "SHUTDOWN_DRAIN_MS", .def = "25000", ...),
 *         CFG_SECRET(struct settings, database_url, "DATABASE_URL", .required = true, ...),
 *     };
 *     static const struct cfg_table table = CFG_TABLE("users", rows);
 *
 *     struct settings settings = {0};
 *     const struct cfg_binding bindings[] = {{&table, &settings}};
 *     TRY(cfg_load(bindings, ARRAY_LEN(bindings), environ));
 *
 * For each NAME the environment may have NAME, or NAME_FILE with the path of a regular file of 1 to
 * CFG_FILE_MAX bytes without NUL bytes, whose content less one trailing newline is the value. Both
 * at once is a mistake, and so is a file that cannot be read or is empty; an empty variable counts
 * as not set. Unknown variables are ignored: the environment is shared.
 *
 * All mistakes of all tables are reported in one error, a line for each:
 *
 *     HTTP_THREADS="abc": must be a whole number from 1 to 1024
 *     JWT_ALG="none" (from the file /etc/alg): must be one of ES256, EdDSA, RS256
 *     DATABASE_URL: must be set (Where the data is kept)
 *
 * Secrets, and what stands before the @ in a URL, are shown as *** in every text made here.
 *
 * Threads: loading and freeing by one thread; loaded values are read by any. Loading reads files
 * and may block on them.
 */
#ifndef CFG_CFG_H
#define CFG_CFG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/buf.h>
#include <err/err.h>

#define CFG_FILE_MAX 65536

/*
 * What a value may be and which member receives it. Spaces around a value are not allowed, names of
 * enum values and booleans are taken in any case.
 */
enum cfg_type {
    /* int or int64_t: decimal, no plus, no leading zeros. */
    CFG_TYPE_INT,
    /* int or int64_t, in seconds when the name ends in _S, else in milliseconds: "250" (in that
     * unit), "1.5s", "10m"; ms s m h d. It must be whole in the unit. Never negative. */
    CFG_TYPE_DURATION,
    /* int or int64_t, in KiB when the name ends in _KIB, else in bytes: "1048576" (in that unit),
     * "64KiB", "1.5MiB"; B KiB MiB GiB. It must be whole in the unit. Never negative. */
    CFG_TYPE_SIZE,
    CFG_TYPE_BOOL, /* bool: true false 1 0 yes no on off */
    CFG_TYPE_ENUM, /* int: index in values */
    /* char *, NULL when not set and without default; min and max are its length in bytes. */
    CFG_TYPE_STRING,
    /* char *: an absolute URL with a host (RFC 3986, no fragment), of one of the schemes in values
     * (NULL: any). The port, if any, is 1 to 65535. min and max as for a string. */
    CFG_TYPE_URL,
    /* char *: host:port, :port or [ip6]:port; the host a name or an IPv4 address; port 0 to 65535.
     */
    CFG_TYPE_ADDRESS,
    /* char *, as a string; masked wherever it is shown, wiped when freed. */
    CFG_TYPE_SECRET,
};

struct cfg_setting {
    const char *name;
    enum cfg_type type;
    size_t offset;
    size_t size;
    const char *def;  /* default as text, NULL for none (numbers: 0, bool: false, enum: 0) */
    bool required;    /* no default and must be set */
    bool list;        /* URL: one or more, separated by commas */
    int64_t min, max; /* inclusive; both 0: no limits; max below min: no upper limit */
    const char *const *values; /* enum values or URL schemes, NULL-ended */
    const char *help;          /* one sentence, without a full stop */
    /* Further check of a value that is fine so far; false with the end of "must be ..." appended,
     * such as "a power of two" (never the value: it may be a secret). NULL: none. */
    bool (*check)(const char *text, struct buf *out_must_be);
};

/* A row names its member; one of a type that does not fit the setting's stops the compiler. */
#define CFG_ROW(kind, fits, type_, member, name_, ...)                                             \
    {                                                                                              \
        .name = (name_), .type = CFG_TYPE_##kind, .offset = offsetof(type_, member),               \
        .size = sizeof(((type_ *)0)->member) + CFG_ZERO_IF(fits(((type_ *)0)->member)),            \
        __VA_ARGS__                                                                                \
    }
#define CFG_ZERO_IF(fits) (0 * sizeof(struct { CFG_ASSERT(fits); }))
#define CFG_ASSERT(fits)                                                                           \
    int unused;                                                                                    \
    _Static_assert(fits, "the member's type does not fit the setting's")
#define CFG_IS_NUMBER(member) _Generic((member), int : 1, int64_t : 1, default : 0)
#define CFG_IS_BOOL(member)   _Generic((member), bool : 1, default : 0)
#define CFG_IS_INDEX(member)  _Generic((member), int : 1, default : 0)
#define CFG_IS_TEXT(member)   _Generic((member), char * : 1, default : 0)

/* CFG_INT(struct type, member, "NAME", .field = value, ...) */
#define CFG_INT(type_, ...)      CFG_ROW(INT, CFG_IS_NUMBER, type_, __VA_ARGS__)
#define CFG_DURATION(type_, ...) CFG_ROW(DURATION, CFG_IS_NUMBER, type_, __VA_ARGS__)
#define CFG_SIZE(type_, ...)     CFG_ROW(SIZE, CFG_IS_NUMBER, type_, __VA_ARGS__)
#define CFG_BOOL(type_, ...)     CFG_ROW(BOOL, CFG_IS_BOOL, type_, __VA_ARGS__)
#define CFG_ENUM(type_, ...)     CFG_ROW(ENUM, CFG_IS_INDEX, type_, __VA_ARGS__)
#define CFG_STRING(type_, ...)   CFG_ROW(STRING, CFG_IS_TEXT, type_, __VA_ARGS__)
#define CFG_URL(type_, ...)      CFG_ROW(URL, CFG_IS_TEXT, type_, __VA_ARGS__)
#define CFG_ADDRESS(type_, ...)  CFG_ROW(ADDRESS, CFG_IS_TEXT, type_, __VA_ARGS__)
#define CFG_SECRET(type_, ...)   CFG_ROW(SECRET, CFG_IS_TEXT, type_, __VA_ARGS__)

struct cfg_table {
    const char *title; /* heading in the reference */
    const struct cfg_setting *settings;
    size_t count;
};
#define CFG_TABLE(title_, rows)                                                                    \
    {                                                                                              \
        (title_), (rows), sizeof(rows) / sizeof((rows)[0])                                         \
    }

/* A table and the struct that it fills: a process has several (the shared one and its own). */
struct cfg_binding {
    const struct cfg_table *table;
    void *settings; /* zeroed by the caller before the first load */
};

/* CFG_INVALID, kind of the one error that lists every mistake: print its err_detail(). */
#define X ERR_DECLARE_KIND
#include <cfg/kinds.def>
#undef X

/* env is NAME=value strings, NULL-ended (environ). The structs are written when everything is right
 * and untouched otherwise; texts of an earlier load are freed then. Free with cfg_unload().
 * Errors: CFG_INVALID, ERR_OUT_OF_MEMORY. */
struct err *cfg_load(const struct cfg_binding *bindings, size_t count, char *const *env) MUST_CHECK;
/* Frees the texts and sets their members to NULL; may be called again. */
void cfg_unload(const struct cfg_binding *bindings, size_t count);

/* What the `config` subcommand prints, from the environment and whether or not it is right:
 *
 *     # users
 *     HTTP_THREADS=16    # default; Threads that answer requests
 *     DATABASE_URL=***   # file /run/secrets/db; Where the data is kept
 *
 * The source is one of default, environment, file PATH, not set. On error (ERR_OUT_OF_MEMORY,
 * ERR_INTERNAL if out may not hold it) out has what it had, but has failed. */
struct err *cfg_describe(const struct cfg_binding *bindings, size_t count, char *const *env,
                         struct buf *out) MUST_CHECK;
/* The table as a section of docs/configuration.md: a heading and a Markdown table with name, type,
 * default, limits, meaning. Defaults of secrets are shown: they stand in the source. Errors as
 * those of cfg_describe(). */
struct err *cfg_markdown(const struct cfg_table *table, struct buf *out) MUST_CHECK;

#endif
