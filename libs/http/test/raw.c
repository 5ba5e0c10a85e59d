#include "raw.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "check.h"

static int new_socket(const struct http_server *server, struct sockaddr_in *out_address)
{
    const char *text = strrchr(http_server_address(server), ':');
    assert_non_null(text);
    *out_address = (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)strtol(text + 1, NULL, 10)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    struct timeval patience = {.tv_sec = 30};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), 0);
    return fd;
}

int raw_connect(const struct http_server *server)
{
    struct sockaddr_in address;
    int fd = new_socket(server, &address);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

bool raw_try_connect(const struct http_server *server)
{
    struct sockaddr_in address;
    int fd = new_socket(server, &address);
    bool is_open = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return is_open;
}

void raw_send(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        bytes += sent;
        len -= (size_t)sent;
    }
}

void raw_send_text(int fd, const char *text)
{
    raw_send(fd, text, strlen(text));
}

static bool read_some(int fd, struct buf *out)
{
    char *place = buf_reserve(out, 65536);
    assert_non_null(place);
    ssize_t got = recv(fd, place, 65536, 0);
    if (got <= 0)
        return false;
    buf_commit(out, (size_t)got);
    return true;
}

void raw_read_all(int fd, struct buf *out)
{
    while (read_some(fd, out))
        ;
}

static int status_of(const char *head)
{
    return strncmp(head, "HTTP/1.1 ", 9) == 0 ? (int)strtol(head + 9, NULL, 10) : 0;
}

int raw_read_answer(int fd, struct buf *rest, struct buf *out_answer)
{
    const char *end;
    while (!(end = strstr(buf_text(rest), "\r\n\r\n")))
        if (!read_some(fd, rest))
            return 0;
    size_t size = (size_t)(end - rest->data) + 4;
    const char *length = strcasestr(rest->data, "\r\nContent-Length:");
    if (length && length < end)
        size += (size_t)strtol(length + 17, NULL, 10);
    while (rest->len < size)
        if (!read_some(fd, rest))
            return 0;
    buf_append(out_answer, rest->data, size);
    buf_consume(rest, size);
    return status_of(buf_text(out_answer));
}

int raw_call(const struct http_server *server, const char *text, struct buf *out_answer)
{
    int fd = raw_connect(server);
    raw_send_text(fd, text);
    raw_read_all(fd, out_answer);
    close(fd);
    return status_of(buf_text(out_answer));
}
