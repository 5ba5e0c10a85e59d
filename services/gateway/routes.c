#include "routes.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"

/* The routes of one path. */
struct entry {
    struct path_route route;
    struct entry *next;
};

/* One segment of the paths of routes. */
struct node {
    char *segment;
    size_t segment_len;
    struct node **children; /* sorted */
    size_t child_count;
    struct entry *entries; /* those with methods first */
};

struct routes {
    atomic_int refs;
    struct node root; /* of "/" */
    size_t count;
    struct upstream_config upstreams[UPSTREAMS_MAX];
    size_t upstream_count;
};

struct err *routes_new(struct routes **out_routes)
{
    struct routes *routes = calloc(1, sizeof(*routes));
    if (!routes)
        return err_oom();
    atomic_init(&routes->refs, 1);
    *out_routes = routes;
    return NULL;
}

struct routes *routes_ref(struct routes *routes)
{
    atomic_fetch_add(&routes->refs, 1);
    return routes;
}

/* The texts of routes and upstreams are copies, const for everyone else. */
static void free_text(const char *text)
{
    free((void *)(uintptr_t)text);
}

static void entry_free(struct entry *entry)
{
    free_text(entry->route.path);
    free_text(entry->route.methods);
    free(entry);
}
DEFINE_CLEANUP(struct entry *, entry_free);

/* As deep as the longest path has segments: at most ROUTE_PATH_MAX / 2. */
static void node_deinit(struct node *node)
{
    for (size_t i = 0; i < node->child_count; i++) {
        node_deinit(node->children[i]);
        free(node->children[i]);
    }
    free(node->children);
    free(node->segment);
    while (node->entries) {
        struct entry *entry = node->entries;
        node->entries = entry->next;
        entry_free(entry);
    }
}

static void upstream_config_deinit(struct upstream_config *config)
{
    for (size_t i = 0; i < config->server_count; i++)
        free_text(config->servers[i]);
}

void routes_unref(struct routes *routes)
{
    if (!routes || atomic_fetch_sub(&routes->refs, 1) > 1)
        return;
    node_deinit(&routes->root);
    for (size_t i = 0; i < routes->upstream_count; i++)
        upstream_config_deinit(&routes->upstreams[i]);
    free(routes);
}

struct err *routes_add_upstream(struct routes *routes, const struct upstream_config *config)
{
    if (routes_find_upstream(routes, config->name) != SIZE_MAX)
        return err_new(&ERR_CONFLICT, "there is an upstream %s already", config->name);
    if (routes->upstream_count == UPSTREAMS_MAX)
        return err_new(&ERR_CONFLICT, "more than %d upstreams", UPSTREAMS_MAX);
    struct upstream_config copy = *config;
    copy.server_count = 0;
    for (size_t i = 0; i < config->server_count; i++) {
        copy.servers[i] = strdup(config->servers[i]);
        if (!copy.servers[i]) {
            upstream_config_deinit(&copy);
            return err_oom();
        }
        copy.server_count++;
    }
    routes->upstreams[routes->upstream_count++] = copy;
    return NULL;
}

size_t routes_upstream_count(const struct routes *routes)
{
    return routes->upstream_count;
}

const struct upstream_config *routes_upstream(const struct routes *routes, size_t index)
{
    return &routes->upstreams[index];
}

size_t routes_find_upstream(const struct routes *routes, const char *name)
{
    for (size_t i = 0; i < routes->upstream_count; i++)
        if (str_equal(routes->upstreams[i].name, name))
            return i;
    return SIZE_MAX;
}

/* The next segment of a path; false at its end. */
static bool next_segment(struct str path, size_t *cursor, struct str *out_segment)
{
    size_t at = *cursor + 1;
    if (at >= path.len)
        return false;
    const char *slash = memchr(path.data + at, '/', path.len - at);
    size_t end = slash ? (size_t)(slash - path.data) : path.len;
    *out_segment = (struct str){path.data + at, end - at};
    *cursor = end;
    return true;
}

static int compare_segment(struct str segment, const struct node *node)
{
    int order = memcmp(segment.data, node->segment, MIN(segment.len, node->segment_len));
    if (order != 0)
        return order;
    return (segment.len > node->segment_len) - (segment.len < node->segment_len);
}

/* The child with this segment, or NULL and the place where it would stand. */
static struct node *find_child(const struct node *node, struct str segment, size_t *out_place)
{
    size_t low = 0, high = node->child_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_segment(segment, node->children[middle]);
        if (order == 0)
            return node->children[middle];
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
    }
    *out_place = low;
    return NULL;
}

