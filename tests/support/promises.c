#include "promises.h"

#include <stdio.h>

#include <base/str.h>

#include "test_database.h"

#define FACTS_MAX     1000
#define STATEMENT_MAX 4096

/* What a schema is to a program, as rows of three texts: the columns that it has, and whether they may
 * be left empty ("column"), and what it demands: a value for a column ("value"), a constraint ("constraint"). */
static const char sqlite_facts[] =
    "SELECT t.name AS owner, 'column' AS kind, c.name || ' ' || lower(c.type) AS fact "
    "FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' "
    "UNION SELECT t.name, 'column', c.name || ' may be NULL' "
    "FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' AND NOT "
    "c.\"notnull\" "
    "UNION SELECT t.name, 'value', c.name FROM sqlite_schema t, pragma_table_info(t.name) c "
    "WHERE t.type = 'table' AND c.\"notnull\" AND c.dflt_value IS NULL "
    "UNION SELECT t.name, 'constraint', 'unique ' || "
    "(SELECT group_concat(COALESCE(name, '?')) FROM pragma_index_info(i.name)) "
    "FROM sqlite_schema t, pragma_index_list(t.name) i WHERE t.type = 'table' AND i.\"unique\"";
static const char postgres_facts[] =
    "SELECT CAST(table_name AS TEXT) AS owner, 'column' AS kind, "
    "column_name || ' ' || data_type AS fact "
    "FROM information_schema.columns WHERE table_schema = current_schema() "
    "UNION SELECT CAST(table_name AS TEXT), 'column', column_name || ' may be NULL' "
    "FROM information_schema.columns WHERE table_schema = current_schema() "
    "AND is_nullable = 'YES' "
    "UNION SELECT CAST(table_name AS TEXT), 'value', CAST(column_name AS TEXT) "
    "FROM information_schema.columns WHERE table_schema = current_schema() "
    "AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO' "
    "UNION SELECT CAST(tablename AS TEXT), 'constraint', indexdef "
    "FROM pg_indexes WHERE schemaname = current_schema() AND indexdef LIKE 'CREATE UNIQUE %' "
    "UNION SELECT CAST(r.relname AS TEXT), 'constraint', pg_get_constraintdef(c.oid) "
    "FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid "
    "WHERE c.connamespace = CAST(current_schema() AS regnamespace) AND c.contype IN ('c', 'f', "
    "'x')";

struct fact {
    const char *owner, *kind, *fact;
};

static const struct field fact_fields[] = {
    FIELD(struct fact, owner, STRING, .flags = REQUIRED),
    FIELD(struct fact, kind, STRING, .flags = REQUIRED),
    FIELD(struct fact, fact, STRING, .flags = REQUIRED),
};
static const struct model fact_model = MODEL(struct fact, fact_fields, "A fact of a schema");

/* As a program has them whose last migration is this version. */
static struct sql_migrations up_to(const struct sql_migrations *all, int version)
{
    size_t count = 0;
    while (count < all->count && all->rows[count].version <= version)
        count++;
    return (struct sql_migrations){all->rows, count};
}

static void compare(struct test_database *database, const struct sql_migration *step, int known,
                    const char *facts, struct buf *out)
{
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT((size_t)1024 * 1024);
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    char statement[STATEMENT_MAX];
    snprintf(statement, sizeof(statement),
             "SELECT owner, kind, fact FROM "
             "(SELECT owner, kind, fact FROM promised WHERE kind = 'column' "
             "EXCEPT SELECT owner, kind, fact FROM (%s) AS now "
             "UNION ALL SELECT owner, kind, fact FROM "
             "(SELECT owner, kind, fact FROM (%s) AS now WHERE kind <> 'column' "
             "AND owner IN (SELECT owner FROM promised) "
             "EXCEPT SELECT owner, kind, fact FROM promised) AS more) AS broken "
             "ORDER BY owner, kind, fact",
             facts, facts);
    void *rows = NULL;
    size_t count = 0;
    expect_ok(sql_acquire(database->db, NULL, &conn));
    expect_ok(sql_fetch_all(conn, NULL, &fact_model, FACTS_MAX, &arena, &rows, &count, statement));
    for (size_t i = 0; i < count; i++) {
        const struct fact *fact = (const struct fact *)rows + i;
        buf_printf(out, "%04d (%s) does not work with %04d: of %s, %s: %s\n", step->version,
                   step->name, known, fact->owner,
                   str_equal(fact->kind, "column") ? "not there any more" : "a demand more",
                   fact->fact);
    }
}

static void find_broken(const struct sql_migrations *migrations, const struct sql_migration *step,
                        int known, struct buf *out)
{
    struct sql_migrations before = up_to(migrations, known);
    struct sql_migrations after = up_to(migrations, step->version);
    struct test_database database;
    test_database_open(&database, &before);
    bool is_sqlite = sql_dialect(database.db) == SQL_SQLITE;
    const char *facts = is_sqlite ? sqlite_facts : postgres_facts;
    if (!step->dialect || str_equal(step->dialect, is_sqlite ? "sqlite" : "postgres")) {
        char statement[STATEMENT_MAX];
        snprintf(statement, sizeof(statement), "CREATE TABLE promised AS %s", facts);
        test_database_run(&database, statement);
        expect_ok(sql_migrate(database.db, NULL, &after, NULL));
        compare(&database, step, known, facts, out);
    }
    test_database_close(&database);
}

void promises_find_broken(const struct sql_migrations *migrations, struct buf *out)
{
    for (size_t i = 0; i < migrations->count; i++) {
        const struct sql_migration *step = &migrations->rows[i];
        for (int known = step->works_with; known > 0 && known < step->version; known++)
            find_broken(migrations, step, known, out);
    }
}
