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

#define BATCH_MAX ((size_t)64 * 1024 * 1024)
/* Conflicts that are told one by one; the others are counted. */
#define CONFLICTS_TOLD 20

/* --- lines --- */

struct source {
    int fd;
    int64_t line_number;
    size_t begin, end; /* of what was read and not taken yet */
    char bytes[APP_LINE_MAX];
};

static struct err *read_more(struct source *source, bool *out_is_end)
{
    memmove(source->bytes, source->bytes + source->begin, source->end - source->begin);
    source->end -= source->begin;
    source->begin = 0;
    ssize_t count;
    do
        count = read(source->fd, source->bytes + source->end, sizeof(source->bytes) - source->end);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return err_errno(errno, "read the import");
    source->end += (size_t)count;
    *out_is_end = count == 0;
    return NULL;
}

/* The next line without its end, valid until the next call; data NULL behind the last one. */
static struct err *next_line(struct source *source, struct str *out_line)
{
    for (bool is_end = false;;) {
        const char *begin = source->bytes + source->begin;
        size_t len = source->end - source->begin;
        const char *end = memchr(begin, '\n', len);
        if (end || is_end) {
            size_t taken = end ? (size_t)(end - begin) : len;
            source->line_number++;
            source->begin += taken + (end ? 1 : 0);
            *out_line = (struct str){end || len > 0 ? begin : NULL, taken};
            return NULL;
        }
        if (len == sizeof(source->bytes))
            return err_new(&ERR_INVALID_REQUEST, "line %lld is longer than %zu bytes",
                           (long long)source->line_number + 1, len);
        TRY(read_more(source, &is_end));
    }
}

/* The first wrong field is told; a line has one mistake, mostly. */
static struct err *wrong_line(const struct source *source, struct err *e)
{
    const struct err_field *fields = NULL;
    if (!e || err_is(e, &ERR_OUT_OF_MEMORY))
        return e;
    if (err_fields(e, &fields) == 0)
        return err_wrap_as(e, &ERR_INVALID_REQUEST, "line %lld: %s", (long long)source->line_number,
                           err_detail(e));
    struct err *told = err_new(&ERR_INVALID_REQUEST, "line %lld: field \"%s\": %s",
                               (long long)source->line_number, fields[0].field, fields[0].detail);
    err_free(e);
    return told;
}

static struct err *read_line(const struct source *source, const struct model *model,
                             struct str line, struct arena *arena, void *out)
{
    return wrong_line(source, model_read(model, MODEL_READ, line.data, line.len, arena, out));
}

/* --- batches --- */

struct importing {
    const struct app_transfer *transfer;
    struct app_runtime *runtime;
    struct source *source;
    struct app_progress progress;
    /* Of the batch: items, and the line that the first one was on. */
    struct arena arena;
    char *items;
    size_t count;
    int64_t first_line;
    enum app_put puts[APP_IMPORT_BATCH];
    const char *whys[APP_IMPORT_BATCH];
    /* Of all batches, by enum app_put. */
    int64_t totals[APP_CONFLICT + 1];
    int64_t line_count;
    bool is_complete; /* the last line has come */
};

static void importing_deinit(struct importing *importing)
{
    app_progress_end(&importing->progress);
    if (importing->source && importing->source->fd > STDERR_FILENO)
        close(importing->source->fd);
    arena_deinit(&importing->arena);
    free(importing->source);
    free(importing->items);
}
DEFINE_CLEANUP_VALUE(struct importing, importing_deinit);

static void *item_at(const struct importing *importing, size_t index)
{
    return importing->items + index * importing->transfer->model->size;
}

static struct err *put_items(struct sql_conn *conn, struct ctx *ctx, void *data)
{
    struct importing *importing = data;
    for (size_t i = 0; i < importing->count; i++)
        TRY(importing->transfer->put(conn, ctx, item_at(importing, i), &importing->puts[i],
                                     &importing->whys[i]));
    return NULL;
}

static void tell_conflict(struct importing *importing, size_t index)
{
    if (importing->totals[APP_CONFLICT] > CONFLICTS_TOLD)
        return;
    app_progress_end(&importing->progress);
    if (importing->totals[APP_CONFLICT] == CONFLICTS_TOLD)
        fputs("further conflicts are counted only\n", stderr);
    else
        fprintf(stderr, "line %lld: conflict: %s\n",
                (long long)importing->first_line + (long long)index, importing->whys[index]);
}

static struct err *put_batch(struct importing *importing)
{
    if (importing->count > 0)
        TRY(sql_transact(importing->runtime->db, importing->runtime->ctx, put_items, importing));
    for (size_t i = 0; i < importing->count; i++) {
        if (importing->puts[i] == APP_CONFLICT)
            tell_conflict(importing, i);
        importing->totals[importing->puts[i]]++;
    }
    importing->line_count += (int64_t)importing->count;
    importing->count = 0;
    app_progress_show(&importing->progress, importing->line_count);
    return NULL;
}

