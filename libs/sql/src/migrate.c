#include <sql/migrate.h>

#include <inttypes.h>
#include <stdio.h>

#include <base/clock.h>
#include <base/str.h>

#include "internal.h"

#define CHECKSUM_TEXT  17
#define MIGRATIONS_MAX 9999
#define ARENA_MAX      ((size_t)4 * 1024 * 1024)

static const char create_table[] = "CREATE TABLE IF NOT EXISTS schema_migrations ("
                                   "version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, "
                                   "checksum TEXT NOT NULL, applied_at BIGINT NOT NULL, "
                                   "works_with BIGINT NOT NULL DEFAULT 0)";
/* For a table that was made when there was none. */
static const char add_works_with[] =
    "ALTER TABLE schema_migrations ADD COLUMN works_with BIGINT NOT NULL DEFAULT 0";

/* A row of schema_migrations. */
struct applied {
    int64_t version;
    const char *name;
    char checksum[CHECKSUM_TEXT];
    int64_t applied_at_ms;
    int64_t works_with;
};

static const struct field applied_fields[] = {
    FIELD(struct applied, version, INT, .flags = REQUIRED),
    FIELD(struct applied, name, STRING, .flags = REQUIRED),
    FIELD(struct applied, checksum, STRING, .flags = REQUIRED),
    FIELD(struct applied, applied_at_ms, TIME, .json = "applied_at", .flags = REQUIRED),
    FIELD(struct applied, works_with, INT, .flags = REQUIRED),
};
static const struct model applied_model =
    MODEL(struct applied, applied_fields, "A migration that was applied");

/* The migrations of one dialect: steps[i] has the version i + 1. */
struct plan {
    const struct sql_migration **steps;
    size_t count;
};

/* What the database tells of itself. */
struct history {
    const struct applied *rows;
    size_t count;
    bool has_works_with; /* the column */
};

/* FNV-1a, 64 bits: against accidents, not against people, who could as well change the table. */
static void checksum(const char *text, char out[static CHECKSUM_TEXT])
{
    uint64_t hash = 0xcbf29ce484222325;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
    snprintf(out, CHECKSUM_TEXT, "%016" PRIx64, hash);
}

static bool is_known_dialect(const char *dialect)
{
    return !dialect || str_equal(dialect, "sqlite") || str_equal(dialect, "postgres");
}

static struct err *make_plan(const struct sql_db *db, const struct sql_migrations *migrations,
                             struct arena *arena, struct plan *plan)
{
    if (migrations->count > MIGRATIONS_MAX)
        return err_new(&SQL_FAILED, "%zu migrations are too many", migrations->count);
    plan->count = 0;
    plan->steps = arena_calloc(arena, migrations->count, sizeof(const struct sql_migration *));
    if (!plan->steps)
        return err_oom();
    for (size_t i = 0; i < migrations->count; i++) {
        const struct sql_migration *step = &migrations->rows[i];
        if (!is_known_dialect(step->dialect))
            return err_new(&SQL_FAILED, "migration %d (%s) is for an unknown database, %s",
                           step->version, step->name, step->dialect);
        if (step->dialect && !str_equal(step->dialect, db->driver->name))
            continue;
        if (step->version != (int)plan->count + 1)
            return err_new(&SQL_FAILED, "migration %d (%s) stands where %zu is due for %s",
                           step->version, step->name, plan->count + 1, db->driver->name);
        if (step->works_with < 0 || (step->works_with > 0 && step->works_with >= step->version))
            return err_new(&SQL_FAILED, "migration %d (%s) works with %d, which is none before it",
                           step->version, step->name, step->works_with);
        plan->steps[plan->count++] = step;
    }
    return NULL;
}

static struct err *has_column(struct sql_conn *conn, struct ctx *ctx, const char *column,
                              bool *out_is_there)
{
    int64_t count = 0;
    TRY(sql_fetch_i64(conn, ctx, &count, conn->db->driver->column_exists,
                      SQL_TEXT("schema_migrations"), SQL_TEXT(column)));
    *out_is_there = count > 0;
    return NULL;
}

static struct err *read_rows(struct sql_conn *conn, struct ctx *ctx, struct arena *arena,
                             struct history *history)
{
    void *rows = NULL;
    TRY(sql_fetch_all(conn, ctx, &applied_model, MIGRATIONS_MAX, arena, &rows, &history->count,
                      history->has_works_with
                          ? "SELECT version, name, checksum, applied_at, works_with "
                            "FROM schema_migrations ORDER BY version"
                          : "SELECT version, name, checksum, applied_at, 0 AS works_with "
                            "FROM schema_migrations ORDER BY version"));
    history->rows = rows;
    return NULL;
}

