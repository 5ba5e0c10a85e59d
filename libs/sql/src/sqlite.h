/* The SQLite driver, as its files share it. */
#ifndef SQL_SQLITE_H
#define SQL_SQLITE_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "driver.h"
#include "turn.h"

struct sqlite_target {
    struct target base;
    char *path;
    /* There was a database: if its file has gone since, an empty one in its place would be served as
     * if nothing had happened. */
    atomic_bool was_open;
    /* SQLite has one writer at a time, and who waits for a lock in a file can only ask again and
     * again. So the writers of this process queue here, and only other processes are asked. */
    struct turn writers;
    bool is_writing; /* writers.lock */
};

struct sqlite_link {
    struct link base;
    struct sqlite_target *target;
    sqlite3 *db;
    struct ctx *ctx; /* of what runs now; NULL: may not be interrupted */
    bool has_turn;   /* is the writer of this process */
    int64_t changes_before;
};

struct sqlite_prepared {
    struct prepared base;
    sqlite3_stmt *stmt;
    size_t param_count;
    uint16_t numbers[]; /* the N of the $N that SQLite counts as the first, second, ... */
};

/* sqlite_open.c */
struct err *sql_sqlite_target_new(const struct sql_options *options, struct target **out_target)
    MUST_CHECK;
void sql_sqlite_target_free(struct target *target);
struct err *sql_sqlite_connect(struct target *target, struct ctx *ctx, struct link **out_link)
    MUST_CHECK;
void sql_sqlite_disconnect(struct link *link);
bool sql_sqlite_is_usable(struct link *link);

/* sqlite.c: lets the next one write; no effect without the turn. */
void sql_sqlite_pass_turn(struct sqlite_link *link);

/* sqlite_error.c: what a result code of the link, other than success, means. */
struct err *sql_sqlite_error(struct sqlite_link *link, int code) MUST_CHECK;

static inline struct sqlite_link *sqlite_link_of(struct link *link)
{
    return CONTAINER_OF(link, struct sqlite_link, base);
}

#endif
