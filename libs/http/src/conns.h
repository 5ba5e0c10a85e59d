/*
 * The connections of a listening server, a slot for each worker thread, and the guard: a thread
 * that ends connections which civetweb alone would let hold a worker for ever:
 *
 *   - a body that trickles in, or an answer that trickles out (civetweb counts its timeouts anew
 *     with each byte): the worker sets a time until which it is willing to wait;
 *   - when no worker is left for a new one: the connection that has been idle longest, and those
 *     that have come and say nothing.
 *
 * civetweb does not tell the sockets of its connections. They are found among the descriptors of
 * the process by their addresses, and only a socket of an open slot is touched: a slot is closed
 * before its socket is, and that needs the lock, so a descriptor cannot change hands meanwhile.
 *
 * States of a slot: free -> idle (reading the next request) <-> busy (serving one) -> free.
 * The lock guards free <-> idle and the peer; the rest is the worker's own, read by the guard.
 */
#ifndef HTTP_CONNS_H
#define HTTP_CONNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/macros.h>
#include <err/err.h>

struct http_conns;
struct http_conn;

struct err *http_conns_new(size_t workers, struct http_conns **out_conns) MUST_CHECK;
/* The workers are gone. Ends the guard. */
void http_conns_free(struct http_conns *conns);
DEFINE_CLEANUP(struct http_conns *, http_conns_free);
/* The port that the server listens on: once it is known. */
void http_conns_set_port(struct http_conns *conns, int port);

/* A slot for the calling worker, for ever; NULL when all are taken. */
struct http_conn *http_conns_claim(struct http_conns *conns);

/* --- by the worker of the slot --- */
void http_conn_open(struct http_conn *conn);
void http_conn_close(struct http_conn *conn);
void http_conn_set_peer(struct http_conn *conn, const char *address, int port);
void http_conn_begin(struct http_conn *conn);
/* sent_ms: when the answer was on its way. */
void http_conn_end(struct http_conn *conn, int64_t sent_ms);
/* When the connection became idle, on the monotonic clock. */
int64_t http_conn_idle_since_ms(const struct http_conn *conn);
/* Unless unguarded by then, the connection is cut at that monotonic time. how: SHUT_RD, so that an
 * answer can still be sent, or SHUT_RDWR. */
void http_conn_guard(struct http_conn *conn, int how, int64_t until_ms);
/* False when it was cut. */
bool http_conn_unguard(struct http_conn *conn);
/* The socket, borrowed; -1 if it is not found. The peer is set. */
int http_conn_socket(struct http_conn *conn);

/* --- by the thread that stops the server --- */
/* Cuts the idle connections; waits until no request is in flight, at most so long. */
void http_conns_drain(struct http_conns *conns, int64_t timeout_ms);
size_t http_conns_busy(struct http_conns *conns);

#endif
