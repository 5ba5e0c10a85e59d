/*
 * Schema migrations: embedded in the binary, checksummed, applied once, in order, each in a
 * transaction, under a lock, so that several replicas may start together: one applies a migration,
 * the others wait and find it applied.
 *
 * What was applied stands in the table schema_migrations (version, name, checksum, applied_at: ms
 * since 1970), written in the transaction of the migration itself. A process that is killed at any
 * moment leaves whole migrations behind.
 *
 * A migration may hold any number of statements, without parameters, but none that cannot run in a
 * transaction (CREATE INDEX CONCURRENTLY, VACUUM) or ends it (COMMIT). In SQLite, PRAGMA
 * foreign_keys has no effect there: use PRAGMA defer_foreign_keys to rebuild a table.
 *
 * Old and new side by side. While a release is rolled out, the previous one still serves on the
 * schema of the new one; the one before that does not. So release N may only expand what N - 1
 * uses, and contract what no release since N - 1 has used:
 * - any time: a table, an index, a column that may be NULL or has a DEFAULT, a looser constraint;
 * - a release later, when the code that needs it has been rolled out: to drop or rename a table or a
 *   column, NOT NULL without a DEFAULT, a tighter constraint, another type or meaning. A rename is
 *   three releases: add and write both, read the new one, drop the old one;
 * - statements name their columns (no SELECT *, no INSERT without a list), so that a column more is
 *   no surprise. One that PostgreSQL has prepared and that changed all the same is prepared anew; in
 *   a transaction that is a SQL_SERIALIZATION, and sql_transact() runs it again;
 * - in PostgreSQL, what rewrites or scans a large table holds everybody up: fill in steps.
 * A program does not start on a schema that is newer than it (SQL_SCHEMA_NEWER): it cannot know how
 * much newer. Replicas that run already go on.
 *
 * Threads: any. Both functions take a connection of the pool and block until the ctx ends.
 */
#ifndef SQL_MIGRATE_H
#define SQL_MIGRATE_H

#include <base/buf.h>
#include <sql/sql.h>

/* Once published, never changed: its checksum (64 bits, against accidents) is compared. */
struct sql_migration {
    int version; /* 1, 2, 3, ... without gaps */
    const char *name;
    const char *dialect; /* "sqlite", "postgres", NULL: both */
    const char *sql;     /* one or more statements */
};

/* All migrations of a service, in order; a version has one row for both databases or one for each.
 * What plankton_service() makes of its migrations/ folder as
 * `const struct sql_migrations NAME_migrations`. */
struct sql_migrations {
    const struct sql_migration *rows;
    size_t count; /* at most 9999 */
};

/* Applies what is missing; out_applied may be NULL. On error the migrations before the one that
 * failed stay applied. SQL_FAILED: a migration failed (the message says which), was changed after
 * it had been applied, or the list has gaps, duplicates or an unknown dialect. SQL_SCHEMA_NEWER:
 * the database is beyond the last migration. */
struct err *sql_migrate(struct sql_db *db, struct ctx *ctx, const struct sql_migrations *migrations,
                        int *out_applied) MUST_CHECK;
/* Appends a line per migration, those that only the database knows included: version, name, when it
 * was applied, or "pending". Changes nothing. */
struct err *sql_migrate_status(struct sql_db *db, struct ctx *ctx,
                               const struct sql_migrations *migrations, struct buf *out) MUST_CHECK;

#endif
