/* A client that sends bytes as they are, to see what the server makes of them. */
#ifndef RAW_H
#define RAW_H

#include <stdbool.h>
#include <stddef.h>

#include <base/buf.h>
#include <http/server.h>

/* Connected to the server; nothing takes longer than half a minute on it. */
int raw_connect(const struct http_server *server);
/* False when the server refuses the connection. */
bool raw_try_connect(const struct http_server *server);
/* A server that has closed meanwhile is no failure. */
void raw_send(int fd, const char *bytes, size_t len);
void raw_send_text(int fd, const char *text);
/* Everything until the server closes. */
void raw_read_all(int fd, struct buf *out);
/* One answer with a Content-Length, or a status that has no body; what follows stays in rest.
 * Returns the status; 0: the server has closed instead. */
int raw_read_answer(int fd, struct buf *rest, struct buf *out_answer);
/* Sends, reads until the server closes, returns the status; 0: it said nothing. */
int raw_call(const struct http_server *server, const char *text, struct buf *out_answer);

#endif
