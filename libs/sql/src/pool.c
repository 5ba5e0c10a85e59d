#include <assert.h>

#include <base/clock.h>
#include <base/secret.h>

#include "errors.h"
#include "internal.h"

#define MAX_OPEN_DEFAULT        25
#define MAX_IDLE_DEFAULT        10
#define MAX_LIFETIME_DEFAULT_MS ((int64_t)30 * 60 * 1000)
#define WAIT_DEFAULT_MS         5000
#define RETRY_AFTER_MS          1000
/* A connection that was idle for so long is asked before it is used, and has so long to answer. */
#define CHECK_AFTER_MS 500
#define CHECK_MS       1000
#define RENEW_AGAIN_MS 60000 /* after another one could not be had for one that is too old */

/* A NULL registry leaves every metric NULL, and nothing is counted. */
static void make_metrics(struct metrics *registry, struct pool_metrics *metrics)
{
    if (!registry)
        return;
#define GAUGE(name, help)   metric_gauge(registry, name, help, NULL)
#define COUNTER(name, help) metric_counter(registry, name, help, NULL)
    *metrics = (struct pool_metrics){
        .max_open = GAUGE("db_pool_max_open", "Database connections at most"),
        .open = GAUGE("db_pool_open", "Database connections"),
        .idle = GAUGE("db_pool_idle", "Database connections that wait for use"),
        .in_use = GAUGE("db_pool_in_use", "Database connections in use"),
        .waits = COUNTER("db_pool_waits_total",
                         "Requests that had to wait until a database connection came free"),
        .wait_seconds =
            metric_histogram(registry, "db_pool_wait_seconds",
                             "Time until a database connection was there", NULL, NULL, 0),
        .wait_timeouts = COUNTER("db_pool_wait_timeouts_total",
                                 "Waits for a database connection that ended without one"),
        .connects = COUNTER("db_pool_connects_total", "Database connections that were made"),
        .connect_failures = COUNTER("db_pool_connect_failures_total",
                                    "Database connections that could not be made"),
        .away = GAUGE("db_pool_away", "1 while no further database connection can be made"),
    };
#undef GAUGE
#undef COUNTER
}

static void count(struct metric *counter)
{
    if (counter)
        metric_add(counter, 1);
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
    TRY(driver->target_new(options, &target));
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
    if (db->metrics.max_open)
        metric_set(db->metrics.max_open, (int64_t)db->max_open);
    sql_turn_init(&db->turn);
    sql_away_init(db);
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
    sql_away_deinit(db);
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
    int64_t wait_ms, until_ms; /* monotonic */
};

/* The lock is held. */
static bool may_grow(const struct sql_db *db)
{
    return db->open < db->max_open && !(sql_is_refused(db) && db->open > 0);
}

static bool take_claim(void *data)
{
    struct claim *claim = data;
    struct sql_db *db = claim->db;
    struct list_node *node = list_pop_front(&db->idle_conns);
    if (node) {
        claim->conn = CONTAINER_OF(node, struct sql_conn, in_idle);
        db->idle--;
    } else if (may_grow(db)) {
        db->open++;
    } else {
        return false;
    }
    show_counts(db);
    return true;
}

/* True: others have one. */
static bool give_up_place(struct sql_db *db)
{
    pthread_mutex_lock(&db->turn.lock);
    bool has_others = --db->open > 0;
    sql_turn_pass(&db->turn);
    show_counts(db);
    pthread_mutex_unlock(&db->turn.lock);
    return has_others;
}

static struct err *overloaded(const struct claim *claim)
{
    struct sql_db *db = claim->db;
    pthread_mutex_lock(&db->turn.lock);
    bool is_refused = sql_is_refused(db);
    struct err *e =
        err_new(&ERR_OVERLOADED, "none of %zu database connections came free within %lld ms%s%s",
                db->open, (long long)claim->wait_ms, is_refused ? ", and there are no more: " : "",
                is_refused ? db->away.reason : "");
    pthread_mutex_unlock(&db->turn.lock);
    count(db->metrics.wait_timeouts);
    return err_set_retry_after(e, RETRY_AFTER_MS);
}

