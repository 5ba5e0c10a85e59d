/*
 * An in-memory transport for tests: the same router, chain and handlers, no socket (what Go's
 * net/http/httptest does). The server is started with address NULL.
 *
 *     _cleanup_(http_answer_deinit) struct http_answer answer = {0};
 *     assert_null(http_test_call(server, POST, "/api/v1/users",
 *                                HTTP_HEADERS({"Authorization", "Bearer x"}),
 *                                "{\"name\":\"Ada\"}", &answer));
 *     assert_int_equal(answer.status, 201);
 *
 * What the server writes is read back as a client would read it, so that wrong framing shows. The
 * client's address is 127.0.0.1.
 *
 * Threads: any, at once; the handler runs on the caller's.
 */
#ifndef HTTP_TEST_H
#define HTTP_TEST_H

#include <http/client.h>
#include <http/server.h>

/* target: path and query, encoded. headers ended by {NULL}; NULL: none. body NULL: none; a body
 * without Content-Type counts as application/json. ERR_UPSTREAM_UNAVAILABLE: the server did not
 * write a whole answer (a stream that failed half-way); *out_answer is untouched then. */
struct err *http_test_call(struct http_server *server, enum http_method method, const char *target,
                           const struct http_header_pair *headers, const char *body,
                           struct http_answer *out_answer) MUST_CHECK;

#endif
