/* bench_civetweb_hello [PORT]: civetweb alone with an answer of the same size as that of
 * bench_http_hello to GET /hello/world, composed and sent in one write too. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <civetweb.h>

static int greet(struct mg_connection *conn)
{
    char answer[512];
    static const char body[] = "{\"hello\":\"world\"}";
    int len = snprintf(answer, sizeof(answer),
                       "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
                       "Content-Type: application/json\r\n"
                       "X-Request-Id: 00000000-0000-7000-8000-000000000000\r\n"
                       "Content-Length: %zu\r\n\r\n%s",
                       sizeof(body) - 1, body);
    mg_write(conn, answer, (size_t)len);
    return 200;
}

int main(int argc, char **argv)
{
    sigset_t signals;
    int signal;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    char address[32];
    snprintf(address, sizeof(address), "127.0.0.1:%s", argc > 1 ? argv[1] : "0");
    const struct mg_callbacks callbacks = {.begin_request = greet};
    const char *options[] = {"listening_ports",
                             address,
                             "num_threads",
                             "64",
                             "enable_keep_alive",
                             "yes",
                             "keep_alive_timeout_ms",
                             "60000",
                             "tcp_nodelay",
                             "1",
                             NULL};
    mg_init_library(MG_FEATURES_DEFAULT);
    struct mg_context *context = mg_start(&callbacks, NULL, options);
    if (!context)
        return 1;
    struct mg_server_port port = {0};
    mg_get_server_ports(context, 1, &port);
    printf("127.0.0.1:%d\n", port.port);
    fflush(stdout);
    sigwait(&signals, &signal);
    mg_stop(context);
    return 0;
}
