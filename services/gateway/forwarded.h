/*
 * Who the client is when there are proxies in front of the gateway, and what the services are told
 * about it. X-Forwarded-* is believed only when the peer is one of TRUSTED_PROXIES.
 */
#ifndef GATEWAY_FORWARDED_H
#define GATEWAY_FORWARDED_H

#include "exchange.h"
#include "writer.h"

bool forwarded_is_trusted(const struct worker_options *options, const union address *address);
/* The address of the client: the last one in X-Forwarded-For that is no trusted proxy, else the
 * peer's. */
void forwarded_client(const struct exchange *ex, char out[static ADDRESS_TEXT]);
/* X-Forwarded-For, -Proto and -Host as header lines. */
void forwarded_write(const struct exchange *ex, struct writer *w);

#endif