/* The child with this segment, made if it is new; NULL when out of memory. */
static struct node *reach_child(struct node *node, struct str segment)
{
    size_t place = 0;
    struct node *present = find_child(node, segment, &place);
    if (present)
        return present;
    struct node **grown = realloc(node->children, (node->child_count + 1) * sizeof(struct node *));
    if (!grown)
        return NULL;
    node->children = grown;
    _cleanup_(free) struct node *child = calloc(1, sizeof(*child));
    if (!child || !(child->segment = strndup(segment.data, segment.len)))
        return NULL;
    child->segment_len = segment.len;
    memmove(grown + place + 1, grown + place, (node->child_count - place) * sizeof(struct node *));
    node->child_count++;
    return grown[place] = TAKE(child);
}

static bool has_method(const char *methods, struct str method)
{
    struct str list = {methods, strlen(methods)}, one;
    for (size_t cursor = 0; list_next(list, &cursor, &one);)
        if (one.len == method.len && memcmp(one.data, method.data, method.len) == 0)
            return true;
    return false;
}

static bool methods_overlap(const char *a, const char *b)
{
    if (!a || !b)
        return !a && !b;
    struct str list = {a, strlen(a)}, one;
    for (size_t cursor = 0; list_next(list, &cursor, &one);)
        if (has_method(b, one))
            return true;
    return false;
}

static struct err *add_entry(struct node *node, const struct path_route *route)
{
    struct entry **place = &node->entries;
    for (struct entry *entry = node->entries; entry; entry = entry->next) {
        if (methods_overlap(entry->route.methods, route->methods))
            return err_new(&ERR_CONFLICT, "there is a route with this path%s already",
                           route->methods ? " and method" : "");
        if (entry->route.methods)
            place = &entry->next;
    }
    _cleanup_(entry_free) struct entry *entry = calloc(1, sizeof(*entry));
    if (!entry)
        return err_oom();
    entry->route = *route;
    entry->route.path = strdup(route->path);
    entry->route.methods = route->methods ? strdup(route->methods) : NULL;
    if (!entry->route.path || (route->methods && !entry->route.methods))
        return err_oom();
    entry->next = *place;
    *place = TAKE(entry);
    return NULL;
}

struct err *routes_add(struct routes *routes, const struct path_route *route)
{
    if (routes->count == ROUTES_MAX)
        return err_new(&ERR_CONFLICT, "more than %d routes", ROUTES_MAX);
    struct str path = {route->path, strlen(route->path)}, segment;
    struct node *node = &routes->root;
    for (size_t cursor = 0; next_segment(path, &cursor, &segment);) {
        node = reach_child(node, segment);
        if (!node)
            return err_oom();
    }
    TRY(add_entry(node, route));
    routes->count++;
    return NULL;
}

/* The deepest node with routes on the way that the path goes. */
static const struct node *find_node(const struct routes *routes, struct str path)
{
    const struct node *node = &routes->root;
    const struct node *best = node->entries ? node : NULL;
    struct str segment;
    size_t cursor = 0, place;
    while (node && next_segment(path, &cursor, &segment)) {
        node = find_child(node, segment, &place);
        if (node && node->entries)
            best = node;
    }
    return best;
}

static bool takes_method(const struct path_route *route, struct str method)
{
    if (!route->methods || has_method(route->methods, method))
        return true;
    bool is_head = method.len == 4 && memcmp(method.data, "HEAD", 4) == 0;
    return is_head && has_method(route->methods, STR("GET"));
}

enum route_match routes_match(const struct routes *routes, struct str path, struct str method,
                              const struct path_route **out_route)
{
    const struct node *node = find_node(routes, path);
    if (!node)
        return ROUTE_UNKNOWN_PATH;
    for (const struct entry *entry = node->entries; entry; entry = entry->next) {
        if (takes_method(&entry->route, method)) {
            *out_route = &entry->route;
            return ROUTE_FOUND;
        }
    }
    *out_route = &node->entries->route;
    return ROUTE_OTHER_METHODS;
}

void routes_allowed(const struct routes *routes, const struct path_route *route, char *out,
                    size_t cap)
{
    struct str path = {route->path, strlen(route->path)};
    const struct node *node = find_node(routes, path);
    size_t len = 0;
    out[0] = '\0';
    for (const struct entry *entry = node->entries; entry; entry = entry->next) {
        bool adds_head = has_method(entry->route.methods, STR("GET")) &&
                         !has_method(entry->route.methods, STR("HEAD"));
        int added = snprintf(out + len, cap - len, "%s%s%s", len > 0 ? ", " : "",
                             adds_head ? "HEAD, " : "", entry->route.methods);
        if (added < 0 || (size_t)added >= cap - len)
            return;
        len += (size_t)added;
    }
}
