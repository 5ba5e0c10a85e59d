/*
 * argon2id (RFC 9106) by libsodium, in the text form that password hashes have everywhere:
 * "$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH". A call takes the time and the memory that the cost
 * says; any thread may make it. Want of memory is err_oom(). sodium_init() comes first.
 * (argon2_hash() and its like are names of libsodium's own, which shows in a static program.)
 */
#ifndef AUTH_ARGON2_H
#define AUTH_ARGON2_H

#include <stdbool.h>
#include <stddef.h>

#include <base/buf.h>
#include <err/err.h>

#define ARGON2_TEXT 128

/* A hash with more is none: it would keep a worker for hours, and nothing can stop it; or take all the
 * memory there is, which a kernel that overcommits (that of a cluster's node) does not refuse. */
#define ARGON2_PASSES_MAX 100
#define ARGON2_KIB_MAX    4194304

struct argon2_cost {
    unsigned long long passes;
    size_t memory_bytes;
};

struct err *argon_hash(const struct argon2_cost *cost, const char *password,
                       char out_hash[static ARGON2_TEXT]) MUST_CHECK;
/* ERR_INTERNAL when it is no hash of ours. */
struct err *argon_verify(const char *hash, const char *password, bool *out_is_right) MUST_CHECK;
/* A hash that no password has: made at once, verified at the full cost. */
void argon_make_unmatched(const struct argon2_cost *cost, char out_hash[static ARGON2_TEXT]);
/* For .check of a field: whether it is a hash that argon_verify() can read. */
bool argon_check(const void *hash, const char **out_code, struct buf *out_detail);
/* What it takes to verify it; false: it is no hash of ours. Takes no time, nor does the next one. */
bool argon_read_cost(const char *hash, struct argon2_cost *out_cost);
/* Whether the hash was made at this cost. */
bool argon_has_cost(const char *hash, const struct argon2_cost *cost);

#endif
