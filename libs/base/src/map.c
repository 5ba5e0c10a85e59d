#include <base/map.h>

#include <string.h>

#define FIRST_CAPACITY 16

void map_deinit(struct map *map)
{
    for (size_t i = 0; i < map->capacity; i++)
        free(map->slots[i].key);
    free(map->slots);
    *map = MAP_INIT(map->max_entries);
}

/* The slot that holds the key, or the free one where it belongs. Linear probing; there is always a
 * free slot, since at most three quarters are taken. */
static struct map_slot *find_slot(const struct map *map, const char *key, size_t key_len,
                                  uint64_t hash)
{
    size_t mask = map->capacity - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct map_slot *slot = &map->slots[i];
        if (!slot->key || (slot->hash == hash && slot->key_len == key_len &&
                           (key_len == 0 || memcmp(slot->key, key, key_len) == 0)))
            return slot;
    }
}

static bool grow(struct map *map)
{
    struct map larger = {.capacity = map->capacity ? map->capacity * 2 : FIRST_CAPACITY};
    larger.slots = calloc(larger.capacity, sizeof(*larger.slots));
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < map->capacity; i++) {
        struct map_slot *slot = &map->slots[i];
        if (slot->key)
            *find_slot(&larger, slot->key, slot->key_len, slot->hash) = *slot;
    }
    free(map->slots);
    map->slots = larger.slots;
    map->capacity = larger.capacity;
    return true;
}

static enum map_put insert(struct map *map, const char *key, size_t key_len, uint64_t hash,
                           void *value)
{
    if (map->count >= map->max_entries)
        return MAP_PUT_FULL;
    char *copy = key_len < SIZE_MAX ? malloc(key_len + 1) : NULL;
    if (!copy)
        return MAP_PUT_NO_MEMORY;
    bool is_crowded = map->count >= map->capacity / 4 * 3;
    if (is_crowded && !grow(map)) {
        free(copy);
        return MAP_PUT_NO_MEMORY;
    }
    if (key_len > 0)
        memcpy(copy, key, key_len);
    copy[key_len] = '\0';
    *find_slot(map, copy, key_len, hash) = (struct map_slot){copy, key_len, hash, value};
    map->count++;
    return MAP_PUT_NEW;
}

enum map_put map_put(struct map *map, const char *key, size_t key_len, void *value, void **out_old)
{
    uint64_t hash = map_hash(key, key_len);
    struct map_slot *slot = map->count > 0 ? find_slot(map, key, key_len, hash) : NULL;
    if (!slot || !slot->key)
        return insert(map, key, key_len, hash, value);
    if (out_old)
        *out_old = slot->value;
    slot->value = value;
    return MAP_PUT_REPLACED;
}

void *map_get(const struct map *map, const char *key, size_t key_len)
{
    if (map->count == 0)
        return NULL;
    return find_slot(map, key, key_len, map_hash(key, key_len))->value;
}

/* Moves later entries of the same run back, so that no search stops early at the hole. An entry may
 * move unless its home lies cyclically behind the hole. */
static void close_hole(struct map *map, size_t hole)
{
    size_t mask = map->capacity - 1;
    for (size_t i = (hole + 1) & mask; map->slots[i].key; i = (i + 1) & mask) {
        size_t home = map->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole] = (struct map_slot){0};
}

void *map_remove(struct map *map, const char *key, size_t key_len)
{
    if (map->count == 0)
        return NULL;
    struct map_slot *slot = find_slot(map, key, key_len, map_hash(key, key_len));
    if (!slot->key)
        return NULL;
    void *value = slot->value;
    free(slot->key);
    close_hole(map, (size_t)(slot - map->slots));
    map->count--;
    return value;
}

bool map_next(const struct map *map, size_t *cursor, const char **out_key, size_t *out_key_len,
              void **out_value)
{
    while (*cursor < map->capacity) {
        const struct map_slot *slot = &map->slots[(*cursor)++];
        if (!slot->key)
            continue;
        *out_key = slot->key;
        *out_key_len = slot->key_len;
        *out_value = slot->value;
        return true;
    }
    return false;
}
