/* SipHash-1-3, the variant that hash tables use: one round a word, three at the end.
 * J.-P. Aumasson and D. J. Bernstein, "SipHash: a fast short-input PRF", 2012. */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t map_siphash(const uint64_t key[2], const void *bytes, size_t count);

#endif
