/*
 * Which paths go where: an immutable table, matched by path segments.
 *
 * A route's path is a prefix on a segment boundary: "/api/v1/users" matches itself and everything
 * below it, not "/api/v1/users2". The longest path wins; "/" matches everything. Routes of one path
 * must differ in their methods; one without methods takes those that no other has.
 *
 *     routes_new() ─► routes_add_upstream()... ─► routes_add()... ─► shared, never changed again
 *
 * Matching costs one binary search per segment of the path, however many routes there are.
 *
 * Threads: while it is built, one; then any. References are counted atomically.
 */
#ifndef GATEWAY_ROUTES_H
#define GATEWAY_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/str.h>
#include <err/err.h>

#define ROUTES_MAX        10000
#define ROUTE_PATH_MAX    512
#define UPSTREAMS_MAX     256
#define UPSTREAM_SERVERS  32
#define UPSTREAM_NAME_MAX 64

enum route_auth {
    AUTH_OPTIONAL, /* a token that is there is checked */
    AUTH_NONE,     /* tokens are passed on unseen */
    AUTH_REQUIRED,
};

#define DEFAULT_MAX_BODY_BYTES     1048576
#define DEFAULT_TIMEOUT_MS         30000
#define DEFAULT_CONNECT_TIMEOUT_MS 1000
#define DEFAULT_IDLE_TIMEOUT_MS    4000
#define DEFAULT_WAIT_TIMEOUT_MS    5000
#define DEFAULT_MAX_CONNECTIONS    12
#define DEFAULT_MAX_WAITING        1024

struct path_route {
    const char *path;    /* "/", or "/segment..." without a slash at its end */
    const char *methods; /* "GET, PUT"; NULL: all */
    size_t upstream;     /* index */
    enum route_auth auth;
    int64_t max_body_bytes;
    int64_t timeout_ms; /* the longest wait for the upstream to go on */
};

/* A named set of servers that do the same. */
struct upstream_config {
    char name[UPSTREAM_NAME_MAX + 1];
    const char *servers[UPSTREAM_SERVERS]; /* "host:port", "[ip6]:port" */
    size_t server_count;
    int64_t max_connections; /* of the process: divided among its workers */
    int64_t max_waiting;     /* requests that wait for a connection; likewise */
    int64_t connect_timeout_ms;
    int64_t idle_timeout_ms; /* of a kept-alive connection */
    int64_t wait_timeout_ms; /* for a connection to become free */
};

struct routes;

struct err *routes_new(struct routes **out_routes) MUST_CHECK;
struct routes *routes_ref(struct routes *routes);
void routes_unref(struct routes *routes);
DEFINE_CLEANUP(struct routes *, routes_unref);

/* Copied, strings included. ERR_CONFLICT when the name is taken. */
struct err *routes_add_upstream(struct routes *routes, const struct upstream_config *config)
    MUST_CHECK;
/* Copied. ERR_CONFLICT when a route of the same path has one of the methods. */
struct err *routes_add(struct routes *routes, const struct path_route *route) MUST_CHECK;

size_t routes_upstream_count(const struct routes *routes);
const struct upstream_config *routes_upstream(const struct routes *routes, size_t index);
/* SIZE_MAX: there is none of this name. */
size_t routes_find_upstream(const struct routes *routes, const char *name);

enum route_match {
    ROUTE_FOUND,
    ROUTE_UNKNOWN_PATH,
    ROUTE_OTHER_METHODS, /* *out_route is the first of the path's routes */
};

/* path is normalised (<target.h>). A route without methods, or with GET, also takes HEAD. */
enum route_match routes_match(const struct routes *routes, struct str path, struct str method,
                              const struct path_route **out_route);
/* "GET, HEAD, PUT" of all routes with the path of this one, for Allow. */
void routes_allowed(const struct routes *routes, const struct path_route *route, char *out,
                    size_t cap);

#endif
