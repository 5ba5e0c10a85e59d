/*
 * Accepting connections. When descriptors or memory run out, or the worker has all the clients it
 * may have, accepting pauses and the kernel's queue holds who comes.
 *
 * Threads: the worker's.
 */
#ifndef GATEWAY_LISTENER_H
#define GATEWAY_LISTENER_H

#include "worker.h"

struct err *listener_start(struct worker *worker, int fd) MUST_CHECK;
/* Accepts what waits in the kernel's queue, then closes. Fine when it is closed already. */
void listener_stop(struct worker *worker);
/* There is room for another client again. */
void listener_resume(struct worker *worker);

#endif
