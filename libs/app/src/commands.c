#include "commands.h"

#include <stdio.h>
#include <string.h>

#include <base/str.h>

#define TEXT_MAX       ((size_t)16 * 1024 * 1024)
#define HEALTHCHECK_MS 3000

int app_fail(const struct process *process, struct err *e)
{
    char text[ERR_LINE];
    err_format(e, text, sizeof(text));
    fprintf(stderr, "%s: %s\n", process->app->name, text);
    err_free(e);
    return APP_EXIT_FAILED;
}

int app_print(const struct process *process, const struct buf *text)
{
    if (buf_status(text) != BUF_OK)
        return app_fail(process, err_oom());
    if (fwrite(buf_text(text), 1, text->len, stdout) != text->len || fflush(stdout) != 0)
        return app_fail(process, err_new(&ERR_INTERNAL, "standard output cannot be written"));
    return 0;
}

/* --- migrate --- */

/* Signals are watched: the first process of a container has no default action, and would wait on. */
int app_migrate(struct process *process)
{
    pthread_t watcher;
    struct err *e = app_watch_signals(&process->ctx, &watcher);
    bool is_watched = !e;
    if (!e)
        e = app_open_database(process);
    if (!e)
        e = app_prepare_database(process);
    sql_close(TAKE(process->runtime.db));
    if (is_watched)
        app_unwatch_signals(watcher);
    return e ? app_fail(process, e) : 0;
}

static struct err *write_status(struct process *process, struct buf *out)
{
    TRY(app_open_database(process));
    return sql_migrate_status(process->runtime.db, &process->ctx, process->app->migrations, out);
}

int app_migrate_status(struct process *process)
{
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(TEXT_MAX);
    struct err *e = write_status(process, &text);
    sql_close(TAKE(process->runtime.db));
    return e ? app_fail(process, e) : app_print(process, &text);
}

/* --- healthcheck --- */

/* An address that listens everywhere is asked on this machine. */
static void write_url(const char *address, struct buf *out)
{
    static const char *const everywhere[] = {"0.0.0.0:", "[::]:"};
    if (address[0] == ':')
        address++;
    else if (str_starts_with(address, everywhere[0]))
        address += strlen(everywhere[0]);
    else if (str_starts_with(address, everywhere[1]))
        address += strlen(everywhere[1]);
    const char *host = strchr(address, ':') ? "" : "127.0.0.1:";
    buf_printf(out, "http://%s%s/readyz", host, address);
}

static struct err *ask(const char *url, struct http_answer *answer)
{
    _cleanup_(http_client_free) struct http_client *client = NULL;
    TRY(http_client_new(&(struct http_client_options){.timeout_ms = HEALTHCHECK_MS}, &client));
    return http_client_call(client, NULL, &(struct http_request){.method = GET, .url = url},
                            answer);
}

int app_healthcheck(struct process *process)
{
    _cleanup_(buf_deinit) struct buf url = BUF_INIT(1024);
    if (process->argument)
        buf_append_str(&url, process->argument);
    else
        write_url(process->settings.shared.admin_addr, &url);
    _cleanup_(http_answer_deinit) struct http_answer answer = {0};
    struct err *e = ask(buf_text(&url), &answer);
    if (e)
        return app_fail(process, e);
    _cleanup_(buf_deinit) struct buf line = BUF_INIT(TEXT_MAX);
    if (process->argument) /* whatever is served there */
        buf_printf(&line, "%s: %s: %d\n", process->app->name, process->argument, answer.status);
    else
        buf_printf(&line, "%s: %.*s\n", process->app->name, (int)answer.body_len, answer.body);
    int status = app_print(process, &line);
    bool is_fine = answer.status >= 200 && answer.status < 300;
    return is_fine ? status : APP_EXIT_FAILED;
}

/* --- openapi --- */

static struct err *refuse(void *data, const char *token, size_t len,
                          struct http_identity *out_identity)
{
    (void)data, (void)token, (void)len, (void)out_identity;
    return err_new(&ERR_UNAUTHENTICATED, "nothing is served");
}

int app_openapi(struct process *process)
{
    const struct http_authenticator authenticator = {.check = refuse};
    const struct http_idempotency idempotency = {0};
    const struct http_server_options options = {
        .name = process->app->name,
        .version = app_version(),
        .tables = (const struct route_table[]){process->app->routes, {0}},
        .authenticator = &authenticator,
        .idempotency = &idempotency,
    };
    struct http_server *server = NULL;
    struct err *e = http_server_start(&options, &server);
    if (e)
        return app_fail(process, e);
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(TEXT_MAX);
    e = http_server_openapi(server, &text);
    http_server_stop(server, 0);
    buf_append_char(&text, '\n');
    return e ? app_fail(process, e) : app_print(process, &text);
}
