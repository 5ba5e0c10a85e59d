/* The settings of auth alone; the shared ones are in <app/app.h>. */
#ifndef AUTH_SETTINGS_H
#define AUTH_SETTINGS_H

#include <cfg/cfg.h>

struct auth_settings {
    int64_t access_token_ttl_s;
    int64_t refresh_token_ttl_s;
    int64_t refresh_grace_s;
    int64_t pending_ttl_s;
    int jwt_alg; /* enum jose_alg */
    char *key_encryption_key;
    int64_t argon2_memory_kib;
    int argon2_passes;
    int hash_workers; /* 0: one per core */
    int hash_queue;
    char *bootstrap_admin_email; /* NULL: no admin is made */
    char *bootstrap_admin_password;
};

extern const struct cfg_table auth_settings_table;

#define HASH_WORKERS_MAX 256

#define AUTH_KEY_BYTES    32
#define AUTH_KEY_RING_MAX 4
/* Of KEY_ENCRYPTION_KEY, or derived from it, in its order: what is made is made with the first key,
 * what was made with any of them is good. Wiped by its owner. */
struct key_ring {
    unsigned char keys[AUTH_KEY_RING_MAX][AUTH_KEY_BYTES];
    size_t count;
};
/* KEY_ENCRYPTION_KEY as bytes; its check has made sure that it is right. */
void auth_decode_keys(const struct auth_settings *settings, struct key_ring *out_ring);

#endif
