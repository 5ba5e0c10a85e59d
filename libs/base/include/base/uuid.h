/*
 * UUIDs (RFC 9562). New ids are version 7: time-ordered, so that they index well, with 74 random
 * bits; ids made by one thread sort in the order they were made, within a millisecond and when the
 * clock is set back too. An id is hard to guess but no secret: it tells when it was made.
 *
 * Thread-safe, and safe after fork(). Takes one getrandom() call; fails never (see random_bytes()).
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include <stdbool.h>

#define UUID_TEXT 37 /* 36 characters and the NUL */

void uuid_new(char out[static UUID_TEXT]);
/* Exactly 8-4-4-4-12 lower-case hexadecimal digits. */
bool uuid_is_valid(const char *text);

#endif
