#include <assert.h>

#include <base/clock.h>
#include <base/secret.h>

#include "internal.h"

#define MAX_OPEN_DEFAULT        25
#define MAX_IDLE_DEFAULT        10
#define MAX_LIFETIME_DEFAULT_MS ((int64_t)30 * 60 * 1000)
#define WAIT_DEFAULT_MS         5000
#define RETRY_AFTER_MS          1000

/* A NULL registry leaves every metric NULL, and nothing is counted. */
static void make_metrics(struct metrics *registry, struct pool_metrics *metrics)
{
    if (!registry)
        return;
    *metrics = (struct pool_metrics){
        .open = metric_gauge(registry, "db_pool_open", "Database connections", NULL),
        .idle =
            metric_gauge(registry, "db_pool_idle", "Database connections that wait for use", NULL),
        .in_use = metric_gauge(registry, "db_pool_in_use", "Database connections in use", NULL),
        .wait_seconds =
            metric_histogram(registry, "db_pool_wait_seconds",
                             "Time until a database connection was there", NULL, NULL, 0),
        .wait_timeouts =
            metric_counter(registry, "db_pool_wait_timeouts_total",
                           "Waits for a database connection that ended without one", NULL),
    };
}

/* The lock is held. */
static void show_counts(const struct sql_db *db)
{
    if (!db->metrics.open)
        return;
    metric_set(db->metrics.open, (int64_t)db->open);
    metric_set(db->metrics.idle, (int64_t)db->idle);
    metric_set(db->metrics.in_use, (int64_t)(db->open - db->idle));
}

struct err *sql_open(const struct sql_options *options, struct sql_db **out_db)
{
    const struct driver *driver = NULL;
    struct target *target = NULL;
    TRY(sql_driver_find(options->url, &driver));
    TRY(driver->target_new(options->url, &target));
    struct sql_db *db = calloc(1, sizeof(*db));
    if (!db) {
        driver->target_free(target);
        return err_oom();
    }
    bool is_single = target->is_single;
    db->driver = driver;
    db->target = target;
    db->max_open = is_single ? 1 : options->max_open ? options->max_open : MAX_OPEN_DEFAULT;
    db->max_idle = MIN(options->max_idle ? options->max_idle : MAX_IDLE_DEFAULT, db->max_open);
    db->max_lifetime_ms = is_single                  ? INT64_MAX
                          : options->max_lifetime_ms ? options->max_lifetime_ms
                                                     : MAX_LIFETIME_DEFAULT_MS;
    db->wait_ms = options->wait_ms ? options->wait_ms : WAIT_DEFAULT_MS;
    make_metrics(options->metrics, &db->metrics);
    sql_turn_init(&db->turn);
    list_node_init(&db->idle_conns);
    *out_db = db;
    return NULL;
}

static void conn_free(struct sql_conn *conn)
{
    sql_cache_clear(conn);
    conn->db->driver->disconnect(conn->link);
    free(conn);
}

void sql_close(struct sql_db *db)
{
    if (!db)
        return;
    assert(db->open == db->idle);
    struct list_node *node;
    while ((node = list_pop_front(&db->idle_conns)))
        conn_free(CONTAINER_OF(node, struct sql_conn, in_idle));
    db->open = db->idle = 0;
    show_counts(db);
    sql_turn_deinit(&db->turn);
    db->driver->target_free(db->target);
    free(db);
}

enum sql_dialect sql_dialect(const struct sql_db *db)
{
    return db->driver->dialect;
}

enum sql_dialect sql_conn_dialect(const struct sql_conn *conn)
{
    return conn->db->driver->dialect;
}

void sql_get_stats(struct sql_db *db, struct sql_stats *out_stats)
{
    pthread_mutex_lock(&db->turn.lock);
    *out_stats = (struct sql_stats){
        .open = db->open,
        .idle = db->idle,
        .waiting = db->turn.waiting,
    };
    pthread_mutex_unlock(&db->turn.lock);
}

/* A place among the max_open: with an idle connection, or still to be connected (NULL). */
struct claim {
    struct sql_db *db;
    struct sql_conn *conn;
};

static bool take_claim(void *data)
{
    struct claim *claim = data;
    struct sql_db *db = claim->db;
    struct list_node *node = list_pop_front(&db->idle_conns);
    if (node) {
        claim->conn = CONTAINER_OF(node, struct sql_conn, in_idle);
        db->idle--;
    } else if (db->open < db->max_open) {
        db->open++;
    } else {
        return false;
    }
    show_counts(db);
    return true;
}

