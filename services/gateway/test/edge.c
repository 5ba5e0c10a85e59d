#include "edge.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <base/macros.h>
#include <base/str.h>
#include <slog/slog.h>

static void set_timeouts(int fd)
{
    const struct timeval wait = {.tv_sec = WAIT_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void reset_on_close(int fd)
{
    const struct linger none = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
}

static bool send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        len -= (size_t)sent;
    }
    return true;
}

/* --- the upstream --- */

static bool has_whole_request(const char *text, size_t len)
{
    const char *end = memmem(text, len, "\r\n\r\n", 4);
    if (!end)
        return false;
    size_t head = (size_t)(end - text) + 4;
    const char *length = memmem(text, head, "Content-Length: ", 16);
    if (length)
        return len - head >= strtoul(length + 16, NULL, 10);
    if (memmem(text, head, "Transfer-Encoding: chunked", 26))
        return len - head >= 5 && memcmp(text + len - 5, "0\r\n\r\n", 5) == 0;
    return true;
}

bool origin_read(struct origin *origin, int fd, enum before before)
{
    static _Thread_local char text[sizeof(origin->last)];
    size_t len = 0;
    bool is_done = before == NOTHING;
    while (!is_done) {
        ssize_t got = recv(fd, text + len, sizeof(text) - 1 - len, 0);
        if (got <= 0)
            return false;
        len += (size_t)got;
        is_done = before == HEAD_ONLY ? memmem(text, len, "\r\n\r\n", 4) != NULL
                                      : has_whole_request(text, len);
    }
    pthread_mutex_lock(&origin->lock);
    memcpy(origin->last, text, len);
    origin->last[len] = '\0';
    origin->last_len = len;
    origin->requests++;
    pthread_cond_broadcast(&origin->changed);
    pthread_mutex_unlock(&origin->lock);
    return true;
}

static struct script present_script(struct origin *origin)
{
    pthread_mutex_lock(&origin->lock);
    struct script script = origin->script;
    pthread_mutex_unlock(&origin->lock);
    return script;
}

static void play(struct origin *origin, int fd)
{
    struct script script = present_script(origin);
    while (script.before == NOTHING || origin_read(origin, fd, script.before)) {
        script = present_script(origin);
        size_t len = script.len ? script.len : strlen(script.answer);
        if (!send_all(fd, script.answer, len) || script.after == CLOSE)
            return;
        if (script.after == RESET) {
            reset_on_close(fd);
            return;
        }
        char waste[4096];
        if (script.after == HANG) {
            while (recv(fd, waste, sizeof(waste), 0) > 0)
                ;
            return;
        }
    }
}

struct served {
    struct origin *origin;
    int fd;
};

static void set_fd(struct origin *origin, int from, int to)
{
    for (size_t i = 0; i < ARRAY_LEN(origin->fds); i++) {
        if (origin->fds[i] == from) {
            origin->fds[i] = to;
            return;
        }
    }
}

static void *serve_connection(void *data)
{
    struct served served = *(struct served *)data;
    struct origin *origin = served.origin;
    free(data);
    pthread_mutex_lock(&origin->lock);
    void (*serve)(struct origin *, int) = origin->serve ? origin->serve : play;
    pthread_mutex_unlock(&origin->lock);
    serve(origin, served.fd);
    pthread_mutex_lock(&origin->lock);
    set_fd(origin, served.fd, -1);
    close(served.fd);
    origin->open--;
    pthread_cond_broadcast(&origin->changed);
    pthread_mutex_unlock(&origin->lock);
    return NULL;
}

static void *accept_connections(void *data)
{
    struct origin *origin = data;
    int fd;
    while ((fd = accept4(origin->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        set_timeouts(fd);
        struct served *served = malloc(sizeof(*served));
        *served = (struct served){origin, fd};
        pthread_mutex_lock(&origin->lock);
        origin->connections++;
        origin->open++;
        set_fd(origin, -1, fd);
        if (origin->is_stopping)
            shutdown(fd, SHUT_RDWR);
        pthread_cond_broadcast(&origin->changed);
        pthread_mutex_unlock(&origin->lock);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, serve_connection, served), 0);
        pthread_detach(thread);
    }
    return NULL;
}

static int listen_on(int port, int *out_port)
{
    const int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1024), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *out_port = ntohs(address.sin_port);
    return fd;
}

