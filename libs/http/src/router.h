/*
 * The routes of a server as a tree of path segments. Built once by one thread, then only read, by
 * any number of them.
 *
 * Of the routes that match a path and have the method, the one wins that has a literal where the
 * others have a parameter, looked at from the left; {rest...} loses against both.
 */
#ifndef HTTP_ROUTER_H
#define HTTP_ROUTER_H

#include <stddef.h>

#include <base/arena.h>
#include <base/buf.h>
#include <base/macros.h>
#include <base/str.h>
#include <err/err.h>
#include <http/route.h>

#include "measure.h"
#include "path.h"

#define HTTP_PARAMS_MAX 8

/* A row of a table, made ready. */
struct endpoint {
    const struct route *route;
    struct str params[HTTP_PARAMS_MAX]; /* names, borrowed from the row's path */
    size_t param_count;
    bool takes_rest; /* the last parameter is {name...} */
    struct measure measure;
};

struct router_node;
struct router {
    struct arena arena; /* owns everything below */
    struct router_node *root;
};

struct router_match {
    struct endpoint *endpoint;      /* NULL: none has the method */
    unsigned methods;               /* those of the path, a bit each; whole when endpoint is NULL */
    size_t starts[HTTP_PARAMS_MAX]; /* the segment where each parameter begins */
};

struct err *http_router_init(struct router *router) MUST_CHECK;
void http_router_deinit(struct router *router);
DEFINE_CLEANUP_VALUE(struct router, http_router_deinit);

/* Adds a row. What is wrong with its path, or which row it collides with, is appended to mistakes;
 * *out_endpoint is NULL then. An error means out of memory. */
struct err *http_router_add(struct router *router, const struct route *route, struct buf *mistakes,
                            struct endpoint **out_endpoint) MUST_CHECK;

/* HEAD finds what GET would; OPTIONS and unknown methods (0) find nothing but the methods. */
void http_router_match(const struct router *router, enum http_method method,
                       const struct path *path, struct router_match *out_match);

#endif
