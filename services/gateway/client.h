/*
 * One client connection.
 *
 *        accepted                              answered, and both sides would go on
 *           │     ┌────────────────────────────────────────────────────┐
 *           ▼     ▼                                                    │
 *     ┌──► IDLE ───── first byte ────► HEAD ───── head complete ────► EXCHANGE
 *     │     │                           │                              │ answered, but the
 *     │     │ timeout, closed           │ malformed, too slow:         │ connection must end
 *     │     ▼                           ▼ an exchange answers that     ▼
 *     │   CLOSED ◄──────────────────────┴──────── timeout, EOF ────── LINGER
 *     └── free
 *
 * LINGER: our side is shut, and what the client still sends is thrown away for a moment. To close
 * at once would make the kernel send a reset, which can overtake the answer.
 *
 * Buffers: `in` is held from a request's first byte until its exchange is over (its head is needed
 * for the log, and to send the request again); it holds what follows in a pipeline, too. IDLE and
 * LINGER hold none.
 *
 * Threads: the worker's.
 */
#ifndef GATEWAY_CLIENT_H
#define GATEWAY_CLIENT_H

#include <base/list.h>
#include <loop/loop.h>

#include "address.h"
#include "slab.h"

struct worker;
struct exchange;

enum client_state { CLIENT_IDLE, CLIENT_HEAD, CLIENT_EXCHANGE, CLIENT_LINGER, CLIENT_CLOSED };

struct client {
    struct loop_source source;
    struct loop_timer timer; /* what it means depends on the state */
    struct loop_deferred gone;
    struct list_node node; /* in the worker's idle or busy list */
    struct worker *worker;
    struct slab *in;
    struct exchange *exchange; /* HEAD, EXCHANGE */
    enum client_state state;
    bool is_processing; /* client_process() runs */
    bool is_trusted;    /* one of TRUSTED_PROXIES */
    bool has_ended;     /* its sending side is shut */
    char address[ADDRESS_TEXT];
};

/* Takes the socket; closes it when out of memory. */
void client_new(struct worker *worker, int fd, const union address *peer);
/* An idle connection of a worker that drains: it closes soon. */
void client_drain(struct client *client);
/* At once. with_reset: the client must not take what it got for a complete answer. */
void client_close(struct client *client, bool with_reset);
/* Its exchange is over, and gone. */
void client_answered(struct client *client, bool keep_alive);
/* More of the request into `in`: bytes read, 0 at the end of the stream, -1 as recv(). */
ssize_t client_receive(struct client *client);
/* Asks for an event, or no longer. */
void client_want(struct client *client, enum loop_events event, bool wanted);

#endif
