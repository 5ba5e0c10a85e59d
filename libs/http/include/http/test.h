/*
 * An in-memory transport for tests: the same router, chain and handlers, no socket (what Go's
 * net/http/httptest does). The server is started with address NULL.
 *
 *     _cleanup_(http_answer_deinit) struct http_answer answer = {0};
 *     assert_null(http_test_call(server, POST, "/api/v1/users",
 *                                HTTP_HEADERS({"Authorization", "Bearer x"}), "{\"a\":1}", &answer));
 *     assert_int_equal(answer.status, 201);
 */
#ifndef HTTP_TEST_H
#define HTTP_TEST_H

#include <http/client.h>
#include <http/server.h>

/* headers ended by {NULL}; NULL: none. A body without Content-Type counts as application/json. */
struct err *http_test_call(struct http_server *server, enum http_method method, const char *target,
                           const struct http_header_pair *headers, const char *body,
                           struct http_answer *out_answer) MUST_CHECK;

#endif
