/*
 * The buffers of a worker: all of one size, taken while there is something to hold and given back
 * at once, so that an idle connection holds none.
 *
 * Threads: a pool belongs to one worker.
 */
#ifndef GATEWAY_SLAB_H
#define GATEWAY_SLAB_H

#include <stdint.h>

#include "fields.h"

/* A head of the largest size, and room behind it through which a body can stream. */
#define SLAB_BYTES (HEAD_MAX + 4096)
/* Unused slabs that are kept for the next connection; more are freed. */
#define SLABS_KEPT 64

struct slab {
    struct slab *next; /* the pool's own */
    uint32_t start;    /* what is not consumed yet is data[start..end) */
    uint32_t end;
    char data[SLAB_BYTES];
};

struct slab_pool {
    struct slab *unused;
    unsigned unused_count;
    unsigned taken;
};

/* Empty; NULL when out of memory. */
struct slab *slab_take(struct slab_pool *pool);
/* NULL is fine. */
void slab_give(struct slab_pool *pool, struct slab *slab);
/* All slabs must have been given back. */
void slab_pool_deinit(struct slab_pool *pool);

static inline uint32_t slab_room(const struct slab *slab)
{
    return SLAB_BYTES - slab->end;
}

#endif
