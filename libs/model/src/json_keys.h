/* The names of all objects that are open during a scan, to find the ones given twice. */
#ifndef MODEL_JSON_KEYS_H
#define MODEL_JSON_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_key {
    const char *text; /* between the quotes, as in the input */
    size_t len;
    bool escaped; /* has a backslash */
};

/* A stack: the names of an inner object lie above those of the outer one and go when it ends. */
struct json_keys {
    struct json_key *rows;
    size_t count, cap;
    struct json_key first[32]; /* enough for most texts, without malloc */
};

void json_keys_init(struct json_keys *keys);
void json_keys_deinit(struct json_keys *keys);
/* False when out of memory. */
bool json_keys_push(struct json_keys *keys, struct json_key key);
/* Drops all keys from first on, the names of the object that ends. Returns where in the input one
 * of them stands that was there before; NULL when all are different. */
const char *json_keys_end_object(struct json_keys *keys, size_t first);

/* The code point of the escape whose backslash is at text; returns its length (6 or 12 for \u), 0
 * if it is none or stands for NUL or for half a surrogate pair. */
size_t json_unescape(const char *text, const char *end, uint32_t *out_code_point);

#endif
