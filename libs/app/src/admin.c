/* What operators and Kubernetes ask: alive, ready, metrics, version. */
#include "process.h"

#include <slog/slog.h>

#define ADMIN_THREADS 2
#define METRICS_MAX   ((size_t)4 * 1024 * 1024)
#define READINESS_MAX ((size_t)16 * 1024)

#define JSON "application/json"

static struct err *reply(struct http_res *res, int status, const char *type, const struct buf *body)
{
    if (buf_status(body) != BUF_OK)
        return err_oom();
    return http_reply_bytes(res, status, type, buf_text(body), body->len);
}

static struct err *read_livez(struct http_req *req, struct http_res *res)
{
    (void)req;
    static const char body[] = "{\"live\":true}";
    return http_reply_bytes(res, 200, JSON, body, sizeof(body) - 1);
}

static struct err *read_readyz(struct http_req *req, struct http_res *res)
{
    _cleanup_(buf_deinit) struct buf body = BUF_INIT(READINESS_MAX);
    bool is_ready;
    app_write_readiness(http_state(req), &body, &is_ready);
    return reply(res, is_ready ? 200 : 503, JSON, &body);
}

static struct err *read_metrics(struct http_req *req, struct http_res *res)
{
    const struct process *process = http_state(req);
    _cleanup_(buf_deinit) struct buf body = BUF_INIT(METRICS_MAX);
    TRY(metrics_write(process->runtime.metrics, &body));
    return reply(res, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
}

static struct err *read_version(struct http_req *req, struct http_res *res)
{
    const struct process *process = http_state(req);
    _cleanup_(buf_deinit) struct buf body = BUF_INIT(1024);
    struct json_writer w = JSON_WRITER(&body);
    json_begin_object(&w);
    json_write_name(&w, "name");
    json_write_string(&w, process->app->name);
    json_write_name(&w, "version");
    json_write_string(&w, app_version());
    json_end_object(&w);
    return reply(res, 200, JSON, &body);
}

static const struct route routes[] = {
    {GET, "/livez", read_livez, .summary = "The process runs", .allow = ANYONE},
    {GET, "/readyz", read_readyz, .summary = "The service can be used", .allow = ANYONE},
    {GET, "/metrics", read_metrics, .summary = "Prometheus metrics", .allow = ANYONE},
    {GET, "/version", read_version, .summary = "Name and version", .allow = ANYONE},
};

static const struct route_table tables[] = {ROUTES(routes), {0}};

struct err *app_start_admin(struct process *process)
{
    const struct http_server_options options = {
        .name = process->app->name,
        .version = app_version(),
        .address = process->settings.shared.admin_addr,
        .tables = tables,
        .state = process,
        .threads = ADMIN_THREADS,
    };
    TRY_WRAP(http_server_start(&options, &process->admin), "listen at ADMIN_ADDR=%s",
             options.address);
    slog_info("admin listening", SLOG_STR("address", http_server_address(process->admin)));
    return NULL;
}
