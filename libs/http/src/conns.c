#include "conns.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <base/clock.h>
#include <base/str.h>
#include <conc/thread.h>
#include <conc/wait.h>

#include "fds.h"

#define TICK_MS     250
#define IDLE_MIN_MS 1000 /* a connection is not cut for being idle or silent before that */
#define GUARD_STACK ((size_t)64 << 10)

struct http_conn {
    struct http_conns *owner;
    bool is_open;
    char peer[64]; /* "" until the first request */
    int peer_port;
    atomic_bool is_busy, is_cut;
    _Atomic int64_t idle_since_ms, guard_ms; /* 0: not guarded */
    atomic_int guard_how;
};

struct http_conns {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* something to guard; or, when draining, a request has ended */
    pthread_t guard;
    bool is_ending;
    atomic_bool is_draining;
    atomic_bool is_asleep; /* the guard has found nothing to watch */
    int port;
    size_t workers, claimed, open;
    struct http_conn slots[];
};

/* --- sockets --- */

/* Whether fd is a connection that came in at this port, and from where. */
static bool is_accepted(int fd, int port, char peer[static 64], int *out_peer_port)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);
    if (getpeername(fd, (struct sockaddr *)&address, &len) != 0)
        return false;
    *out_peer_port = http_socket_port(&address);
    if (*out_peer_port < 0 ||
        getnameinfo((struct sockaddr *)&address, len, peer, 64, NULL, 0, NI_NUMERICHOST) != 0)
        return false;
    len = sizeof(address);
    return getsockname(fd, (struct sockaddr *)&address, &len) == 0 &&
           http_socket_port(&address) == port;
}

static int find_socket(const struct http_conn *conn)
{
    char peer[64];
    int fd, port;
    DIR *fds = http_fds_open();
    while ((fd = http_fds_next(fds)) >= 0)
        if (is_accepted(fd, conn->owner->port, peer, &port) && port == conn->peer_port &&
            strcmp(peer, conn->peer) == 0)
            break;
    http_fds_close(fds);
    return fd;
}

static void cut(struct http_conn *conn, int how)
{
    int fd = find_socket(conn);
    if (fd >= 0)
        shutdown(fd, how);
}

static bool is_busy(const struct http_conn *conn)
{
    return atomic_load(&conn->is_busy);
}

static bool is_known(const struct http_conn *conn)
{
    return conn->peer[0] != '\0';
}

static bool has_slot(const struct http_conns *conns, const char *peer, int port,
                     bool (*is_meant)(const struct http_conn *conn))
{
    for (size_t i = 0; i < conns->claimed; i++) {
        const struct http_conn *conn = &conns->slots[i];
        if (conn->is_open && is_meant(conn) && conn->peer_port == port &&
            strcmp(conn->peer, peer) == 0)
            return true;
    }
    return false;
}

/* Every connection but those that serve a request. Those that have sent nothing yet have no known
 * peer, so all sockets of the port are looked at. */
static void cut_idle(struct http_conns *conns)
{
    char peer[64];
    DIR *fds = http_fds_open();
    for (int fd, port; (fd = http_fds_next(fds)) >= 0;)
        if (is_accepted(fd, conns->port, peer, &port) && !has_slot(conns, peer, port, is_busy))
            shutdown(fd, SHUT_RD);
    http_fds_close(fds);
}

/* Nothing has come for a while, and nothing waits to be read. */
static bool is_silent(int fd)
{
    struct tcp_info tcp = {0};
    socklen_t len = sizeof(tcp);
    int unread = 0;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &tcp, &len) == 0 &&
           tcp.tcpi_last_data_recv >= IDLE_MIN_MS && ioctl(fd, SIOCINQ, &unread) == 0 &&
           unread == 0;
}

/* Connections without a first request, with a worker or still waiting for one. */
static void cut_silent(struct http_conns *conns)
{
    char peer[64];
    DIR *fds = http_fds_open();
    for (int fd, port; (fd = http_fds_next(fds)) >= 0;)
        if (is_accepted(fd, conns->port, peer, &port) && !has_slot(conns, peer, port, is_known) &&
            is_silent(fd))
            shutdown(fd, SHUT_RD);
    http_fds_close(fds);
}

/* --- the guard --- */

static bool has_work(struct http_conns *conns)
{
    if (conns->open == conns->workers)
        return true;
    for (size_t i = 0; i < conns->claimed; i++)
        if (atomic_load(&conns->slots[i].guard_ms) != 0)
            return true;
    return false;
}

static void look_round(struct http_conns *conns)
{
    int64_t now_ms = clock_mono_ms();
    struct http_conn *longest = NULL;
    int64_t since_ms = now_ms - IDLE_MIN_MS;
    for (size_t i = 0; i < conns->claimed; i++) {
        struct http_conn *conn = &conns->slots[i];
        int64_t until_ms = atomic_load(&conn->guard_ms);
        if (conn->is_open && until_ms != 0 && now_ms >= until_ms) {
            atomic_store(&conn->is_cut, true);
            cut(conn, atomic_load(&conn->guard_how));
        }
        if (conn->is_open && is_known(conn) && !is_busy(conn) &&
            atomic_load(&conn->idle_since_ms) <= since_ms) {
            longest = conn;
            since_ms = atomic_load(&conn->idle_since_ms);
        }
    }
    if (conns->open < conns->workers)
        return;
    cut_silent(conns);
    if (longest)
        cut(longest, SHUT_RD);
}

