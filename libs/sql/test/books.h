/* A table with a column of each type, for the tests of <sql/table.h>. */
#ifndef BOOKS_H
#define BOOKS_H

#include <sql/table.h>

#include "sql_test.h"

enum book_kind { NOVEL, ATLAS, COMIC };

struct book {
    char id[UUID_TEXT];
    char title[MODEL_TEXT(50)];
    int kind;
    bool is_lent;
    int pages;
    int64_t serial;
    double weight;
    const char *remark;
    int64_t lent_at_ms;
    const char *extra;
    char secret[MODEL_TEXT(20)];
    int64_t version, created_at_ms, updated_at_ms;
};

extern const struct model book_model;
/* Sorts: serial, title, kind, lent, weight, id. Filters: title, key (title in lower case), kind,
 * lent, pages, pages_from, weight_below, title_from, created_after, created_until, id. Rows whose title is
 * "hidden" are not there. */
extern const struct sql_table books;

/* PostgreSQL has a collation there that is not the order of bytes. */
struct sql_db *open_books(void);
/* Inserts one that differs from others by its number: titles and kinds repeat. */
struct book make_book(struct sql_conn *conn, int64_t n);

#endif
