/*
 * Makes malloc, calloc, realloc, strdup and strndup fail in the code under test (not inside shared
 * libraries). Every test program has it. Counts for the calling thread only.
 *
 *     for (size_t successes = 0;; successes++) {
 *         alloc_fail_after(successes);
 *         ... the operation, and what must hold when it fails ...
 *         if (!alloc_fail_stop())
 *             break;                      // it needed no more than that: done
 *     }
 */
#ifndef TESTS_ALLOC_FAIL_H
#define TESTS_ALLOC_FAIL_H

#include <stdbool.h>
#include <stddef.h>

/* The next successes allocations work; those after them fail until alloc_fail_stop(). */
void alloc_fail_after(size_t successes);
/* Allocations work again. Whether one has failed since alloc_fail_after(). */
bool alloc_fail_stop(void);

#endif
