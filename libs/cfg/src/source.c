#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/secret.h>

void cfg_text_free(char *text)
{
    if (text)
        secret_wipe(text, strlen(text));
    free(text);
}

void cfg_raw_deinit(struct raw *raw)
{
    cfg_text_free(raw->text);
    raw->text = NULL;
}

/* The value of the variable NAME, NAME_FILE with that suffix; NULL when it is not set or empty. */
static const char *find_variable(char *const *env, const char *name, const char *suffix)
{
    size_t name_len = strlen(name);
    size_t suffix_len = strlen(suffix);
    for (; *env; env++) {
        const char *entry = *env;
        if (strncmp(entry, name, name_len) == 0 &&
            strncmp(entry + name_len, suffix, suffix_len) == 0 &&
            entry[name_len + suffix_len] == '=')
            return entry[name_len + suffix_len + 1] ? entry + name_len + suffix_len + 1 : NULL;
    }
    return NULL;
}

static void set_problem(struct raw *raw, const char *must, int errnum)
{
    if (errnum != 0)
        snprintf(raw->problem, sizeof(raw->problem), "%s (%s)", must, strerrordesc_np(errnum));
    else
        snprintf(raw->problem, sizeof(raw->problem), "%s", must);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* Reads at most cap bytes of the file; if that fails, says why in raw->problem. */
static size_t read_file(struct raw *raw, char *bytes, size_t cap)
{
    /* Without O_NONBLOCK a FIFO would hold the start up until someone writes to it. */
    __attribute__((cleanup(close_fd))) int fd =
        open(raw->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        set_problem(raw, "must name a file that can be read", errno);
        return 0;
    }
    if (!S_ISREG(status.st_mode)) {
        set_problem(raw, "must name a regular file", 0);
        return 0;
    }
    size_t len = 0;
    ssize_t got;
    do {
        got = read(fd, bytes + len, cap - len);
        len += got > 0 ? (size_t)got : 0;
    } while (got > 0 || (got < 0 && errno == EINTR));
    if (got < 0)
        set_problem(raw, "must name a file that can be read", errno);
    return len;
}

static struct err *take_content(struct raw *raw, const char *bytes, size_t len)
{
    if (len > CFG_FILE_MAX)
        set_problem(raw, "must name a file of at most 65536 bytes", 0);
    else if (memchr(bytes, '\0', len))
        set_problem(raw, "must name a file without NUL bytes", 0);
    if (len > 0 && bytes[len - 1] == '\n')
        len--;
    if (len == 0 && !raw->problem[0])
        set_problem(raw, "must name a file that is not empty", 0);
    if (raw->problem[0])
        return NULL;
    raw->text = strndup(bytes, len);
    return raw->text ? NULL : err_oom();
}

static struct err *load_file(struct raw *raw)
{
    size_t cap = CFG_FILE_MAX + 1; /* one more than allowed, which shows that there is more */
    char *bytes = malloc(cap);
    if (!bytes)
        return err_oom();
    struct err *e = take_content(raw, bytes, read_file(raw, bytes, cap));
    secret_wipe(bytes, cap);
    free(bytes);
    return e;
}

struct err *cfg_raw_init(struct raw *raw, const struct cfg_setting *setting, char *const *env)
{
    const char *text = find_variable(env, setting->name, "");
    const char *path = find_variable(env, setting->name, "_FILE");
    *raw = (struct raw){.path = path};
    if (text && path) {
        raw->source = SOURCE_ENVIRONMENT;
        snprintf(raw->problem, sizeof(raw->problem), "must not be set together with %s_FILE",
                 setting->name);
        return NULL;
    }
    if (path) {
        raw->source = SOURCE_FILE;
        return load_file(raw);
    }
    if (!text && !setting->def)
        return NULL;
    raw->source = text ? SOURCE_ENVIRONMENT : SOURCE_DEFAULT;
    raw->text = strdup(text ? text : setting->def);
    return raw->text ? NULL : err_oom();
}
