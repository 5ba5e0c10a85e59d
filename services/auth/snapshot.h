/* What the directory has, all of it (users.v1.list), for the projection (projection.h). */
#ifndef AUTH_SNAPSHOT_H
#define AUTH_SNAPSHOT_H

#include "service.h"

/* Users, by what became of what is known of them: address, role and status. */
struct snapshot_counts {
    int64_t added, changed, removed, unchanged;
    void (*on_page)(const struct snapshot_counts *counts, void *data); /* NULL: nobody is told */
    void *data;
};

/* Learns who is there, and so who is not; a page is a transaction. Whoever is known and in no page is
 * asked about once more before they are forgotten. counts may be NULL. Blocks on the directory and
 * the database; while events are handled, if need be. */
struct err *snapshot_take(const struct service *service, struct ctx *ctx,
                          struct snapshot_counts *counts) MUST_CHECK;

#endif
