/*
 * A service as a child process: forked from the test program, so that its app and hooks are the
 * test's own, with an environment of its own. It dies with the test.
 */
#ifndef APP_TEST_CHILD_H
#define APP_TEST_CHILD_H

#include <sys/types.h>

#include <app/app.h>
#include <check.h>

struct child {
    pid_t pid;
    int out;          /* what it prints and logs, while it runs */
    char text[65536]; /* what of it was read so far */
    size_t len;
    size_t awaited; /* up to here it has been waited for */
    int64_t began_ms;
    char address[64], admin[64]; /* as logged; child_await_listening() */
};

#define ENV(...)  ((const char *const[]){__VA_ARGS__, NULL})
#define ARGS(...) ((const char *const[]){"service", __VA_ARGS__, NULL})

/* Both addresses have port 0 unless env (NAME=value, NULL-ended; may be NULL) says otherwise. args
 * NULL: none. */
void child_start(struct child *child, const struct app *app, const char *const *args,
                 const char *const *env);
/* Another program, path, instead of an app. */
void child_execute(struct child *child, const char *path, const char *const *args,
                   const char *const *env);
/* Reads until text comes; fails when the child ends before, or after 20 s. */
void child_await(struct child *child, const char *text);
void child_await_admin(struct child *child);
void child_await_listening(struct child *child);
void child_signal(struct child *child, int number);
/* Waits for the end; the exit status, or 1000 + the signal that killed it. All it wrote is in text.
 */
int child_end(struct child *child);
/* SIGTERM, and the end with status 0. */
void child_stop(struct child *child);

/* For the files of the children: a new directory's path, and its end with all that is in it. */
#define DIRECTORY_TEXT 64
void directory_make(char out_path[static DIRECTORY_TEXT]);
int directory_remove(const char *path);

/* A request to http://address/path on a connection of its own; the status, 0 when there was no
 * answer. The body, NUL-terminated and cut to size, goes to body (may be NULL). */
int ask(const char *address, const char *path, char *body, size_t size);
/* Until the status is as expected. */
void await_status(const char *address, const char *path, int status);
bool answer_has(const char *address, const char *path, const char *text);
/* Until it does: a request is counted after its answer was sent. */
void await_answer_has(const char *address, const char *path, const char *text);

#endif
