#include "slab.h"

#include <stdlib.h>

struct slab *slab_take(struct slab_pool *pool)
{
    struct slab *slab = pool->unused;
    if (slab) {
        pool->unused = slab->next;
        pool->unused_count--;
    } else {
        slab = malloc(sizeof(*slab));
        if (!slab)
            return NULL;
    }
    slab->start = slab->end = 0;
    pool->taken++;
    return slab;
}

void slab_give(struct slab_pool *pool, struct slab *slab)
{
    if (!slab)
        return;
    pool->taken--;
    if (pool->unused_count == SLABS_KEPT) {
        free(slab);
        return;
    }
    slab->next = pool->unused;
    pool->unused = slab;
    pool->unused_count++;
}

void slab_pool_deinit(struct slab_pool *pool)
{
    while (pool->unused) {
        struct slab *slab = pool->unused;
        pool->unused = slab->next;
        free(slab);
    }
    pool->unused_count = 0;
}
