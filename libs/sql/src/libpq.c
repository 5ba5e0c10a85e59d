#include "libpq.h"

#include <sql/sql.h>

#ifdef SQL_STATIC_LIBPQ

#define X(name) .name = name,
struct sql_libpq sql_pq = {SQL_LIBPQ_FUNCTIONS(X)};
#undef X

struct err *sql_libpq_load(void)
{
    return NULL;
}

#else

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

struct sql_libpq sql_pq;

/* Where the function of that name belongs. */
struct place {
    const char *name;
    void *function; /* a pointer into sql_pq */
};

static const struct place places[] = {
#define X(name) {#name, &sql_pq.name},
    SQL_LIBPQ_FUNCTIONS(X)
#undef X
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const char *missing; /* what was not found; NULL: nothing */

static void load(void)
{
    void *library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        missing = "libpq.so.5";
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        void *symbol = dlsym(library, places[i].name);
        if (!symbol) {
            missing = places[i].name;
            return;
        }
        /* POSIX promises that function pointers fit; C has no cast for it. */
        memcpy(places[i].function, &symbol, sizeof(symbol));
    }
}

struct err *sql_libpq_load(void)
{
    pthread_once(&once, load);
    return missing
               ? err_new(&SQL_FAILED,
                         "PostgreSQL needs libpq (Debian: libpq5), and %s was not found", missing)
               : NULL;
}

#endif
