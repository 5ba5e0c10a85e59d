/* Sharing out the connections of an upstream: idle ones first, then new ones, then the queue. */
#include "upstream_internal.h"

static struct upstream_conn *first_idle(const struct upstream_server *server)
{
    return list_is_empty(&server->idle)
               ? NULL
               : CONTAINER_OF(server->idle.next, struct upstream_conn, node);
}

static size_t random_index(struct upstream_context *context, size_t count)
{
    uint64_t x = context->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    context->random = x;
    return (size_t)(x % count);
}

static struct upstream_server *choose_server(struct upstream *upstream)
{
    if (upstream->chosen_count == 1)
        return upstream->chosen[0];
    struct upstream_server *a =
        upstream->chosen[random_index(upstream->context, upstream->chosen_count)];
    struct upstream_server *b =
        upstream->chosen[random_index(upstream->context, upstream->chosen_count)];
    return a->busy <= b->busy ? a : b;
}

/* An idle connection to the server, or to any when no new one may be opened; NULL if none. */
static struct upstream_conn *find_idle(struct upstream *upstream, struct upstream_server *server)
{
    struct upstream_conn *idle = first_idle(server);
    if (idle || upstream->connections < upstream->max_connections)
        return idle;
    for (size_t i = 0; i < upstream->chosen_count && !idle; i++)
        idle = first_idle(upstream->chosen[i]);
    return idle;
}

static void take_idle(struct upstream_conn *conn)
{
    list_remove(&conn->node);
    stat_add(&conn->upstream->context->stats->upstreams_idle, -1);
    conn->server->busy++;
}

/* False: all connections are busy. Otherwise the user has been, or will be, called. */
static bool serve(struct upstream *upstream, struct upstream_user *user)
{
    if (upstream->chosen_count == 0) {
        user->failed(user, &ERR_UPSTREAM_UNAVAILABLE, "the upstream has no address");
        return true;
    }
    struct upstream_server *server = choose_server(upstream);
    struct upstream_conn *idle = find_idle(upstream, server);
    if (idle && !user->wants_fresh) {
        take_idle(idle);
        upstream_hand_over(idle, user);
        return true;
    }
    if (upstream->connections >= upstream->max_connections) {
        if (!idle)
            return false;
        upstream_close(idle); /* to make room for a fresh one */
    }
    if (!upstream_open(upstream, server, user)) {
        upstream_count_failure(upstream);
        user->failed(user, &ERR_UPSTREAM_UNAVAILABLE, "the upstream cannot be connected to");
    }
    return true;
}

static void leave_queue(struct upstream *upstream, struct upstream_user *user)
{
    list_remove(&user->node);
    upstream->waiting_count--;
    stat_add(&upstream->context->stats->upstream_waiting, -1);
}

static struct upstream_user *first_waiting(struct upstream *upstream)
{
    return list_is_empty(&upstream->waiting)
               ? NULL
               : CONTAINER_OF(upstream->waiting.next, struct upstream_user, node);
}

/* What is called here may release or discard connections: those calls only mark that there is more
 * to do, so that a queue of users that all fail does not become a stack of calls. */
void upstream_serve_waiting(struct upstream *upstream)
{
    if (upstream->is_serving)
        return;
    upstream->is_serving = true;
    upstream_ref(upstream);
    for (struct upstream_user *user; (user = first_waiting(upstream));) {
        leave_queue(upstream, user);
        if (serve(upstream, user))
            continue;
        list_push_front(&upstream->waiting, &user->node);
        upstream->waiting_count++;
        stat_add(&upstream->context->stats->upstream_waiting, 1);
        break;
    }
    upstream->is_serving = false;
    upstream_unref(upstream);
}

static void set_waiting_timer(struct upstream *upstream)
{
    struct upstream_user *first = first_waiting(upstream);
    if (first)
        loop_set_timer(upstream->context->loop, &upstream->waiting_timer,
                       first->give_up_ms - loop_now_ms(upstream->context->loop));
}

void upstream_expire_waiting(struct loop_timer *timer)
{
    struct upstream *upstream = CONTAINER_OF(timer, struct upstream, waiting_timer);
    int64_t now_ms = loop_now_ms(upstream->context->loop);
    upstream_ref(upstream);
    for (struct upstream_user *user;
         (user = first_waiting(upstream)) && user->give_up_ms <= now_ms;) {
        leave_queue(upstream, user);
        user->failed(user, &ERR_OVERLOADED, "no connection to the upstream became free");
    }
    set_waiting_timer(upstream);
    upstream_unref(upstream);
}

static void enqueue(struct upstream *upstream, struct upstream_user *user)
{
    if (upstream->waiting_count >= upstream->max_waiting) {
        user->failed(user, &ERR_OVERLOADED, "too many requests wait for the upstream");
        return;
    }
    user->give_up_ms = loop_now_ms(upstream->context->loop) + upstream->wait_timeout_ms;
    list_push_back(&upstream->waiting, &user->node);
    upstream->waiting_count++;
    stat_add(&upstream->context->stats->upstream_waiting, 1);
    if (!upstream->waiting_timer.loop)
        set_waiting_timer(upstream);
}

bool upstream_is_scarce(const struct upstream *upstream)
{
    unsigned busy = 1;
    for (size_t i = 0; i < upstream->chosen_count; i++)
        busy += upstream->chosen[i]->busy;
    return busy > upstream->max_connections / 2;
}

void upstream_acquire(struct upstream *upstream, struct upstream_user *user, bool fresh)
{
    list_node_init(&user->node);
    user->wants_fresh = fresh;
    if (upstream->waiting_count > 0 || !serve(upstream, user))
        enqueue(upstream, user);
}

void upstream_abandon(struct upstream *upstream, struct upstream_user *user)
{
    if (user->conn)
        upstream_discard(user->conn, true);
    else if (!list_is_empty(&user->node))
        leave_queue(upstream, user);
}

void upstream_release(struct upstream_conn *conn)
{
    struct upstream *upstream = conn->upstream;
    if (upstream->is_retired || conn->server->is_retired ||
        upstream->connections > upstream->max_connections) {
        upstream_discard(conn, false);
        return;
    }
    conn->state = CONN_IDLE;
    conn->user->conn = NULL;
    conn->user = NULL;
    conn->is_reused = true;
    conn->server->busy--;
    list_push_front(&conn->server->idle, &conn->node);
    stat_add(&upstream->context->stats->upstreams_idle, 1);
    loop_change(&conn->source, LOOP_READ);
    loop_set_timer(upstream->context->loop, &conn->timer, upstream->idle_timeout_ms);
    if (upstream->waiting_count > 0)
        upstream_serve_waiting(upstream);
}

void upstream_discard(struct upstream_conn *conn, bool with_reset)
{
    struct upstream *upstream = upstream_ref(conn->upstream);
    if (with_reset)
        socket_reset_on_close(conn->source.fd);
    upstream_close(conn);
    if (upstream->waiting_count > 0)
        upstream_serve_waiting(upstream);
    upstream_unref(upstream);
}
