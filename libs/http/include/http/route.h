/*
 * Route tables: what a service answers, who may ask, what goes in and out. Everything else follows
 * from them: binding, validation, authorisation, 404 and 405, HEAD and OPTIONS, the OpenAPI
 * document.
 *
 *     static const struct route routes[] = {
 *         {GET, "/api/v1/users/{id}", read_user, .summary = "Read one user", .out = &user_model,
 *          .allow = SELF_OR_ADMIN, .fails = KINDS(&USER_NOT_FOUND)},
 *     };
 *
 * Tables are constant data. They are checked when a server starts (http_server_start()), and are
 * borrowed until it stops.
 *
 * Paths. The path of a request is split at its slashes first and then each segment is
 * percent-decoded; /%75sers is /users. Answered 400 bad_request: a segment that is empty ("//"),
 * "." or ".."; an encoded slash, NUL or other control character; a broken escape; a character that
 * RFC 3986 does not allow in paths; what is not UTF-8. A slash at the end makes another path, which
 * no route can have: 404 route_not_found. Letters are compared exactly.
 *
 * Methods. HEAD is answered by the GET route, without the body; OPTIONS with 204 and Allow, for
 * whoever asks. A method that the path does not have, a made-up one included, is answered 405 with
 * Allow, whose methods are sorted.
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
    ANYONE,        /* a token is not even looked at, so a wrong one does no harm */
    SIGNED_IN,     /* a valid access token */
    SELF_OR_ADMIN, /* the token's subject is the path's {id}, or its role is "admin" */
    ADMIN,         /* the token's role is "admin" */
};

struct http_req;
struct http_res;
typedef struct err *http_handler(struct http_req *req, struct http_res *res);

struct route {
    enum http_method method; /* HEAD and OPTIONS come by themselves */
    /* Segments are literal or {name}; a last segment {name...} takes the rest, one segment at
     * least. Of several routes that match and have the method, the one wins that has a literal
     * where the others have a parameter, from the left; {name...} loses. Refused at start: two rows
     * with one method that match the same paths, and different names for one parameter. At most 32
     * segments, 8 of them parameters. */
    const char *path;
    http_handler *handler;
    const char *summary; /* one line for the document */
    const char *doc;     /* more, or NULL */
    const char *tag;     /* group in the document; NULL: the service's name */
    /* Body, as application/json (http_body); of a PATCH application/merge-patch+json too
     * (http_merge). Other types: 415. NULL, and no .takes: a body that is not empty is 422. */
    const struct model *in;
    /* Media type of a body that the handler reads itself (http_raw_body); with it .in is NULL. */
    const char *takes;
    const struct model *query; /* query parameters, one field each: unknown ones and one that is
                                  there twice are 422. NULL: a query is not looked at */
    const struct model *out;   /* body of the answer; NULL: none */
    bool list;                 /* the answer is {"items":[out...],"next_cursor":...} */
    int status;                /* of success, for the document; 0: 200 with .out, 204 without */
    enum http_allow allow;
    const struct err_kind *const *fails; /* KINDS(...): errors beyond the general ones */
    bool idempotent;                     /* POST and PATCH: honours Idempotency-Key
                                            (<http/idempotency.h>), so no secrets in the answer */
    size_t max_body;                     /* bytes of body; 0: the server's */
    int64_t timeout_ms;                  /* deadline of the request; 0: the server's */
};

#define KINDS(...) ((const struct err_kind *const[]){__VA_ARGS__, NULL})

struct route_table {
    const struct route *routes;
    size_t count;
};
#define ROUTES(rows) ((struct route_table){(rows), sizeof(rows) / sizeof((rows)[0])})

#endif
