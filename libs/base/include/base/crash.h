/*
 * Places at which a test has a process die, as if by SIGKILL or the loss of power: between the
 * steps of a protocol that must survive that.
 *
 *     CRASH_POINT("outbox.published");   acknowledged, and not deleted yet
 *
 * In builds with PLANKTON_CRASH_POINTS (the debug, asan and tsan presets, never a release), the
 * process whose environment has CRASH_AT=outbox.published kills itself there; with
 * CRASH_AT=outbox.published:3 at the third time. Otherwise the macro is nothing at all.
 *
 * Threads: any.
 */
#ifndef BASE_CRASH_H
#define BASE_CRASH_H

#ifdef PLANKTON_CRASH_POINTS
void crash_point(const char *name);
#define CRASH_POINT(name) crash_point(name)
#else
#define CRASH_POINT(name) ((void)0)
#endif

#endif
