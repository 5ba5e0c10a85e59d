#include "fds.h"

#include <limits.h>
#include <netinet/in.h>

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

int http_socket_port(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)address)->sin_port);
    if (address->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
    return -1;
}
