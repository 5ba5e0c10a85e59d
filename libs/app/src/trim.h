/* Giving back what only the start needed. */
#ifndef APP_TRIM_H
#define APP_TRIM_H

/* Frees the allocator's spare pages and lets go of the code pages that this process has mapped:
 * relocation, symbol look-up and the initialisers of libraries have touched most of them, and an
 * idle service needs few again (they are still in the page cache, and a page comes back on its
 * first use). Any thread, once; takes about a millisecond. Does nothing under a debugger, whose
 * breakpoints are in those pages. */
void app_trim_memory(void);

#endif
