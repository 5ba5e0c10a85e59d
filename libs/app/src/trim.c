#include "trim.h"

#include <link.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static bool is_traced(void)
{
    FILE *status = fopen("/proc/self/status", "re");
    if (!status)
        return true; /* unknown: leave everything alone */
    char line[256];
    bool traced = true;
    while (fgets(line, sizeof(line), status)) {
        if (strncmp(line, "TracerPid:", 10) == 0) {
            traced = strcmp(line, "TracerPid:\t0\n") != 0;
            break;
        }
    }
    fclose(status);
    return traced;
}

/* Code is never written to after it was mapped (no text relocations on the platforms that we build
 * for), so its pages can be dropped and come back as they were. */
static int drop_code(struct dl_phdr_info *object, size_t size, void *data)
{
    (void)size, (void)data;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X) || segment->p_flags & PF_W)
            continue;
        uintptr_t begin = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t end = object->dlpi_addr + segment->p_vaddr + segment->p_memsz;
        madvise((void *)begin, end - begin, MADV_DONTNEED); /* advice: a refusal costs nothing */
    }
    return 0;
}

void app_trim_memory(void)
{
    malloc_trim(0);
    if (!is_traced())
        dl_iterate_phdr(drop_code, NULL);
}
