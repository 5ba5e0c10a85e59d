/*
 * For the tests of services: a database of their own (<test_database.h>), calls to their routes in
 * memory, and a look into the answers. Whatever goes wrong on the way fails the test.
 *
 *     _cleanup_(reply_deinit) struct reply reply =
 *         CALL(server, GET, "/api/v1/users/me", .token = "user/0190...");
 *     assert_int_equal(reply.status, 200);
 *     assert_string_equal(reply_text(&reply, "name"), "Ann");
 */
#ifndef TESTS_SERVICE_TEST_H
#define TESTS_SERVICE_TEST_H

#include "test_database.h"

#include <http/test.h>
#include <model/json.h>

/* --- tokens --- */

/* Takes any token of the form ROLE/SUBJECT for what it says. */
extern const struct http_authenticator TEST_AUTHENTICATOR;

/* --- calls --- */

struct call {
    enum http_method method;
    const char *target;
    const char *token; /* NULL: none */
    const char *body;
    const char *if_match, *if_none_match, *idempotency_key;
};

struct reply {
    int status;
    struct http_answer answer;
    struct json_doc *json; /* NULL: the answer has no body */
};

/* An error's document is checked on the way: complete, and the same status as the answer's. */
struct reply test_call(struct http_server *server, const struct call *call);
#define CALL(server, method_, target_, ...)                                                        \
    test_call((server), &(struct call){.method = (method_), .target = (target_), ##__VA_ARGS__})
void reply_deinit(struct reply *reply);
DEFINE_CLEANUP_VALUE(struct reply, reply_deinit);

/* By path: "items/0/id". NULL when it is not there. */
const struct json_value *reply_find(const struct reply *reply, const char *path);
/* "" when it is not there, or no string. */
const char *reply_text(const struct reply *reply, const char *path);
const char *reply_header(const struct reply *reply, const char *name);
/* The status, and code of an error ("" for a success). */
void check_reply(const char *row, const struct reply *reply, int status, const char *code);

#endif
