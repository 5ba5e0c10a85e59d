/* What the files of the upstream share. */
#ifndef GATEWAY_UPSTREAM_INTERNAL_H
#define GATEWAY_UPSTREAM_INTERNAL_H

#include "upstream.h"

/* One address of an upstream. */
struct upstream_server {
    union address address;
    struct list_node node;
    struct list_node idle;
    unsigned busy;
    unsigned connections;
    bool is_retired;
};

struct upstream {
    struct upstream_context *context;
    char name[UPSTREAM_NAME_MAX + 1];
    unsigned refs;
    struct metric *failures;         /* counter that the workers share; NULL: not kept */
    struct list_node servers;        /* all, retired ones included */
    struct upstream_server **chosen; /* those that take new requests */
    size_t chosen_count;
    struct list_node waiting;
    struct loop_timer waiting_timer; /* for the first one */
    unsigned waiting_count, max_waiting;
    unsigned connections, max_connections;
    int64_t connect_timeout_ms, idle_timeout_ms, wait_timeout_ms;
    bool is_retired; /* no connection is kept alive */
    bool is_serving; /* upstream_serve_waiting() runs */
};

/* Whether a connection is being made for the user. */
bool upstream_open(struct upstream *upstream, struct upstream_server *server,
                   struct upstream_user *user);
void upstream_hand_over(struct upstream_conn *conn, struct upstream_user *user);
/* The user, if there is one, is not told. */
void upstream_close(struct upstream_conn *conn);
/* Serves those who wait, as far as connections are free. */
void upstream_serve_waiting(struct upstream *upstream);
void upstream_expire_waiting(struct loop_timer *timer);

#endif
