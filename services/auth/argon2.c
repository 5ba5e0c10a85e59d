#include "argon2.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include <base/secret.h>
#include <base/str.h>

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

/* Each moves *text behind what it takes. */
static bool take(const char **text, const char *literal)
{
    if (!str_starts_with(*text, literal))
        return false;
    *text += strlen(literal);
    return true;
}

static bool take_number(const char **text, int64_t max, int64_t *out_number)
{
    size_t len = strspn(*text, "0123456789");
    if (!parse_i64_n(*text, len, 1, max, out_number))
        return false;
    *text += len;
    return true;
}

static bool take_bytes(const char **text, size_t chars, unsigned char *out, size_t size)
{
    size_t len = 0;
    if (strnlen(*text, chars) != chars ||
        sodium_base642bin(out, size, *text, chars, NULL, &len, NULL,
                          sodium_base64_VARIANT_ORIGINAL_NO_PADDING) != 0)
        return false;
    *text += chars;
    return len == size;
}

static bool parse(const char *text, struct parts *out_parts)
{
    int64_t memory_kib = 0, passes = 0;
    bool is_right = take(&text, "$argon2id$v=19$m=") &&
                    take_number(&text, ARGON2_KIB_MAX, &memory_kib) && take(&text, ",t=") &&
                    take_number(&text, ARGON2_PASSES_MAX, &passes) && take(&text, ",p=1$") &&
                    take_bytes(&text, SALT_CHARS, out_parts->salt, sizeof(out_parts->salt)) &&
                    take(&text, "$") &&
                    take_bytes(&text, HASH_CHARS, out_parts->hash, sizeof(out_parts->hash)) &&
                    !*text;
    out_parts->cost = (struct argon2_cost){(unsigned long long)passes, (size_t)memory_kib * 1024};
    return is_right;
}

struct err *argon_hash(const struct argon2_cost *cost, const char *password,
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
struct err *argon_verify(const char *hash, const char *password, bool *out_is_right)
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

void argon_make_unmatched(const struct argon2_cost *cost, char out_hash[static ARGON2_TEXT])
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

bool argon_read_cost(const char *hash, struct argon2_cost *out_cost)
{
    struct parts parts;
    if (!parse(hash, &parts))
        return false;
    *out_cost = parts.cost;
    return true;
}

bool argon_has_cost(const char *hash, const struct argon2_cost *cost)
{
    struct argon2_cost its;
    return argon_read_cost(hash, &its) && its.passes == cost->passes &&
           its.memory_bytes == cost->memory_bytes;
}

bool argon_check(const void *hash, const char **out_code, struct buf *out_detail)
{
    struct parts parts;
    if (parse(hash, &parts))
        return true;
    *out_code = "invalid_hash";
    buf_append_str(out_detail, "must be an argon2id hash");
    return false;
}
