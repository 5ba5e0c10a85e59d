/*
 * Tables through models: the ordinary statements of a service, made from one description of its
 * table. Fetch one, list by pages, insert, update, delete, exists, count; everything else is SQL by
 * hand (<sql/sql.h>) on the same connection, in the same transaction.
 *
 *     struct note {
 *         char id[UUID_TEXT];
 *         char owner[UUID_TEXT];
 *         char text[MODEL_TEXT(500)];
 *         int64_t version, created_at_ms, updated_at_ms;
 *     };
 *     static const struct field note_fields[] = {
 *         FIELD(struct note, id, UUID, .flags = READ_ONLY),
 *         FIELD(struct note, owner, UUID, .flags = READ_ONLY),
 *         FIELD(struct note, text, STRING, .flags = REQUIRED, .min = 1, .max = 500),
 *         FIELD(struct note, version, INT, .flags = COLUMN_ONLY),
 *         FIELD(struct note, created_at_ms, TIME, .json = "created_at", .flags = READ_ONLY),
 *         FIELD(struct note, updated_at_ms, TIME, .json = "updated_at", .flags = READ_ONLY),
 *     };
 *     static const struct model note_model = MODEL(struct note, note_fields, "A note");
 *
 *     static const struct sql_table notes = {
 *         .name = "notes", .model = &note_model, .key = "id",
 *         .version = "version", .updated_at = "updated_at",
 *         .write_once = SQL_COLUMNS("owner", "created_at"),
 *         .sorts = SQL_SORTS(SQL_SORT("created_at"), SQL_SORT("text")),
 *         .filters = SQL_FILTERS(SQL_FILTER("owner"),
 *                                SQL_FILTER("created_after", .column = "created_at",
 *                                           .compare = SQL_GREATER)),
 *     };
 *
 *     -- PostgreSQL (SQLite: the same without the collations)
 *     CREATE TABLE notes (id TEXT COLLATE "C" NOT NULL PRIMARY KEY, owner TEXT NOT NULL,
 *         text TEXT COLLATE "C" NOT NULL, version BIGINT NOT NULL, created_at BIGINT NOT NULL,
 *         updated_at BIGINT NOT NULL);
 *     CREATE INDEX notes_by_creation ON notes (owner, created_at, id);
 *     CREATE INDEX notes_by_text ON notes (owner, text, id);
 *
 *     struct note note = {.created_at_ms = clock_now_ms()};
 *     str_copy(note.owner, sizeof(note.owner), http_identity(req)->subject);
 *     str_copy(note.text, sizeof(note.text), in->text);
 *     TRY(sql_table_insert(conn, ctx, &notes, &note));   // has an id, version 1, updated_at
 *
 *     TRY(sql_table_fetch(conn, ctx, &notes, SQL_TEXT(http_param(req, "id")), NULL, &note));
 *     TRY(http_if_match(req, note.version));
 *     str_copy(note.text, sizeof(note.text), patch->text);
 *     struct err *e = sql_table_update(conn, ctx, &notes, &note, "text");
 *     if (err_is(e, &SQL_CHANGED))                       // somebody was faster
 *         return err_wrap_as(e, &ERR_PRECONDITION_FAILED, "the note was changed meanwhile");
 *
 * And the list, GET /notes?limit=20&sort=-created_at&created_after=2026-01-01T00:00:00Z:
 *
 *     struct note_query {
 *         SQL_LIST_MEMBERS;
 *         int64_t created_after;
 *         struct model_presence given;
 *     };
 *     static const char *const note_sorts[] = {"created_at", "-created_at", "text", "-text", NULL};
 *     static const struct field note_query_fields[] = {
 *         SQL_LIST_FIELDS(struct note_query, note_sorts, "created_at"),
 *         FIELD(struct note_query, created_after, TIME),
 *     };
 *     static const struct model note_query_model =       // the route's .query
 *         MODEL_WITH_PRESENCE(struct note_query, note_query_fields, given, "Which notes");
 *
 *     struct sql_list list;
 *     struct sql_page page;
 *     TRY(sql_list_from(&note_query_model, http_query(req), &list));
 *     sql_list_filter(&list, "owner", SQL_TEXT(http_identity(req)->subject));
 *     TRY(sql_table_list(conn, ctx, &notes, &list, http_arena(req), &page));
 *     return http_reply_list(res, &note_model, page.items, page.count, page.next_cursor);
 *
 * Columns are the rows of the model, under their column names:
 * - READ_ONLY and COLUMN_ONLY rows are columns like any other: READ_ONLY is about clients;
 * - WRITE_ONLY rows are inserted, and updated when they are named, but never read: their members
 *   are zero after a fetch (what needs the secret reads it by a statement of its own);
 * - OBJECT and ARRAY rows are no columns;
 * - a NULLABLE row is NULL where model_is_null() says so, a NULL pointer always.
 * What a client sends is better kept in a model of its own, as a column is one whatever it says.
 *
 * Text of statements is made from the names in the description alone, which are constants of the
 * program; values are bound. There are few texts (one per set of filters and sort, at most), so the
 * connection has them prepared.
 *
 * Errors. Those of <sql/sql.h>: SQL_NO_ROWS when there is no row with the key, SQL_UNIQUE and its
 * like from the database, and
 *     SQL_CHANGED          the row has another version than the one given (409, or what the caller
 *                          makes of it: 412 after an If-Match, or fetch again and try again)
 *     ERR_INVALID_REQUEST  of lists: a field error for each parameter that is wrong, by its name
 *     SQL_FAILED           a mistake of the program: no such column, a value of another type
 * A mistake in the description itself is found by sql_table_check(), which tests call; all others
 * take it for right.
 *
 * Threads: descriptions are constant and shared; a connection belongs to one thread at a time. All
 * functions that take a ctx block until the database has answered or the ctx has ended.
 */
