/*
 * A service's rows as JSON lines, for backup and for the move to another database: what the
 * subcommands `export` and `import` are made of.
 *
 *     {"format":"plankton-users","version":1}
 *     {"id":"0190...","email":"ann@example.com",...}      a line per item, as the model says
 *     {"end":true,"count":1}
 *
 * The last line tells a whole file from one that was cut.
 *
 * Export reads pages by key, each for itself: memory is bounded and the service may go on meanwhile,
 * but what changes during it may be in it or not. Import puts batches of APP_IMPORT_BATCH lines in a
 * transaction each. Where it breaks off, whole batches are there, and it can simply be run again:
 * what is there already and the same is skipped.
 *
 * On a terminal, standard error shows the progress. The result is told there as well.
 *
 * Threads: one at a time. Both block, and use one connection.
 */
#ifndef APP_TRANSFER_H
#define APP_TRANSFER_H

#include <app/app.h>

#define APP_EXPORT_PAGE  500
#define APP_IMPORT_BATCH 200
#define APP_LINE_MAX     ((size_t)64 * 1024)

enum app_put {
    APP_INSERTED,
    APP_SKIPPED,  /* it is there, and the same */
    APP_CONFLICT, /* it is there, and different, or another one is in its place: nothing was done */
};

struct app_transfer {
    const char *format; /* "plankton-users" */
    int64_t version;    /* of the lines; import takes this one only */
    const char *things; /* "users" */
    /* The whole item, and for this alone: not the one of the API, as READ_ONLY fields would be
     * refused by import, and WRITE_ONLY and COLUMN_ONLY ones missing in the file. A model with any of
     * these is ERR_INTERNAL, of export already. What an item cannot be without is REQUIRED. */
    const struct model *model;
    /* The items behind `last` (NULL: from the first one on), in the order of their keys, at most
     * `limit`: all of them, unless there are no more. */
    struct err *(*fetch)(struct sql_conn *conn, struct ctx *ctx, const void *last, size_t limit,
                         struct arena *arena, void **out_items, size_t *out_count);
    /* Of an import, beside the model: what is no good for this process by its settings.
     * ERR_INVALID_REQUEST with a field (err_add_field()), which is told with the line, and ends the
     * import. NULL: none. */
    struct err *(*check)(const struct app_runtime *runtime, const void *item);
    /* In a transaction, together with others, and perhaps again. *out_why: a constant text that
     * says what is in the way of an APP_CONFLICT. */
    struct err *(*put)(struct sql_conn *conn, struct ctx *ctx, const void *item,
                       enum app_put *out_put, const char **out_why);
};

/* path NULL or "-": standard output. A file is readable by its owner alone, and gets its name when
 * it is whole and on disk (until then it is called path.part). */
struct err *app_export(struct app_runtime *runtime, const struct app_transfer *transfer,
                       const char *path) MUST_CHECK;
/* path NULL or "-": standard input. ERR_INVALID_REQUEST: a line is wrong (its number and the field
 * are told; the lines before it have been put), the end is missing (all lines have been put), or,
 * at the end, there were conflicts. */
struct err *app_import(struct app_runtime *runtime, const struct app_transfer *transfer,
                       const char *path) MUST_CHECK;

#endif
