#include "settings.h"

#include <string.h>

#include <base/encode.h>
#include <base/secret.h>
#include <model/model.h>

#include "argon2.h"

/* In the order of enum jose_alg. */
static const char *const algorithms[] = {"ES256", "EdDSA", "RS256", NULL};

static bool check_key(const char *text, struct buf *out_must_be)
{
    unsigned char key[AUTH_KEY_BYTES];
    size_t len = 0;
    bool right = hex_decode(key, sizeof(key), text, strlen(text), &len) && len == sizeof(key);
    secret_wipe(key, sizeof(key));
    if (!right)
        buf_append_str(out_must_be, "64 hexadecimal digits (openssl rand -hex 32)");
    return right;
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
               .check = check_key,
               .help = "Encrypts the signing keys at rest; 32 bytes in hexadecimal"),
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

void auth_decode_key(const struct auth_settings *settings, unsigned char out[static AUTH_KEY_BYTES])
{
    size_t len = 0;
    hex_decode(out, AUTH_KEY_BYTES, settings->key_encryption_key,
               strlen(settings->key_encryption_key), &len);
}
