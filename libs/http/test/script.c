#include "script.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <base/buf.h>
#include <base/str.h>

#include "check.h"

/* A whole request; false when the client has gone. */
static bool read_request(struct script *script, int fd)
{
    _cleanup_(buf_deinit) struct buf in = BUF_INIT(1 << 20);
    size_t size = 0;
    while (size == 0 || in.len < size) {
        char *place = buf_reserve(&in, 65536);
        ssize_t got = place ? recv(fd, place, 65536, 0) : -1;
        if (got <= 0)
            return false;
        buf_commit(&in, (size_t)got);
        const char *end = strstr(in.data, "\r\n\r\n");
        const char *length = strstr(in.data, "\r\nContent-Length: ");
        if (end && script->is_impatient)
            break;
        if (end)
            size =
                (size_t)(end - in.data) + 4 + (length ? (size_t)strtol(length + 18, NULL, 10) : 0);
    }
    str_copy_n(script->request, sizeof(script->request), in.data,
               MIN(in.len, sizeof(script->request) - 1));
    return true;
}

static bool answer(struct script *script, int fd, size_t *next)
{
    const char *bytes = script->answers[*next];
    if (!bytes)
        return false;
    ++*next;
    if (strcmp(bytes, "-") == 0)
        return true;
    bool is_last = bytes[0] == '!';
    bytes += is_last;
    send(fd, bytes, strlen(bytes), MSG_NOSIGNAL);
    return !is_last;
}

static void *run(void *data)
{
    struct script *script = data;
    size_t next = 0;
    for (int fd; (fd = accept(script->listener, NULL, NULL)) >= 0; close(fd)) {
        script->connections++;
        while (read_request(script, fd))
            if (!answer(script, fd, &next))
                break;
    }
    return NULL;
}

void script_start(struct script *script)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    script->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(script->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(script->listener, 16), 0);
    assert_int_equal(getsockname(script->listener, (struct sockaddr *)&address, &len), 0);
    snprintf(script->url, sizeof(script->url), "http://127.0.0.1:%d/x", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&script->thread, NULL, run, script), 0);
}

void script_stop(struct script *script)
{
    shutdown(script->listener, SHUT_RDWR);
    pthread_join(script->thread, NULL);
    close(script->listener);
}
