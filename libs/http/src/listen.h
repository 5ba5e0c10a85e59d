/*
 * The listening socket. civetweb opens it and does not tell its descriptor, nor can it stop
 * listening without stopping everything; both are made up for here.
 */
#ifndef HTTP_LISTEN_H
#define HTTP_LISTEN_H

#include <netdb.h>
#include <sys/socket.h>

#include <base/macros.h>
#include <err/err.h>

#define LISTEN_TEXT 320

struct listen_address {
    char host[256];                 /* as it was given; "" for any */
    char spec[LISTEN_TEXT];         /* civetweb's listening_ports */
    struct sockaddr_storage socket; /* what it is bound to; its port may be 0 */
    socklen_t socket_len;
};

/* "host:port", ":port" or "[v6]:port". A host name is looked up, which blocks. ERR_INTERNAL with
 * the address and what is wrong. */
struct err *http_listen_parse(const char *text, struct listen_address *out_address) MUST_CHECK;
/* Why civetweb could not listen there: never NULL. hint: what it said itself. */
struct err *http_listen_failure(const char *text, const struct listen_address *address,
                                const char *hint) MUST_CHECK;

struct listener {
    int fd;     /* civetweb's; -1: not found */
    int wake;   /* the eventfd that takes its place when listening ends; -1 before */
    int socket; /* what was there before */
};
#define LISTENER_NONE ((struct listener){-1, -1, -1})

/* Finds the socket that listens there, at this port. */
struct listener http_listener_find(const struct listen_address *address, int port);
/* New connections are refused from now on, those not yet accepted are reset. civetweb's own thread
 * goes on with a descriptor that never has a connection. Idempotent. */
void http_listener_close(struct listener *listener);
/* Makes civetweb's thread look at its stop flag at once. */
void http_listener_wake(const struct listener *listener);
void http_listener_deinit(struct listener *listener);

#endif
