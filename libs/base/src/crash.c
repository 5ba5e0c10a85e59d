#include <base/crash.h>

#ifdef PLANKTON_CRASH_POINTS

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/str.h>

void crash_point(const char *name)
{
    static atomic_llong times;
    const char *at = getenv("CRASH_AT");
    size_t len = strlen(name);
    if (!at || strncmp(at, name, len) != 0 || (at[len] != '\0' && at[len] != ':'))
        return;
    int64_t wanted = 1;
    if (at[len] == ':' && !parse_i64(at + len + 1, 1, INT32_MAX, &wanted))
        return;
    if (atomic_fetch_add(&times, 1) + 1 == wanted)
        kill(getpid(), SIGKILL);
}

#endif
