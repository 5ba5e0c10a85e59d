/* A complete service: GET /hello/{name}, health, metrics, logs, graceful stop. */
#include <app/app.h>

struct greeting {
    const char *text;
};
static const struct field fields[] = {FIELD(struct greeting, text, STRING)};
static const struct model greeting = MODEL(struct greeting, fields, "What is said to someone");

static struct err *greet(struct http_req *req, struct http_res *res)
{
    const char *text = arena_printf(http_arena(req), "Hello, %s!", http_param(req, "name"));
    return http_reply(res, 200, &greeting, &(struct greeting){text});
}

static const struct route routes[] = {
    {GET, "/hello/{name}", greet, .summary = "Greet someone", .out = &greeting, .allow = ANYONE},
};

int main(int argc, char **argv)
{
    return app_run(argc, argv, &(struct app){.name = "hello", .routes = ROUTES(routes)});
}
