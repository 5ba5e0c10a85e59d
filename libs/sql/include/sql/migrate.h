/*
 * Schema migrations: embedded in the binary, checksummed, applied once, in order, each in a transaction,
 * under a lock, so that several replicas may start together.
 */
#ifndef SQL_MIGRATE_H
#define SQL_MIGRATE_H

#include <base/buf.h>
#include <sql/sql.h>

struct sql_migration {
    int version; /* 1, 2, 3, ... without gaps */
    const char *name;
    const char *dialect; /* "sqlite", "postgres", NULL: both */
    const char *sql;     /* one or more statements */
};

/* All migrations of a service: what plankton_service() makes of its migrations/ folder as
 * `const struct sql_migrations NAME_migrations`. */
struct sql_migrations {
    const struct sql_migration *rows;
    size_t count;
};

/* Applies what is missing. A checksum that differs from what was applied: SQL_FAILED naming the migration.
 * A schema newer than the last migration: SQL_SCHEMA_NEWER. */
struct err *sql_migrate(struct sql_db *db, struct ctx *ctx, const struct sql_migrations *migrations,
                        int *out_applied) MUST_CHECK;
/* A line per migration: version, name, applied at, or pending. */
struct err *sql_migrate_status(struct sql_db *db, struct ctx *ctx,
                               const struct sql_migrations *migrations, struct buf *out) MUST_CHECK;

#endif
