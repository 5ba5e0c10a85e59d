#include <base/secret.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void random_bytes(void *out, size_t count)
{
    unsigned char *bytes = out;
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
