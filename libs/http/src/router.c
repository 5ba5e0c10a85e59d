#include "router.h"

#include <string.h>

#include <http/http.h>

#define ROUTER_MAX_BYTES ((size_t)4 << 20)

struct router_node {
    struct str literal;              /* or the name of the parameter */
    struct router_node *first_child; /* literal ones */
    struct router_node *sibling;
    struct router_node *param, *rest;
    struct endpoint *by_method[HTTP_METHOD_COUNT];
    unsigned methods;
};

struct err *http_router_init(struct router *router)
{
    *router = (struct router){.arena = ARENA_INIT(ROUTER_MAX_BYTES)};
    router->root = ARENA_NEW(&router->arena, struct router_node);
    return router->root ? NULL : err_oom();
}

void http_router_deinit(struct router *router)
{
    arena_deinit(&router->arena);
    router->root = NULL;
}

static bool is_equal(struct str a, struct str b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static struct router_node *find_child(const struct router_node *node, struct str literal)
{
    for (struct router_node *child = node->first_child; child; child = child->sibling)
        if (is_equal(child->literal, literal))
            return child;
    return NULL;
}

static struct router_node *child_of(struct router *router, struct router_node *node,
                                    struct str literal)
{
    struct router_node *child = find_child(node, literal);
    if (child)
        return child;
    child = ARENA_NEW(&router->arena, struct router_node);
    if (child) {
        child->literal = literal;
        child->sibling = node->first_child;
        node->first_child = child;
    }
    return child;
}

static struct router_node *make(struct router *router, struct router_node **place)
{
    if (!*place)
        *place = ARENA_NEW(&router->arena, struct router_node);
    return *place;
}

static bool is_name(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        if (!(c == '_' || (c >= 'a' && c <= 'z') || (i > 0 && c >= '0' && c <= '9')))
            return false;
    }
    return name.len > 0;
}

static bool is_literal(struct str segment)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=:@";
    for (size_t i = 0; i < segment.len; i++)
        if (segment.data[i] == '\0' || !strchr(allowed, segment.data[i]))
            return false;
    bool is_dots = segment.data[0] == '.' &&
                   (segment.len == 1 || (segment.len == 2 && segment.data[1] == '.'));
    return segment.len > 0 && !is_dots;
}

/* What is wrong with a {parameter}; NULL if nothing, and then it is the endpoint's. */
static const char *take_param(struct endpoint *endpoint, struct str segment, bool is_last)
{
    struct str name = {segment.data + 1, segment.len - 2};
    if (segment.len < 3 || segment.data[segment.len - 1] != '}')
        return "a parameter is a whole segment: {name}";
    if (name.len > 3 && memcmp(name.data + name.len - 3, "...", 3) == 0) {
        name.len -= 3;
        endpoint->takes_rest = true;
        if (!is_last)
            return "{name...} is only possible at the end";
    }
    if (!is_name(name))
        return "a parameter's name is a-z, 0-9 and _";
    if (endpoint->param_count == HTTP_PARAMS_MAX)
        return "too many parameters";
    for (size_t i = 0; i < endpoint->param_count; i++)
        if (is_equal(endpoint->params[i], name))
            return "two parameters have the same name";
    endpoint->params[endpoint->param_count++] = name;
    return NULL;
}

/* The node of a path, made if new; NULL with *out_wrong, or without it when out of memory. */
static struct router_node *grow(struct router *router, struct endpoint *endpoint,
                                const char **out_wrong)
{
    const char *path = endpoint->route->path;
    struct router_node *node = router->root;
    if (path[0] != '/') {
        *out_wrong = "it does not begin with a slash";
        return NULL;
    }
    size_t depth = 0;
    for (const char *start = path + 1; node && *start != '\0'; depth++) {
        struct str segment = {start, strcspn(start, "/")};
        start += segment.len;
        bool is_last = *start == '\0';
        if (*start == '/' && *++start == '\0')
            *out_wrong = "it ends with a slash";
        if (depth == PATH_SEGMENTS_MAX)
            *out_wrong = "too many segments";
        if (segment.len > 0 && segment.data[0] == '{') {
            const char *wrong = take_param(endpoint, segment, is_last);
            *out_wrong = wrong ? wrong : *out_wrong;
            node = make(router, endpoint->takes_rest ? &node->rest : &node->param);
            if (node && node->literal.len == 0)
                node->literal = segment;
            if (node && !is_equal(node->literal, segment))
                *out_wrong = "a parameter has another name in a row with the same path";
        } else {
            if (!is_literal(segment))
                *out_wrong = "a segment is empty, dots or has a character that must be encoded";
            node = child_of(router, node, segment);
        }
        if (*out_wrong)
            return NULL;
    }
    return node;
}

struct err *http_router_add(struct router *router, const struct route *route, struct buf *mistakes,
                            struct endpoint **out_endpoint)
{
    struct endpoint *endpoint = ARENA_NEW(&router->arena, struct endpoint);
    if (!endpoint)
        return err_oom();
    *out_endpoint = NULL;
    endpoint->route = route;
    const char *wrong = NULL;
    struct router_node *node = grow(router, endpoint, &wrong);
    if (wrong) {
        buf_printf(mistakes, "%s: %s; ", route->path, wrong);
        return NULL;
    }
    if (!node)
        return err_oom();
    const struct endpoint *other = node->by_method[route->method];
    if (other) {
        buf_printf(mistakes, "%s %s and %s match the same paths; ", http_method_name(route->method),
                   other->route->path, route->path);
        return NULL;
    }
    node->by_method[route->method] = endpoint;
    node->methods |= 1U << route->method;
    *out_endpoint = endpoint;
    return NULL;
}

static bool take(const struct router_node *node, enum http_method method,
                 struct router_match *match)
{
    match->methods |= node->methods;
    match->endpoint = node->by_method[method];
    return match->endpoint;
}

/* Each node is visited at most once, so the work is bounded by the size of the tree. */
static bool walk(const struct router_node *node, enum http_method method, const struct path *path,
                 size_t at, size_t params, struct router_match *match)
{
    if (at == path->count)
        return take(node, method, match);
    if (path->segments[at].len == 0)
        return false;
    const struct router_node *child = find_child(node, path->segments[at]);
    if (child && walk(child, method, path, at + 1, params, match))
        return true;
    if (params == HTTP_PARAMS_MAX)
        return false;
    match->starts[params] = at;
    if (node->param && walk(node->param, method, path, at + 1, params + 1, match))
        return true;
    match->starts[params] = at;
    return node->rest && path->segments[path->count - 1].len > 0 && take(node->rest, method, match);
}

void http_router_match(const struct router *router, enum http_method method,
                       const struct path *path, struct router_match *out_match)
{
    out_match->endpoint = NULL;
    out_match->methods = 0;
    if (!path->is_too_deep)
        walk(router->root, method == HEAD ? GET : method, path, 0, 0, out_match);
}