#ifndef SQL_TABLE_H
#define SQL_TABLE_H

#include <sql/sql.h>

/* --- the description --- */

/* What a list may be ordered by: "name" upwards, "-name" downwards; equal values by key, in the
 * same direction. The column is NOT NULL; text is in a char[] of at most SQL_SORT_TEXT bytes, and
 * ordered by its bytes: in PostgreSQL by COLLATE "C", which the column should have, or the index on
 * (column, key) that a sort needs is of no use. What is sorted by should not change while pages are
 * read: a row that moves may be seen twice, or never. */
struct sql_sort {
    const char *name;
    const char *column; /* NULL: the name */
};
#define SQL_SORT(name_, ...)                                                                       \
    {                                                                                              \
        .name = (name_), ##__VA_ARGS__                                                             \
    }
#define SQL_SORT_TEXT 1025
#define SQL_KEY_TEXT  256

enum sql_compare { SQL_EQUAL, SQL_LESS, SQL_AT_MOST, SQL_GREATER, SQL_AT_LEAST };

/* What a list may be narrowed by: column = value, column < value, ... A row where the column is
 * NULL passes none. */
struct sql_filter {
    const char *name;
    const char *column; /* NULL: the name */
    enum sql_compare compare;
    bool to_lower; /* the value's ASCII letters first become small, as in a column of such keys */
};

#define SQL_FILTER(name_, ...)                                                                     \
    {                                                                                              \
        .name = (name_), ##__VA_ARGS__                                                             \
    }
/* At most so many of a table, and in one list. */
#define SQL_FILTERS_MAX 16

/* Names are lower-case identifiers, no words of SQL, and pasted as they are. */
struct sql_table {
    const char *name;
    const struct model *model;
    const char *key; /* a column that is unique and never NULL: UUID, INT, or STRING in a char[] of
                      * at most SQL_KEY_TEXT bytes, whose order is as that of a sort */
    const char *version;           /* an INT column, counted up by each update; NULL: none */
    const char *updated_at;        /* a TIME column, set by each update; NULL: none */
    const char *const *write_once; /* columns that no update changes; the key need not be named */
    const struct sql_sort *sorts;  /* the first is the default; NULL: by key alone */
    const struct sql_filter *filters;
    /* A condition without parameters that every row meets which these functions see, change or
     * remove: "deleted_at IS NULL". NULL: none. */
    const char *where;
};

/* For descriptions outside of functions: there, they live for ever. */
#define SQL_COLUMNS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SQL_SORTS(...)   ((const struct sql_sort[]){__VA_ARGS__, SQL_SORT(NULL)})
#define SQL_FILTERS(...) ((const struct sql_filter[]){__VA_ARGS__, SQL_FILTER(NULL)})

/* Every mistake in the description, in its model, and, unless query is NULL, in the model that
 * lists are asked with, as one ERR_INTERNAL. */
struct err *sql_table_check(const struct sql_table *table, const struct model *query) MUST_CHECK;

/* --- one row --- */

/* The key may be text where the column is none, as in http_param(): what cannot be a key is
 * SQL_NO_ROWS. arena: for members that are pointers; may be NULL without those. */
struct err *sql_table_fetch(struct sql_conn *conn, struct ctx *ctx, const struct sql_table *table,
                            struct sql_value key, struct arena *arena, void *out_row) MUST_CHECK;
/* By another column of the model that is unique. */
struct err *sql_table_fetch_by(struct sql_conn *conn, struct ctx *ctx,
                               const struct sql_table *table, const char *column,
                               struct sql_value value, struct arena *arena, void *out_row)
    MUST_CHECK;
struct err *sql_table_exists(struct sql_conn *conn, struct ctx *ctx, const struct sql_table *table,
                             struct sql_value key, bool *out_exists) MUST_CHECK;

/* All columns. What the caller left empty of these, and only of these, is filled: a UUID key by a
 * new one, a version of 0 by 1, an updated-at of 0 by the present time. They are in *row after
 * success; else *row is as it was. */
