#include <base/secret.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Small requests, for ids mostly, are served from bytes that each thread has in store: a system
 * call for each would cost as much as all the rest of a small HTTP request. What has been given out
 * is wiped, and a store from before a fork() is not used in the child. */
#define STORE_BYTES 1024
#define SMALL_BYTES 32

struct store {
    unsigned char bytes[STORE_BYTES];
    size_t left;
    unsigned forks;
};

static atomic_uint forks;

static void count_fork(void)
{
    atomic_fetch_add_explicit(&forks, 1, memory_order_relaxed);
}

static void watch_forks(void)
{
    if (pthread_atfork(NULL, NULL, count_fork) != 0)
        abort();
}

static void fetch(unsigned char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t got = getrandom(bytes, count, 0);
        if (got < 0 && errno != EINTR)
            abort();
        if (got > 0) {
            bytes += got;
            count -= (size_t)got;
        }
    }
}

void random_bytes(void *out, size_t count)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static _Thread_local struct store store;
    if (count > SMALL_BYTES) {
        fetch(out, count);
        return;
    }
    pthread_once(&once, watch_forks);
    unsigned now = atomic_load_explicit(&forks, memory_order_relaxed);
    if (store.left < count || store.forks != now) {
        fetch(store.bytes, STORE_BYTES);
        store.left = STORE_BYTES;
        store.forks = now;
    }
    store.left -= count;
    memcpy(out, store.bytes + store.left, count);
    secret_wipe(store.bytes + store.left, count);
}

uint32_t random_below(uint32_t bound)
{
    if (bound == 0)
        return 0;
    /* Draws from the last, incomplete multiple of bound would favour the small numbers. */
    uint32_t unfair = -bound % bound;
    uint32_t draw;
    do
        random_bytes(&draw, sizeof(draw));
    while (draw < unfair);
    return draw % bound;
}

bool secret_equal(const void *a, size_t a_len, const void *b, size_t b_len)
{
    if (a_len != b_len)
        return false;
    const volatile unsigned char *x = a;
    const volatile unsigned char *y = b;
    unsigned difference = 0;
    for (size_t i = 0; i < a_len; i++)
        difference |= (unsigned)(x[i] ^ y[i]);
    return difference == 0;
}

void secret_wipe(void *bytes, size_t count)
{
    if (count > 0)
        explicit_bzero(bytes, count);
}
