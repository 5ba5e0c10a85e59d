#include "keys.h"

#include <string.h>

#include "refuse.h"

static struct err *new_set(struct jose_keys **out_keys)
{
    struct jose_keys *keys = calloc(1, sizeof(*keys));
    if (!keys)
        return err_oom();
    atomic_init(&keys->refs, 1);
    *out_keys = keys;
    return NULL;
}

/* Takes its own reference. */
static struct err *add_key(struct jose_keys *keys, struct jose_key *key)
{
    if (keys->count == JOSE_KEYS_MAX)
        return err_new(&JOSE_INVALID_KEY, "a key set has at most %d keys", JOSE_KEYS_MAX);
    if (jose_keys_find(keys, key->id, strlen(key->id)))
        return err_new(&JOSE_INVALID_KEY, "two keys of the set have the same kid");
    keys->key[keys->count++] = jose_key_ref(key);
    return NULL;
}

struct err *jose_keys_new(struct jose_key *const *keys, size_t count, struct jose_keys **out_keys)
{
    _cleanup_(jose_keys_unref) struct jose_keys *set = NULL;
    TRY(new_set(&set));
    for (size_t i = 0; i < count; i++)
        TRY(add_key(set, keys[i]));
    *out_keys = TAKE(set);
    return NULL;
}

struct err *jose_keys_parse(const char *json, size_t len, struct jose_keys **out_keys)
{
    if (len > JOSE_JWKS_MAX)
        return err_new(&JOSE_INVALID_KEY, "a key set has at most %d bytes", JOSE_JWKS_MAX);
    _cleanup_(json_free) struct json_doc *doc = NULL;
    struct err *e = json_parse(json, len, &doc);
    if (e)
        return jose_refuse(e, &JOSE_INVALID_KEY, "the key set is not JSON");
    const struct json_value *array = json_get(json_root(doc), "keys");
    if (!json_is(array, JSON_ARRAY))
        return err_new(&JOSE_INVALID_KEY, "the key set has no array of keys");
    _cleanup_(jose_keys_unref) struct jose_keys *set = NULL;
    TRY(new_set(&set));
    json_foreach (jwk, array) {
        _cleanup_(jose_key_unref) struct jose_key *key = NULL;
        e = jose_key_from_json(jwk, &key);
        if (err_is(e, &JOSE_INVALID_KEY)) {
            err_free(e);
            continue;
        }
        TRY(e);
        TRY(add_key(set, key));
    }
    *out_keys = TAKE(set);
    return NULL;
}

struct err *jose_keys_write(const struct jose_keys *keys, struct buf *out)
{
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(JOSE_JWKS_MAX);
    struct json_writer w = JSON_WRITER(&text);
    json_begin_object(&w);
    json_write_name(&w, "keys");
    json_begin_array(&w);
    for (size_t i = 0; i < keys->count; i++)
        TRY(jose_key_to_json(keys->key[i], false, &w));
    json_end_array(&w);
    json_end_object(&w);
    if (buf_status(&text) != BUF_OK)
        return jose_buf_error(&text);
    return buf_append(out, text.data, text.len) ? NULL : jose_buf_error(out);
}

const struct jose_key *jose_keys_find(const struct jose_keys *keys, const char *kid, size_t kid_len)
{
    for (size_t i = 0; i < keys->count; i++) {
        const char *id = keys->key[i]->id;
        if (strlen(id) == kid_len && memcmp(id, kid, kid_len) == 0)
            return keys->key[i];
    }
    return NULL;
}

size_t jose_keys_count(const struct jose_keys *keys)
{
    return keys->count;
}

struct jose_keys *jose_keys_ref(struct jose_keys *keys)
{
    atomic_fetch_add_explicit(&keys->refs, 1, memory_order_relaxed);
    return keys;
}

void jose_keys_unref(struct jose_keys *keys)
{
    if (!keys || atomic_fetch_sub_explicit(&keys->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < keys->count; i++)
        jose_key_unref(keys->key[i]);
    free(keys);
}