static struct err *read_history(struct sql_conn *conn, struct ctx *ctx, struct arena *arena,
                                struct history *history)
{
    *history = (struct history){0};
    TRY(has_column(conn, ctx, "works_with", &history->has_works_with));
    bool is_there = history->has_works_with;
    if (!is_there)
        TRY(has_column(conn, ctx, "version", &is_there));
    if (!is_there)
        return NULL;
    TRY(read_rows(conn, ctx, arena, history));
    if (history->has_works_with)
        return NULL;
    /* Outside of a transaction, a newer program may have added it meanwhile, and migrated. */
    TRY(has_column(conn, ctx, "works_with", &history->has_works_with));
    return history->has_works_with ? read_rows(conn, ctx, arena, history) : NULL;
}

static struct err *check_known(const struct applied *row, const struct sql_migration *step)
{
    char expected[CHECKSUM_TEXT];
    checksum(step->sql, expected);
    if (row->version != step->version)
        return err_new(&SQL_FAILED, "migration %d (%s) was left out of the database", step->version,
                       step->name);
    if (!str_equal(row->checksum, expected))
        return err_new(&SQL_FAILED,
                       "migration %d (%s) was changed after it had been applied: put it back "
                       "and write a new one",
                       step->version, step->name);
    return NULL;
}

/* Whether a migration that a program does not know leaves it running. */
static bool is_fit_for(const struct applied *row, const struct plan *plan)
{
    return row->works_with > 0 && row->works_with <= (int64_t)plan->count;
}

/* That the database is where this program, or an older one, has left it; or a newer one, all of
 * whose migrations work with this program. */
static struct err *check_history(const struct history *history, const struct plan *plan)
{
    for (size_t i = 0; i < MIN(history->count, plan->count); i++)
        TRY(check_known(&history->rows[i], plan->steps[i]));
    for (size_t i = plan->count; i < history->count; i++) {
        const struct applied *row = &history->rows[i], *last = &history->rows[history->count - 1];
        if (row->version != (int64_t)i + 1)
            return err_new(&SQL_FAILED, "migration %zu was left out of the database", i + 1);
        if (!is_fit_for(row, plan))
            return err_new(&SQL_SCHEMA_NEWER,
                           "the database is at migration %" PRId64 " (%s), this program knows %zu, "
                           "and migration %" PRId64 " (%s) does not work with it: run the newer "
                           "release, or restore the backup from before",
                           last->version, last->name, plan->count, row->version, row->name);
    }
    return NULL;
}

static struct err *load_history(struct sql_conn *conn, struct ctx *ctx, const struct plan *plan,
                                struct arena *arena, struct history *history)
{
    TRY(read_history(conn, ctx, arena, history));
    return check_history(history, plan);
}

/* Whether the database tells of each migration what this program says it works with. To say so is
 * not for a program that is older than the database. */
static bool is_told(const struct history *history, const struct plan *plan)
{
    if (history->count > plan->count || plan->count == 0)
        return true;
    for (size_t i = 0; i < history->count; i++) {
        if (history->rows[i].works_with != plan->steps[i]->works_with)
            return false;
    }
    return history->has_works_with;
}

/* Tells it, in a transaction of its own: the next one may take long, and who reads would wait. */
static struct err *tell(struct sql_conn *conn, struct ctx *ctx, const struct plan *plan)
{
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(ARENA_MAX);
    struct history history;
    TRY(sql_begin_as(conn, ctx, TRANSACTION_MIGRATION));
    TRY(sql_exec(conn, ctx, create_table, NULL));
    TRY(load_history(conn, ctx, plan, &arena, &history));
    if (!history.has_works_with)
        TRY(sql_exec(conn, ctx, add_works_with, NULL));
    size_t ours = history.count <= plan->count ? history.count : 0;
    for (size_t i = 0; i < ours; i++)
        TRY(sql_exec(conn, ctx, "UPDATE schema_migrations SET works_with = $1 WHERE version = $2",
                     NULL, SQL_I64(plan->steps[i]->works_with), SQL_I64(plan->steps[i]->version)));
    return sql_commit(conn, ctx);
}

