/* Cancellation. libpq asks for it over a connection of its own, and blocks: for minutes, where the
 * server's machine is gone. So a thread asks, and who needs the answer waits for it a while only. */
#include <stdatomic.h>

#include <conc/thread.h>
#include <conc/wait.h>

#include "postgres.h"

/* Beyond this many that hang, connections are given up without asking. */
#define PENDING_MAX 64

struct request {
    PGcancel *cancel;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t done;
    bool is_done, is_heard, is_abandoned;
};

static atomic_int pending;

static void request_free(struct request *request)
{
    sql_pq.PQfreeCancel(request->cancel);
    pthread_cond_destroy(&request->done);
    pthread_mutex_destroy(&request->lock);
    free(request);
    atomic_fetch_sub(&pending, 1);
}

static void *ask(void *data)
{
    struct request *request = data;
    char reason[256];
    bool is_heard = sql_pq.PQcancel(request->cancel, reason, sizeof(reason));
    pthread_mutex_lock(&request->lock);
    request->is_done = true;
    request->is_heard = is_heard;
    bool is_abandoned = request->is_abandoned;
    pthread_cond_signal(&request->done);
    pthread_mutex_unlock(&request->lock);
    if (is_abandoned)
        request_free(request);
    return NULL;
}

/* NULL: it cannot be asked. */
static struct request *request_new(struct postgres_link *link)
{
    if (atomic_fetch_add(&pending, 1) >= PENDING_MAX) {
        atomic_fetch_sub(&pending, 1);
        return NULL;
    }
    struct request *request = calloc(1, sizeof(*request));
    PGcancel *cancel = sql_pq.PQgetCancel(link->conn);
    if (!request || !cancel) {
        sql_pq.PQfreeCancel(cancel);
        free(request);
        atomic_fetch_sub(&pending, 1);
        return NULL;
    }
    request->cancel = cancel;
    pthread_mutex_init(&request->lock, NULL);
    ctx_cond_init(&request->done);
    return request;
}

/* Whoever of the two is last frees it: the thread, when it was not waited for to the end. */
static bool await_answer(struct request *request, struct ctx *ctx)
{
    struct ctx_wait wait;
    ctx_wait_begin(&wait, ctx, &request->lock, &request->done);
    pthread_mutex_lock(&request->lock);
    while (!request->is_done && ctx_wait(&wait))
        ;
    bool is_done = request->is_done, is_heard = request->is_heard;
    request->is_abandoned = !is_done;
    pthread_mutex_unlock(&request->lock);
    ctx_wait_end(&wait);
    if (is_done)
        request_free(request);
    return is_done && is_heard;
}

bool sql_postgres_cancel(struct postgres_link *link, struct ctx *ctx)
{
    struct request *request = request_new(link);
    if (!request)
        return false;
    pthread_t thread;
    struct err *e = thread_start("db-cancel", 0, ask, request, &thread);
    if (e) {
        request_free(request);
        err_free(e);
        return false;
    }
    pthread_detach(thread);
    return await_answer(request, ctx);
}
