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
                                   "checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)";

/* A row of schema_migrations. */
struct applied {
    int64_t version;
    const char *name;
    char checksum[CHECKSUM_TEXT];
    int64_t applied_at_ms;
};

static const struct field applied_fields[] = {
    FIELD(struct applied, version, INT, .flags = REQUIRED),
    FIELD(struct applied, name, STRING, .flags = REQUIRED),
    FIELD(struct applied, checksum, STRING, .flags = REQUIRED),
    FIELD(struct applied, applied_at_ms, TIME, .json = "applied_at", .flags = REQUIRED),
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
        plan->steps[plan->count++] = step;
    }
    return NULL;
}

static struct err *read_history(struct sql_conn *conn, struct ctx *ctx, struct arena *arena,
                                struct history *history)
{
    int64_t tables = 0;
    *history = (struct history){0};
    TRY(sql_fetch_i64(conn, ctx, &tables, conn->db->driver->table_exists,
                      SQL_TEXT("schema_migrations")));
    if (tables == 0)
        return NULL;
    void *rows = NULL;
    TRY(sql_fetch_all(conn, ctx, &applied_model, MIGRATIONS_MAX, arena, &rows, &history->count,
                      "SELECT version, name, checksum, applied_at FROM schema_migrations "
                      "ORDER BY version"));
    history->rows = rows;
    return NULL;
}

/* That the database is where this program, or an older one, has left it. */
static struct err *check_history(const struct history *history, const struct plan *plan)
{
    if (history->count > plan->count)
        return err_new(&SQL_SCHEMA_NEWER,
                       "the database is at migration %" PRId64 " (%s), and this program knows %zu: "
                       "start the newer release",
                       history->rows[history->count - 1].version,
                       history->rows[history->count - 1].name, plan->count);
    for (size_t i = 0; i < history->count; i++) {
        const struct applied *row = &history->rows[i];
        char expected[CHECKSUM_TEXT];
        checksum(plan->steps[i]->sql, expected);
        if (row->version != plan->steps[i]->version)
            return err_new(&SQL_FAILED, "migration %d (%s) was left out of the database",
                           plan->steps[i]->version, plan->steps[i]->name);
        if (!str_equal(row->checksum, expected))
            return err_new(&SQL_FAILED,
                           "migration %d (%s) was changed after it had been applied: put it back "
                           "and write a new one",
                           plan->steps[i]->version, plan->steps[i]->name);
    }
    return NULL;
}

static struct err *count_applied(struct sql_conn *conn, struct ctx *ctx, const struct plan *plan,
                                 size_t *out_count)
{
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(ARENA_MAX);
    struct history history;
    TRY(read_history(conn, ctx, &arena, &history));
    TRY(check_history(&history, plan));
    *out_count = history.count;
    return NULL;
}

static struct err *apply(struct sql_conn *conn, struct ctx *ctx, const struct sql_migration *step)
{
    char sum[CHECKSUM_TEXT];
    checksum(step->sql, sum);
    const struct driver *driver = conn->db->driver;
    TRY(driver->run_script(conn->link, ctx, step->sql));
    if (!driver->in_transaction(conn->link))
        return err_new(&SQL_FAILED, "it ends the transaction that it runs in");
    return sql_exec(conn, ctx, "INSERT INTO schema_migrations VALUES ($1, $2, $3, $4)", NULL,
                    SQL_I64(step->version), SQL_TEXT(step->name), SQL_TEXT(sum),
                    SQL_I64(clock_now_ms()));
}

/* One migration, if after the wait for the lock there is still one to apply. */
static struct err *apply_next(struct sql_conn *conn, struct ctx *ctx, const struct plan *plan,
                              size_t *count, int *applied)
{
    TRY(sql_begin_as(conn, ctx, TRANSACTION_MIGRATION));
    TRY(sql_exec(conn, ctx, create_table, NULL));
    TRY(count_applied(conn, ctx, plan, count));
    bool is_due = *count < plan->count;
    if (is_due) {
        const struct sql_migration *step = plan->steps[*count];
        TRY_WRAP(apply(conn, ctx, step), "migration %d (%s)", step->version, step->name);
    }
    TRY(sql_commit(conn, ctx));
    *count += is_due;
    *applied += is_due;
    return NULL;
}

struct err *sql_migrate(struct sql_db *db, struct ctx *ctx, const struct sql_migrations *migrations,
                        int *out_applied)
{
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(ARENA_MAX);
    struct plan plan;
    TRY(make_plan(db, migrations, &arena, &plan));
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(db, ctx, &conn));
    size_t count = 0;
    int applied = 0;
    TRY(count_applied(conn, ctx, &plan, &count));
    while (count < plan.count)
        TRY(apply_next(conn, ctx, &plan, &count, &applied));
    if (out_applied)
        *out_applied = applied;
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
        write_line(out, step->version, step->name, applied,
                   applied && is_changed(applied, step) ? ", changed since" : "");
    }
    for (size_t i = plan->count; i < history->count; i++)
        write_line(out, history->rows[i].version, history->rows[i].name, &history->rows[i],
                   ", unknown to this program");
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
