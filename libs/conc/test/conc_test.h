/* Shared by the tests of conc. */
#ifndef CONC_TEST_H
#define CONC_TEST_H

#include <sched.h>
#include <stdbool.h>

#include "check.h"

#include <base/clock.h>
#include <conc/ctx.h>

/* Returns once somebody waits within the ctx (or has hooked it otherwise). */
static inline void await_waiter(struct ctx *ctx)
{
    bool is_hooked = false;
    while (!is_hooked) {
        sched_yield();
        pthread_mutex_lock(&ctx->lock);
        is_hooked = !list_is_empty(&ctx->hooks);
        pthread_mutex_unlock(&ctx->lock);
    }
}

/* Frees e, whose outermost kind must be this one (NULL: no error). */
static inline void expect_kind(struct err *e, const struct err_kind *kind, const char *what)
{
    const struct err_kind *got = err_kind(e);
    if (got != kind)
        fail_msg("%s: got %s, not %s", what, got ? got->slug : "success",
                 kind ? kind->slug : "success");
    err_free(e);
}

#endif
