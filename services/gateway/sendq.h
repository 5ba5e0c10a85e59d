/*
 * What is to be sent to one socket: up to four pieces of memory, written with one system call.
 *
 *     head ─ chunk line ─ body ─ end of chunk
 *      │          │         └─ borrowed: its owner keeps it until the queue is empty
 *      │          └─ in the queue itself
 *      └─ the worker's scratch memory; if the socket takes less, the rest moves to a slab
 *
 * The next pieces are added when the queue is empty, which is the back-pressure: who produces reads
 * on only then.
 *
 * Threads: the worker's.
 */
#ifndef GATEWAY_SENDQ_H
#define GATEWAY_SENDQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "chunked.h"
#include "slab.h"

#define SENDQ_PARTS 4

struct sendq {
    struct iovec parts[SENDQ_PARTS];
    uint8_t first, count;
    bool has_scratch; /* parts[0] is scratch memory, */
    size_t room;      /* and so much of it is left */
    char line[CHUNK_LINE_MAX];
    struct slab *kept; /* the rest of the scratch memory */
};

enum send_status { SEND_DONE, SEND_BLOCKED, SEND_FAILED };

static inline bool sendq_is_empty(const struct sendq *q)
{
    return q->first == q->count;
}

/* Must be the first piece; room: what is free behind it, for small pieces that follow. The memory
 * is only used until sendq_flush() returns. */
void sendq_add_scratch(struct sendq *q, char *bytes, size_t count, size_t room);
/* Borrowed until the queue is empty. Nothing happens for count 0. */
void sendq_add(struct sendq *q, const char *bytes, size_t count);
/* bytes as one chunk (nothing for count 0), and the last chunk after it if is_last. */
void sendq_add_chunk(struct sendq *q, const char *bytes, size_t count, bool is_last);

/* Sends what the socket takes; *out_sent counts the bytes. SEND_FAILED: the peer is gone, or out of
 * memory. */
enum send_status sendq_flush(struct sendq *q, int fd, struct slab_pool *slabs, size_t *out_sent);
/* Forgets what is in it. */
void sendq_clear(struct sendq *q, struct slab_pool *slabs);

#endif
