#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <base/str.h>
#include <civetweb.h>

#include "fds.h"

/* --- the address --- */

static bool split(const char *text, struct listen_address *out, const char **out_port)
{
    const char *colon = strrchr(text, ':');
    if (!colon)
        return false;
    size_t len = (size_t)(colon - text);
    if (len >= 2 && text[0] == '[' && colon[-1] == ']') {
        text++;
        len -= 2;
    } else if (memchr(text, ':', len)) {
        return false;
    }
    int64_t port;
    *out_port = colon + 1;
    return parse_i64(colon + 1, 0, 65535, &port) &&
           str_copy_n(out->host, sizeof(out->host), text, len);
}

static bool has_ipv6(void)
{
    if (!mg_check_feature(MG_FEATURES_IPV6))
        return false;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static struct err *look_up(const char *text, const char *port, struct listen_address *out)
{
    bool is_any = out->host[0] == '\0';
    const char *host = !is_any ? out->host : has_ipv6() ? "::" : "0.0.0.0";
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    if (!mg_check_feature(MG_FEATURES_IPV6))
        hints.ai_family = AF_INET;
    struct addrinfo *found = NULL;
    int failure = getaddrinfo(host, port, &hints, &found);
    if (failure)
        return err_new(&ERR_INTERNAL, "listen on %s: %s", text, gai_strerror(failure));
    memcpy(&out->socket, found->ai_addr, found->ai_addrlen);
    out->socket_len = found->ai_addrlen;
    char numeric[INET6_ADDRSTRLEN + 16];
    failure = getnameinfo(found->ai_addr, found->ai_addrlen, numeric, sizeof(numeric), NULL, 0,
                          NI_NUMERICHOST);
    bool is_v6 = found->ai_family == AF_INET6;
    freeaddrinfo(found);
    if (failure)
        return err_new(&ERR_INTERNAL, "listen on %s: %s", text, gai_strerror(failure));
    if (is_any && is_v6)
        snprintf(out->spec, sizeof(out->spec), "+%s", port); /* both families */
    else
        snprintf(out->spec, sizeof(out->spec), is_v6 ? "[%s]:%s" : "%s:%s", numeric, port);
    return NULL;
}

struct err *http_listen_parse(const char *text, struct listen_address *out_address)
{
    struct listen_address address = {0};
    const char *port;
    if (!split(text, &address, &port))
        return err_new(&ERR_INTERNAL, "listen on %s: not host:port, :port or [v6]:port", text);
    TRY(look_up(text, port, &address));
    *out_address = address;
    return NULL;
}

struct err *http_listen_failure(const char *text, const struct listen_address *address,
                                const char *hint)
{
    int fd = socket(address->socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    bool is_fine = fd >= 0 &&
                   bind(fd, (const struct sockaddr *)&address->socket, address->socket_len) == 0 &&
                   listen(fd, 1) == 0;
    int failure = errno;
    if (fd >= 0)
        close(fd);
    if (is_fine)
        return err_new(&ERR_INTERNAL, "listen on %s: %s", text, hint);
    return err_errno(failure, "listen on %s", text);
}

/* --- the socket --- */

static bool is_same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET)
        return memcmp(&((const struct sockaddr_in *)a)->sin_addr,
                      &((const struct sockaddr_in *)b)->sin_addr, sizeof(struct in_addr)) == 0;
    return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
                  &((const struct sockaddr_in6 *)b)->sin6_addr, sizeof(struct in6_addr)) == 0;
}

static bool listens_at(int fd, const struct sockaddr_storage *wanted, int port)
{
    int is_listening = 0;
    socklen_t len = sizeof(is_listening);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &len) != 0 || !is_listening)
        return false;
    struct sockaddr_storage address = {0};
    len = sizeof(address);
    return getsockname(fd, (struct sockaddr *)&address, &len) == 0 &&
           is_same_address(&address, wanted) && http_socket_port(&address) == port;
}

struct listener http_listener_find(const struct listen_address *address, int port)
{
    struct listener listener = LISTENER_NONE;
    DIR *descriptors = http_fds_open();
    for (int fd; listener.fd < 0 && (fd = http_fds_next(descriptors)) >= 0;)
        if (listens_at(fd, &address->socket, port))
            listener.fd = fd;
    http_fds_close(descriptors);
    return listener;
}

void http_listener_close(struct listener *listener)
{
    if (listener->fd < 0 || listener->wake >= 0)
        return;
    int socket = fcntl(listener->fd, F_DUPFD_CLOEXEC, 0);
    int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    shutdown(listener->fd, SHUT_RDWR);
    if (socket >= 0 && wake >= 0 && dup3(wake, listener->fd, O_CLOEXEC) >= 0) {
        *listener = (struct listener){listener->fd, wake, socket};
        return;
    }
    if (socket >= 0)
        close(socket);
    if (wake >= 0)
        close(wake);
}

/* The thread sleeps in poll(): on the eventfd, or still on the socket, which it then was too slow
 * to leave. The second shutdown wakes it there, and it finds the eventfd under the same number. */
void http_listener_wake(const struct listener *listener)
{
    if (listener->wake < 0)
        return;
    eventfd_write(listener->wake, 1);
    shutdown(listener->socket, SHUT_RDWR);
}

void http_listener_deinit(struct listener *listener)
{
    if (listener->wake >= 0)
        close(listener->wake);
    if (listener->socket >= 0)
        close(listener->socket);
    *listener = LISTENER_NONE;
}