struct origin *origin_start(int port)
{
    struct origin *origin = calloc(1, sizeof(*origin));
    pthread_mutex_init(&origin->lock, NULL);
    pthread_cond_init(&origin->changed, NULL);
    memset(origin->fds, -1, sizeof(origin->fds));
    origin->script.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    origin->listen_fd = listen_on(port, &origin->port);
    assert_int_equal(pthread_create(&origin->acceptor, NULL, accept_connections, origin), 0);
    return origin;
}

void origin_stop_connections(struct origin *origin)
{
    pthread_mutex_lock(&origin->lock);
    for (size_t i = 0; i < ARRAY_LEN(origin->fds); i++)
        if (origin->fds[i] >= 0)
            shutdown(origin->fds[i], SHUT_RDWR);
    pthread_mutex_unlock(&origin->lock);
}

void origin_stop(struct origin *origin)
{
    pthread_mutex_lock(&origin->lock);
    origin->is_stopping = true;
    pthread_mutex_unlock(&origin->lock);
    origin_stop_connections(origin);
    shutdown(origin->listen_fd, SHUT_RDWR);
    pthread_join(origin->acceptor, NULL);
    close(origin->listen_fd);
    origin_await(origin, &origin->open, 0);
    pthread_mutex_destroy(&origin->lock);
    pthread_cond_destroy(&origin->changed);
    free(origin);
}

void origin_play(struct origin *origin, struct script script)
{
    pthread_mutex_lock(&origin->lock);
    origin->script = script;
    pthread_mutex_unlock(&origin->lock);
}

void origin_await(struct origin *origin, const int *counter, int value)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&origin->lock);
    int failure = 0;
    while (*counter != value && !failure)
        failure = pthread_cond_timedwait(&origin->changed, &origin->lock, &until);
    int now = *counter;
    pthread_mutex_unlock(&origin->lock);
    assert_int_equal(now, value);
}

int origin_count(struct origin *origin, const int *counter)
{
    pthread_mutex_lock(&origin->lock);
    int value = *counter;
    pthread_mutex_unlock(&origin->lock);
    return value;
}

void origin_last(struct origin *origin, char *out, size_t cap)
{
    pthread_mutex_lock(&origin->lock);
    snprintf(out, cap, "%s", origin->last);
    pthread_mutex_unlock(&origin->lock);
}

/* --- the gateway --- */

static int count_fds(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

void edge_write_routes(struct edge *edge, const char *json)
{
    char fresh[sizeof(edge->file) + 8];
    snprintf(fresh, sizeof(fresh), "%s.new", edge->file);
    FILE *file = fopen(fresh, "w");
    assert_non_null(file);
    fputs(json, file);
    fclose(file);
    assert_int_equal(rename(fresh, edge->file), 0);
}

static void write_first_routes(struct edge *edge, const struct edge_options *options)
{
    char json[4096], other[32] = "";
    if (options->other_port)
        snprintf(other, sizeof(other), ",\"127.0.0.1:%d\"", options->other_port);
    snprintf(json, sizeof(json),
             "{\"upstreams\":{\"origin\":{\"servers\":[\"127.0.0.1:%d\"%s]%s}},"
             "\"routes\":[{\"path\":\"/\",\"upstream\":\"origin\"%s}]}",
             edge->origin->port, other, options->upstream ? options->upstream : "",
             options->route ? options->route : "");
    edge_write_routes(edge, json);
}

struct edge *edge_start(const struct edge_options *options)
{
    slog_init(&(struct slog_options){.level = options->log_fd ? SLOG_INFO : SLOG_OFF,
                                     .fd = options->log_fd});
    struct edge *edge = calloc(1, sizeof(*edge));
    edge->fds_before = count_fds();
    edge->origin = origin_start(0);
    str_copy(edge->directory, sizeof(edge->directory), "/tmp/gateway-XXXXXX");
    assert_non_null(mkdtemp(edge->directory));
    snprintf(edge->file, sizeof(edge->file), "%s/routes.json", edge->directory);
    write_first_routes(edge, options);
    const int64_t long_ms = 60000;
    edge->settings = (struct gateway_settings){
        .routes_file = edge->file,
        .workers = options->workers ? options->workers : 1,
        .trusted_proxies = options->trusted,
        .max_connections = options->max_connections ? options->max_connections : 1000,
        .header_timeout_ms = options->header_timeout_ms ? options->header_timeout_ms : long_ms,
        .body_timeout_ms = options->body_timeout_ms ? options->body_timeout_ms : long_ms,
        .idle_timeout_ms = options->idle_timeout_ms ? options->idle_timeout_ms : long_ms,
    };
    assert_null(metrics_new(&edge->metrics));
    const struct gateway_options gateway = {.settings = &edge->settings,
                                            .listen_addr = "127.0.0.1:0",
                                            .access_log = true,
                                            .metrics = edge->metrics,
                                            .checker = options->checker};
    assert_null(gateway_new(&gateway, &edge->gateway));
    edge->port = (int)strtol(strrchr(gateway_address(edge->gateway), ':') + 1, NULL, 10);
    return edge;
}

void edge_stop(struct edge *edge)
{
    gateway_drain(edge->gateway, WAIT_S * 1000);
    assert_int_equal(edge_metric(edge, "gateway_client_connections"), 0);
    gateway_free(edge->gateway);
    metrics_free(edge->metrics);
    origin_stop(edge->origin);
    unlink(edge->file);
    assert_int_equal(rmdir(edge->directory), 0);
    assert_int_equal(count_fds(), edge->fds_before);
    free(edge);
}

long edge_metric(struct edge *edge, const char *metric)
{
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(1 << 20);
    char line[128];
    assert_null(metrics_write(edge->metrics, &text));
    snprintf(line, sizeof(line), "\n%s ", metric);
    const char *found = strstr(buf_text(&text), line);
    if (!found)
        fail_msg("there is no metric %s", metric);
    return found ? strtol(found + strlen(line), NULL, 10) : -1;
}

void edge_await(struct edge *edge, const char *metric, long value)
{
    /* Workers tell no one about their counts: asking again is the only way. */
    const struct timespec pause = {.tv_nsec = 1000000};
    long seen = edge_metric(edge, metric);
    for (int i = 0; i < WAIT_S * 1000 && seen != value; i++) {
        nanosleep(&pause, NULL);
        seen = edge_metric(edge, metric);
    }
    if (seen != value)
        fail_msg("%s is %ld, not %ld", metric, seen, value);
}

/* --- the client --- */

int client_connect(const struct edge *edge)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)edge->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    set_timeouts(fd);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

