/*
 * Shared by the tests of sql. What a database must do is written once, as tests that know only
 * <sql/sql.h> and the few words in which dialects differ; run_contract() runs them over each
 * database that there is.
 */
#ifndef SQL_TEST_H
#define SQL_TEST_H

#include "check.h"

#include <sql/migrate.h>
#include <sql/sql.h>

#define URL_MAX 512

struct backend {
    const char *name;
    enum sql_dialect dialect;
    const char *blob; /* type names */
    /* False: not to be had here, so its tests are left out. */
    bool (*start)(void);
    void (*stop)(void);
    /* The URL of a new, empty database. */
    void (*make_database)(char url[static URL_MAX]);
    /* Breaks the connection as the world outside would; NULL: there is none to break. */
    void (*sever)(struct sql_conn *conn, const char *url);
};

/* The database that is tested now. */
extern const struct backend *backend;

/* How late a deadline or cancellation may be noticed: a few milliseconds, but on a busy machine the
 * thread that notices may have to wait for its turn. What does not notice runs for ever. */
#define SOON_MS 1500

/* Frees e, whose outermost kind must be this one (NULL: no error). */
void expect(struct err *e, const struct err_kind *kind, const char *what);
#define OK(expression)          expect((expression), NULL, #expression)
#define FAILS(expression, kind) expect((expression), &(kind), #expression)

/* A new, empty database that is closed and removed by the program's end at the latest. */
struct sql_db *open_database(const struct sql_options *options);
#define OPEN(...) open_database(&(struct sql_options){.url = NULL, ##__VA_ARGS__})
/* Of the last OPEN(). */
const char *database_url(void);
struct sql_conn *acquire(struct sql_db *db);
void run(struct sql_conn *conn, const char *statement);
int64_t number(struct sql_conn *conn, const char *statement);
/* The same outside of a connection that the caller holds. */
void run_in(struct sql_db *db, const char *statement);
int64_t number_in(struct sql_db *db, const char *statement);

/* A struct sql_migrations, of steps; what more a step has comes by name. */
#define MIGRATIONS(...)                                                                            \
    {                                                                                              \
        (const struct sql_migration[]){__VA_ARGS__},                                               \
            sizeof((const struct sql_migration[]){__VA_ARGS__}) / sizeof(struct sql_migration)     \
    }
#define STEP(number, title, text, ...)                                                             \
    {                                                                                              \
        .version = (number), .name = (title), .sql = (text), ##__VA_ARGS__                         \
    }

/* A directory of this process, removed at its end. */
const char *test_directory(void);
/* This program again, with these arguments; its standard output is read from *out_fd. */
int spawn_self(const char *const *arguments, int *out_fd);
/* Its exit status; -1 when a signal ended it. */
int await_exit(int pid);

/* Over the given databases, those that there are; run_contract() over all, run_in_sessions() over
 * those where a connection stays the same. */
int run_over(const struct backend *const *backends, size_t backend_count, const char *name,
             const struct CMUnitTest *tests, size_t count);
int run_contract(const char *name, const struct CMUnitTest *tests, size_t count);
int run_in_sessions(const char *name, const struct CMUnitTest *tests, size_t count);
#define RUN_CONTRACT(name, tests)    run_contract((name), (tests), ARRAY_LEN(tests))
#define RUN_IN_SESSIONS(name, tests) run_in_sessions((name), (tests), ARRAY_LEN(tests))

extern const struct backend sqlite_backend;
extern const struct backend postgres_backend; /* sql_test_postgres.c */
/* As the user that PostgreSQL runs as: it refuses to be root. */
int spawn_as_owner(const char *command);
void postgres_admin(const char *statement); /* as its administrator, in the database postgres */
/* The server goes away and comes back, between start and stop. */
void postgres_halt(void);
void postgres_run(void);
void postgres_await(void);
void await_database(struct sql_db *db);
/* Another server: a copy of the first one's files, which runs until postgres_end(). */
void postgres_copy(const char *name, bool is_standby);
int postgres_spawn(const char *name, const char *options);
void postgres_end(int pid);
void postgres_signal(int signal); /* to the postmaster */
/* The same behind a pooler, where a connection is one for the time of a transaction only. */
extern const struct backend pgbouncer_backend; /* sql_test_pgbouncer.c */
bool is_behind_pooler(const char *url);

#endif
