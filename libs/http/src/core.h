/* The server itself. Everything but the atomics is constant while it answers. */
#ifndef HTTP_CORE_H
#define HTTP_CORE_H

#include <stdatomic.h>
#include <stdbool.h>

#include <conc/ctx.h>
#include <http/server.h>

#include "civet.h"
#include "rate.h"
#include "router.h"

#define SERVER_THREADS         16
#define SERVER_MAX_BODY        ((size_t)1 << 20)
#define SERVER_TIMEOUT_MS      10000
#define SERVER_READ_TIMEOUT_MS 10000
#define SERVER_IDLE_TIMEOUT_MS 60000

struct http_server {
    struct http_server_options options; /* zeros replaced by the defaults; what it points to is the
                                           caller's */
    struct router router;
    struct ctx ctx;         /* parent of every request's; cancelled at the end of the drain */
    atomic_bool is_closing; /* answers carry Connection: close */
    struct measure unmatched[HTTP_METHOD_COUNT]; /* by method; [0]: one that we do not have */
    struct metric *in_flight;                    /* NULL: not measured */
    struct rate_table *rates;                    /* NULL: no limit */
    atomic_int waiting_for_keys;                 /* requests, for the answer to another one */
    struct civet *civet;                         /* NULL: no socket */
};

#endif
