#include "passwords.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include <base/macros.h>
#include <base/secret.h>
#include <base/str.h>
#include <conc/pool.h>

#include "kinds.h"

_Static_assert(PASSWORD_HASH_TEXT == crypto_pwhash_argon2id_STRBYTES, "libsodium's size");

#define RETRY_AFTER_MS 1000

struct passwords {
    struct pool *pool;
    unsigned long long passes;
    size_t memory_bytes;
    /* Of no password: verified in place of the hash of an account that does not exist. */
    char nobody[PASSWORD_HASH_TEXT];
};

static double queued(void *data)
{
    struct passwords *passwords = data;
    struct pool_stats stats;
    pool_get_stats(passwords->pool, &stats);
    return (double)stats.queued;
}

static double refused(void *data)
{
    struct passwords *passwords = data;
    struct pool_stats stats;
    pool_get_stats(passwords->pool, &stats);
    return (double)stats.refused;
}

/* In the format of crypto_pwhash_argon2id_str(), with random bytes for salt and hash: made without
 * the cost of a hash, verified at the full one. */
static void make_nobody(struct passwords *passwords, const struct auth_settings *settings)
{
    unsigned char salt[16], hash[32];
    char salt_text[32], hash_text[64];
    random_bytes(salt, sizeof(salt));
    random_bytes(hash, sizeof(hash));
    sodium_bin2base64(salt_text, sizeof(salt_text), salt, sizeof(salt),
                      sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    sodium_bin2base64(hash_text, sizeof(hash_text), hash, sizeof(hash),
                      sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    snprintf(passwords->nobody, sizeof(passwords->nobody), "$argon2id$v=19$m=%lld,t=%d,p=1$%s$%s",
             (long long)settings->argon2_memory_kib, settings->argon2_passes, salt_text, hash_text);
}

static size_t worker_count(const struct auth_settings *settings)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (settings->hash_workers > 0)
        return (size_t)settings->hash_workers;
    return cores > 0 ? MIN((size_t)cores, (size_t)HASH_WORKERS_MAX) : 1;
}

struct err *passwords_new(const struct auth_settings *settings, struct metrics *metrics,
                          struct passwords **out_passwords)
{
    if (sodium_init() < 0)
        return err_new(&ERR_INTERNAL, "libsodium cannot be initialised");
    _cleanup_(passwords_free) struct passwords *passwords = calloc(1, sizeof(*passwords));
    if (!passwords)
        return err_oom();
    passwords->passes = (unsigned long long)settings->argon2_passes;
    passwords->memory_bytes = (size_t)settings->argon2_memory_kib * 1024;
    make_nobody(passwords, settings);
    const struct pool_options options = {
        .name = "hash",
        .workers = worker_count(settings),
        .queue = (size_t)settings->hash_queue,
    };
    TRY(pool_new(&options, &passwords->pool));
    TRY(metric_function(metrics, "auth_hash_queue", "Passwords that wait to be hashed", "gauge",
                        NULL, queued, passwords));
    TRY(metric_function(metrics, "auth_hash_refused_total",
                        "Passwords that found the queue full and were answered with 503", "counter",
                        NULL, refused, passwords));
    *out_passwords = TAKE(passwords);
    return NULL;
}

void passwords_free(struct passwords *passwords)
{
    if (!passwords)
        return;
    pool_free(passwords->pool);
    free(passwords);
}

/* The most common ones of at least PASSWORD_MIN_CHARS, in lower case. */
static const char *const common[] = {
    "password",  "password1",   "password12", "password123", "password1234", "12345678",
    "123456789", "1234567890",  "0123456789", "87654321",    "11111111",     "00000000",
    "88888888",  "99999999",    "12341234",   "11223344",    "123123123",    "qwertyuiop",
    "qwerty123", "qwertyui",    "qwerty12",   "1q2w3e4r",    "1q2w3e4r5t",   "1qaz2wsx",
    "zaq12wsx",  "asdfghjkl",   "asdfasdf",   "zxcvbnm1",    "abcd1234",     "abc12345",
    "abcdefgh",  "aa123456",    "a1b2c3d4",   "iloveyou",    "iloveyou1",    "sunshine",
    "princess",  "football",    "baseball",   "superman",    "starwars",     "trustno1",
    "letmein1",  "letmein123",  "welcome1",   "welcome123",  "admin123",     "administrator",
    "changeme",  "changeme123", "passw0rd",   "p@ssw0rd",    "p@ssword",     "secret123",
    "michael1",  "jennifer",    "computer",   "internet",    "whatever",     "corvette",
    "mercedes",  "maverick",    "midnight",   "samantha",    "dragon123",    "monkey123",
    "master123", "shadow123",   "liverpool",  "chelsea1",    "charlie1",     "pokemon1",
    "babygirl",  "basketball",  "qazwsxedc",  "password!",   "test1234",     "testtest",
    "default1",  "guest123",    "root1234",   "temp1234",    "hello123",     "hellohello",
};

static bool is_common(const char *lower)
{
    for (size_t i = 0; i < ARRAY_LEN(common); i++) {
        if (str_equal(lower, common[i]))
            return true;
    }
    return false;
}

static bool is_one_character(const char *password)
{
    size_t len = strlen(password);
    return len > 0 && strspn(password, (char[]){password[0], '\0'}) == len;
}

struct err *password_check(const char *password, const char *email, const char *name)
{
    size_t len = strlen(password);
    if (utf8_length(password, len) < PASSWORD_MIN_CHARS)
        return err_new(&WEAK_PASSWORD, "the password must have at least %d characters",
                       PASSWORD_MIN_CHARS);
    char lower[PASSWORD_MAX_BYTES + 1];
    if (!str_copy(lower, sizeof(lower), password))
        return err_new(&WEAK_PASSWORD, "the password must have at most %d bytes",
                       PASSWORD_MAX_BYTES);
    str_lower(lower);
    bool weak = is_common(lower) || is_one_character(password);
    secret_wipe(lower, sizeof(lower));
    if (weak)
        return err_new(&WEAK_PASSWORD, "the password is one of those that are guessed first");
    if (str_equal_nocase(password, email) || str_equal_nocase(password, name))
        return err_new(&WEAK_PASSWORD, "the password must not be the address or the name");
    return NULL;
}

struct job {
    const struct passwords *passwords;
    const char *password;
    const char *verify; /* the hash to hold it against */
    char hash[PASSWORD_HASH_TEXT];
    bool right;
};

static struct err *run_verify(void *data)
{
    struct job *job = data;
    errno = 0;
    job->right =
        crypto_pwhash_argon2id_str_verify(job->verify, job->password, strlen(job->password)) == 0;
    /* libsodium: EINVAL is a wrong password; anything else means that it could not be hashed. */
    return job->right || errno == EINVAL ? NULL : err_oom();
}

static struct err *run_hash(void *data)
{
    struct job *job = data;
    return crypto_pwhash_argon2id_str(job->hash, job->password, strlen(job->password),
                                      job->passwords->passes, job->passwords->memory_bytes) == 0
               ? NULL
               : err_oom();
}

static struct err *submit(struct passwords *passwords, struct ctx *ctx,
                          struct err *(*run)(void *job), struct job *job)
{
    struct err *e = pool_call(passwords->pool, ctx, run, job);
    return err_is(e, &ERR_OVERLOADED) ? err_set_retry_after(e, RETRY_AFTER_MS) : e;
}

struct err *password_hash(struct passwords *passwords, struct ctx *ctx, const char *password,
                          char out_hash[static PASSWORD_HASH_TEXT])
{
    struct job job = {.passwords = passwords, .password = password};
    TRY(submit(passwords, ctx, run_hash, &job));
    memcpy(out_hash, job.hash, sizeof(job.hash));
    return NULL;
}

struct err *password_verify(struct passwords *passwords, struct ctx *ctx, const char *password,
                            const char *hash, bool *out_right)
{
    struct job job = {
        .passwords = passwords,
        .password = password,
        .verify = hash ? hash : passwords->nobody,
    };
    TRY(submit(passwords, ctx, run_verify, &job));
    *out_right = job.right && hash;
    return NULL;
}

bool password_is_outdated(const struct passwords *passwords, const char *hash)
{
    return crypto_pwhash_argon2id_str_needs_rehash(hash, passwords->passes,
                                                   passwords->memory_bytes) != 0;
}
