/* A key set: immutable once made. */
#ifndef JOSE_KEYS_H
#define JOSE_KEYS_H

#include "key.h"

struct jose_keys {
    atomic_size_t refs;
    size_t count;
    struct jose_key *key[JOSE_KEYS_MAX];
};

#endif
