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

#define AUTH_KEY_BYTES 32
/* KEY_ENCRYPTION_KEY as bytes; its check has made sure that it is right. */
void auth_decode_key(const struct auth_settings *settings,
                     unsigned char out[static AUTH_KEY_BYTES]);

#endif
