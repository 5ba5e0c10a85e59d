/* bench_http_hello [PORT [log]]: GET /hello/{name} on the whole of libs/http, for `./dev bench
 * http`. Answers on 127.0.0.1 until SIGTERM; prints the address. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <base/str.h>
#include <http/server.h>
#include <slog/slog.h>

struct greeting {
    char hello[MODEL_TEXT(50)];
};

static const struct field greeting_fields[] = {FIELD(struct greeting, hello, STRING)};
static const struct model greeting_model = MODEL(struct greeting, greeting_fields, "A greeting");

static struct err *greet(struct http_req *req, struct http_res *res)
{
    struct greeting greeting;
    if (!str_copy(greeting.hello, sizeof(greeting.hello), http_param(req, "name")))
        return err_new(&ERR_INVALID_REQUEST, "a name of at most 200 bytes");
    return http_reply(res, 200, &greeting_model, &greeting);
}

static const struct route routes[] = {
    {GET, "/hello/{name}", greet, .summary = "Say hello", .out = &greeting_model, .allow = ANYONE},
};

static struct err *run(const char *port, bool access_log)
{
    char address[32];
    snprintf(address, sizeof(address), "127.0.0.1:%s", port);
    slog_init(&(struct slog_options){.service = "hello", .level = SLOG_INFO});
    struct metrics *metrics = NULL;
    struct http_server *server = NULL;
    TRY(metrics_new(&metrics));
    const struct route_table tables[] = {ROUTES(routes), {0}};
    TRY(http_server_start(&(struct http_server_options){.name = "hello",
                                                        .address = address,
                                                        .tables = tables,
                                                        .threads = 64,
                                                        .metrics = metrics,
                                                        .access_log = access_log},
                          &server));
    puts(http_server_address(server));
    fflush(stdout);
    sigset_t signals;
    int signal;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigwait(&signals, &signal);
    http_server_stop(server, 1000);
    metrics_free(metrics);
    return NULL;
}

int main(int argc, char **argv)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    struct err *e = run(argc > 1 ? argv[1] : "0", argc > 2 && strcmp(argv[2], "log") == 0);
    char line[ERR_LINE];
    err_format(e, line, sizeof(line));
    if (e)
        fprintf(stderr, "%s\n", line);
    bool has_failed = e;
    err_free(e);
    return has_failed;
}
