/*
 * What a migration promises by works_with (<sql/migrate.h>), as far as a database can tell: of the
 * tables that programs of that version and of those after it know, each column is there still, of the
 * same type and as empty as before, no other one must be given, and there is no constraint more. SQLite tells of unique ones alone.
 */
#ifndef TESTS_PROMISES_H
#define TESTS_PROMISES_H

#include <sql/migrate.h>

/* Appends a line for each that is broken, on a new database of <test_database.h>. */
void promises_find_broken(const struct sql_migrations *migrations, struct buf *out);

#endif
