#include "tokens.h"

#include <stdlib.h>
#include <string.h>

#include <base/map.h>
#include <base/secret.h>

struct token_entry {
    struct list_node node;
    struct token_entry *next; /* of the bucket */
    uint64_t hash;
    int64_t expires_s;
    size_t len;
    char token[];
};

static struct token_entry **find_place(struct tokens *tokens, struct str token, uint64_t hash)
{
    struct token_entry **place = &tokens->buckets[hash % TOKENS_MAX];
    while (*place && ((*place)->hash != hash || (*place)->len != token.len ||
                      memcmp((*place)->token, token.data, token.len) != 0))
        place = &(*place)->next;
    return place;
}

static void drop(struct tokens *tokens, struct token_entry *entry)
{
    struct str token = {entry->token, entry->len};
    *find_place(tokens, token, entry->hash) = entry->next;
    list_remove(&entry->node);
    tokens->count--;
    secret_wipe(entry->token, entry->len);
    free(entry);
}

static struct token_entry *least_used(struct tokens *tokens)
{
    return CONTAINER_OF(tokens->by_use.prev, struct token_entry, node);
}

void tokens_deinit(struct tokens *tokens)
{
    while (tokens->count > 0)
        drop(tokens, least_used(tokens));
}

/* Without memory the token is simply checked again the next time. */
static void remember(struct tokens *tokens, struct str token, uint64_t hash, int64_t expires_s)
{
    if (tokens->count == TOKENS_MAX)
        drop(tokens, least_used(tokens));
    struct token_entry *entry = malloc(sizeof(*entry) + token.len);
    if (!entry)
        return;
    struct token_entry **bucket = &tokens->buckets[hash % TOKENS_MAX];
    *entry = (struct token_entry){
        .next = *bucket, .hash = hash, .expires_s = expires_s, .len = token.len};
    memcpy(entry->token, token.data, token.len);
    *bucket = entry;
    list_push_front(&tokens->by_use, &entry->node);
    tokens->count++;
}

static void follow_epoch(struct tokens *tokens, uint64_t epoch)
{
    if (!tokens->by_use.next)
        list_node_init(&tokens->by_use);
    if (tokens->epoch == epoch)
        return;
    tokens_deinit(tokens);
    tokens->epoch = epoch;
}

struct err *tokens_check(struct tokens *tokens, const struct token_checker *checker,
                         struct str token, int64_t now_s, struct stats *stats)
{
    /* Before the check: a key set that comes in between only makes the entry void sooner. */
    follow_epoch(tokens, checker->epoch(checker->data));
    uint64_t hash = map_hash(token.data, token.len);
    struct token_entry *entry = *find_place(tokens, token, hash);
    if (entry && entry->expires_s > now_s) {
        list_remove(&entry->node);
        list_push_front(&tokens->by_use, &entry->node);
        stat_add(&stats->token_hits, 1);
        return NULL;
    }
    if (entry)
        drop(tokens, entry);
    stat_add(&stats->token_misses, 1);
    int64_t expires_s = 0;
    TRY(checker->check(checker->data, token, &expires_s));
    remember(tokens, token, hash, expires_s);
    return NULL;
}
