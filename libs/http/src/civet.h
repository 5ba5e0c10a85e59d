/* The socket side of a server: civetweb's threads, and its callbacks turned into exchanges. */
#ifndef HTTP_CIVET_H
#define HTTP_CIVET_H

#include <stdint.h>

#include <base/macros.h>
#include <err/err.h>
#include <http/server.h>

struct civet;

/* Listens at server->options.address and serves from then on. The server must be complete. */
struct err *http_civet_start(struct http_server *server, struct civet **out_civet) MUST_CHECK;
const char *http_civet_address(const struct civet *civet);
/* Closes the listening socket and idle connections; waits until no request is in flight, at most so
 * long. */
void http_civet_drain(struct civet *civet, int64_t timeout_ms);
/* Ends the threads, after the requests that are still in flight, and frees. */
void http_civet_stop(struct civet *civet);

#endif
