/*
 * A real nats-server with JetStream for one test program, on a free port of 127.0.0.1, with its
 * data in a directory of its own. It dies with the program. Without the binary on PATH the test
 * fails.
 *
 *     static struct nats_server server;
 *     nats_server_start(&server);
 *     ... server.url ...
 *     nats_server_kill(&server);      // SIGKILL, as a crash
 *     nats_server_restart(&server);   // same port, same data
 *     nats_server_stop(&server);
 */
#ifndef TESTS_NATS_SERVER_H
#define TESTS_NATS_SERVER_H

#include <sys/types.h>

struct nats_server {
    pid_t pid; /* 0: not running */
    int log;   /* what it writes; -1 when not running */
    int port;
    char directory[64];
    char url[64];       /* nats://127.0.0.1:PORT */
    const char *config; /* path of the caller's; NULL: none */
};

/* Return when it answers. */
void nats_server_start(struct nats_server *server);
/* With a configuration file, whose path is borrowed. */
void nats_server_start_with(struct nats_server *server, const char *config);
void nats_server_restart(struct nats_server *server);
void nats_server_kill(struct nats_server *server);
/* Also forgets everything it had stored. */
void nats_server_kill_and_wipe(struct nats_server *server);
/* Fine when it is not running. */
void nats_server_stop(struct nats_server *server);

#endif
