/*
 * A buffer for secrets: all its memory is taken at once, since a buffer that grows leaves copies
 * behind, and is wiped before it is given back.
 */
#ifndef JOSE_SCRATCH_H
#define JOSE_SCRATCH_H

#include <base/buf.h>
#include <base/secret.h>

/* False when there is no memory. */
static inline bool scratch_init(struct buf *scratch, size_t max_bytes)
{
    *scratch = BUF_INIT(max_bytes);
    return buf_reserve(scratch, max_bytes) != NULL;
}

static inline void scratch_deinit(struct buf *scratch)
{
    if (scratch->data)
        secret_wipe(scratch->data, scratch->cap);
    buf_deinit(scratch);
}
DEFINE_CLEANUP_VALUE(struct buf, scratch_deinit);

#endif
