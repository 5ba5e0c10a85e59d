/* A small service that the tests call: a route for each thing that a route can do. */
#ifndef SAMPLE_H
#define SAMPLE_H

#include <http/server.h>
#include <http/test.h>

struct item {
    char name[MODEL_TEXT(20)];
    int64_t size;
};
extern const struct model item_model;

struct item_query {
    int64_t limit;
    char name[MODEL_TEXT(20)];
};
extern const struct model item_query_model;

extern const struct err_kind ITEM_NOT_FOUND;
extern const struct route_table sample_tables[];

/* Knows the tokens "user" and "admin"; any other is not valid, but "away": then there are no keys.
 */
extern const struct http_authenticator sample_authenticator;

/* What handlers find as http_state(). */
struct sample {
    void (*hook)(struct http_req *req, void *data); /* run by GET /hook */
    void *data;
};

/* Options for the sample without a socket; change what the test is about. */
struct http_server_options sample_options(void);

#endif