static void give_up_place(struct sql_db *db)
{
    pthread_mutex_lock(&db->turn.lock);
    db->open--;
    sql_turn_pass(&db->turn);
    show_counts(db);
    pthread_mutex_unlock(&db->turn.lock);
}

static struct err *wait_for_claim(struct claim *claim, struct ctx *ctx)
{
    struct sql_db *db = claim->db;
    struct ctx limited;
    ctx_init(&limited, ctx, db->wait_ms);
    bool has_claim = sql_turn_wait(&db->turn, &limited, take_claim, claim);
    ctx_deinit(&limited);
    if (has_claim)
        return NULL;
    if (db->metrics.wait_timeouts)
        metric_add(db->metrics.wait_timeouts, 1);
    TRY(ctx_check(ctx));
    struct err *e =
        err_new(&ERR_OVERLOADED, "none of %zu database connections came free within %lld ms",
                db->max_open, (long long)db->wait_ms);
    return err_set_retry_after(e, RETRY_AFTER_MS);
}

static struct err *claim_place(struct claim *claim, struct ctx *ctx)
{
    struct sql_db *db = claim->db;
    int64_t begin_ns = clock_mono_ns();
    if (!sql_turn_try(&db->turn, take_claim, claim))
        TRY(wait_for_claim(claim, ctx));
    if (db->metrics.wait_seconds)
        metric_observe(db->metrics.wait_seconds, (double)(clock_mono_ns() - begin_ns) / 1e9);
    return NULL;
}

/* So that connections made together do not all end together: within 10 % of the lifetime. */
static int64_t expiry(int64_t max_lifetime_ms)
{
    if (max_lifetime_ms == INT64_MAX)
        return INT64_MAX;
    int64_t permille = 900 + (int64_t)random_below(201);
    return clock_mono_ms() + max_lifetime_ms / 1000 * permille +
           max_lifetime_ms % 1000 * permille / 1000;
}

static struct err *conn_new(struct sql_db *db, struct ctx *ctx, struct sql_conn **out_conn)
{
    _cleanup_(free) struct sql_conn *conn = calloc(1, sizeof(*conn));
    if (!conn)
        return err_oom();
    TRY(db->driver->connect(db->target, ctx, &conn->link));
    conn->db = db;
    conn->expires_ms = expiry(db->max_lifetime_ms);
    list_node_init(&conn->in_idle);
    sql_cache_init(&conn->cache);
    *out_conn = TAKE(conn);
    return NULL;
}

struct err *sql_acquire(struct sql_db *db, struct ctx *ctx, struct sql_conn **out_conn)
{
    TRY(ctx_check(ctx));
    struct claim claim = {.db = db};
    TRY(claim_place(&claim, ctx));
    struct sql_conn *conn = claim.conn;
    if (conn && (clock_mono_ms() >= conn->expires_ms || !db->driver->is_usable(conn->link))) {
        conn_free(conn);
        conn = NULL;
    }
    struct err *e = conn ? NULL : conn_new(db, ctx, &conn);
    if (e) {
        give_up_place(db);
        return err_wrap(e, "connect to the database");
    }
    *out_conn = conn;
    return NULL;
}

/* False when the connection is of no more use. */
static bool make_idle(struct sql_conn *conn)
{
    sql_rows_detach(conn);
    sql_rollback(conn);
    return !conn->link->is_broken && clock_mono_ms() < conn->expires_ms;
}

/* Gives it to whoever waits, or keeps it idle. Returns the connection that is then too much: of the
 * idle ones the one that was not used for the longest time. */
static struct sql_conn *give_back(struct sql_db *db, struct sql_conn *conn)
{
    struct sql_conn *surplus = NULL;
    pthread_mutex_lock(&db->turn.lock);
    list_push_front(&db->idle_conns, &conn->in_idle);
    db->idle++;
    sql_turn_pass(&db->turn);
    if (db->idle > db->max_idle) {
        surplus = CONTAINER_OF(db->idle_conns.prev, struct sql_conn, in_idle);
        list_remove(&surplus->in_idle);
        db->idle--;
    }
    show_counts(db);
    pthread_mutex_unlock(&db->turn.lock);
    return surplus;
}

void sql_release(struct sql_conn *conn)
{
    if (!conn)
        return;
    struct sql_db *db = conn->db;
    struct sql_conn *surplus = make_idle(conn) ? give_back(db, conn) : conn;
    if (surplus) {
        conn_free(surplus);
        give_up_place(db);
    }
}

struct err *sql_ping(struct sql_db *db, struct ctx *ctx)
{
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(db, ctx, &conn));
    int64_t one = 0;
    return sql_fetch_i64(conn, ctx, &one, "SELECT 1");
}
