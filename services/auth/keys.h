/*
 * Signing keys: in the database, encrypted with KEY_ENCRYPTION_KEY; next, current and previous are
 * all in the key set, so that a token is never signed with a key that others have not had time to
 * fetch.
 */
#ifndef AUTH_KEYS_H
#define AUTH_KEYS_H

#include <jose/jose.h>
#include <sql/sql.h>

#include "settings.h"

struct keys {
    struct jose_key *current; /* signs */
    struct jose_keys *all;    /* verify, and are published */
};

/* Loads the keys, makes those that are missing, and seals those anew that were sealed with another
 * than the first KEY_ENCRYPTION_KEY; replicas that start together end up with the same ones. Blocks.
 * JOSE_BROKEN_SEAL: KEY_ENCRYPTION_KEY has not the key that they were stored with. */
struct err *keys_load(struct sql_db *db, struct ctx *ctx, const struct auth_settings *settings,
                      struct keys *out_keys) MUST_CHECK;
void keys_deinit(struct keys *keys);
DEFINE_CLEANUP_VALUE(struct keys, keys_deinit);

#endif