struct err *sql_table_insert(struct sql_conn *conn, struct ctx *ctx, const struct sql_table *table,
                             void *row) MUST_CHECK;

/* The named columns of the row with this key and version get the members' values:
 *     sql_table_update(conn, ctx, &notes, &note, "text", "colour")
 * No names: all that are not WRITE_ONLY or write-once. The version is counted up; updated-at is the
 * present time, or a millisecond after what it was, whatever the clock does. Both are in *row after
 * success. Without a version column the last one to come wins. In a transaction that is rolled
 * back, *row is ahead of the table: fetch it again. */
struct err *sql_table_update_columns(struct sql_conn *conn, struct ctx *ctx,
                                     const struct sql_table *table, void *row,
                                     const char *const *columns) MUST_CHECK;
#define sql_table_update(conn, ctx, table, row, ...)                                               \
    sql_table_update_columns((conn), (ctx), (table), (row),                                        \
                             (const char *const[]){NULL, ##__VA_ARGS__, NULL} + 1)

#define SQL_ANY_VERSION INT64_MIN
struct err *sql_table_delete(struct sql_conn *conn, struct ctx *ctx, const struct sql_table *table,
                             struct sql_value key, int64_t version) MUST_CHECK;

/* --- many rows --- */

#define SQL_LIMIT_MAX     200
#define SQL_LIMIT_DEFAULT 50
#define SQL_CURSOR_MAX    2048 /* characters */

struct sql_condition {
    const char *name; /* of a filter of the table */
    struct sql_value value;
};

/* Which rows, borrowed: {0} is the first page of all of them. */
struct sql_list {
    int64_t limit;      /* 1 to SQL_LIMIT_MAX; 0: SQL_LIMIT_DEFAULT */
    const char *cursor; /* next_cursor of the page before, or NULL */
    const char *sort;   /* a name of the table's sorts, perhaps behind a minus; NULL: the first */
    struct sql_condition conditions[SQL_FILTERS_MAX]; /* all of which a row meets */
    size_t condition_count;
};

/* A value of the column's type; or text as a query has it ("true", "42", RFC 3339, an enum's name),
 * which is checked. One too many is SQL_FAILED of the list, as is SQL_NULL. */
void sql_list_filter(struct sql_list *list, const char *name, struct sql_value value);
/* From the struct of a query model: its fields limit, cursor and sort, if there, and each other
 * field that is present as the filter of its (JSON) name. Without a struct model_presence, text
 * that is NULL or "" is absent, and fields of other types are SQL_FAILED. */
struct err *sql_list_from(const struct model *query, const void *object, struct sql_list *out_list)
    MUST_CHECK;

/* For such a struct and its model. sorts: the names that clients may use, NULL-ended; default_: the
 * one of them that is meant when none is given. */
#define SQL_LIST_MEMBERS                                                                           \
    int64_t limit;                                                                                 \
    const char *cursor;                                                                            \
    int sort
#define SQL_LIST_FIELDS(type_, sorts_, default_)                                                   \
    FIELD(type_, limit, INT, .min = 1, .max = SQL_LIMIT_MAX, .def = "50",                          \
          .doc = "Items on a page"),                                                               \
        FIELD(type_, cursor, STRING, .min = 1, .max = SQL_CURSOR_MAX,                              \
              .doc = "next_cursor of the page before"),                                            \
        FIELD(type_, sort, ENUM, .values = (sorts_), .def = "\"" default_ "\"",                    \
              .doc = "Order; a minus turns it round")

struct sql_page {
    void *items; /* structs of the model, in the arena; NULL when there are none */
    size_t count;
    const char *next_cursor; /* in the arena; NULL: this is the last page */
};

/* A page by keyset: it begins behind the row that the cursor names, so whatever is inserted and
 * deleted meanwhile, a row that is there from the first page to the last is seen exactly once.
 *
 * A cursor is base64url of the table's name, the sort, and the last row's value and key, which it
 * shows to whoever has it. It is not signed, since one that somebody has made is a place in the
 * list and nothing more: what may be seen is for conditions and .where to say. One that is not of
 * this table and this sort is a field error ("invalid_cursor"); conditions may change between
 * pages. Others are "unknown" (no filter has that name), "not_in_list" (no sort has it), and those
 * of model_read(). */
struct err *sql_table_list(struct sql_conn *conn, struct ctx *ctx, const struct sql_table *table,
                           const struct sql_list *list, struct arena *arena,
                           struct sql_page *out_page) MUST_CHECK;
/* All rows that meet the conditions; the rest of the list is not looked at. NULL: all rows. */
struct err *sql_table_count(struct sql_conn *conn, struct ctx *ctx, const struct sql_table *table,
                            const struct sql_list *list, int64_t *out_count) MUST_CHECK;

#endif