static struct err *apply(struct sql_conn *conn, struct ctx *ctx, const struct sql_migration *step)
{
    char sum[CHECKSUM_TEXT];
    checksum(step->sql, sum);
    const struct driver *driver = conn->db->driver;
    TRY(driver->run_script(conn->link, ctx, step->sql));
    if (!driver->in_transaction(conn->link))
        return err_new(&SQL_FAILED, "it ends the transaction that it runs in");
    return sql_exec(conn, ctx,
                    "INSERT INTO schema_migrations (version, name, checksum, applied_at, "
                    "works_with) VALUES ($1, $2, $3, $4, $5)",
                    NULL, SQL_I64(step->version), SQL_TEXT(step->name), SQL_TEXT(sum),
                    SQL_I64(clock_now_ms()), SQL_I64(step->works_with));
}

/* One migration, if after the wait for the lock there is still one to apply. */
static struct err *apply_next(struct sql_conn *conn, struct ctx *ctx, const struct plan *plan,
                              struct sql_schema *schema)
{
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(ARENA_MAX);
    struct history history;
    TRY(sql_begin_as(conn, ctx, TRANSACTION_MIGRATION));
    TRY(load_history(conn, ctx, plan, &arena, &history));
    bool is_due = history.count < plan->count;
    if (is_due) {
        const struct sql_migration *step = plan->steps[history.count];
        TRY_WRAP(apply(conn, ctx, step), "migration %d (%s)", step->version, step->name);
    }
    TRY(sql_commit(conn, ctx));
    schema->version = (int)history.count + is_due;
    schema->applied += is_due;
    return NULL;
}

struct err *sql_migrate(struct sql_db *db, struct ctx *ctx, const struct sql_migrations *migrations,
                        struct sql_schema *out)
{
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(ARENA_MAX);
    struct plan plan;
    struct history history;
    TRY(make_plan(db, migrations, &arena, &plan));
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(db, ctx, &conn));
    TRY(load_history(conn, ctx, &plan, &arena, &history));
    if (!is_told(&history, &plan))
        TRY(tell(conn, ctx, &plan));
    struct sql_schema schema = {.version = (int)history.count, .known = (int)plan.count};
    while (schema.version < schema.known)
        TRY(apply_next(conn, ctx, &plan, &schema));
    if (out)
        *out = schema;
    return NULL;
}

static void write_line(struct buf *out, int64_t version, const char *name,
                       const struct applied *applied, const char *remark)
{
    char time[CLOCK_TEXT] = "";
    if (applied)
        clock_format(applied->applied_at_ms, time);
    buf_printf(out, "%04" PRId64 "  %-40s  %s%s%s\n", version, name,
               applied ? "applied " : "pending", time, remark);
}

static bool is_changed(const struct applied *applied, const struct sql_migration *step)
{
    char sum[CHECKSUM_TEXT];
    checksum(step->sql, sum);
    return applied->version != step->version || !str_equal(applied->checksum, sum);
}

static void write_status(const struct plan *plan, const struct history *history, struct buf *out)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct sql_migration *step = plan->steps[i];
        const struct applied *applied = i < history->count ? &history->rows[i] : NULL;
        char remark[48] = "";
        if (step->works_with > 0)
            snprintf(remark, sizeof(remark), ", works with %04d", step->works_with);
        write_line(out, step->version, step->name, applied,
                   applied && is_changed(applied, step) ? ", changed since" : remark);
    }
    for (size_t i = plan->count; i < history->count; i++) {
        const struct applied *row = &history->rows[i];
        write_line(out, row->version, row->name, row,
                   is_fit_for(row, plan) ? ", unknown to this program, works with it"
                                         : ", unknown to this program, does not work with it");
    }
}

struct err *sql_migrate_status(struct sql_db *db, struct ctx *ctx,
                               const struct sql_migrations *migrations, struct buf *out)
{
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(ARENA_MAX);
    struct plan plan;
    TRY(make_plan(db, migrations, &arena, &plan));
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(db, ctx, &conn));
    struct history history;
    TRY(read_history(conn, ctx, &arena, &history));
    write_status(&plan, &history, out);
    if (buf_status(out) == BUF_NO_MEMORY)
        return err_oom();
    if (buf_status(out) != BUF_OK)
        return err_new(&ERR_INTERNAL, "the list of migrations does not fit");
    return NULL;
}
