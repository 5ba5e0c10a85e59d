#include <app/progress.h>
#include <app/transfer.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/str.h>

#include "transfer_lines.h"

#define PAGE_MAX  ((size_t)64 * 1024 * 1024)
#define PATH_TEXT 4096

/* --- the file --- */

struct target {
    const char *path; /* NULL: standard output */
    char part[PATH_TEXT];
    int fd; /* -1: closed */
};

static struct err *open_target(struct target *target, const char *path)
{
    *target = (struct target){.fd = STDOUT_FILENO};
    if (!path || str_equal(path, "-"))
        return NULL;
    int len = snprintf(target->part, sizeof(target->part), "%s.part", path);
    if (len < 0 || (size_t)len >= sizeof(target->part))
        return err_new(&ERR_INVALID_REQUEST, "the path is too long");
    /* What an interrupted export left, or somebody who would like to read this one. */
    if (unlink(target->part) != 0 && errno != ENOENT)
        return err_errno(errno, "remove %s", target->part);
    target->fd = open(target->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (target->fd < 0)
        return err_errno(errno, "open %s", target->part);
    target->path = path;
    return NULL;
}

static void close_target(struct target *target)
{
    if (target->path && target->fd >= 0)
        close(target->fd);
    target->fd = -1;
}
DEFINE_CLEANUP_VALUE(struct target, close_target);

static struct err *write_out(struct target *target, const struct buf *text)
{
    if (buf_status(text) != BUF_OK)
        return err_oom();
    for (size_t done = 0; done < text->len;) {
        ssize_t count = write(target->fd, text->data + done, text->len - done);
        if (count < 0 && errno != EINTR)
            return err_errno(errno, "write the export");
        done += count > 0 ? (size_t)count : 0;
    }
    return NULL;
}

static struct err *finish_target(struct target *target)
{
    if (!target->path)
        return NULL;
    if (fsync(target->fd) != 0)
        return err_errno(errno, "write %s to the disk", target->part);
    close_target(target);
    return rename(target->part, target->path) == 0
               ? NULL
               : err_errno(errno, "rename %s to %s", target->part, target->path);
}

/* --- lines --- */

static void append_line(struct buf *out, const struct model *model, const void *item)
{
    struct json_writer writer = JSON_WRITER(out);
    model_write(model, item, &writer);
    buf_append_char(out, '\n');
}

static struct err *write_line(struct target *target, const struct model *model, const void *item)
{
    _cleanup_(buf_deinit) struct buf line = BUF_INIT(APP_LINE_MAX);
    append_line(&line, model, item);
    return write_out(target, &line);
}

struct exporting {
    const struct app_transfer *transfer;
    struct sql_conn *conn;
    struct target target;
    struct app_progress progress;
    int64_t count;
};

static void exporting_deinit(struct exporting *exporting)
{
    app_progress_end(&exporting->progress);
    close_target(&exporting->target);
    sql_release(exporting->conn);
}
DEFINE_CLEANUP_VALUE(struct exporting, exporting_deinit);

/* *last: the key that the page begins behind, and then its last item. */
static struct err *write_page(struct exporting *exporting, struct ctx *ctx, void *last,
                              struct arena *arena, bool *out_is_last)
{
    const struct model *model = exporting->transfer->model;
    _cleanup_(buf_deinit) struct buf page = BUF_INIT(PAGE_MAX);
    void *items = NULL;
    size_t count = 0;
    TRY(exporting->transfer->fetch(exporting->conn, ctx, exporting->count > 0 ? last : NULL,
                                   APP_EXPORT_PAGE, arena, &items, &count));
    for (size_t i = 0; i < count; i++)
        append_line(&page, model, (const char *)items + i * model->size);
    TRY(write_out(&exporting->target, &page));
    if (count > 0)
        memcpy(last, (const char *)items + (count - 1) * model->size, model->size);
    exporting->count += (int64_t)count;
    *out_is_last = count < APP_EXPORT_PAGE;
    return NULL;
}

static struct err *write_pages(struct exporting *exporting, struct ctx *ctx)
{
    /* Two arenas in turn: the last item of a page must outlive it. */
    _cleanup_(arena_deinit) struct arena even = ARENA_INIT(PAGE_MAX), odd = ARENA_INIT(PAGE_MAX);
    _cleanup_(free) void *last = calloc(1, exporting->transfer->model->size);
    if (!last)
        return err_oom();
    bool is_last = false;
    for (unsigned page = 0; !is_last; page++) {
        struct arena *arena = page % 2 ? &odd : &even;
        arena_reset(arena);
        TRY(write_page(exporting, ctx, last, arena, &is_last));
        app_progress_show(&exporting->progress, exporting->count);
    }
    return NULL;
}

struct err *app_export(struct app_runtime *runtime, const struct app_transfer *transfer,
                       const char *path)
{
    _cleanup_(exporting_deinit) struct exporting exporting = {
        .transfer = transfer,
        .target.fd = -1,
        .progress = {.verb = "exported", .things = transfer->things},
    };
    struct transfer_header header = {.version = transfer->version};
    str_copy(header.format, sizeof(header.format), transfer->format);
    TRY(app_transfer_check(transfer));
    TRY(open_target(&exporting.target, path));
    TRY(sql_acquire(runtime->db, runtime->ctx, &exporting.conn));
    TRY(write_line(&exporting.target, &app_transfer_header_model, &header));
    TRY(write_pages(&exporting, runtime->ctx));
    TRY(write_line(&exporting.target, &app_transfer_end_model,
                   &(struct transfer_end){.end = true, .count = exporting.count}));
    TRY(finish_target(&exporting.target));
    app_progress_end(&exporting.progress);
    fprintf(stderr, "%lld %s exported\n", (long long)exporting.count, transfer->things);
    return NULL;
}
