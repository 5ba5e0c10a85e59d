/*
 * Access tokens that were verified: a signature is checked once per token, worker and key set.
 *
 * Bounded: the token that was not used for the longest time makes room. A token counts until it
 * expires, and no longer than the key set that verified it is the present one. Tokens are found by
 * a keyed hash and compared as a whole; they are wiped when they leave. Refused tokens are not
 * kept.
 *
 * Threads: the worker's.
 */
#ifndef GATEWAY_TOKENS_H
#define GATEWAY_TOKENS_H

#include <stddef.h>
#include <stdint.h>

#include <base/list.h>
#include <base/str.h>
#include <err/err.h>

#include "stats.h"

#define TOKENS_MAX 4096 /* of one worker */

/* Who knows the keys; see <app/verifier.h>. */
struct token_checker {
    /* Any thread. ERR_UPSTREAM_UNAVAILABLE while there are no keys. */
    struct err *(*check)(void *data, struct str token, int64_t *out_expires_s);
    /* Changes with the key set. */
    uint64_t (*epoch)(void *data);
    void *data;
};

struct token_entry;

/* Zeroed before the first use. */
struct tokens {
    struct token_entry *buckets[TOKENS_MAX];
    struct list_node by_use; /* the last used first */
    size_t count;
    uint64_t epoch;
};

void tokens_deinit(struct tokens *tokens);
/* NULL: the token is good at now_s. */
struct err *tokens_check(struct tokens *tokens, const struct token_checker *checker,
                         struct str token, int64_t now_s, struct stats *stats) MUST_CHECK;

#endif
