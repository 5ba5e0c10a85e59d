#include "child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/str.h>

#define PATIENCE_MS 20000

/* --- starting --- */

static void set_environment(const char *const *env)
{
    setenv("LISTEN_ADDR", "127.0.0.1:0", 1);
    setenv("ADMIN_ADDR", "127.0.0.1:0", 1);
    for (size_t i = 0; env && env[i]; i++)
        putenv((char *)(uintptr_t)env[i]);
}

static void become(const struct app *app, const char *path, const char *const *args,
                   const char *const *env, int out)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    set_environment(env);
    static const char *const none[] = {"service", NULL};
    const char *const *words = args ? args : none;
    if (path) {
        execv(path, (char **)(uintptr_t)words);
        _exit(127);
    }
    int count = 0;
    while (words[count])
        count++;
    exit(app_run(count, (char **)(uintptr_t)words, app));
}

static void start(struct child *child, const struct app *app, const char *path,
                  const char *const *args, const char *const *env)
{
    *child = (struct child){.began_ms = clock_mono_ms()};
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fflush(NULL);
    child->pid = fork();
    assert_true(child->pid >= 0);
    if (child->pid == 0)
        become(app, path, args, env, ends[1]);
    close(ends[1]);
    child->out = ends[0];
}

void child_start(struct child *child, const struct app *app, const char *const *args,
                 const char *const *env)
{
    start(child, app, NULL, args, env);
}

void child_execute(struct child *child, const char *path, const char *const *args,
                   const char *const *env)
{
    start(child, NULL, path, args, env);
}

/* --- watching --- */

static bool read_more(struct child *child, int64_t until_ms)
{
    struct pollfd ready = {.fd = child->out, .events = POLLIN};
    int64_t left_ms = until_ms - clock_mono_ms();
    if (left_ms <= 0 || poll(&ready, 1, (int)left_ms) <= 0)
        fail_msg("no more within %d s; so far:\n%s", PATIENCE_MS / 1000, child->text);
    ssize_t count =
        read(child->out, child->text + child->len, sizeof(child->text) - 1 - child->len);
    if (count <= 0)
        return false;
    child->len += (size_t)count;
    child->text[child->len] = '\0';
    return true;
}

void child_await(struct child *child, const char *text)
{
    int64_t until_ms = clock_mono_ms() + PATIENCE_MS;
    const char *found;
    while (!(found = strstr(child->text + child->awaited, text))) {
        if (!read_more(child, until_ms))
            fail_msg("ended without \"%s\":\n%s", text, child->text);
    }
    child->awaited = (size_t)(found - child->text) + strlen(text);
}

static void await_address(struct child *child, const char *message, char out[static 64])
{
    child_await(child, message);
    static const char key[] = "\"address\":\"";
    child_await(child, key);
    size_t start = child->awaited;
    child_await(child, "\"");
    assert_true(str_copy_n(out, 64, child->text + start, child->awaited - start - 1));
}

void child_await_admin(struct child *child)
{
    await_address(child, "\"msg\":\"admin listening\"", child->admin);
}

void child_await_listening(struct child *child)
{
    child_await_admin(child);
    await_address(child, "\"msg\":\"listening\"", child->address);
}

void child_signal(struct child *child, int number)
{
    assert_int_equal(kill(child->pid, number), 0);
}

int child_end(struct child *child)
{
    int64_t until_ms = clock_mono_ms() + PATIENCE_MS;
    while (read_more(child, until_ms))
        ;
    close(child->out);
    int status = 0;
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

void child_stop(struct child *child)
{
    child_signal(child, SIGTERM);
    int status = child_end(child);
    if (status != 0)
        fail_msg("exit status %d:\n%s", status, child->text);
}

/* --- asking --- */

int ask(const char *address, const char *path, char *body, size_t size)
{
    _cleanup_(http_client_free) struct http_client *client = NULL;
    struct err *e =
        http_client_new(&(struct http_client_options){.timeout_ms = PATIENCE_MS}, &client);
    assert_null(e);
    char url[512];
    snprintf(url, sizeof(url), "http://%s%s", address, path);
    _cleanup_(http_answer_deinit) struct http_answer answer = {0};
    e = http_client_call(client, NULL, &(struct http_request){.method = GET, .url = url}, &answer);
    if (e) {
        err_free(e);
        return 0;
    }
    if (body)
        str_copy_n(body, size, answer.body, MIN(answer.body_len, size - 1));
    return answer.status;
}

void await_status(const char *address, const char *path, int status)
{
    int64_t until_ms = clock_mono_ms() + PATIENCE_MS;
    char body[4096] = "";
    int got;
    while ((got = ask(address, path, body, sizeof(body))) != status) {
        if (clock_mono_ms() > until_ms)
            fail_msg("%s: still %d, not %d: %s", path, got, status, body);
        err_free(ctx_sleep(NULL, 5));
    }
}

bool answer_has(const char *address, const char *path, const char *text)
{
    char body[65536] = "";
    ask(address, path, body, sizeof(body));
    return strstr(body, text) != NULL;
}

void await_answer_has(const char *address, const char *path, const char *text)
{
    int64_t until_ms = clock_mono_ms() + PATIENCE_MS;
    while (!answer_has(address, path, text)) {
        if (clock_mono_ms() > until_ms)
            fail_msg("%s: still without %s", path, text);
        err_free(ctx_sleep(NULL, 5));
    }
}

void directory_make(char out_path[static DIRECTORY_TEXT])
{
    str_copy(out_path, DIRECTORY_TEXT, "/tmp/plankton-app-XXXXXX");
    assert_non_null(mkdtemp(out_path));
}

int directory_remove(const char *path)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", path);
    return system(command);
}
