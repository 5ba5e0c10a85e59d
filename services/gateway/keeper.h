/*
 * Keeps the snapshot up to date, on a thread of its own: reads ROUTES_FILE again when it changes
 * and looks up the servers' names again and again. Name servers may be slow: the loops never wait.
 *
 * The file's directory is watched (inotify), not the file: editors replace files, and Kubernetes
 * swaps a symbolic link beside it when a ConfigMap changes. A file with mistakes is logged, and
 * what held before goes on.
 *
 * Threads: keeper_new() and keeper_free() by the owner; publish is called by the keeper's thread.
 */
#ifndef GATEWAY_KEEPER_H
#define GATEWAY_KEEPER_H

#include <err/err.h>

#include "snapshot.h"

struct keeper;

struct keeper_options {
    const char *routes_file; /* NULL: the routes never change; else it outlives the keeper */
    struct metrics *metrics; /* outlives the keeper; NULL: none */
    int64_t resolve_ms;      /* between two look-ups of all names */
    /* Takes a reference, if it wants one. False: try again soon. */
    bool (*publish)(void *data, struct snapshot *snapshot);
    void *data;
};

/* first: what the workers have already. Its names are looked up at once. */
struct err *keeper_new(const struct keeper_options *options, struct snapshot *first,
                       struct keeper **out_keeper) MUST_CHECK;
/* A look-up that hangs is waited for no longer than a moment. */
void keeper_free(struct keeper *keeper);
DEFINE_CLEANUP(struct keeper *, keeper_free);

#endif
