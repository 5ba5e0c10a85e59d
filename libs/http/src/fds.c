#include "fds.h"

#include <limits.h>

#include <base/str.h>

DIR *http_fds_open(void)
{
    return opendir("/proc/self/fd");
}

int http_fds_next(DIR *fds)
{
    struct dirent *entry;
    while (fds && (entry = readdir(fds))) {
        int64_t fd;
        if (parse_i64(entry->d_name, 0, INT_MAX, &fd))
            return (int)fd;
    }
    return -1;
}

void http_fds_close(DIR *fds)
{
    if (fds)
        closedir(fds);
}
