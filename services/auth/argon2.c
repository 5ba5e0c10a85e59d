#include "argon2.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include <base/secret.h>

#define HASH_BYTES 32
/* Unpadded base64 of salt and hash. */
#define SALT_CHARS 22
#define HASH_CHARS 43

_Static_assert(ARGON2_TEXT == crypto_pwhash_argon2id_STRBYTES, "libsodium's size");
_Static_assert(SALT_CHARS == (crypto_pwhash_argon2id_SALTBYTES * 4 + 2) / 3, "a salt's length");

struct parts {
    struct argon2_cost cost;
    unsigned char salt[crypto_pwhash_argon2id_SALTBYTES];
    unsigned char hash[HASH_BYTES];
};

static bool decode(unsigned char *out, size_t size, const char *text)
{
    size_t len = 0;
    return sodium_base642bin(out, size, text, strlen(text), NULL, &len, NULL,
                             sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0 &&
           len == size;
}

static bool parse(const char *text, struct parts *out_parts)
{
    unsigned memory_kib = 0, passes = 0;
    char salt[SALT_CHARS + 1], hash[HASH_CHARS + 1];
    int end = 0;
    if (sscanf(text, "$argon2id$v=19$m=%9u,t=%9u,p=1$%22[A-Za-z0-9+/]$%43[A-Za-z0-9+/]%n",
               &memory_kib, &passes, salt, hash, &end) != 4 ||
        text[end] != '\0')
        return false;
    out_parts->cost = (struct argon2_cost){passes, (size_t)memory_kib * 1024};
    return decode(out_parts->salt, sizeof(out_parts->salt), salt) &&
           decode(out_parts->hash, sizeof(out_parts->hash), hash);
}

struct err *argon2_hash(const struct argon2_cost *cost, const char *password,
                        char out_hash[static ARGON2_TEXT])
{
    char hash[ARGON2_TEXT];
    if (crypto_pwhash_argon2id_str(hash, password, strlen(password), cost->passes,
                                   cost->memory_bytes) != 0)
        return err_oom();
    memcpy(out_hash, hash, sizeof(hash));
    return NULL;
}

/* Not crypto_pwhash_argon2id_str_verify(): to that, want of memory is a wrong password. */
struct err *argon2_verify(const char *hash, const char *password, bool *out_is_right)
{
    struct parts parts;
    unsigned char made[HASH_BYTES];
    if (!parse(hash, &parts))
        return err_new(&ERR_INTERNAL, "a password hash that is none");
    if (crypto_pwhash_argon2id(made, sizeof(made), password, strlen(password), parts.salt,
                               parts.cost.passes, parts.cost.memory_bytes,
                               crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0)
        return err_oom();
    *out_is_right = secret_equal(made, sizeof(made), parts.hash, sizeof(parts.hash));
    return NULL;
}

void argon2_make_unmatched(const struct argon2_cost *cost, char out_hash[static ARGON2_TEXT])
{
    struct parts parts;
    char salt[SALT_CHARS + 1], hash[HASH_CHARS + 1];
    random_bytes(parts.salt, sizeof(parts.salt));
    random_bytes(parts.hash, sizeof(parts.hash));
    sodium_bin2base64(salt, sizeof(salt), parts.salt, sizeof(parts.salt),
                      sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    sodium_bin2base64(hash, sizeof(hash), parts.hash, sizeof(parts.hash),
                      sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    snprintf(out_hash, ARGON2_TEXT, "$argon2id$v=19$m=%zu,t=%llu,p=1$%s$%s",
             cost->memory_bytes / 1024, cost->passes, salt, hash);
}

bool argon2_has_cost(const char *hash, const struct argon2_cost *cost)
{
    struct parts parts;
    return parse(hash, &parts) && parts.cost.passes == cost->passes &&
           parts.cost.memory_bytes == cost->memory_bytes;
}
