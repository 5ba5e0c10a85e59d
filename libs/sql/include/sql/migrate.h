/*
 * Schema migrations: embedded in the binary, checksummed, applied once, in order, each in a
 * transaction, under a lock, so that several replicas may start together: one applies a migration,
 * the others wait and find it applied.
 *
 * What was applied stands in the table schema_migrations (version, name, checksum, applied_at: ms
 * since 1970, works_with), written in the transaction of the migration itself. A process that is
 * killed at any moment leaves whole migrations behind.
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
 *
 * A program starts on a schema that is newer than it if, and only if, each migration that it does
 * not know says so: its works_with is the version of a program's last migration, and with this one
 * and those after it it works. So pods of the release before restart while the new one is rolled
 * out, and it can be rolled back to. Else the program is refused (SQL_SCHEMA_NEWER); what runs
 * already goes on. Who sets works_with, which is as a rule the last migration of the release
 * before, promises of a program that knows that one and nothing later:
 * - it starts, reads and writes on the new schema as it did: what it uses was added to, as "any
 *   time" above has it, and nothing that it uses was dropped, renamed, tightened or given another
 *   meaning. tests/support/promises.h checks that for tables, columns, types and constraints;
 * - it deletes as it did: a new foreign key to its rows is ON DELETE CASCADE;
 * - what it writes, without the new columns and tables, is right for the new program too.
 * The last two are for the author to look after: no test sees them.
 * works_with is not checksummed: it may be set, mended or taken back in a later release. The
 * database has it from the program that started last, of those that know all its migrations.
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
    int works_with;      /* the first version at which a program need not know it; 0: it must */
};

/* All migrations of a service, in order; a version has one row for both databases or one for each.
 * What plankton_service() makes of its migrations/ folder as
 * `const struct sql_migrations NAME_migrations`; works_with is there the first line of a file,
 * "-- works with: 0003", which is left out of its text. */
struct sql_migrations {
    const struct sql_migration *rows;
    size_t count; /* at most 9999 */
};

/* Where a database is, and the program. */
struct sql_schema {
    int version; /* the last migration of the database */
    int known;   /* the last one of the program; less than version: see above */
    int applied; /* by this call */
};

/* Applies what is missing; out may be NULL. On error the migrations before the one that failed stay
 * applied. SQL_FAILED: a migration failed (the message says which), was changed after it had been
 * applied, or the list has gaps, duplicates, an unknown dialect or a works_with that is none.
 * SQL_SCHEMA_NEWER: the database has a migration that does not work with this program. */
struct err *sql_migrate(struct sql_db *db, struct ctx *ctx, const struct sql_migrations *migrations,
                        struct sql_schema *out) MUST_CHECK;
/* Appends a line per migration, those that only the database knows included: version, name, when it
 * was applied, or "pending", and what it works with. Changes nothing. */
struct err *sql_migrate_status(struct sql_db *db, struct ctx *ctx,
                               const struct sql_migrations *migrations, struct buf *out) MUST_CHECK;

#endif
