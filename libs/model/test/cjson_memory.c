#include "cjson_memory.h"

#include <stdlib.h>

#include <cjson/cJSON.h>

static void *allocate(size_t size)
{
    return malloc(size);
}

static void release(void *place)
{
    free(place);
}

void cjson_memory_can_fail(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = allocate, .free_fn = release});
}
