/*
 * For tests over a database: one of their own, and errors that are expected. Whatever goes wrong on
 * the way fails the test.
 */
#ifndef TESTS_TEST_DATABASE_H
#define TESTS_TEST_DATABASE_H

#include "check.h"

#include <sql/migrate.h>

/* --- errors --- */

/* Fails the test with the whole chain, if it is an error. */
void expect_ok(struct err *e);
/* Frees e, which must be of this kind. */
void expect_error(struct err *e, const struct err_kind *kind);

/* --- a database --- */

struct test_database {
    char name[64]; /* its directory or schema */
    char url[256];
    struct sql_db *db;
};

/* A new SQLite file, or a schema of TEST_POSTGRES where the environment has that; migrated. */
void test_database_open(struct test_database *database, const struct sql_migrations *migrations);
void test_database_close(struct test_database *database);
/* One statement without parameters. */
void test_database_run(struct test_database *database, const char *statement);
int64_t test_database_number(struct test_database *database, const char *statement);

/* --- threads --- */

/* Runs count threads that begin at the same moment, and waits for all of them. */
void run_threads(size_t count, void (*run)(size_t index, void *data), void *data);

#endif
