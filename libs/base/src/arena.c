#include <base/arena.h>

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <base/secret.h>

#define ALIGNMENT   16
#define FIRST_BLOCK ((size_t)4096)
#define LARGE_BLOCK ((size_t)65536)

struct arena_block {
    struct arena_block *next;
    size_t size; /* header included */
    size_t used; /* of data */
    _Alignas(ALIGNMENT) unsigned char data[];
};

static size_t room(const struct arena_block *block)
{
    return block->size - sizeof(*block) - block->used;
}

static void free_blocks(struct arena_block *block)
{
    while (block) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
}

void arena_deinit(struct arena *arena)
{
    free_blocks(arena->head);
    *arena = ARENA_INIT(arena->max_bytes);
}

void arena_reset(struct arena *arena)
{
    struct arena_block *first = arena->head;
    if (!first)
        return;
    while (first->next)
        first = first->next;
    if (first->size > LARGE_BLOCK) {
        arena_deinit(arena);
        return;
    }
    while (arena->head != first) {
        struct arena_block *next = arena->head->next;
        free(arena->head);
        arena->head = next;
    }
    first->used = 0;
    arena->used = first->size;
}

void arena_wipe(struct arena *arena)
{
    for (struct arena_block *block = arena->head; block; block = block->next)
        secret_wipe(block->data, block->used);
}

/* A block with room for size bytes. The usual size is given up for a smaller one when max_bytes is
 * near, and for a larger one that only this request fills. */
static struct arena_block *new_block(struct arena *arena, size_t size)
{
    size_t left = arena->max_bytes - arena->used;
    if (left < sizeof(struct arena_block) || size > left - sizeof(struct arena_block))
        return NULL;
    size_t usual = arena->head ? MIN(arena->head->size * 2, LARGE_BLOCK) : FIRST_BLOCK;
    size_t total = MAX(sizeof(struct arena_block) + size, MIN(usual, left));
    struct arena_block *block = malloc(total);
    if (!block)
        return NULL;
    *block = (struct arena_block){.size = total};
    arena->used += total;
    return block;
}

/* The block with more room stays in front, so that a large request wastes nothing of it. */
static void add_block(struct arena *arena, struct arena_block *block, size_t size)
{
    struct arena_block *head = arena->head;
    if (head && room(head) > room(block) - size) {
        block->next = head->next;
        head->next = block;
    } else {
        block->next = head;
        arena->head = block;
    }
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX - ALIGNMENT)
        return NULL;
    size = MAX((size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT, ALIGNMENT);
    struct arena_block *block = arena->head;
    if (!block || room(block) < size) {
        block = new_block(arena, size);
        if (!block)
            return NULL;
        add_block(arena, block, size);
    }
    void *place = block->data + block->used;
    block->used += size;
    return memset(place, 0, size);
}

void *arena_calloc(struct arena *arena, size_t count, size_t size)
{
    size_t total;
    return __builtin_mul_overflow(count, size, &total) ? NULL : arena_alloc(arena, total);
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return arena_strndup(arena, text, strlen(text));
}

char *arena_strndup(struct arena *arena, const char *bytes, size_t count)
{
    if (count == SIZE_MAX)
        return NULL;
    char *copy = arena_alloc(arena, count + 1);
    if (copy && count > 0)
        memcpy(copy, bytes, count);
    return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    char *text = length < 0 ? NULL : arena_alloc(arena, (size_t)length + 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(args);
    return text;
}
