#include "uuid_state.h"

#include <stddef.h>
#include <string.h>

#include <base/clock.h>
#include <base/encode.h>
#include <base/secret.h>

#define RAND_A_MAX UINT64_C(0xfff)
#define RAND_B_MAX UINT64_C(0x3fffffffffffffff)
#define STEP_MASK  UINT64_C(0xffffffffffff)

static void start_millisecond(struct uuid_state *state, uint64_t time_ms)
{
    uint64_t random[2];
    random_bytes(random, sizeof(random));
    *state = (struct uuid_state){time_ms, random[0] & RAND_A_MAX, random[1] & RAND_B_MAX};
}

/* RFC 9562, 6.2, method 2: adds a random step to the 74 bits. A random one, so that ids stay hard
 * to guess and the two sides of a fork() do not make the same. */
static void step(struct uuid_state *state)
{
    uint64_t random;
    random_bytes(&random, sizeof(random));
    state->rand_b += (random & STEP_MASK) + 1;
    if (state->rand_b > RAND_B_MAX) {
        state->rand_b &= RAND_B_MAX;
        state->rand_a++;
    }
    if (state->rand_a > RAND_A_MAX)
        start_millisecond(state, state->time_ms + 1);
}

static void format(const unsigned char bytes[static 16], char out[static UUID_TEXT])
{
    char hex[33];
    hex_encode(hex, bytes, 16);
    memcpy(out, "00000000-0000-0000-0000-000000000000", UUID_TEXT);
    memcpy(out, hex, 8);
    memcpy(out + 9, hex + 8, 4);
    memcpy(out + 14, hex + 12, 4);
    memcpy(out + 19, hex + 16, 4);
    memcpy(out + 24, hex + 20, 12);
}

void uuid_next(struct uuid_state *last, uint64_t now_ms, char out[static UUID_TEXT])
{
    if (now_ms > last->time_ms)
        start_millisecond(last, now_ms);
    else
        step(last);
    unsigned char bytes[16];
    uint64_t high = last->time_ms << 16 | UINT64_C(0x7000) | last->rand_a;
    uint64_t low = UINT64_C(0x8000000000000000) | last->rand_b;
    for (unsigned i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)(high >> (56 - 8 * i));
        bytes[8 + i] = (unsigned char)(low >> (56 - 8 * i));
    }
    format(bytes, out);
}

void uuid_new(char out[static UUID_TEXT])
{
    static _Thread_local struct uuid_state last;
    uuid_next(&last, (uint64_t)clock_now_ms(), out);
}

bool uuid_is_valid(const char *text)
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    for (size_t i = 0; i < sizeof(shape); i++) {
        char c = text[i];
        bool is_hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        if (shape[i] == 'x' ? !is_hex : c != shape[i])
            return false;
    }
    return true;
}
