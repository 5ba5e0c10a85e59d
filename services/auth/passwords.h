/*
 * Passwords: policy, and hashing with bounds.
 *
 * Hashing takes tens of milliseconds and megabytes, so it runs on a pool of its own: the memory is
 * bounded by HASH_WORKERS times ARGON2_MEMORY_KIB (or, where hashes of others were imported, times
 * password_import_kib()). When the queue is full, or a turn does not come
 * within two seconds, that is ERR_OVERLOADED with a time to try again. Any thread may call; hash and
 * verify block for their turn.
 */
#ifndef AUTH_PASSWORDS_H
#define AUTH_PASSWORDS_H

#include <conc/ctx.h>
#include <err/err.h>
#include <metric/metric.h>

#include "argon2.h"
#include "settings.h"

#define PASSWORD_MAX_BYTES 1024
#define PASSWORD_MIN_CHARS 8
#define PASSWORD_HASH_TEXT ARGON2_TEXT

struct passwords;

struct err *passwords_new(const struct auth_settings *settings, struct metrics *metrics,
                          struct passwords **out_passwords) MUST_CHECK;
void passwords_free(struct passwords *passwords);
DEFINE_CLEANUP(struct passwords *, passwords_free);

/* WEAK_PASSWORD with the reason, or NULL. Follows NIST SP 800-63B: length and a list of the common
 * ones, no rules about kinds of characters. */
struct err *password_check(const char *password, const char *email, const char *name) MUST_CHECK;

struct err *password_hash(struct passwords *passwords, struct ctx *ctx, const char *password,
                          char out_hash[static PASSWORD_HASH_TEXT]) MUST_CHECK;
/* hash NULL: there is no such account; it takes the same time and says no. */
struct err *password_verify(struct passwords *passwords, struct ctx *ctx, const char *password,
                            const char *hash, bool *out_is_right) MUST_CHECK;
/* The memory that an imported hash may take at most: 4 times ARGON2_MEMORY_KIB, so that a line of a file
 * does not take all that the process has, but never less than 64 MiB, which is usual. */
int64_t password_import_kib(const struct auth_settings *settings);
/* Whether the hash was made with other settings than the present ones. Does not block. */
bool password_is_outdated(const struct passwords *passwords, const char *hash);

#endif
