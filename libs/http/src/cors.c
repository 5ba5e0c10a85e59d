/* Cross-origin calls (Fetch standard, section 3.2). Without credentials: tokens come in a header.
 */
#include <string.h>

#include "core.h"
#include "exchange.h"
#include "framing.h"

#define ALLOWED_HEADERS                                                                            \
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id, "        \
    "traceparent"
#define EXPOSED_HEADERS                                                                            \
    "ETag, Idempotency-Replayed, Location, Retry-After, WWW-Authenticate, X-Request-Id"

/* The value of Access-Control-Allow-Origin; NULL when the origin is not allowed. */
static const char *allowed_origin(const struct http_cors *cors, const char *origin)
{
    for (const char *const *allowed = cors->origins; *allowed; allowed++)
        if (strcmp(*allowed, "*") == 0 || (origin && strcmp(*allowed, origin) == 0))
            return *allowed;
    return NULL;
}

static struct err *reply_preflight(struct http_req *req, struct http_res *res)
{
    const struct http_cors *cors = req->server->options.cors;
    const char *methods = http_allow_text(&req->arena, req->allowed);
    const char *max_age = arena_printf(&req->arena, "%lld", (long long)cors->max_age_s);
    if (!methods || !max_age)
        return err_oom();
    http_add_header(res, "Allow", methods);
    http_add_header(res, "Access-Control-Allow-Methods", methods);
    http_add_header(res, "Access-Control-Allow-Headers", ALLOWED_HEADERS);
    if (cors->max_age_s > 0)
        http_add_header(res, "Access-Control-Max-Age", max_age);
    return http_reply_empty(res, 204);
}

static struct err *run_cors(struct http_req *req, struct http_res *res, struct http_next *next)
{
    const struct http_cors *cors = req->server->options.cors;
    if (!cors)
        return http_next(next, req, res);
    const char *origin = req->known[KNOWN_ORIGIN];
    const char *allowed = allowed_origin(cors, origin);
    if (!allowed || strcmp(allowed, "*") != 0)
        http_add_header(res, "Vary", "Origin");
    if (!origin || !allowed)
        return http_next(next, req, res);
    http_add_header(res, "Access-Control-Allow-Origin", allowed);
    bool is_preflight = req->method == OPTIONS && !req->refusal &&
                        http_header(req, "Access-Control-Request-Method");
    if (is_preflight)
        return reply_preflight(req, res);
    http_add_header(res, "Access-Control-Expose-Headers", EXPOSED_HEADERS);
    return http_next(next, req, res);
}
const struct http_middleware HTTP_CORS = {"cors", run_cors};
