/*
 * Random bytes and the handling of secrets. Thread-safe.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From the kernel (getrandom). Never fails: a kernel without randomness ends the process, since
 * going on with predictable keys would be worse. Blocks at most once, early at boot, until the
 * kernel has gathered some. Up to 32 bytes come out of a store of each thread, filled by the
 * kernel, wiped as it is used and never shared across a fork(). */
void random_bytes(void *out, size_t count);
/* Uniform in [0, bound); 0 when bound is 0. Not for secrets alone: it is the same source. */
uint32_t random_below(uint32_t bound);

/* Compares in a time that depends on the lengths only. */
bool secret_equal(const void *a, size_t a_len, const void *b, size_t b_len);
/* Overwrites in a way that the compiler may not remove. */
void secret_wipe(void *bytes, size_t count);

#endif
