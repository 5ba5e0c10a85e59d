/* The open descriptors of the process and the addresses of sockets, for finding those that civetweb
 * does not tell of. */
#ifndef HTTP_FDS_H
#define HTTP_FDS_H

#include <dirent.h>
#include <sys/socket.h>

/* NULL where there is no /proc; then there are no descriptors. */
DIR *http_fds_open(void);
/* -1 at the end. */
int http_fds_next(DIR *fds);
void http_fds_close(DIR *fds);

/* -1: neither IPv4 nor IPv6. */
int http_socket_port(const struct sockaddr_storage *address);

#endif
