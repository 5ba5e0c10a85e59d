#include <string.h>

#include <base/map.h>

#include "internal.h"

void sql_cache_init(struct statement_cache *cache)
{
    list_node_init(&cache->recent);
    cache->count = 0;
}

static struct prepared *from_node(struct list_node *node)
{
    return CONTAINER_OF(node, struct prepared, in_cache);
}

static void drop(struct sql_conn *conn, struct prepared *prepared)
{
    list_remove(&prepared->in_cache);
    conn->cache.count--;
    char *text = prepared->text;
    conn->db->driver->finalize(conn->link, prepared);
    free(text);
}

void sql_cache_clear(struct sql_conn *conn)
{
    while (!list_is_empty(&conn->cache.recent))
        drop(conn, from_node(conn->cache.recent.next));
}

static struct prepared *find(const struct statement_cache *cache, const char *text, uint64_t hash)
{
    LIST_FOREACH (node, &cache->recent) {
        struct prepared *prepared = from_node(node);
        if (prepared->hash == hash && strcmp(prepared->text, text) == 0)
            return prepared;
    }
    return NULL;
}

struct err *sql_cache_get(struct sql_conn *conn, struct ctx *ctx, const char *text,
                          struct prepared **out_prepared)
{
    struct statement_cache *cache = &conn->cache;
    uint64_t hash = map_hash(text, strlen(text));
    struct prepared *prepared = find(cache, text, hash);
    if (prepared) {
        list_remove(&prepared->in_cache);
    } else {
        _cleanup_(free) char *copy = strdup(text);
        if (!copy)
            return err_oom();
        TRY(conn->db->driver->prepare(conn->link, ctx, text, &prepared));
        prepared->text = TAKE(copy);
        prepared->hash = hash;
        if (cache->count == STATEMENTS_MAX)
            drop(conn, from_node(cache->recent.prev));
        cache->count++;
    }
    list_push_front(&cache->recent, &prepared->in_cache);
    *out_prepared = prepared;
    return NULL;
}
