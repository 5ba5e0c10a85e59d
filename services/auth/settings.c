#include "settings.h"

#include <string.h>

#include <base/encode.h>
#include <base/secret.h>
#include <model/model.h>

#include "argon2.h"

/* In the order of enum jose_alg. */
static const char *const algorithms[] = {"ES256", "EdDSA", "RS256", NULL};

static bool has_key(const struct key_ring *ring, const unsigned char key[static AUTH_KEY_BYTES])
{
    for (size_t i = 0; i < ring->count; i++)
        if (secret_equal(ring->keys[i], AUTH_KEY_BYTES, key, AUTH_KEY_BYTES))
            return true;
    return false;
}

/* What is wrong with the key of text that comes after those of the ring; NULL: all are there. */
static const char *read_keys(const char *text, struct key_ring *ring)
{
    for (;; text++) {
        size_t digits = strcspn(text, ","), len = 0;
        if (ring->count == AUTH_KEY_RING_MAX)
            return "is one too many";
        unsigned char *key = ring->keys[ring->count];
        if (!hex_decode(key, AUTH_KEY_BYTES, text, digits, &len) || len != AUTH_KEY_BYTES)
            return "is not";
        if (has_key(ring, key))
            return "is an earlier one again";
        ring->count++;
        text += digits;
        if (*text == '\0')
            return NULL;
    }
}

static bool check_keys(const char *text, struct buf *out_must_be)
{
    struct key_ring ring = {0};
    const char *wrong = read_keys(text, &ring);
    if (wrong)
        buf_printf(out_must_be,
                   "64 hexadecimal digits in lower case (openssl rand -hex 32), or up to %d such "
                   "keys with commas between: key %zu %s",
                   AUTH_KEY_RING_MAX, ring.count + 1, wrong);
    secret_wipe(&ring, sizeof(ring));
    return !wrong;
}

struct address {
    const char *email;
};
static const struct field address_fields[] = {FIELD(struct address, email, EMAIL)};
static const struct model address_model = MODEL(struct address, address_fields, "An address");

static bool check_email(const char *text, struct buf *out_must_be)
{
    struct err *e = model_validate(&address_model, &(struct address){text});
    bool is_right = !e;
    err_free(e);
    if (!is_right)
        buf_append_str(out_must_be, "an email address");
    return is_right;
}

static const struct cfg_setting rows[] = {
    CFG_DURATION(struct auth_settings, access_token_ttl_s, "ACCESS_TOKEN_TTL_S", .def = "900",
                 .min = 10, .max = 86400, .help = "How long an access token is valid"),
    CFG_DURATION(struct auth_settings, refresh_token_ttl_s, "REFRESH_TOKEN_TTL_S", .def = "2592000",
                 .min = 60, .max = 31536000,
                 .help = "How long a session lives without being refreshed"),
    CFG_DURATION(struct auth_settings, refresh_grace_s, "REFRESH_GRACE_S", .def = "10", .min = 0,
                 .max = 300,
                 .help = "How long the refresh token before the present one still gets the same "
                         "successor (clients that race); 0 turns that off"),
    CFG_DURATION(
        struct auth_settings, pending_ttl_s, "PENDING_TTL_S", .def = "600", .min = 1, .max = 86400,
        .help = "After that long, auth asks whether a registration that did not end got as "
                "far as to make the user, and forgets the password if not"),
    CFG_ENUM(struct auth_settings, jwt_alg, "JWT_ALG", .def = "ES256", .values = algorithms,
             .help = "Algorithm of new signing keys"),
    CFG_SECRET(struct auth_settings, key_encryption_key, "KEY_ENCRYPTION_KEY", .required = true,
               .check = check_keys,
               .help =
                   "Encrypts the signing keys at rest, and refresh tokens are derived from it; "
                   "32 bytes in hexadecimal. To replace it: up to 4 with commas between, of "
                   "which the first is used and the others are still taken (docs/operations.md)"),
    CFG_SIZE(struct auth_settings, argon2_memory_kib, "ARGON2_MEMORY_KIB", .def = "19456KiB",
             .min = 8, .max = ARGON2_KIB_MAX, .help = "Memory of one password hash (argon2id)"),
    CFG_INT(struct auth_settings, argon2_passes, "ARGON2_PASSES", .def = "2", .min = 1,
            .max = ARGON2_PASSES_MAX, .help = "Passes of one password hash"),
    CFG_INT(struct auth_settings, hash_workers, "HASH_WORKERS", .def = "0", .min = 0,
            .max = HASH_WORKERS_MAX, .help = "Passwords that are hashed at once; 0: one per core"),
    CFG_INT(struct auth_settings, hash_queue, "HASH_QUEUE", .def = "64", .min = 1, .max = 65536,
            .help = "Passwords that may wait for their turn; further ones are answered with 503"),
    CFG_STRING(struct auth_settings, bootstrap_admin_email, "BOOTSTRAP_ADMIN_EMAIL",
               .check = check_email, .help = "An admin with this address is made if there is none"),
    CFG_SECRET(struct auth_settings, bootstrap_admin_password, "BOOTSTRAP_ADMIN_PASSWORD", .min = 8,
               .max = 1024, .help = "The password that the bootstrap admin is made with"),
};

const struct cfg_table auth_settings_table = CFG_TABLE("auth", rows);

void auth_decode_keys(const struct auth_settings *settings, struct key_ring *out_ring)
{
    *out_ring = (struct key_ring){0};
    read_keys(settings->key_encryption_key, out_ring);
}
