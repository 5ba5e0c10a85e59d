/* cJSON is a shared library, out of reach of alloc_fail.h, unless it is told to allocate from here.
 */
#ifndef MODEL_TEST_CJSON_MEMORY_H
#define MODEL_TEST_CJSON_MEMORY_H

/* Once, at the start of a test program. */
void cjson_memory_can_fail(void);

#endif
