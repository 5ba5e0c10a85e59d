/*
 * One request and its answer, between a client and an upstream connection.
 *
 *     client.in          to_upstream                              ┌──────────┐
 *     [head][body..] ──► head' ─ pieces of the body ────────────► │          │
 *                                                                 │ upstream │
 *     client socket ◄── head' ─ pieces of the body ◄── [answer] ◄ │          │
 *                       to_client                                 └──────────┘
 *
 * Two flows run side by side, each with its own states:
 *
 *     request:  HELD ── connection ──► FLOWING ── last byte sent ──► SENT
 *     (request_flow.c)                    └── upstream takes no more ──► CUT
 *               While connections are scarce, GATHERING comes first: the body, or as much of it as
 *               fits into the slab, so that a slow client keeps no connection from the others.
 *
 *     answer:   HEAD ── head parsed ──► BODY ── last byte read ──► COMPLETE ── sent ──► (finished)
 *     (answer_flow.c)  └── the gateway answers itself (reply.c) ─────▲
 *
 * Back-pressure: a flow reads on only when its queue is empty, so each direction holds one slab at
 * most (two for a moment when a head does not fit into the socket's buffer).
 *
 * Ends: exchange_finish() when the answer is sent, exchange_fail() when the gateway has to answer
 * with an error, exchange_abort() when nothing sensible can be said to the client any more. After
 * each of them the exchange is gone; functions that may end it return false.
 *
 * Threads: the worker's.
 */
#ifndef GATEWAY_EXCHANGE_H
#define GATEWAY_EXCHANGE_H

#include <slog/trace.h>

#include "chunked.h"
#include "client.h"
#include "parse_request.h"
#include "parse_response.h"
#include "sendq.h"
#include "upstream.h"
#include "worker.h"

/* Who moves fewer bytes than this in body_timeout_ms is too slow. */
#define RATE_BYTES 16384
/* Reads of one connection before the others get their turn. */
#define READS_PER_ROUND 8

enum request_flow { REQUEST_HELD, REQUEST_GATHERING, REQUEST_FLOWING, REQUEST_SENT, REQUEST_CUT };
enum answer_flow { ANSWER_HEAD, ANSWER_BODY, ANSWER_COMPLETE };

struct exchange {
    struct exchange *next; /* of the worker's unused ones */
    struct client *client;
    struct worker *worker;
    struct upstream *upstream; /* NULL until a route is found */
    struct upstream_user user; /* user.conn: the upstream connection */
    struct trace trace;
    int64_t started_ns;
    int64_t timeout_ms, max_body_bytes; /* of the route */

    enum request_flow request_flow;
    struct sendq to_upstream;
    size_t sent_upstream; /* bytes, on the present connection */
    struct chunked request_chunks;
    int64_t request_left;    /* of a body with Content-Length */
    int64_t request_bytes;   /* of body so far */
    struct span first_piece; /* of the body, in client.in: what a second attempt begins with */
    bool has_first_piece;
    bool body_is_complete; /* its last byte has arrived */
    bool cannot_replay;    /* more of the body has been read since */
    bool has_retried;
    bool has_continued; /* 100 (Continue) was sent */

    enum answer_flow answer_flow;
    struct sendq to_client;
    struct slab *answer;
    struct chunked answer_chunks;
    int64_t answer_left; /* of a body with Content-Length */
    int64_t answer_bytes;
    int status; /* 0: no answer yet */
    bool is_chunked_answer;
    bool keep_alive; /* the client's connection goes on after this */
    bool is_local;   /* the gateway answers itself */

    bool client_is_timed; /* the client's timer runs for the flow that waits for it */
    int64_t moved;        /* bytes to or from the client since then */
    struct response response;
    struct request request;
};

/* NULL when out of memory. */
struct exchange *exchange_new(struct client *client);
/* Without an answer: the client went away before its request was complete. */
void exchange_drop(struct exchange *ex);
/* Frees those that are kept for later. */
void exchange_free_unused(struct worker *worker);
/* The head is complete: decides what happens to it. */
void exchange_begin(struct exchange *ex);
/* The head was refused by the parser, or did not come in time. */
void exchange_refuse(struct exchange *ex, const struct err_kind *kind, const char *detail);

/* The answer has been sent. */
void exchange_finish(struct exchange *ex);
/* Answers with an error if no answer has begun, else aborts. detail: static text. */
void exchange_fail(struct exchange *ex, const struct err_kind *kind, const char *detail);
/* Closes the client's connection with a reset, so that it does not take a part for the whole. why:
 * static text for the log. */
void exchange_abort(struct exchange *ex, const char *why);

/* A flow waits for the client: it has body_timeout_ms for RATE_BYTES, again and again. */
void exchange_time_client(struct exchange *ex);
/* Events and the timer of the client's socket in CLIENT_EXCHANGE. */
void exchange_client_ready(struct exchange *ex, unsigned events);
void exchange_client_expired(struct exchange *ex);

/* --- request_flow.c --- */
/* The request may pass: acquires a connection, at once or with the body gathered. */
void request_begin(struct exchange *ex);
/* On a connection: sends the head and goes on with the body. */
void request_send(struct exchange *ex);
/* Gathers or sends what can be gathered or sent. */
void request_pump(struct exchange *ex);
/* The client must send before the request can go on. */
bool request_waits_for_client(const struct exchange *ex);
/* Takes what has arrived of the body without sending it, so that another request may follow. */
void request_skip_body(struct exchange *ex);

/* --- answer_flow.c --- */
/* The upstream connection has something to read, or has ended (events: LOOP_HANGUP). */
void answer_pump(struct exchange *ex, unsigned events);
/* Sends what is queued for the client, and goes on. False: the client does not take it all now, or
 * the exchange is over. */
bool answer_flush(struct exchange *ex);
/* Whether another request may follow this answer on the client's connection. */
bool answer_may_keep_alive(const struct exchange *ex);

/* --- retry --- */
/* The connection failed before any byte of the answer: sends the request again, or fails. */
void exchange_connection_lost(struct exchange *ex, const char *detail);

/* --- heads --- */
/* Both write to the worker's scratch memory and return the length, 0 when it does not fit. */
size_t write_request_head(struct exchange *ex);
size_t write_answer_head(struct exchange *ex);

/* Answers without an upstream. e is taken; extra: further header lines, each with CR LF. */
void reply_error(struct exchange *ex, struct err *e, const char *extra);

/* One line about a finished exchange. failure: static text, NULL for none. */
void access_log(const struct exchange *ex, const char *failure);

#endif
