#include "rate.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <base/map.h>

#include "core.h"
#include "exchange.h"

/* The table is divided into sets of a few buckets; an address has its place in one set, found by
 * its hash, and a lock guards a group of sets. */
enum { WAYS = 8, SETS = RATE_BUCKETS / WAYS, LOCKS = 16 };

struct bucket {
    unsigned char key[8]; /* IPv4, or the first half of IPv6 */
    int64_t used_ms;      /* 0: free */
    double tokens;
};

struct rate_table {
    double per_ms, burst;
    pthread_mutex_t locks[LOCKS]; /* lock i: the sets with number % LOCKS == i */
    struct bucket buckets[SETS][WAYS];
};

struct err *http_rate_new(const struct http_rate_limit *limit, struct rate_table **out_table)
{
    struct rate_table *table = calloc(1, sizeof(*table));
    if (!table)
        return err_oom();
    table->per_ms = limit->per_second / 1000;
    table->burst = limit->burst > 0 ? limit->burst : MAX(limit->per_second, 1);
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&table->locks[i], NULL);
    *out_table = table;
    return NULL;
}

void http_rate_free(struct rate_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&table->locks[i]);
    free(table);
}

/* Whoever has one IPv6 address has the whole /64. */
static void make_key(const char *address, unsigned char key[static 8])
{
    unsigned char bytes[16] = {0};
    if (inet_pton(AF_INET, address, bytes) != 1)
        inet_pton(AF_INET6, address, bytes);
    memcpy(key, bytes, 8);
}

/* The bucket of the key; else a full one in the place of the set that was used least recently. */
static struct bucket *find(struct rate_table *table, struct bucket *set,
                           const unsigned char key[static 8], int64_t now_ms)
{
    struct bucket *oldest = set;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].used_ms != 0 && memcmp(set[i].key, key, sizeof(set[i].key)) == 0)
            return &set[i];
        if (set[i].used_ms < oldest->used_ms)
            oldest = &set[i];
    }
    *oldest = (struct bucket){.used_ms = now_ms, .tokens = table->burst};
    memcpy(oldest->key, key, sizeof(oldest->key));
    return oldest;
}

int64_t http_rate_take(struct rate_table *table, const char *address, int64_t now_ms)
{
    unsigned char key[8];
    make_key(address, key);
    size_t number = map_hash(key, sizeof(key)) % SETS;
    pthread_mutex_t *lock = &table->locks[number % LOCKS];
    pthread_mutex_lock(lock);
    struct bucket *bucket = find(table, table->buckets[number], key, now_ms);
    int64_t passed_ms = now_ms > bucket->used_ms ? now_ms - bucket->used_ms : 0;
    double refilled = bucket->tokens + (double)passed_ms * table->per_ms;
    bucket->tokens = MIN(refilled, table->burst);
    bucket->used_ms = now_ms;
    int64_t wait_ms = 0;
    if (bucket->tokens >= 1)
        bucket->tokens -= 1;
    else
        wait_ms = (int64_t)((1 - bucket->tokens) / table->per_ms) + 1;
    pthread_mutex_unlock(lock);
    return wait_ms;
}

static struct err *run_rate_limit(struct http_req *req, struct http_res *res,
                                  struct http_next *next)
{
    struct rate_table *rates = req->server->rates;
    if (rates) {
        int64_t wait_ms = http_rate_take(rates, req->client_address, clock_mono_ms());
        if (wait_ms > 0)
            return err_set_retry_after(err_new(&ERR_RATE_LIMITED, "too many requests at once"),
                                       wait_ms);
    }
    return http_next(next, req, res);
}
const struct http_middleware HTTP_RATE_LIMIT = {"rate_limit", run_rate_limit};
