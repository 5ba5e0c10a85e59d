/*
 * Token buckets, one for each client address (IPv6: each /64), in a table of fixed size: the bucket
 * that was used least recently makes room for a new one.
 */
#ifndef HTTP_RATE_H
#define HTTP_RATE_H

#include <stdint.h>

#include <base/macros.h>
#include <err/err.h>
#include <http/server.h>

#define RATE_BUCKETS 16384

struct rate_table;

struct err *http_rate_new(const struct http_rate_limit *limit, struct rate_table **out_table)
    MUST_CHECK;
void http_rate_free(struct rate_table *table);
/* Takes a token of the address. 0, or the milliseconds until there will be one. Any thread. */
int64_t http_rate_take(struct rate_table *table, const char *address, int64_t now_ms);

#endif
