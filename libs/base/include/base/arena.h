/*
 * An arena: many small allocations that end together (one HTTP request, one message).
 *
 * Blocks double in size up to 64 KiB; larger requests get a block of their own. The sum of all
 * blocks stays within max_bytes. arena_reset() keeps the first block, so a connection that serves
 * many requests allocates once (a first block larger than 64 KiB is not kept).
 *
 * Threads: one at a time. Nothing blocks. Allocations return NULL when out of memory or beyond
 * max_bytes (err_oom() is the error to return).
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include <base/macros.h>

struct arena_block;

struct arena {
    struct arena_block *head; /* the block that is being filled; older ones behind it */
    size_t used;              /* sum of block sizes */
    size_t max_bytes;
};

#define ARENA_INIT(max) ((struct arena){.max_bytes = (max)})

void arena_deinit(struct arena *arena);
DEFINE_CLEANUP_VALUE(struct arena, arena_deinit);
void arena_reset(struct arena *arena);
/* Overwrites all that was allocated, for an arena that held secrets: before a reset or deinit. */
void arena_wipe(struct arena *arena);

/* Zeroed, aligned to 16 bytes; size 0 gives a valid pointer. count * size is
 * checked for overflow. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_calloc(struct arena *arena, size_t count, size_t size);
char *arena_strdup(struct arena *arena, const char *text);
/* Copies exactly count bytes and adds a NUL. */
char *arena_strndup(struct arena *arena, const char *bytes, size_t count);
char *arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))

#endif
