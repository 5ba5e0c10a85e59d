/* Bearer tokens (RFC 6750) and the .allow of a route. */
#include <string.h>

#include <base/str.h>

#include "core.h"
#include "exchange.h"

#define TOKEN_MAX ((size_t)8192)

/* Letters, digits and "-._~+/", then "=" (RFC 6750 section 2.1). */
static bool is_token68(const char *text, size_t len)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
    size_t body = strspn(text, allowed);
    size_t padding = strspn(text + body, "=");
    return body > 0 && body + padding == len;
}

static struct err *find_token(const struct http_req *req, struct str *out_token)
{
    const char *header = req->known[KNOWN_AUTHORIZATION];
    if (!header)
        return err_new(&ERR_UNAUTHENTICATED, "an access token is needed");
    if (!str_equal_nocase_n(header, "Bearer ", 7))
        return err_new(&ERR_UNAUTHENTICATED, "the Authorization header is not a Bearer token");
    const char *token = header + 7 + strspn(header + 7, " ");
    size_t len = strlen(token);
    if (len > TOKEN_MAX || !is_token68(token, len))
        return err_new(&ERR_UNAUTHENTICATED, "the access token is malformed");
    *out_token = (struct str){token, len};
    return NULL;
}

static struct err *check_token(struct http_req *req)
{
    const struct http_authenticator *authenticator = req->server->options.authenticator;
    struct str token = {0};
    TRY(find_token(req, &token));
    if (!authenticator)
        return err_new(&ERR_INTERNAL, "there is no authenticator");
    struct err *e =
        authenticator->check(authenticator->data, token.data, token.len, &req->identity);
    if (!e) {
        req->has_identity = true;
        return NULL;
    }
    if (err_kind(e)->status != 401 || err_kind(e) == &ERR_UNAUTHENTICATED)
        return e;
    return err_wrap_as(e, &ERR_UNAUTHENTICATED, "%s", err_detail(e));
}

static struct err *check_role(const struct http_req *req, enum http_allow allow)
{
    if (allow == SIGNED_IN || strcmp(req->identity.role, "admin") == 0)
        return NULL;
    const char *id = allow == SELF_OR_ADMIN ? http_param(req, "id") : NULL;
    if (id && strcmp(id, req->identity.subject) == 0)
        return NULL;
    return err_new(&ERR_FORBIDDEN, allow == SELF_OR_ADMIN ? "this belongs to someone else"
                                                          : "this is for administrators");
}

static struct err *run_authenticate(struct http_req *req, struct http_res *res,
                                    struct http_next *next)
{
    const struct route *route = http_route(req);
    if (route && route->allow != ANYONE) {
        TRY(check_token(req));
        TRY(check_role(req, route->allow));
    }
    return http_next(next, req, res);
}
const struct http_middleware HTTP_AUTHENTICATE = {"authenticate", run_authenticate};
