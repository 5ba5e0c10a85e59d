/*
 * For tests of the whole gateway in one process: a gateway on a free port, a scripted upstream on
 * another, blocking client sockets. Every wait ends after WAIT_S with a failure.
 */
#ifndef GATEWAY_TEST_EDGE_H
#define GATEWAY_TEST_EDGE_H

#include "check.h"

#include <pthread.h>
#include <stdbool.h>

#include "service.h"

#define WAIT_S 20

/* --- the upstream --- */

enum after { KEEP, CLOSE, RESET, HANG };   /* what the upstream does once it has answered */
enum before { WHOLE, HEAD_ONLY, NOTHING }; /* what it reads before that */

struct script {
    const char *answer;
    size_t len; /* 0: that of the text */
    enum after after;
    enum before before;
};

struct origin {
    int listen_fd;
    int port;
    pthread_t acceptor;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct script script;
    /* Instead of the script: serves one connection. */
    void (*serve)(struct origin *origin, int fd);
    void *data;
    char last[65536]; /* the last request, as it came */
    size_t last_len;
    int requests;    /* that came completely */
    int connections; /* so far */
    int open;        /* now */
    bool is_stopping;
    int fds[1024]; /* of open connections */
};

struct origin *origin_start(int port); /* 0: any */
void origin_stop(struct origin *origin);
/* Ends what its connections wait for. */
void origin_stop_connections(struct origin *origin);
void origin_play(struct origin *origin, struct script script);
/* Waits until the counter has the value. */
void origin_await(struct origin *origin, const int *counter, int value);
int origin_count(struct origin *origin, const int *counter);
/* The last request, as it came. */
void origin_last(struct origin *origin, char *out, size_t cap);
/* Reads a request with its body, as far as `before` says; false at the end of the connection. */
bool origin_read(struct origin *origin, int fd, enum before before);

/* --- the gateway --- */

struct edge {
    struct gateway *gateway;
    struct gateway_settings settings;
    struct metrics *metrics;
    struct origin *origin;
    int port;
    int fds_before;
    char directory[64];
    char file[96];
};

struct edge_options {
    const char *upstream; /* further members of the upstream, beginning with a comma */
    const char *route;    /* further members of the route of "/" */
    int64_t workers;      /* 0: 1 */
    int64_t header_timeout_ms, body_timeout_ms, idle_timeout_ms; /* 0: long */
    int64_t max_connections;
    char *trusted;
    struct token_checker checker;
    int other_port; /* a second server of the upstream */
    int log_fd;     /* 0: nothing is logged */
};

struct edge *edge_start(const struct edge_options *options);
/* Drains, and checks that no descriptor is left. */
void edge_stop(struct edge *edge);
/* Writes ROUTES_FILE anew, as an editor or a ConfigMap does: by renaming. */
void edge_write_routes(struct edge *edge, const char *json);
/* Waits until a metric of the gateway has the value. */
void edge_await(struct edge *edge, const char *metric, long value);
long edge_metric(struct edge *edge, const char *metric);

/* --- the client --- */

enum end { END_EOF, END_RESET, END_TIMEOUT };

int client_connect(const struct edge *edge);
/* False: the gateway does not take it any more. */
bool client_send(int fd, const char *bytes, size_t len);
void client_say(int fd, const char *text);
/* Reads to the end of the connection; out is ended by a NUL. */
enum end client_read_all(int fd, char *out, size_t cap, size_t *out_len);
/* Reads one answer with Content-Length, chunks or no body, and no byte more. */
void client_read_answer(int fd, char *out, size_t cap);
/* One request on a connection of its own. Lines that differ from run to run are cut out. */
enum end client_call(const struct edge *edge, const char *request, char *out, size_t cap);
/* Removes lines that begin with the prefix from a head. */
void cut_line(char *text, const char *prefix);
/* 1 for "HTTP/1.1 1xx ..."; 0 for anything else than an answer. */
int status_of(const char *answer);

#endif
