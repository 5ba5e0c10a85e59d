#include "nats_server.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define NOT_INSTALLED 127
#define LISTENING     "Listening for client connections on 127.0.0.1:"
#define READY         "Server is ready"

static void run(const struct nats_server *server, int log)
{
    char port[16];
    snprintf(port, sizeof(port), "%d", server->port ? server->port : -1);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execlp("nats-server", "nats-server", "-a", "127.0.0.1", "-p", port, "-js", "-sd",
           server->directory, server->config ? "-c" : (char *)NULL, server->config, (char *)NULL);
    _exit(NOT_INSTALLED);
}

static void fail_start(struct nats_server *server, const char *log)
{
    int status = 0;
    waitpid(server->pid, &status, 0);
    server->pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_INSTALLED)
        fail_msg("nats-server is not on PATH: ./dev test installs it");
    fail_msg("nats-server did not start:\n%s", log);
}

/* Reads its log until it is ready: no waiting by guess. */
static void await_ready(struct nats_server *server)
{
    char log[16384];
    size_t len = 0;
    log[0] = '\0';
    while (!strstr(log, READY)) {
        ssize_t count = read(server->log, log + len, sizeof(log) - 1 - len);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            fail_start(server, log);
        len += (size_t)count;
        log[len] = '\0';
    }
    const char *listening = strstr(log, LISTENING);
    assert_non_null(listening);
    server->port = (int)strtol(listening + strlen(LISTENING), NULL, 10);
    snprintf(server->url, sizeof(server->url), "nats://127.0.0.1:%d", server->port);
}

void nats_server_restart(struct nats_server *server)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0)
        run(server, ends[1]);
    close(ends[1]);
    server->log = ends[0];
    await_ready(server);
}

void nats_server_start(struct nats_server *server)
{
    nats_server_start_with(server, NULL);
}

void nats_server_start_with(struct nats_server *server, const char *config)
{
    *server =
        (struct nats_server){.directory = "/tmp/plankton-nats-XXXXXX", .log = -1, .config = config};
    assert_non_null(mkdtemp(server->directory));
    nats_server_restart(server);
}

void nats_server_kill(struct nats_server *server)
{
    if (server->pid > 0) {
        kill(server->pid, SIGKILL);
        waitpid(server->pid, NULL, 0);
        close(server->log);
    }
    server->pid = 0;
    server->log = -1;
}

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *place)
{
    (void)stat;
    (void)type;
    return place->level > 0 ? remove(path) : 0;
}

void nats_server_kill_and_wipe(struct nats_server *server)
{
    nats_server_kill(server);
    if (server->directory[0])
        nftw(server->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

void nats_server_stop(struct nats_server *server)
{
    nats_server_kill_and_wipe(server);
    if (server->directory[0])
        rmdir(server->directory);
}
