/*
 * What all workers work by until the next one comes: the routes, and the addresses of each
 * upstream's servers. Immutable; made by the keeper, shared by reference count.
 *
 * Threads: any.
 */
#ifndef GATEWAY_SNAPSHOT_H
#define GATEWAY_SNAPSHOT_H

#include <stdatomic.h>

#include "address.h"
#include "routes.h"

#define SNAPSHOT_ADDRESSES 256 /* of one upstream */

struct addresses {
    union address *at;
    size_t count;
};

struct snapshot {
    atomic_int refs;
    struct routes *routes;
    struct addresses *upstreams; /* by index of the upstream */
};

/* Looks up all servers. An upstream without any address keeps those that former has for the name.
 * numeric_only: never asks a name server. Blocks otherwise. former may be NULL. */
struct err *snapshot_new(struct routes *routes, const struct snapshot *former, bool numeric_only,
                         struct snapshot **out_snapshot) MUST_CHECK;
struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot *snapshot);
DEFINE_CLEANUP(struct snapshot *, snapshot_unref);
/* Whether both have the same routes and addresses. */
bool snapshot_equal(const struct snapshot *a, const struct snapshot *b);

#endif
