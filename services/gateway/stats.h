/*
 * What a worker counts. Only its own thread writes, so counting is a plain addition; the admin
 * thread reads and sums the workers when /metrics asks.
 */
#ifndef GATEWAY_STATS_H
#define GATEWAY_STATS_H

#include <stdatomic.h>
#include <stdint.h>

/* X(member, metric, type, help) */
#define STATS(X)                                                                                   \
    X(clients, "gateway_client_connections", "gauge", "Open client connections")                   \
    X(clients_idle, "gateway_client_connections_idle", "gauge",                                    \
      "Client connections between two requests")                                                   \
    X(clients_max, "gateway_client_connections_max", "gauge",                                      \
      "Client connections at most: MAX_CONNECTIONS, or what the limit of descriptors allows")      \
    X(clients_full, "gateway_client_connections_full_total", "counter",                            \
      "Times that all connections were in use, so that newcomers had to wait")                     \
    X(accepted, "gateway_client_connections_accepted_total", "counter",                            \
      "Client connections accepted")                                                               \
    X(accept_failures, "gateway_client_accept_failures_total", "counter",                          \
      "Times that accepting paused for lack of descriptors or memory")                             \
    X(client_timeouts, "gateway_client_timeouts_total", "counter",                                 \
      "Requests or answers that a client did not send or take in time")                            \
    X(client_aborts, "gateway_client_aborts_total", "counter", "Requests whose client went away")  \
    X(bytes_in, "gateway_client_received_bytes_total", "counter", "Bytes received from clients")   \
    X(bytes_out, "gateway_client_sent_bytes_total", "counter", "Bytes sent to clients")            \
    X(upstreams, "gateway_upstream_connections", "gauge", "Open upstream connections")             \
    X(upstreams_idle, "gateway_upstream_connections_idle", "gauge",                                \
      "Kept-alive upstream connections without a request")                                         \
    X(upstreams_opened, "gateway_upstream_connections_opened_total", "counter",                    \
      "Upstream connections opened")                                                               \
    X(upstream_waiting, "gateway_upstream_waiting", "gauge",                                       \
      "Requests that wait for an upstream connection")                                             \
    X(upstream_retries, "gateway_upstream_retries_total", "counter",                               \
      "Requests sent again on a fresh connection")                                                 \
    X(token_hits, "gateway_token_cache_hits_total", "counter", "Access tokens found verified")     \
    X(token_misses, "gateway_token_cache_misses_total", "counter",                                 \
      "Access tokens whose signature was checked")                                                 \
    X(tokens_refused, "gateway_tokens_refused_total", "counter", "Access tokens refused")

struct stats {
#define X(member, ...) _Atomic int64_t member;
    STATS(X)
#undef X
    _Atomic int64_t answers[6]; /* by status / 100 */
};

static inline void stat_add(_Atomic int64_t *counter, int64_t amount)
{
    int64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + amount, memory_order_relaxed);
}

#endif
