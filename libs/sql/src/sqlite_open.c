#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/secret.h>
#include <base/str.h>

#include "sqlite.h"

#define URL_SCHEME "sqlite:"
#define MEMORY     ":memory:"

/* Operations of SQLite's machine between two looks at the ctx: some tens of microseconds. */
#define PROGRESS_OPERATIONS 1000
#define BUSY_PAUSE_MAX_MS   16

/* An acknowledged write survives the loss of power (synchronous=FULL: the log is synced at each
 * commit). A connection takes at most half a megabyte for pages; sorting needs no temporary file,
 * which a read-only container would not have. */
static const char settings[] = "PRAGMA synchronous=FULL;"
                               "PRAGMA cache_size=-512;"
                               "PRAGMA temp_store=MEMORY;"
                               "PRAGMA journal_size_limit=4194304;"
                               "PRAGMA secure_delete=ON;"
                               "PRAGMA cell_size_check=ON;";

static const struct {
    int option;
    int value;
} switches[] = {
    {SQLITE_DBCONFIG_ENABLE_FKEY, 1},
    {SQLITE_DBCONFIG_DEFENSIVE, 1},
    {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
    {SQLITE_DBCONFIG_DQS_DML, 0}, /* "text" is a name, never a string */
    {SQLITE_DBCONFIG_DQS_DDL, 0},
    {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
};

static const struct {
    int limit;
    int value;
} limits[] = {
    {SQLITE_LIMIT_LENGTH, SQL_VALUE_MAX + 1024 * 1024}, /* of a row, too */
    {SQLITE_LIMIT_SQL_LENGTH, 1024 * 1024},
    {SQLITE_LIMIT_VARIABLE_NUMBER, SQL_PARAMS_MAX},
    {SQLITE_LIMIT_WORKER_THREADS, 0},
};

struct err *sql_sqlite_target_new(const struct sql_options *options, struct target **out_target)
{
    const char *path = options->url + sizeof(URL_SCHEME) - 1;
    bool is_memory = str_equal(path, MEMORY);
    if (!*path || (!is_memory && *path == ':'))
        return err_new(&SQL_FAILED, "a SQLite URL is sqlite:PATH or sqlite::memory:");
    /* Debian's SQLite takes file:... for a URI with options of its own. */
    if (str_starts_with(path, "file:") || strpbrk(path, "?#"))
        return err_new(&SQL_FAILED, "the path in a SQLite URL has no file:, ? or #");
    if (!sqlite3_threadsafe())
        return err_new(&SQL_FAILED, "this SQLite was built without threads");
    struct sqlite_target *target = calloc(1, sizeof(*target));
    char *copy = strdup(path);
    if (!target || !copy) {
        free(target);
        free(copy);
        return err_oom();
    }
    target->base.is_single = is_memory;
    target->path = copy;
    sql_turn_init(&target->writers);
    *out_target = &target->base;
    return NULL;
}

static struct sqlite_target *target_of(struct target *target)
{
    return CONTAINER_OF(target, struct sqlite_target, base);
}

void sql_sqlite_target_free(struct target *base)
{
    struct sqlite_target *target = target_of(base);
    sql_turn_deinit(&target->writers);
    free(target->path);
    free(target);
}

static int on_progress(void *data)
{
    const struct sqlite_link *link = data;
    return ctx_is_done(link->ctx);
}

/* Another process writes. Non-zero: try again. */
static int on_busy(void *data, int tries)
{
    const struct sqlite_link *link = data;
    uint32_t longest_ms = tries < 4 ? 1U << tries : BUSY_PAUSE_MAX_MS;
    _cleanup_(err_free) struct err *ended = ctx_sleep(link->ctx, 1 + random_below(longest_ms));
    return !ended;
}

/* Makes the file readable by its owner alone; SQLite gives its log the same mode. */
static struct err *create_file(const char *path)
{
    /* Closing a file drops the locks that this process has on it. The mutex makes sure that nobody
     * has the file open for longer than its creator. */
    static pthread_mutex_t creating = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&creating);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int problem = fd < 0 && errno != EEXIST ? errno : 0;
    if (fd >= 0) {
        if (fchmod(fd, 0600) < 0)
            problem = errno;
        close(fd);
    }
    pthread_mutex_unlock(&creating);
    if (!problem)
        return NULL;
    return err_wrap_as(err_errno(problem, "%s", path), &ERR_UPSTREAM_UNAVAILABLE,
                       "the database file cannot be made");
}

static struct err *execute(struct sqlite_link *link, const char *sql)
{
    int code = sqlite3_exec(link->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? NULL : sql_sqlite_error(link, code);
}

static int read_mode(void *data, int count, char **values, char **names)
{
    (void)names;
    bool *is_wal = data;
    *is_wal = count == 1 && str_equal(values[0], "wal");
    return 0;
}

/* Readers and the writer do not wait for each other. The first to come changes the file, for which
 * SQLite does not wait itself. */
static struct err *enter_wal(struct sqlite_link *link)
{
    bool is_wal = false;
    int code = SQLITE_BUSY;
    for (;;) {
        code = sqlite3_exec(link->db, "PRAGMA journal_mode=WAL", read_mode, &is_wal, NULL);
        if ((code & 0xff) != SQLITE_BUSY)
            break;
        TRY(ctx_sleep(link->ctx, 1 + random_below(BUSY_PAUSE_MAX_MS)));
    }
    if (code != SQLITE_OK)
        return sql_sqlite_error(link, code);
    if (!is_wal)
        return err_new(&SQL_FAILED, "the database file cannot have a write-ahead log");
    return NULL;
}

static struct err *configure(struct sqlite_link *link)
{
    for (size_t i = 0; i < ARRAY_LEN(switches); i++) {
        int now = -1;
        sqlite3_db_config(link->db, switches[i].option, switches[i].value, &now);
        if (now != switches[i].value)
            return err_new(&SQL_FAILED, "SQLite does not take its option %d", switches[i].option);
    }
    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        sqlite3_limit(link->db, limits[i].limit, limits[i].value);
    sqlite3_busy_handler(link->db, on_busy, link);
    sqlite3_progress_handler(link->db, PROGRESS_OPERATIONS, on_progress, link);
    if (!link->target->base.is_single)
        TRY(enter_wal(link));
    return execute(link, settings);
}

static struct err *open_database(struct sqlite_link *link)
{
    const char *path = link->target->path;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
                SQLITE_OPEN_EXRESCODE;
    if (link->target->base.is_single)
        flags |= SQLITE_OPEN_MEMORY;
    else if (!atomic_load(&link->target->was_open))
        TRY(create_file(path));
    int code = sqlite3_open_v2(path, &link->db, flags, NULL);
    if (code != SQLITE_OK)
        return sql_sqlite_error(link, code);
    TRY(configure(link));
    atomic_store(&link->target->was_open, true);
    return NULL;
}

struct err *sql_sqlite_connect(struct target *target, struct ctx *ctx, struct link **out_link)
{
    struct sqlite_link *link = calloc(1, sizeof(*link));
    if (!link)
        return err_oom();
    link->target = target_of(target);
    link->ctx = ctx;
    struct err *e = open_database(link);
    link->ctx = NULL;
    if (e) {
        sql_sqlite_disconnect(&link->base);
        return err_wrap(e, "open SQLite database %s", target_of(target)->path);
    }
    *out_link = &link->base;
    return NULL;
}

void sql_sqlite_disconnect(struct link *base)
{
    struct sqlite_link *link = sqlite_link_of(base);
    sqlite3_close(link->db);
    sql_sqlite_pass_turn(link); /* where not even a rollback worked */
    free(link);
}

/* A file that was removed or replaced would take writes that nobody finds again. */
bool sql_sqlite_is_usable(struct link *base)
{
    int has_moved = 0;
    sqlite3_file_control(sqlite_link_of(base)->db, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved);
    return !has_moved;
}
