#include "key_store.h"

#include <string.h>

static const char *copy(struct arena *arena, const char *text)
{
    return text ? arena_strdup(arena, text) : NULL;
}

static struct http_kept_answer copy_answer(struct arena *arena,
                                           const struct http_kept_answer *answer)
{
    return (struct http_kept_answer){answer->status, copy(arena, answer->content_type),
                                     copy(arena, answer->location), copy(arena, answer->etag),
                                     copy(arena, answer->body)};
}

/* Of this id; else a new one, free. */
static struct key_row *row_of(struct key_store *keys, const char *id)
{
    for (size_t i = 0; i < keys->count; i++)
        if (strcmp(keys->rows[i].claim.id, id) == 0)
            return &keys->rows[i];
    struct key_row *row = keys->count < KEY_STORE_ROWS ? &keys->rows[keys->count++] : NULL;
    if (row)
        *row = (struct key_row){.arena = ARENA_INIT(1 << 20)};
    return row;
}

static struct err *claim(void *data, struct ctx *ctx, const struct http_key_claim *claim,
                         int64_t lease_ms, struct arena *arena, struct http_key_found *out_found)
{
    struct key_store *keys = data;
    TRY(ctx_check(ctx));
    if (keys->claim_fails)
        return err_new(&ERR_UPSTREAM_UNAVAILABLE, "the store is away");
    pthread_mutex_lock(&keys->lock);
    keys->lease_ms = lease_ms;
    struct key_row *row = row_of(keys, claim->id);
    *out_found = (struct http_key_found){.state = row ? row->state : HTTP_KEY_AT_WORK};
    if (row && row->state == HTTP_KEY_CLAIMED) {
        row->claim = *claim;
        row->state = HTTP_KEY_AT_WORK;
    } else if (row) {
        memcpy(out_found->fingerprint, row->claim.fingerprint, HTTP_KEY_HASH);
        out_found->answer = copy_answer(arena, &row->answer);
    }
    pthread_mutex_unlock(&keys->lock);
    return NULL;
}

static struct err *settle(struct key_store *keys, const struct http_key_claim *claim,
                          const struct http_kept_answer *answer)
{
    if (keys->settle_fails)
        return err_new(&ERR_UPSTREAM_UNAVAILABLE, "the store is away");
    pthread_mutex_lock(&keys->lock);
    struct key_row *row = row_of(keys, claim->id);
    if (row && row->state == HTTP_KEY_AT_WORK && strcmp(row->claim.owner, claim->owner) == 0) {
        row->state = answer ? HTTP_KEY_ANSWERED : HTTP_KEY_CLAIMED;
        if (answer)
            row->answer = copy_answer(&row->arena, answer);
    }
    pthread_mutex_unlock(&keys->lock);
    return NULL;
}

static struct err *keep(void *data, struct ctx *ctx, const struct http_key_claim *claim,
                        const struct http_kept_answer *answer)
{
    TRY(ctx_check(ctx));
    return settle(data, claim, answer);
}

static struct err *release(void *data, struct ctx *ctx, const struct http_key_claim *claim,
                           bool is_refused)
{
    struct key_store *keys = data;
    TRY(ctx_check(ctx));
    TRY(settle(keys, claim, NULL));
    pthread_mutex_lock(&keys->lock);
    if (is_refused)
        row_of(keys, claim->id)->creation_of[0] = '\0';
    pthread_mutex_unlock(&keys->lock);
    return NULL;
}

static struct err *creation_id(void *data, struct ctx *ctx, const struct http_key_claim *claim,
                               char out_id[static UUID_TEXT])
{
    struct key_store *keys = data;
    TRY(ctx_check(ctx));
    if (keys->settle_fails)
        return err_new(&ERR_UPSTREAM_UNAVAILABLE, "the store is away");
    pthread_mutex_lock(&keys->lock);
    struct key_row *row = row_of(keys, claim->id);
    if (strcmp(row->creation_of, claim->fingerprint) != 0) {
        memcpy(row->creation_of, claim->fingerprint, HTTP_KEY_HASH);
        uuid_new(row->creation_id);
    }
    memcpy(out_id, row->creation_id, UUID_TEXT);
    pthread_mutex_unlock(&keys->lock);
    return NULL;
}

void key_store_init(struct key_store *keys)
{
    *keys = (struct key_store){.store = {claim, keep, release, creation_id, keys, "secret"}};
    pthread_mutex_init(&keys->lock, NULL);
}

void key_store_deinit(struct key_store *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        arena_deinit(&keys->rows[i].arena);
    pthread_mutex_destroy(&keys->lock);
}