bool client_send(int fd, const char *bytes, size_t len)
{
    return send_all(fd, bytes, len);
}

void client_say(int fd, const char *text)
{
    assert_true(send_all(fd, text, strlen(text)));
}

enum end client_read_all(int fd, char *out, size_t cap, size_t *out_len)
{
    size_t len = 0;
    ssize_t got;
    while ((got = recv(fd, out + len, cap - 1 - len, 0)) > 0)
        len += (size_t)got;
    out[len] = '\0';
    *out_len = len;
    if (got == 0)
        return END_EOF;
    return errno == ECONNRESET ? END_RESET : END_TIMEOUT;
}

static bool has_whole_answer(const char *text, size_t len)
{
    const char *end = memmem(text, len, "\r\n\r\n", 4);
    if (!end)
        return false;
    size_t head = (size_t)(end - text) + 4;
    const char *length = memmem(text, head, "Content-Length: ", 16);
    if (length)
        return len - head >= strtoul(length + 16, NULL, 10);
    if (memmem(text, head, "Transfer-Encoding: chunked", 26))
        return len >= 5 && memcmp(text + len - 5, "0\r\n\r\n", 5) == 0;
    return true;
}

void client_read_answer(int fd, char *out, size_t cap)
{
    size_t len = 0;
    while (!has_whole_answer(out, len)) {
        ssize_t got = recv(fd, out + len, 1, 0); /* not into the next answer */
        if (got <= 0)
            fail_msg("the answer ended too early: %.*s", (int)len, out);
        len += (size_t)got;
        assert_true(len < cap);
    }
    out[len] = '\0';
}

void cut_line(char *text, const char *prefix)
{
    char pattern[64];
    snprintf(pattern, sizeof(pattern), "\r\n%s", prefix);
    for (char *at; (at = strstr(text, pattern));) {
        char *end = strstr(at + 2, "\r\n");
        memmove(at, end, strlen(end) + 1);
    }
}

enum end client_call(const struct edge *edge, const char *request, char *out, size_t cap)
{
    int fd = client_connect(edge);
    size_t len;
    client_send(fd, request, strlen(request));
    enum end end = client_read_all(fd, out, cap, &len);
    close(fd);
    cut_line(out, "Date: ");
    cut_line(out, "X-Request-Id: ");
    return end;
}

int status_of(const char *answer)
{
    return strncmp(answer, "HTTP/1.1 ", 9) == 0 ? (int)strtol(answer + 9, NULL, 10) : 0;
}
