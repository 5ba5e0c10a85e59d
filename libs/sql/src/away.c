/* A server that is away. The first request that finds out declares it; from then on one thread
 * tries to connect, and every request that would have to connect fails at once, until the thread
 * has a connection, which the pool gets. Connections that still work stay in use meanwhile.
 *
 * A server that is there and refuses us a further connection, since it is full or the password has
 * changed, counts as away, too, with two differences: while the pool has connections, requests wait
 * for one of those; and the thread gets further ones as long as requests wait, so that they do not
 * all ask the server at once. */
#include <base/clock.h>
#include <base/secret.h>
#include <base/str.h>
#include <conc/thread.h>
#include <conc/wait.h>

#include "errors.h"
#include "internal.h"

/* A request that gave up after so long a silence knows as much as one that was refused. */
#define SILENCE_MS 1000
/* Between two tries, half of it random: back within 2 s, and many replicas are no burden. */
#define PROBE_MS       250U
#define PROBE_IDLE_MS  1000U /* while refused, and nobody misses a connection */
#define RETRY_AFTER_MS 1000

/* Of one request to connect; ended when another one finds that the server is away. */
struct attempt {
    struct list_node node; /* in db->away.attempts */
    struct ctx ctx;
    int64_t begin_ms;
};

void sql_away_init(struct sql_db *db)
{
    ctx_init(&db->away.ctx, NULL, CTX_NO_TIMEOUT);
    list_node_init(&db->away.attempts);
    ctx_cond_init(&db->away.declared);
}

void sql_away_deinit(struct sql_db *db)
{
    ctx_cancel(&db->away.ctx);
    if (db->away.has_prober)
        pthread_join(db->away.prober, NULL);
    ctx_deinit(&db->away.ctx);
    pthread_cond_destroy(&db->away.declared);
}

bool sql_is_refused(const struct sql_db *db)
{
    return db->away.is_away && db->away.is_refused;
}

/* The lock is held. */
static struct err *away_error(const struct sql_db *db)
{
    struct err *e = sql_unavailable(db->away.is_refused, "%s", db->away.reason);
    e = err_wrap(e, "the database is away");
    return err_set_retry_after(e, RETRY_AFTER_MS);
}

/* The lock is held. */
static void set_away(struct sql_db *db, bool is_away)
{
    db->away.is_away = is_away;
    if (is_away)
        pthread_cond_broadcast(&db->away.declared);
    if (db->metrics.away)
        metric_set(db->metrics.away, is_away);
}

static struct err *connect_counted(struct sql_db *db, struct ctx *ctx, struct link **out_link)
{
    struct err *e = db->driver->connect(db->target, ctx, out_link);
    struct metric *counter = e ? db->metrics.connect_failures : db->metrics.connects;
    if (counter)
        metric_add(counter, 1);
    return e;
}

/* --- the thread that tries --- */

/* The lock is held. */
static void note_reason(struct sql_db *db, const struct err *e)
{
    db->away.is_refused = sql_refused(e);
    sql_reason(e, db->away.reason, sizeof(db->away.reason));
    sql_turn_pass(&db->turn); /* no longer refused: nothing is to be waited for */
}

/* False: the database is closed. */
static bool pause_between_tries(struct sql_db *db)
{
    pthread_mutex_lock(&db->turn.lock);
    bool is_idle = sql_is_refused(db) && db->open > 0 && db->turn.waiting == 0;
    pthread_mutex_unlock(&db->turn.lock);
    uint32_t half_ms = (is_idle ? PROBE_IDLE_MS : PROBE_MS) / 2;
    struct err *e = ctx_sleep(&db->away.ctx, half_ms + random_below(half_ms + 1));
    bool goes_on = !e;
    err_free(e);
    return goes_on;
}

static bool connect_for_pool(struct sql_db *db)
{
    struct link *link = NULL;
    struct err *e = connect_counted(db, &db->away.ctx, &link);
    if (!e) {
        sql_pool_add(db, link);
        return true;
    }
    pthread_mutex_lock(&db->turn.lock);
    note_reason(db, e);
    pthread_mutex_unlock(&db->turn.lock);
    err_free(e);
    return false;
}

