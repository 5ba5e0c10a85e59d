/* Rows of a statement that runs. */
#ifndef SQL_ROWS_H
#define SQL_ROWS_H

#include "internal.h"

struct sql_rows {
    struct sql_conn *conn; /* NULL: ended */
    struct ctx *ctx;
    struct prepared *prepared;
    bool has_row, at_end;
    /* The field of each column; made by the first scan into that model. */
    const struct model *model;
    const struct field *fields[MODEL_FIELDS_MAX];
};

/* In the caller's storage, until sql_rows_end(). */
struct err *sql_rows_open(struct sql_rows *rows, struct sql_conn *conn, struct ctx *ctx,
                          const char *statement, const struct sql_value *params, size_t count)
    MUST_CHECK;
/* No effect when it has ended. */
void sql_rows_end(struct sql_rows *rows);
DEFINE_CLEANUP_VALUE(struct sql_rows, sql_rows_end);

/* The present row into a struct; on error *out is half written. */
struct err *sql_scan(struct sql_rows *rows, const struct model *model, struct arena *arena,
                     void *out) MUST_CHECK;

#endif