/* --- the file --- */

static struct err *read_header(struct importing *importing)
{
    const struct app_transfer *transfer = importing->transfer;
    struct transfer_header header = {0};
    struct str line = {0};
    TRY(next_line(importing->source, &line));
    struct err *e =
        read_line(importing->source, &app_transfer_header_model, line, &importing->arena, &header);
    if (e || !str_equal(header.format, transfer->format)) {
        err_free(e);
        return err_new(&ERR_INVALID_REQUEST,
                       "this is no export of %s: it does not begin with "
                       "{\"format\":\"%s\",\"version\":%lld}",
                       transfer->things, transfer->format, (long long)transfer->version);
    }
    if (header.version != transfer->version)
        return err_new(&ERR_INVALID_REQUEST,
                       "this export has version %lld, and this release reads version %lld",
                       (long long)header.version, (long long)transfer->version);
    return NULL;
}

static bool is_end_line(struct str line)
{
    static const char begin[] = "{\"end\":";
    return line.len >= sizeof(begin) - 1 && memcmp(line.data, begin, sizeof(begin) - 1) == 0;
}

static struct err *check_end(struct importing *importing, struct str line)
{
    struct transfer_end end = {0};
    TRY(read_line(importing->source, &app_transfer_end_model, line, &importing->arena, &end));
    int64_t count = importing->line_count + (int64_t)importing->count;
    if (end.count != count)
        return err_new(&ERR_INVALID_REQUEST, "line %lld: the file had %lld %s and has %lld",
                       (long long)importing->source->line_number, (long long)end.count,
                       importing->transfer->things, (long long)count);
    TRY(next_line(importing->source, &line));
    if (line.data)
        return err_new(&ERR_INVALID_REQUEST, "line %lld: there is more after the end",
                       (long long)importing->source->line_number);
    importing->is_complete = true;
    return NULL;
}

static struct err *read_item(struct importing *importing, struct str line, void *out)
{
    const struct app_transfer *transfer = importing->transfer;
    TRY(read_line(importing->source, transfer->model, line, &importing->arena, out));
    return transfer->check ? wrong_line(importing->source, transfer->check(importing->runtime, out))
                           : NULL;
}

/* Into importing->items, until the batch is full or nothing more comes. */
static struct err *read_batch(struct importing *importing, bool *out_is_last)
{
    arena_reset(&importing->arena);
    importing->first_line = importing->source->line_number + 1;
    while (importing->count < APP_IMPORT_BATCH) {
        struct str line = {0};
        TRY(next_line(importing->source, &line));
        *out_is_last = !line.data || is_end_line(line);
        if (*out_is_last)
            return line.data ? check_end(importing, line) : NULL;
        TRY(read_item(importing, line, item_at(importing, importing->count)));
        importing->count++;
    }
    return NULL;
}

static struct err *import_lines(struct importing *importing)
{
    TRY(read_header(importing));
    for (bool is_last = false; !is_last;) {
        struct err *wrong = read_batch(importing, &is_last);
        struct err *e = put_batch(importing); /* what came before the wrong line, too */
        if (wrong) {
            err_free(e);
            return wrong;
        }
        TRY(e);
    }
    return NULL;
}

static struct err *judge(const struct importing *importing)
{
    if (!importing->is_complete)
        return err_new(&ERR_INVALID_REQUEST,
                       "the last line is missing: the file was cut; what it has was imported");
    int64_t conflicts = importing->totals[APP_CONFLICT];
    if (conflicts > 0)
        return err_new(&ERR_INVALID_REQUEST, "%lld %s could not be imported", (long long)conflicts,
                       importing->transfer->things);
    return NULL;
}

static struct err *open_source(struct importing *importing, const char *path)
{
    struct source *source = importing->source = calloc(1, sizeof(*source));
    importing->items = calloc(APP_IMPORT_BATCH, importing->transfer->model->size);
    if (!source || !importing->items)
        return err_oom();
    bool is_file = path && !str_equal(path, "-");
    source->fd = is_file ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    return source->fd < 0 ? err_errno(errno, "open %s", path) : NULL;
}

struct err *app_import(struct app_runtime *runtime, const struct app_transfer *transfer,
                       const char *path)
{
    _cleanup_(importing_deinit) struct importing importing = {
        .transfer = transfer,
        .runtime = runtime,
        .progress = {.verb = "imported", .things = transfer->things},
        .arena = ARENA_INIT(BATCH_MAX),
    };
    TRY(app_transfer_check(transfer));
    TRY(open_source(&importing, path));
    struct err *e = import_lines(&importing);
    app_progress_end(&importing.progress);
    fprintf(stderr, "%lld inserted, %lld skipped, %lld conflicts\n",
            (long long)importing.totals[APP_INSERTED], (long long)importing.totals[APP_SKIPPED],
            (long long)importing.totals[APP_CONFLICT]);
    return e ? e : judge(&importing);
}
