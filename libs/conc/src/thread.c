#include <conc/thread.h>

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define NAME_SIZE 16 /* the kernel's limit, NUL included */

/* Blocks what others send; a fault of the thread's own must still end the process. */
static void block_signals(sigset_t *out_before)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    sigset_t all;
    sigfillset(&all);
    for (size_t i = 0; i < ARRAY_LEN(faults); i++)
        sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_SETMASK, &all, out_before);
}

struct err *thread_start(const char *name, size_t stack_size, void *(*run)(void *data), void *data,
                         pthread_t *out_thread)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    size_t size = stack_size ? stack_size : THREAD_STACK_DEFAULT;
    pthread_attr_setstacksize(&attributes, MAX(size, (size_t)PTHREAD_STACK_MIN));
    sigset_t before;
    block_signals(&before);
    pthread_t thread;
    int failure = pthread_create(&thread, &attributes, run, data);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (failure)
        return err_new(&ERR_OVERLOADED, "no thread for %s: %s", name, strerror(failure));
    char shown[NAME_SIZE];
    snprintf(shown, sizeof(shown), "%s", name);
    pthread_setname_np(thread, shown);
    *out_thread = thread;
    return NULL;
}
