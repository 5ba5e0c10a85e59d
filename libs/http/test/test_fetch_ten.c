/*
 * Runs examples/fetch_ten.c as a user would, against a server that answers, fails or hangs by path.
 */
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <base/clock.h>
#include <conc/pool.h>
#include <conc/thread.h>

#define URLS    10
#define PATIENT "30000" /* ms: a deadline that is far away */

/* --- the server: one thread accepts, a pool answers ------------------------------------------- */

struct server {
    int listener;
    int port;
    pthread_t acceptor;
    struct pool *pool;
    atomic_int hung_up; /* hanging requests whose client went away */
};

struct connection {
    struct server *server;
    int fd;
};

static void answer(int fd, const char *status, const char *body)
{
    char text[256];
    int len = snprintf(text, sizeof(text),
                       "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
                       "Connection: close\r\n\r\n%s",
                       status, strlen(body), body);
    if (send(fd, text, (size_t)len, MSG_NOSIGNAL) != len)
        perror("send");
}

/* Reads until the end of the headers; the requests have no body. */
static bool read_request(int fd, char *out, size_t cap)
{
    size_t len = 0;
    out[0] = '\0';
    while (!strstr(out, "\r\n\r\n")) {
        ssize_t count = read(fd, out + len, cap - 1 - len);
        if (count <= 0)
            return false;
        len += (size_t)count;
        out[len] = '\0';
    }
    return true;
}

static void serve(void *data)
{
    struct connection connection = *(struct connection *)data;
    free(data);
    char request[2048];
    if (read_request(connection.fd, request, sizeof(request))) {
        if (strncmp(request, "GET /good", 9) == 0) {
            answer(connection.fd, "200 OK", "hello");
        } else if (strncmp(request, "GET /bad", 8) == 0) {
            answer(connection.fd, "500 Internal Server Error", "");
        } else {
            char byte;
            while (read(connection.fd, &byte, 1) > 0)
                ;
            atomic_fetch_add(&connection.server->hung_up, 1);
        }
    }
    close(connection.fd);
}

static void *accept_all(void *data)
{
    struct server *server = data;
    int fd;
    while ((fd = accept(server->listener, NULL, NULL)) >= 0) {
        struct connection *connection = malloc(sizeof(*connection));
        *connection = (struct connection){server, fd};
        err_free(pool_submit(server->pool, serve, connection));
    }
    return NULL;
}

static void start_server(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    *server = (struct server){.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->listener, 64), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    struct pool_options options = {.name = "server", .workers = 2 * URLS, .queue = 2 * URLS};
    assert_null(pool_new(&options, &server->pool));
    assert_null(thread_start("acceptor", 0, accept_all, server, &server->acceptor));
}

static void stop_server(struct server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->acceptor, NULL);
    close(server->listener);
    pool_free(server->pool);
}

/* --- the program under test ------------------------------------------------------------------- */

struct outcome {
    int exit_code;
    int64_t time_ms;
    char text[4096]; /* what it said on both streams */
};

static void run_example(const char *const *argv, struct outcome *out)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int64_t start_ms = clock_mono_ms();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        execve(EXAMPLE, (char *const *)(uintptr_t)argv, environ);
        _exit(127);
    }
    close(ends[1]);
    size_t len = 0;
    ssize_t count;
    while ((count = read(ends[0], out->text + len, sizeof(out->text) - 1 - len)) > 0)
        len += (size_t)count;
    out->text[len] = '\0';
    close(ends[0]);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    out->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    out->time_ms = clock_mono_ms() - start_ms;
}

/* Fetches ten URLs: the last one has the path `last`, the others `path`. */
static void fetch_ten(const struct server *server, const char *deadline, const char *path,
                      const char *last, struct outcome *out)
{
    char urls[URLS][64];
    const char *argv[URLS + 3] = {EXAMPLE, deadline};
    for (size_t i = 0; i < URLS; i++) {
        snprintf(urls[i], sizeof(urls[i]), "http://127.0.0.1:%d%s/%zu", server->port,
                 i == URLS - 1 ? last : path, i);
        argv[i + 2] = urls[i];
    }
    run_example(argv, out);
}

static void ten_pages_come_in_parallel(void **state)
{
    (void)state;
    struct server server;
    struct outcome outcome;
    start_server(&server);
    fetch_ten(&server, PATIENT, "/good", "/good", &outcome);
    stop_server(&server);
    CHECK_INT(outcome.text, outcome.exit_code, 0);
    for (int i = 0; i < URLS; i++) {
        char line[96];
        snprintf(line, sizeof(line), "5 bytes from http://127.0.0.1:%d/good/%d\n", server.port, i);
        CHECK(line, strstr(outcome.text, line) != NULL);
    }
}

static void one_slow_page_runs_into_the_deadline(void **state)
{
    (void)state;
    struct server server;
    struct outcome outcome;
    start_server(&server);
    fetch_ten(&server, "300", "/good", "/slow", &outcome);
    stop_server(&server);
    CHECK_INT(outcome.text, outcome.exit_code, 1);
    CHECK(outcome.text, strstr(outcome.text, "[upstream_timeout]") != NULL);
    CHECK(outcome.text, strstr(outcome.text, "/slow/9") != NULL);
    assert_in_range(outcome.time_ms, 300, 10000);
    assert_int_equal(server.hung_up, 1);
}

static void the_first_error_cancels_the_rest(void **state)
{
    (void)state;
    struct server server;
    struct outcome outcome;
    start_server(&server);
    fetch_ten(&server, PATIENT, "/slow", "/bad", &outcome);
    stop_server(&server);
    CHECK_INT(outcome.text, outcome.exit_code, 1);
    CHECK(outcome.text, strstr(outcome.text, "/bad/9 answered 500") != NULL);
    assert_true(outcome.time_ms < 10000); /* long before the deadline */
}

static void wrong_arguments_are_explained(void **state)
{
    (void)state;
    static const char *const rows[][14] = {
        {EXAMPLE},
        {EXAMPLE, "100"},
        {EXAMPLE, "soon", "http://127.0.0.1:1/"},
        {EXAMPLE, "0", "http://127.0.0.1:1/"},
        {EXAMPLE, "9", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct outcome outcome;
        run_example(rows[i], &outcome);
        CHECK_INT(outcome.text, outcome.exit_code, 2);
        CHECK(outcome.text, strstr(outcome.text, "usage: ") != NULL);
    }
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_pages_come_in_parallel),
        cmocka_unit_test(one_slow_page_runs_into_the_deadline),
        cmocka_unit_test(the_first_error_cancels_the_rest),
        cmocka_unit_test(wrong_arguments_are_explained),
    };
    return cmocka_run_group_tests_name("fetch_ten", tests, NULL, NULL);
}
