/*
 * The gateway as a whole: listening sockets, workers, keeper, metrics. What libs/app starts, drains
 * and stops; tests build it too, without a process around it.
 *
 * Threads: all functions by the owner. gateway_drain() blocks.
 */
#ifndef GATEWAY_SERVICE_H
#define GATEWAY_SERVICE_H

#include <metric/metric.h>

#include "settings.h"
#include "tokens.h"

struct gateway;

struct gateway_options {
    const struct gateway_settings *settings;
    const char *listen_addr;
    bool access_log;
    struct metrics *metrics; /* NULL: none. They ask the gateway, so it must outlive their use. */
    struct token_checker checker; /* .check NULL: tokens are passed on unseen */
};

/* Listens and serves from then on. Options are copied, what they point to is borrowed. */
struct err *gateway_new(const struct gateway_options *options, struct gateway **out_gateway)
    MUST_CHECK;
/* "127.0.0.1:8080", with the real port. */
const char *gateway_address(const struct gateway *gateway);
/* Answers say Connection: close from now on. */
void gateway_lame_duck(struct gateway *gateway);
/* Stops listening, lets requests finish for at most drain_ms, breaks off the rest. */
void gateway_drain(struct gateway *gateway, int64_t drain_ms);
/* Drains at once if that has not been done. */
void gateway_free(struct gateway *gateway);
DEFINE_CLEANUP(struct gateway *, gateway_free);

#endif
