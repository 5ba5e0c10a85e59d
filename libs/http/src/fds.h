/* The open descriptors of the process, for finding the sockets that civetweb does not tell of. */
#ifndef HTTP_FDS_H
#define HTTP_FDS_H

#include <dirent.h>

/* NULL where there is no /proc; then there are no descriptors. */
DIR *http_fds_open(void);
/* -1 at the end. */
int http_fds_next(DIR *fds);
void http_fds_close(DIR *fds);

#endif