/* The last thing the thread takes the lock for: who declares again waits for its end with it. */
static bool is_back(struct sql_db *db)
{
    pthread_mutex_lock(&db->turn.lock);
    bool has_more_to_do = db->away.is_refused && db->turn.waiting > 0 && db->open < db->max_open;
    if (!has_more_to_do)
        set_away(db, false);
    pthread_mutex_unlock(&db->turn.lock);
    return !has_more_to_do;
}

static void *probe(void *data)
{
    struct sql_db *db = data;
    while (pause_between_tries(db)) {
        while (connect_for_pool(db))
            if (is_back(db))
                return NULL;
    }
    return NULL;
}

void sql_away_declare(struct sql_db *db, const struct err *e)
{
    pthread_mutex_lock(&db->turn.lock);
    if (!db->away.is_away) {
        if (db->away.has_prober)
            pthread_join(db->away.prober, NULL);
        note_reason(db, e);
        struct err *failure = thread_start("db-probe", 0, probe, db, &db->away.prober);
        db->away.has_prober = !failure;
        /* Without a thread, each request has to find out for itself. */
        set_away(db, !failure);
        err_free(failure);
        if (db->away.is_away)
            LIST_FOREACH (node, &db->away.attempts)
                ctx_cancel(&CONTAINER_OF(node, struct attempt, node)->ctx);
    }
    pthread_mutex_unlock(&db->turn.lock);
}

bool sql_wait_away(struct sql_db *db, struct ctx *ctx)
{
    struct ctx_wait wait;
    ctx_wait_begin(&wait, ctx, &db->turn.lock, &db->away.declared);
    pthread_mutex_lock(&db->turn.lock);
    while (!db->away.is_away && ctx_wait(&wait))
        ;
    bool is_away = db->away.is_away;
    pthread_mutex_unlock(&db->turn.lock);
    ctx_wait_end(&wait);
    return is_away;
}

/* --- requests --- */

static struct err *begin_attempt(struct sql_db *db, struct ctx *ctx, struct attempt *attempt)
{
    attempt->begin_ms = clock_mono_ms();
    ctx_init(&attempt->ctx, ctx, CTX_NO_TIMEOUT);
    pthread_mutex_lock(&db->turn.lock);
    struct err *e = db->away.is_away ? away_error(db) : NULL;
    if (!e)
        list_push_back(&db->away.attempts, &attempt->node);
    pthread_mutex_unlock(&db->turn.lock);
    if (e)
        ctx_deinit(&attempt->ctx);
    return e;
}

static void end_attempt(struct sql_db *db, struct attempt *attempt)
{
    pthread_mutex_lock(&db->turn.lock);
    list_remove(&attempt->node);
    pthread_mutex_unlock(&db->turn.lock);
}

/* Takes e, with which an attempt failed. */
static struct err *judge(struct sql_db *db, struct ctx *ctx, const struct attempt *attempt,
                         bool is_needed, struct err *e)
{
    bool has_ended = ctx_is_done(ctx);
    if (!has_ended && ctx_is_done(&attempt->ctx)) { /* another request has declared it away */
        err_free(e);
        pthread_mutex_lock(&db->turn.lock);
        e = away_error(db);
        pthread_mutex_unlock(&db->turn.lock);
        return e;
    }
    bool is_silent = has_ended && clock_mono_ms() - attempt->begin_ms >= SILENCE_MS;
    bool is_away = err_is(e, &ERR_UPSTREAM_UNAVAILABLE) && (is_needed || !sql_refused(e));
    if (is_silent || is_away)
        sql_away_declare(db, e);
    return e;
}

struct err *sql_connect(struct sql_db *db, struct ctx *ctx, bool is_needed, struct link **out_link)
{
    if (!db->driver->is_remote)
        return connect_counted(db, ctx, out_link);
    struct attempt attempt;
    TRY(begin_attempt(db, ctx, &attempt));
    struct err *e = connect_counted(db, &attempt.ctx, out_link);
    end_attempt(db, &attempt);
    if (e)
        e = judge(db, ctx, &attempt, is_needed, e);
    ctx_deinit(&attempt.ctx);
    return e;
}
