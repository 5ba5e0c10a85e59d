/* A place for keys and answers in memory, with leases, that can be told to fail. */
#ifndef KEY_STORE_H
#define KEY_STORE_H

#include <pthread.h>
#include <stdbool.h>

#include <http/idempotency.h>

#define KEY_STORE_ROWS 64

struct key_store {
    struct http_idempotency store;
    bool claim_fails, settle_fails;
    int64_t lease_ms; /* of the last claim */
    pthread_mutex_t lock;
    size_t count;
    struct key_row {
        struct http_key_claim claim;
        enum http_key_state state; /* HTTP_KEY_CLAIMED: free */
        char creation_id[UUID_TEXT], creation_of[HTTP_KEY_HASH];
        struct http_kept_answer answer;
        struct arena arena;
    } rows[KEY_STORE_ROWS];
};

void key_store_init(struct key_store *keys);
void key_store_deinit(struct key_store *keys);

#endif
