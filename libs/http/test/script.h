/* A server that answers with bytes as they are, to see what the client makes of them. */
#ifndef SCRIPT_H
#define SCRIPT_H

#include <pthread.h>
#include <stdbool.h>

struct script {
    /* What is sent after each request, whatever the connection; NULL ends the list, and then the
     * connection is closed after a request. An answer that begins with '!' is sent without the '!'
     * and then the connection is closed. "-": nothing is sent, until the client goes away. */
    const char *const *answers;
    bool is_impatient; /* answers as soon as the head of the request is there */

    char url[64];
    /* What came of it, after script_stop(). */
    char request[4096]; /* the beginning of the last one */
    int connections;

    int listener;
    pthread_t thread;
};

void script_start(struct script *script);
void script_stop(struct script *script);

#endif
