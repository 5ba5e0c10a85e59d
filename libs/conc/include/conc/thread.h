/*
 * Starting a thread the way every thread of a service starts: with a name that `ps -L` shows, a
 * stack of a stated size, and all signals blocked that a process may be sent, so that they reach
 * the main thread, which waits for them.
 */
#ifndef CONC_THREAD_H
#define CONC_THREAD_H

#include <pthread.h>
#include <stddef.h>

#include <base/macros.h>
#include <err/err.h>

#define THREAD_STACK_DEFAULT ((size_t)256 * 1024)

/* name: the first 15 characters are used. stack_size 0: THREAD_STACK_DEFAULT; less than the
 * system's minimum: that. The thread is joinable, and must be joined. ERR_OVERLOADED when the
 * system has no thread left. Threads: any. */
struct err *thread_start(const char *name, size_t stack_size, void *(*run)(void *data), void *data,
                         pthread_t *out_thread) MUST_CHECK;

#endif
