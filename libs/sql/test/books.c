#include "books.h"

#include <stdio.h>

#include <base/str.h>

static const char *const kinds[] = {"novel", "atlas", "comic", NULL};

static const struct field book_fields[] = {
    FIELD(struct book, id, UUID, .flags = READ_ONLY),
    FIELD(struct book, title, STRING, .flags = REQUIRED, .min = 1, .max = 50),
    FIELD(struct book, kind, ENUM, .values = kinds),
    FIELD(struct book, is_lent, BOOL, .json = "lent"),
    FIELD(struct book, pages, INT, .min = 0, .max = 100000),
    FIELD(struct book, serial, INT, .flags = READ_ONLY),
    FIELD(struct book, weight, FLOAT),
    FIELD(struct book, remark, STRING, .flags = NULLABLE),
    FIELD(struct book, lent_at_ms, TIME, .json = "lent_at", .flags = NULLABLE),
    FIELD(struct book, extra, RAW, .flags = NULLABLE),
    FIELD(struct book, secret, STRING, .flags = REQUIRED | WRITE_ONLY),
    FIELD(struct book, version, INT, .flags = COLUMN_ONLY),
    FIELD(struct book, created_at_ms, TIME, .json = "created_at", .flags = READ_ONLY),
    FIELD(struct book, updated_at_ms, TIME, .json = "updated_at", .flags = READ_ONLY),
};
const struct model book_model = MODEL(struct book, book_fields, "A book");

const struct sql_table books = {
    .name = "books",
    .model = &book_model,
    .key = "id",
    .version = "version",
    .updated_at = "updated_at",
    .write_once = SQL_COLUMNS("serial", "created_at"),
    .sorts = SQL_SORTS(SQL_SORT("serial"), SQL_SORT("title"), SQL_SORT("kind"), SQL_SORT("lent"),
                       SQL_SORT("weight"), SQL_SORT("id")),
    .filters =
        SQL_FILTERS(SQL_FILTER("title"), SQL_FILTER("key", .column = "title", .to_lower = true),
                    SQL_FILTER("kind"), SQL_FILTER("lent"), SQL_FILTER("pages"),
                    SQL_FILTER("pages_from", .column = "pages", .compare = SQL_AT_LEAST),
                    SQL_FILTER("weight_below", .column = "weight", .compare = SQL_LESS),
                    SQL_FILTER("title_from", .column = "title", .compare = SQL_AT_LEAST),
                    SQL_FILTER("created_after", .column = "created_at", .compare = SQL_GREATER),
                    SQL_FILTER("created_until", .column = "created_at", .compare = SQL_AT_MOST),
                    SQL_FILTER("id")),
    .where = "title <> 'hidden' OR pages = -1",
};

/* pages is narrower than what a filter may be given. */
static const char sqlite_schema[] =
    "CREATE TABLE books (id TEXT NOT NULL PRIMARY KEY, title TEXT NOT NULL, kind TEXT NOT NULL,"
    " lent INTEGER NOT NULL, pages INTEGER NOT NULL, serial INTEGER NOT NULL UNIQUE,"
    " weight REAL NOT NULL, remark TEXT, lent_at INTEGER, extra TEXT, secret TEXT NOT NULL,"
    " version INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL) STRICT";
static const char postgres_schema[] =
    "CREATE TABLE books (id UUID NOT NULL PRIMARY KEY, title TEXT COLLATE \"und-x-icu\" NOT NULL,"
    " kind TEXT NOT NULL, lent BOOLEAN NOT NULL, pages SMALLINT NOT NULL,"
    " serial BIGINT NOT NULL UNIQUE, weight DOUBLE PRECISION NOT NULL, remark TEXT, lent_at BIGINT,"
    " extra JSONB, secret TEXT NOT NULL, version INTEGER NOT NULL, created_at BIGINT NOT NULL,"
    " updated_at BIGINT NOT NULL)";

struct sql_db *open_books(void)
{
    struct sql_db *db = OPEN();
    run_in(db, backend->dialect == SQL_POSTGRES ? postgres_schema : sqlite_schema);
    return db;
}

struct book make_book(struct sql_conn *conn, int64_t n)
{
    static const char *const titles[] = {"b", "B", "a", "Zoë", "Émile", "_", "zz"};
    struct book book = {
        .kind = (int)(n % 3),
        .is_lent = n % 2 == 0,
        .pages = (int)(100 * (n % 4)),
        .serial = n,
        .weight = 0.1 * (double)(n % 5),
        .created_at_ms = 1000 * n,
    };
    str_copy(book.title, sizeof(book.title), titles[n % (int64_t)ARRAY_LEN(titles)]);
    OK(sql_table_insert(conn, NULL, &books, &book));
    return book;
}
