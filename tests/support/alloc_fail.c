#include "alloc_fail.h"

#include <errno.h>
#include <stdlib.h>

static _Thread_local bool is_counting;
static _Thread_local bool has_failed;
static _Thread_local size_t left;

void alloc_fail_after(size_t successes)
{
    is_counting = true;
    has_failed = false;
    left = successes;
}

bool alloc_fail_stop(void)
{
    is_counting = false;
    return has_failed;
}

static bool may_allocate(void)
{
    if (!is_counting)
        return true;
    if (left > 0) {
        left--;
        return true;
    }
    has_failed = true;
    errno = ENOMEM;
    return false;
}

/* The linker sends each call of malloc() to __wrap_malloc() (--wrap, cmake/Layers.cmake). */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *place, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t max);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *place, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t max);

void *__wrap_malloc(size_t size)
{
    return may_allocate() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return may_allocate() ? __real_calloc(count, size) : NULL;
}

void *__wrap_realloc(void *place, size_t size)
{
    return may_allocate() ? __real_realloc(place, size) : NULL;
}

char *__wrap_strdup(const char *text)
{
    return may_allocate() ? __real_strdup(text) : NULL;
}

char *__wrap_strndup(const char *text, size_t max)
{
    return may_allocate() ? __real_strndup(text, max) : NULL;
}
