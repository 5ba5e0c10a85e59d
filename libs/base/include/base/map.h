/*
 * Hash map from byte strings to pointers: open addressing, SipHash-1-3 under a random key per
 * process (a client that chooses keys cannot choose collisions), bounded by max_entries.
 *
 * The map copies keys and never frees values. A NULL value is kept, but map_get() cannot tell it
 * from none. Memory grows by doubling, with a quarter of the slots free, and is given back by
 * map_deinit() alone. Threads: one at a time, or the owner's lock.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/macros.h>

struct map_slot {
    char *key;
    size_t key_len;
    uint64_t hash;
    void *value;
};

struct map {
    struct map_slot *slots;
    size_t capacity; /* power of two, or 0 */
    size_t count;
    size_t max_entries;
};

#define MAP_INIT(max) ((struct map){.max_entries = (max)})

void map_deinit(struct map *map);
DEFINE_CLEANUP_VALUE(struct map, map_deinit);

enum map_put {
    MAP_PUT_NEW,
    MAP_PUT_REPLACED, /* *out_old has the former value, when out_old is not NULL */
    MAP_PUT_FULL,
    MAP_PUT_NO_MEMORY,
};

enum map_put map_put(struct map *map, const char *key, size_t key_len, void *value, void **out_old);
/* NULL when absent. */
void *map_get(const struct map *map, const char *key, size_t key_len);
/* The value that was removed; NULL when absent. */
void *map_remove(struct map *map, const char *key, size_t key_len);

/* Walks in no particular order: start with *cursor = 0; false at the end. Removing the entry just
 * returned is not allowed during a walk; collect keys first. */
bool map_next(const struct map *map, size_t *cursor, const char **out_key, size_t *out_key_len,
              void **out_value);

/* The map's hash, for other keyed uses such as sharding. */
uint64_t map_hash(const void *bytes, size_t count);

#endif