static struct err *wait_for_claim(struct claim *claim, struct ctx *ctx)
{
    struct sql_db *db = claim->db;
    struct ctx limited;
    count(db->metrics.waits);
    ctx_init(&limited, ctx, MAX(claim->until_ms - clock_mono_ms(), 0));
    bool has_claim = sql_turn_wait(&db->turn, &limited, take_claim, claim);
    ctx_deinit(&limited);
    if (has_claim)
        return NULL;
    struct err *e = ctx_check(ctx);
    if (!e)
        return overloaded(claim);
    count(db->metrics.wait_timeouts);
    return e;
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

/* Takes link, also when it fails: that can only be for want of memory. */
static struct err *conn_new(struct sql_db *db, struct link *link, struct sql_conn **out_conn)
{
    struct sql_conn *conn = calloc(1, sizeof(*conn));
    if (!conn) {
        db->driver->disconnect(link);
        return err_oom();
    }
    conn->db = db;
    conn->link = link;
    conn->expires_ms = expiry(db->max_lifetime_ms);
    list_node_init(&conn->in_idle);
    sql_cache_init(&conn->cache);
    *out_conn = conn;
    return NULL;
}

static struct err *make_conn(struct sql_db *db, struct ctx *ctx, struct sql_conn **out_conn)
{
    struct link *link = NULL;
    TRY(sql_connect(db, ctx, true, &link));
    return conn_new(db, link, out_conn);
}

struct err *sql_conn_renew(struct sql_conn *conn, struct ctx *ctx, bool is_needed)
{
    struct link *link = NULL;
    TRY_WRAP(sql_connect(conn->db, ctx, is_needed, &link), "connect to the database");
    sql_cache_clear(conn);
    conn->db->driver->disconnect(conn->link);
    conn->link = link;
    conn->expires_ms = expiry(conn->db->max_lifetime_ms);
    conn->idle_since_ms = clock_mono_ms();
    return NULL;
}

/* An old one is kept, for a while, when the server gives us no other in its place. False: it is of no
 * more use. */
static bool renew_if_old(struct sql_conn *conn, struct ctx *ctx)
{
    struct sql_db *db = conn->db;
    if (clock_mono_ms() < conn->expires_ms)
        return true;
    struct err *e = sql_conn_renew(conn, ctx, false);
    if (e)
        conn->expires_ms = clock_mono_ms() + MIN(db->max_lifetime_ms, RENEW_AGAIN_MS);
    bool is_kept = !e || db->driver->is_remote;
    err_free(e);
    return is_kept;
}

/* Its idle connections lead to a server that says nothing: each would cost somebody that wait. */
static void drop_idle(struct sql_db *db)
{
    struct list_node *node;
    do {
        pthread_mutex_lock(&db->turn.lock);
        node = list_pop_front(&db->idle_conns);
        db->idle -= node != NULL;
        db->open -= node != NULL;
        if (node)
            sql_turn_pass(&db->turn);
        show_counts(db);
        pthread_mutex_unlock(&db->turn.lock);
        if (node)
            conn_free(CONTAINER_OF(node, struct sql_conn, in_idle));
    } while (node);
}

/* Asks the server, when the connection has been idle for a while. */
static bool is_alive(struct sql_conn *conn, struct ctx *ctx)
{
    struct sql_db *db = conn->db;
    if (!db->driver->is_remote || clock_mono_ms() - conn->idle_since_ms < CHECK_AFTER_MS)
        return true;
    struct ctx limited;
    ctx_init(&limited, ctx, CHECK_MS);
    struct err *e = db->driver->check(conn->link, &limited);
    ctx_deinit(&limited);
    if (err_is(e, &ERR_UPSTREAM_TIMEOUT) && !ctx_is_done(ctx)) {
        sql_away_declare(db, e);
        drop_idle(db);
    }
    bool is_alive = !e;
    err_free(e);
    return is_alive;
}

static bool is_reusable(struct sql_conn *conn, struct ctx *ctx)
{
    return renew_if_old(conn, ctx) && conn->db->driver->is_usable(conn->link) &&
           is_alive(conn, ctx);
}

/* *out_may_wait: the server refused it, and one of our connections may come free. */
static struct err *try_acquire(struct claim *claim, struct ctx *ctx, bool *out_may_wait,
                               struct sql_conn **out_conn)
{
    struct sql_db *db = claim->db;
    *out_may_wait = false;
    TRY(claim_place(claim, ctx));
    struct sql_conn *conn = TAKE(claim->conn);
    if (conn && !is_reusable(conn, ctx)) {
        conn_free(conn);
        conn = NULL;
    }
    struct err *e = conn ? NULL : make_conn(db, ctx, &conn);
    if (e) {
        bool has_others = give_up_place(db);
        *out_may_wait = has_others && sql_refused(e);
        return err_wrap(e, "connect to the database");
    }
    conn->is_untouched = true;
    *out_conn = conn;
    return NULL;
}

static struct err *acquire(struct sql_db *db, struct ctx *ctx, int64_t wait_ms,
                           struct sql_conn **out_conn)
{
    TRY(ctx_check(ctx));
    struct claim claim = {.db = db, .wait_ms = wait_ms, .until_ms = clock_mono_ms() + wait_ms};
    bool may_wait = false;
    struct err *e = try_acquire(&claim, ctx, &may_wait, out_conn);
    while (may_wait && clock_mono_ms() < claim.until_ms) {
        err_free(e);
        e = try_acquire(&claim, ctx, &may_wait, out_conn);
    }
    if (!may_wait)
        return e;
    err_free(e);
    TRY(ctx_check(ctx));
    return overloaded(&claim);
}

struct err *sql_acquire(struct sql_db *db, struct ctx *ctx, struct sql_conn **out_conn)
{
    return acquire(db, ctx, db->wait_ms, out_conn);
}

/* False when the connection is of no more use. */
static bool make_idle(struct sql_conn *conn)
{
    sql_rows_detach(conn);
    sql_rollback(conn);
    return !conn->link->is_broken;
}

/* Gives it to whoever waits, or keeps it idle. Returns the connection that is then too much: of the
 * idle ones the one that was not used for the longest time. */
static struct sql_conn *give_back(struct sql_db *db, struct sql_conn *conn)
{
    struct sql_conn *surplus = NULL;
    conn->idle_since_ms = clock_mono_ms();
    pthread_mutex_lock(&db->turn.lock);
    list_push_front(&db->idle_conns, &conn->in_idle);
    db->idle++;
    sql_turn_pass(&db->turn);
    if (db->idle > db->max_idle && !sql_is_refused(db)) {
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

void sql_pool_add(struct sql_db *db, struct link *link)
{
    pthread_mutex_lock(&db->turn.lock);
    bool has_place = db->open < db->max_open;
    db->open += has_place;
    pthread_mutex_unlock(&db->turn.lock);
    if (!has_place) {
        db->driver->disconnect(link);
        return;
    }
    struct sql_conn *conn = NULL;
    struct err *e = conn_new(db, link, &conn);
    if (e)
        give_up_place(db);
    else
        sql_release(conn);
    err_free(e);
}

struct err *sql_ping(struct sql_db *db, struct ctx *ctx)
{
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    int64_t wait_ms = ctx_remaining_ms(ctx, CTX_NO_TIMEOUT);
    wait_ms = wait_ms == CTX_NO_TIMEOUT ? db->wait_ms : MIN(wait_ms / 2, db->wait_ms);
    TRY(acquire(db, ctx, wait_ms, &conn));
    int64_t one = 0;
    return sql_fetch_i64(conn, ctx, &one, "SELECT 1");
}
