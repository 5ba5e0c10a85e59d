#include "passwords.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include <base/macros.h>
#include <base/str.h>
#include <conc/pool.h>

#include "kinds.h"

/* --- policy --- */

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

static bool is_common(const char *password)
{
    for (size_t i = 0; i < ARRAY_LEN(common); i++) {
        if (str_equal_nocase(password, common[i]))
            return true;
    }
    return false;
}

static bool is_one_character(const char *password)
{
    return strspn(password, (char[]){password[0], '\0'}) == strlen(password);
}

struct err *password_check(const char *password, const char *email, const char *name)
{
    size_t len = strlen(password);
    if (utf8_length(password, len) < PASSWORD_MIN_CHARS)
        return err_new(&WEAK_PASSWORD, "the password must have at least %d characters",
                       PASSWORD_MIN_CHARS);
    if (len > PASSWORD_MAX_BYTES)
        return err_new(&WEAK_PASSWORD, "the password must have at most %d bytes",
                       PASSWORD_MAX_BYTES);
    if (is_common(password) || is_one_character(password))
        return err_new(&WEAK_PASSWORD, "the password is one of those that are guessed first");
    if (str_equal_nocase(password, email) || str_equal_nocase(password, name))
        return err_new(&WEAK_PASSWORD, "the password must not be the address or the name");
    return NULL;
}

/* --- hashing --- */

#define TURN_MS        2000 /* how long a password may wait for its turn */
#define RETRY_AFTER_MS 1000

#define IMPORT_FACTOR  4
#define IMPORT_MIN_KIB (64 * 1024)

struct passwords {
    struct pool *pool;
    struct metric *jobs, *refused;
    struct argon2_cost cost;
    char nobody[PASSWORD_HASH_TEXT]; /* verified for an account that does not exist */
};

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
    passwords->cost = (struct argon2_cost){
        .passes = (unsigned long long)settings->argon2_passes,
        .memory_bytes = (size_t)settings->argon2_memory_kib * 1024,
    };
    argon_make_unmatched(&passwords->cost, passwords->nobody);
    const struct pool_options options = {
        .name = "hash",
        .workers = worker_count(settings),
        .queue = (size_t)settings->hash_queue,
    };
    TRY(pool_new(&options, &passwords->pool));
    passwords->jobs = metric_gauge(metrics, "auth_hash_jobs",
                                   "Passwords that are being hashed or wait for it", NULL);
    passwords->refused =
        metric_counter(metrics, "auth_hash_refused_total",
                       "Passwords that did not get their turn and were answered with 503", NULL);
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

struct job {
    const struct argon2_cost *cost;
    const char *password;
    const char *verify; /* the hash to hold it against */
    char hash[PASSWORD_HASH_TEXT];
    bool is_right;
};

static struct err *run_hash(void *data)
{
    struct job *job = data;
    return argon_hash(job->cost, job->password, job->hash);
}

static struct err *run_verify(void *data)
{
    struct job *job = data;
    return argon_verify(job->verify, job->password, &job->is_right);
}

static struct err *submit(struct passwords *passwords, struct ctx *parent,
                          struct err *(*run)(void *job), struct job *job)
{
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, parent, TURN_MS);
    metric_add(passwords->jobs, 1);
    struct err *e = pool_call(passwords->pool, &ctx, run, job);
    metric_add(passwords->jobs, -1);
    if (err_is(e, &ERR_UPSTREAM_TIMEOUT) && !ctx_is_done(parent))
        e = err_wrap_as(e, &ERR_OVERLOADED, "too many passwords are waiting to be checked");
    if (!err_is(e, &ERR_OVERLOADED))
        return e;
    metric_add(passwords->refused, 1);
    return err_set_retry_after(e, RETRY_AFTER_MS);
}

struct err *password_hash(struct passwords *passwords, struct ctx *ctx, const char *password,
                          char out_hash[static PASSWORD_HASH_TEXT])
{
    struct job job = {.cost = &passwords->cost, .password = password};
    TRY(submit(passwords, ctx, run_hash, &job));
    memcpy(out_hash, job.hash, sizeof(job.hash));
    return NULL;
}

struct err *password_verify(struct passwords *passwords, struct ctx *ctx, const char *password,
                            const char *hash, bool *out_is_right)
{
    struct job job = {.password = password, .verify = hash ? hash : passwords->nobody};
    TRY(submit(passwords, ctx, run_verify, &job));
    *out_is_right = job.is_right && hash;
    return NULL;
}

int64_t password_import_kib(const struct auth_settings *settings)
{
    return MAX(settings->argon2_memory_kib * IMPORT_FACTOR, IMPORT_MIN_KIB);
}

bool password_is_outdated(const struct passwords *passwords, const char *hash)
{
    return !argon_has_cost(hash, &passwords->cost);
}
