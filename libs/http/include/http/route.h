/*
 * Route tables: what a service answers, who may ask, what goes in and out. Everything else follows
 * from them: binding, validation, authorisation, 404 and 405, HEAD and OPTIONS, the OpenAPI document.
 *
 *     static const struct route routes[] = {
 *         {GET, "/api/v1/users/{id}", read_user, .summary = "Read one user", .out = &user_model,
 *          .allow = SELF_OR_ADMIN, .fails = KINDS(&USER_NOT_FOUND)},
 *     };
 */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <err/err.h>
#include <model/model.h>

enum http_method { GET = 1, HEAD, POST, PUT, PATCH, DELETE, OPTIONS };
#define HTTP_METHOD_COUNT 8

/* Who may call a route. It must be said: a table with a row that does not is refused at start. */
enum http_allow {
    ALLOW_UNSAID = 0,
    ANYONE,
    SIGNED_IN,     /* a valid access token */
    SELF_OR_ADMIN, /* the token's subject is the path's {id}, or its role is "admin" */
    ADMIN,         /* the token's role is "admin" */
};

struct http_req;
struct http_res;
typedef struct err *http_handler(struct http_req *req, struct http_res *res);

struct route {
    enum http_method method; /* HEAD and OPTIONS come by themselves */
    /* Segments are literal or {name}; a last segment {name...} takes the rest. A literal wins over a
     * parameter. Two routes that match the same paths are refused at start. */
    const char *path;
    http_handler *handler;
    const char *summary; /* one line for the document */
    const char *doc;     /* more, or NULL */
    const char *tag;     /* group in the document; NULL: the service's name */
    const struct model *in;    /* body; PATCH reads it as a merge patch (http_merge). NULL: no body */
    const char *takes; /* media type of a body that the handler reads itself (http_raw_body); with
                          it .in is NULL */
    const struct model *query; /* query parameters, one field each; unknown ones are refused */
    const struct model *out;   /* body of the answer; NULL: none */
    bool list;                 /* the answer is {"items":[out...],"next_cursor":...} */
    int status;                /* of success; 0: 200 with out, 204 without */
    enum http_allow allow;
    const struct err_kind *const *fails; /* KINDS(...): errors beyond the general ones */
    size_t max_body;           /* bytes; 0: the server's */
    int64_t timeout_ms;        /* deadline of the request; 0: the server's */
};

#define KINDS(...) ((const struct err_kind *const[]){__VA_ARGS__, NULL})

struct route_table {
    const struct route *routes;
    size_t count;
};
#define ROUTES(rows) ((struct route_table){(rows), sizeof(rows) / sizeof((rows)[0])})

#endif
