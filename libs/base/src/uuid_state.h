/* The making of version 7 ids, apart from the clock and the thread. */
#ifndef BASE_UUID_STATE_H
#define BASE_UUID_STATE_H

#include <stdint.h>

#include <base/uuid.h>

/* The last id that was made; zero before the first. */
struct uuid_state {
    uint64_t time_ms;
    uint64_t rand_a; /* 12 bits, after the version */
    uint64_t rand_b; /* 62 bits, after the variant */
};

/* An id that sorts after the last one, even when the clock was set back. */
void uuid_next(struct uuid_state *last, uint64_t now_ms, char out[static UUID_TEXT]);

#endif