static void *run_guard(void *data)
{
    struct http_conns *conns = data;
    pthread_mutex_lock(&conns->lock);
    while (!conns->is_ending) {
        /* Told first, then looked: who sets a guard does it the other way round. */
        atomic_store(&conns->is_asleep, true);
        if (!has_work(conns)) {
            pthread_cond_wait(&conns->changed, &conns->lock);
            continue;
        }
        atomic_store(&conns->is_asleep, false);
        struct timespec at;
        clock_gettime(CLOCK_MONOTONIC, &at);
        at.tv_nsec += TICK_MS * 1000000L;
        at.tv_sec += at.tv_nsec / 1000000000L;
        at.tv_nsec %= 1000000000L;
        int rc = 0;
        while (rc != ETIMEDOUT && !conns->is_ending)
            rc = pthread_cond_timedwait(&conns->changed, &conns->lock, &at);
        look_round(conns);
    }
    pthread_mutex_unlock(&conns->lock);
    return NULL;
}

static void wake(struct http_conns *conns)
{
    pthread_mutex_lock(&conns->lock);
    pthread_cond_broadcast(&conns->changed);
    pthread_mutex_unlock(&conns->lock);
}

struct err *http_conns_new(size_t workers, struct http_conns **out_conns)
{
    struct http_conns *conns = calloc(1, sizeof(*conns) + workers * sizeof(conns->slots[0]));
    if (!conns)
        return err_oom();
    conns->workers = workers;
    for (size_t i = 0; i < workers; i++)
        conns->slots[i].owner = conns;
    pthread_mutex_init(&conns->lock, NULL);
    ctx_cond_init(&conns->changed);
    struct err *e = thread_start("http-guard", GUARD_STACK, run_guard, conns, &conns->guard);
    if (e) {
        pthread_cond_destroy(&conns->changed);
        pthread_mutex_destroy(&conns->lock);
        free(conns);
        return e;
    }
    *out_conns = conns;
    return NULL;
}

void http_conns_free(struct http_conns *conns)
{
    if (!conns)
        return;
    pthread_mutex_lock(&conns->lock);
    conns->is_ending = true;
    pthread_cond_broadcast(&conns->changed);
    pthread_mutex_unlock(&conns->lock);
    pthread_join(conns->guard, NULL);
    pthread_cond_destroy(&conns->changed);
    pthread_mutex_destroy(&conns->lock);
    free(conns);
}

void http_conns_set_port(struct http_conns *conns, int port)
{
    pthread_mutex_lock(&conns->lock);
    conns->port = port;
    pthread_mutex_unlock(&conns->lock);
}

/* --- slots --- */

struct http_conn *http_conns_claim(struct http_conns *conns)
{
    pthread_mutex_lock(&conns->lock);
    struct http_conn *conn =
        conns->claimed < conns->workers ? &conns->slots[conns->claimed++] : NULL;
    pthread_mutex_unlock(&conns->lock);
    return conn;
}

void http_conn_open(struct http_conn *conn)
{
    struct http_conns *conns = conn->owner;
    pthread_mutex_lock(&conns->lock);
    conn->is_open = true;
    conn->peer[0] = '\0';
    atomic_store(&conn->is_cut, false);
    atomic_store(&conn->idle_since_ms, clock_mono_ms());
    if (++conns->open == conns->workers)
        pthread_cond_broadcast(&conns->changed);
    pthread_mutex_unlock(&conns->lock);
}

void http_conn_close(struct http_conn *conn)
{
    struct http_conns *conns = conn->owner;
    pthread_mutex_lock(&conns->lock);
    if (conn->is_open)
        conns->open--;
    conn->is_open = false;
    pthread_mutex_unlock(&conns->lock);
}

void http_conn_set_peer(struct http_conn *conn, const char *address, int port)
{
    pthread_mutex_lock(&conn->owner->lock);
    conn->peer_port = port;
    if (!str_copy(conn->peer, sizeof(conn->peer), address))
        conn->peer[0] = '\0';
    pthread_mutex_unlock(&conn->owner->lock);
}

void http_conn_begin(struct http_conn *conn)
{
    atomic_store(&conn->is_busy, true);
}

void http_conn_end(struct http_conn *conn, int64_t sent_ms)
{
    atomic_store(&conn->idle_since_ms, sent_ms);
    atomic_store(&conn->is_busy, false);
    if (atomic_load(&conn->owner->is_draining))
        wake(conn->owner);
}

int64_t http_conn_idle_since_ms(const struct http_conn *conn)
{
    return atomic_load(&conn->idle_since_ms);
}

void http_conn_guard(struct http_conn *conn, int how, int64_t until_ms)
{
    atomic_store(&conn->guard_how, how);
    atomic_store(&conn->guard_ms, until_ms);
    if (atomic_load(&conn->owner->is_asleep))
        wake(conn->owner);
}

bool http_conn_unguard(struct http_conn *conn)
{
    atomic_store(&conn->guard_ms, 0);
    return !atomic_load(&conn->is_cut);
}

int http_conn_socket(struct http_conn *conn)
{
    return find_socket(conn);
}

/* --- stopping --- */

size_t http_conns_busy(struct http_conns *conns)
{
    size_t busy = 0;
    for (size_t i = 0; i < conns->workers; i++)
        busy += atomic_load(&conns->slots[i].is_busy);
    return busy;
}

void http_conns_drain(struct http_conns *conns, int64_t timeout_ms)
{
    struct ctx ctx;
    struct ctx_wait wait;
    ctx_init(&ctx, NULL, timeout_ms);
    ctx_wait_begin(&wait, &ctx, &conns->lock, &conns->changed);
    atomic_store(&conns->is_draining, true);
    pthread_mutex_lock(&conns->lock);
    cut_idle(conns);
    while (http_conns_busy(conns) > 0 && ctx_wait(&wait))
        ;
    cut_idle(conns);
    pthread_mutex_unlock(&conns->lock);
    ctx_wait_end(&wait);
    ctx_deinit(&ctx);
}
