/* One row of a described table: what goes in comes out, and who comes second is told so. */
#include <pthread.h>
#include <stdio.h>

#include <alloc_fail.h>
#include <base/clock.h>
#include <base/str.h>

#include "books.h"
#include "internal.h"

static struct book fetch(struct sql_conn *conn, const char *id, struct arena *arena)
{
    struct book book;
    OK(sql_table_fetch(conn, NULL, &books, SQL_TEXT(id), arena, &book));
    return book;
}

static void check_equal(const struct book *is, const struct book *was)
{
    assert_string_equal(is->id, was->id);
    assert_string_equal(is->title, was->title);
    assert_int_equal(is->kind, was->kind);
    assert_int_equal(is->is_lent, was->is_lent);
    assert_int_equal(is->pages, was->pages);
    assert_true(is->serial == was->serial);
    assert_memory_equal(&is->weight, &was->weight, sizeof(is->weight));
    assert_true(is->lent_at_ms == was->lent_at_ms);
    assert_true(is->version == was->version);
    assert_true(is->created_at_ms == was->created_at_ms);
    assert_true(is->updated_at_ms == was->updated_at_ms);
}

static void a_row_comes_back_as_it_was(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = open_books();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 16);
    static const struct book rows[] = {
        {.title = "'; DROP TABLE books; --", .serial = INT64_MIN, .weight = 0.1},
        {.title = "Ünïcödé \"\\ 漢字 🐙 \n",
         .kind = COMIC,
         .is_lent = true,
         .pages = 32767,
         .serial = INT64_MAX,
         .weight = -1e300,
         .remark = "",
         .lent_at_ms = -1,
         .extra = "{\"a\": 1}",
         .created_at_ms = 253402300799999,
         .secret = "s3cret"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct book book = rows[i];
        OK(sql_table_insert(conn, NULL, &books, &book));
        struct book is = fetch(conn, book.id, &arena);
        check_equal(&is, &book);
        assert_string_equal(is.secret, ""); /* never read */
        assert_int_equal(!is.remark, !book.remark);
        assert_int_equal(!is.extra, !book.extra);
    }
    assert_int_equal(number(conn, "SELECT count(*) FROM books WHERE remark IS NULL"
                                  " AND lent_at IS NULL AND extra IS NULL AND secret = ''"),
                     1);
    assert_int_equal(number(conn, "SELECT count(*) FROM books WHERE remark = '' AND lent_at = -1"
                                  " AND extra IS NOT NULL AND secret = 's3cret'"),
                     1);
}

static void insert_fills_what_is_empty(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = open_books();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    int64_t begin_ms = clock_now_ms();
    struct book book = {.title = "a"};
    OK(sql_table_insert(conn, NULL, &books, &book));
    assert_true(uuid_is_valid(book.id));
    assert_int_equal(book.version, 1);
    assert_in_range(book.updated_at_ms, begin_ms, clock_now_ms());
    struct book given = {.title = "b", .serial = 1, .version = 7, .updated_at_ms = 8};
    uuid_new(given.id);
    struct book copy = given;
    OK(sql_table_insert(conn, NULL, &books, &given));
    assert_memory_equal(&given, &copy, sizeof(copy));
    struct book again = {.title = "c", .serial = 1}; /* which is taken */
    memset(&copy, 0, sizeof(copy));
    memcpy(&copy, &again, sizeof(copy));
    FAILS(sql_table_insert(conn, NULL, &books, &again), SQL_UNIQUE);
    assert_memory_equal(&again, &copy, sizeof(copy));
}

static void what_cannot_be_a_key_is_no_row(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = open_books();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    struct book book = make_book(conn, 1);
    static const char *const keys[] = {
        "",
        "x",
        "\xff",
        "' OR 1=1 --",
        "0190b5a0-0000-7000-8000-00000000000",
        "0190b5a0-0000-7000-8000-000000000000",
        "0190B5A0-0000-7000-8000-000000000000",
    };
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct book none = {.pages = 7};
        bool is_there = true;
        struct sql_value key = SQL_TEXT(keys[i]);
        FAILS(sql_table_fetch(conn, NULL, &books, key, NULL, &none), SQL_NO_ROWS);
        FAILS(sql_table_delete(conn, NULL, &books, key, SQL_ANY_VERSION), SQL_NO_ROWS);
        FAILS(sql_table_delete(conn, NULL, &books, key, 1), SQL_NO_ROWS);
        OK(sql_table_exists(conn, NULL, &books, key, &is_there));
        assert_false(is_there);
        assert_int_equal(none.pages, 7);
        struct book other = book;
        str_copy(other.id, sizeof(other.id), keys[i]);
        FAILS(sql_table_update(conn, NULL, &books, &other, "title"), SQL_NO_ROWS);
    }
    bool is_there = false;
    OK(sql_table_exists(conn, NULL, &books, SQL_TEXT(book.id), &is_there));
    assert_true(is_there);
    FAILS(sql_table_fetch(conn, NULL, &books, SQL_I64(1), NULL, &book), SQL_FAILED);
    FAILS(sql_table_fetch(conn, NULL, &books, SQL_NULL, NULL, &book), SQL_FAILED);
}

/* A key that is a number, columns that need a presence to be null, and what is no column. */
struct seat {
    int64_t number;
    int version;
    const char **signs;
    size_t sign_count;
    int row;
    int taken_by;
    struct model_presence given;
};

static const struct field seat_fields[] = {
    FIELD(struct seat, number, INT),
    FIELD(struct seat, row, INT, .json = "line"),
    FIELD(struct seat, taken_by, INT, .flags = NULLABLE),
    FIELD_ARRAY(struct seat, signs, sign_count, STRING),
    FIELD(struct seat, version, INT),
};
static const struct model seat_model =
    MODEL_WITH_PRESENCE(struct seat, seat_fields, given, "A seat");
static const struct sql_table seats = {.name = "seats", .model = &seat_model, .key = "number"};
static const struct sql_table fixed_seats = {
    .name = "seats",
    .model = &seat_model,
    .key = "number",
    .version = "version",
    .write_once = SQL_COLUMNS("line", "taken_by"),
};

static void a_table_may_have_less(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = OPEN();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    run(conn, "CREATE TABLE seats (number BIGINT NOT NULL PRIMARY KEY, line BIGINT NOT NULL,"
              " taken_by BIGINT, version BIGINT NOT NULL)");
    struct seat seat = {.number = INT64_MAX, .row = 3}, got;
    model_set_null(&seat_model, &seat, &seat_fields[2]);
    OK(sql_table_insert(conn, NULL, &seats, &seat));
    assert_int_equal(number(conn, "SELECT count(*) FROM seats WHERE taken_by IS NULL"), 1);
    OK(sql_table_fetch(conn, NULL, &seats, SQL_TEXT("9223372036854775807"), NULL, &got));
    assert_int_equal(got.row, 3);
    assert_true(model_is_null(&seat_model, &got, &seat_fields[2]));
    got.taken_by = 9;
    model_set_present(&seat_model, &got, &seat_fields[2]);
    OK(sql_table_update(conn, NULL, &seats, &got)); /* all that may be */
    assert_int_equal(number(conn, "SELECT taken_by FROM seats"), 9);
    static const char *const keys[] = {"", "x", "1.0", "9223372036854775808", " 1"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        FAILS(sql_table_fetch(conn, NULL, &seats, SQL_TEXT(keys[i]), NULL, &got), SQL_NO_ROWS);
    struct seat next = {.number = INT64_MIN};
    OK(sql_table_insert(conn, NULL, &fixed_seats, &next));
    assert_int_equal(next.version, 1);
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 16);
    struct sql_list list = {.limit = 1};
    struct sql_page page;
    OK(sql_table_list(conn, NULL, &seats, &list, &arena, &page));
    assert_true(((const struct seat *)page.items)->number == INT64_MIN);
    list.cursor = page.next_cursor;
    OK(sql_table_list(conn, NULL, &seats, &list, &arena, &page));
    assert_true(((const struct seat *)page.items)->number == INT64_MAX);
    assert_null(page.next_cursor);
    OK(sql_table_delete(conn, NULL, &fixed_seats, SQL_TEXT("-9223372036854775808"), 1));
    FAILS(sql_table_delete(conn, NULL, &seats, SQL_I64(INT64_MAX), 1), SQL_FAILED);
    FAILS(sql_table_delete(conn, NULL, &seats, SQL_I64(5), SQL_ANY_VERSION), SQL_NO_ROWS);
    OK(sql_table_delete(conn, NULL, &seats, SQL_I64(INT64_MAX), SQL_ANY_VERSION));
    assert_int_equal(number(conn, "SELECT count(*) FROM seats"), 0);
}

static void a_row_by_another_column(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = open_books();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    make_book(conn, 1);
    struct book book = make_book(conn, 2), got;
    OK(sql_table_fetch_by(conn, NULL, &books, "serial", SQL_I64(2), NULL, &got));
    check_equal(&got, &book);
    FAILS(sql_table_fetch_by(conn, NULL, &books, "serial", SQL_I64(3), NULL, &got), SQL_NO_ROWS);
    FAILS(sql_table_fetch_by(conn, NULL, &books, "nothing", SQL_I64(3), NULL, &got), SQL_FAILED);
}

static void an_update_changes_what_is_named(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = open_books();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    struct book was = {.title = "a", .serial = 1, .secret = "s"};
    OK(sql_table_insert(conn, NULL, &books, &was));
    struct book book = was;
    str_copy(book.title, sizeof(book.title), "new");
    book.kind = ATLAS;
    book.pages = 5;
    book.serial = 99;
    OK(sql_table_update(conn, NULL, &books, &book, "title", "kind"));
    struct book is = fetch(conn, was.id, NULL);
    assert_string_equal(is.title, "new");
    assert_int_equal(is.kind, ATLAS);
    assert_int_equal(is.pages, 0);
    assert_int_equal(is.serial, 1);
    assert_int_equal(is.version, 2);
    assert_int_equal(book.version, 2);
    assert_true(is.updated_at_ms > was.updated_at_ms);
    assert_true(is.updated_at_ms == book.updated_at_ms);

    str_copy(book.secret, sizeof(book.secret), "");
    OK(sql_table_update(conn, NULL, &books, &book)); /* all but secrets and what is written once */
    is = fetch(conn, was.id, NULL);
    assert_int_equal(is.pages, 5);
    assert_int_equal(is.serial, 1);
    assert_int_equal(is.version, 3);
    assert_int_equal(number(conn, "SELECT count(*) FROM books WHERE secret = 's'"), 1);
    OK(sql_table_update(conn, NULL, &books, &book, "secret"));
    assert_int_equal(number(conn, "SELECT count(*) FROM books WHERE secret = ''"), 1);
}

static void time_never_runs_back(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = open_books();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    int64_t future_ms = clock_now_ms() + 3600000;
    struct book book = {.title = "a", .updated_at_ms = future_ms};
    OK(sql_table_insert(conn, NULL, &books, &book));
    OK(sql_table_update(conn, NULL, &books, &book, "title"));
    assert_true(book.updated_at_ms == future_ms + 1);
    assert_true(fetch(conn, book.id, NULL).updated_at_ms == future_ms + 1);
}

static void who_comes_second_is_told(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = open_books();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    struct book first = make_book(conn, 1), second = first;
    first.pages = 1;
    second.pages = 2;
    OK(sql_table_update(conn, NULL, &books, &first, "pages"));
    struct book before = second;
    FAILS(sql_table_update(conn, NULL, &books, &second, "pages"), SQL_CHANGED);
    assert_memory_equal(&second, &before, sizeof(second));
    FAILS(sql_table_delete(conn, NULL, &books, SQL_TEXT(second.id), second.version), SQL_CHANGED);
    assert_int_equal(fetch(conn, first.id, NULL).pages, 1);
    second = fetch(conn, first.id, NULL);
    OK(sql_table_delete(conn, NULL, &books, SQL_TEXT(second.id), second.version));
    FAILS(sql_table_update(conn, NULL, &books, &first, "pages"), SQL_NO_ROWS);
    FAILS(sql_table_delete(conn, NULL, &books, SQL_TEXT(first.id), first.version), SQL_NO_ROWS);
}

static void mistakes_of_the_program(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = open_books();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    struct book book = make_book(conn, 1);
    static const char *const columns[] = {"id",         "version", "updated_at",   "serial",
                                          "created_at", "nothing", "title, pages", "is_lent"};
    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        FAILS(sql_table_update(conn, NULL, &books, &book, columns[i]), SQL_FAILED);
    book.kind = 3;
    FAILS(sql_table_update(conn, NULL, &books, &book, "kind"), SQL_FAILED);
    book.kind = -1;
    FAILS(sql_table_insert(conn, NULL, &books, &book), SQL_FAILED);
    struct seat seat = {.number = 1};
    FAILS(sql_table_update(conn, NULL, &fixed_seats, &seat), SQL_FAILED);
    assert_int_equal(number(conn, "SELECT count(*) FROM books WHERE version = 1"), 1);
}

static void hidden_rows_are_not_there(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = open_books();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    struct book book = {.title = "hidden"}, got;
    OK(sql_table_insert(conn, NULL, &books, &book));
    bool is_there = true;
    int64_t count = -1;
    struct sql_page page = {.count = 9};
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 16);
    struct sql_value key = SQL_TEXT(book.id);
    FAILS(sql_table_fetch(conn, NULL, &books, key, NULL, &got), SQL_NO_ROWS);
    OK(sql_table_exists(conn, NULL, &books, key, &is_there));
    assert_false(is_there);
    FAILS(sql_table_update(conn, NULL, &books, &book, "pages"), SQL_NO_ROWS);
    FAILS(sql_table_delete(conn, NULL, &books, key, 1), SQL_NO_ROWS);
    OK(sql_table_list(conn, NULL, &books, &(struct sql_list){0}, &arena, &page));
    assert_int_equal(page.count, 0);
    OK(sql_table_count(conn, NULL, &books, NULL, &count));
    assert_int_equal(count, 0);
    assert_int_equal(number(conn, "SELECT count(*) FROM books"), 1);
}

static void it_mixes_with_sql_by_hand(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = open_books();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    OK(sql_begin(conn, NULL));
    struct book book = make_book(conn, 1);
    run(conn, "UPDATE books SET pages = 77, version = version + 1");
    FAILS(sql_table_update(conn, NULL, &books, &book, "title"), SQL_CHANGED);
    assert_int_equal(fetch(conn, book.id, NULL).pages, 77); /* the transaction goes on */
    sql_rollback(conn);
    assert_int_equal(number(conn, "SELECT count(*) FROM books"), 0);
    OK(sql_begin(conn, NULL));
    book = make_book(conn, 2);
    OK(sql_table_delete(conn, NULL, &books, SQL_TEXT(book.id), book.version));
    make_book(conn, 3);
    OK(sql_commit(conn, NULL));
    assert_int_equal(number_in(db, "SELECT serial FROM books"), 3);
}

static void one_set_of_columns_has_one_text(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = open_books();
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    struct book book = make_book(conn, 1);
    OK(sql_table_update(conn, NULL, &books, &book, "title", "pages"));
    size_t texts = conn->cache.count;
    for (int64_t i = 2; i < 5; i++) {
        make_book(conn, i);
        OK(sql_table_update(conn, NULL, &books, &book, "pages", "title"));
        OK(sql_table_update(conn, NULL, &books, &book, "title", "pages", "title"));
    }
    assert_int_equal(conn->cache.count, texts);
}

#define COUNTERS 4
#define COUNTS   25

static void *count_up(void *data)
{
    struct sql_db *db = data;
    _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
    for (int done = 0; done < COUNTS;) {
        struct book book;
        OK(sql_table_fetch_by(conn, NULL, &books, "serial", SQL_I64(1), NULL, &book));
        book.pages++;
        struct err *e = sql_table_update(conn, NULL, &books, &book, "pages");
        done += !e;
        if (e)
            expect(e, &SQL_CHANGED, "a race");
    }
    return NULL;
}

static void no_update_is_lost(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = open_books();
    pthread_t threads[COUNTERS];
    {
        _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
        OK(sql_table_insert(conn, NULL, &books, &(struct book){.title = "n", .serial = 1}));
    }
    for (size_t i = 0; i < COUNTERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, db), 0);
    for (size_t i = 0; i < COUNTERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(number_in(db, "SELECT pages FROM books"), COUNTERS * COUNTS);
    assert_int_equal(number_in(db, "SELECT version FROM books"), COUNTERS * COUNTS + 1);
}

static struct err *use_all(struct sql_conn *conn, int64_t n)
{
    struct book book = {.title = "m", .serial = n};
    struct sql_list list = {.limit = 1};
    struct sql_page page;
    int64_t count = 0;
    bool is_there = false;
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 16);
    TRY(sql_table_insert(conn, NULL, &books, &book));
    TRY(sql_table_update(conn, NULL, &books, &book, "pages"));
    TRY(sql_table_exists(conn, NULL, &books, SQL_TEXT(book.id), &is_there));
    sql_list_filter(&list, "created_until", SQL_TEXT("2026-01-01T00:00:00Z"));
    sql_list_filter(&list, "key", SQL_TEXT("M"));
    TRY(sql_table_count(conn, NULL, &books, &list, &count));
    TRY(sql_table_list(conn, NULL, &books, &list, &arena, &page));
    list.cursor = page.next_cursor;
    TRY(sql_table_list(conn, NULL, &books, &list, &arena, &page));
    list.cursor = "none";
    list.sort = "none";
    _cleanup_(err_free) struct err *e = sql_table_list(conn, NULL, &books, &list, &arena, &page);
    return err_is(e, &ERR_OUT_OF_MEMORY) ? TAKE(e) : NULL;
}

static void memory_may_be_short(void **state)
{
    (void)state;
    _cleanup_(sql_close) struct sql_db *db = open_books();
    bool has_failed = true;
    for (int64_t n = -2; has_failed; n++) {
        /* Another one, if it broke for want of memory. */
        _cleanup_(sql_release) struct sql_conn *conn = acquire(db);
        if (n < 0) { /* all is prepared, and there is more than a page */
            OK(use_all(conn, n));
            continue;
        }
        alloc_fail_after((size_t)n);
        struct err *e = use_all(conn, n);
        has_failed = alloc_fail_stop();
        if (e)
            expect(e, &ERR_OUT_OF_MEMORY, "want of memory");
        else
            assert_false(has_failed);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_comes_back_as_it_was),
        cmocka_unit_test(insert_fills_what_is_empty),
        cmocka_unit_test(what_cannot_be_a_key_is_no_row),
        cmocka_unit_test(a_table_may_have_less),
        cmocka_unit_test(a_row_by_another_column),
        cmocka_unit_test(an_update_changes_what_is_named),
        cmocka_unit_test(time_never_runs_back),
        cmocka_unit_test(who_comes_second_is_told),
        cmocka_unit_test(mistakes_of_the_program),
        cmocka_unit_test(hidden_rows_are_not_there),
        cmocka_unit_test(it_mixes_with_sql_by_hand),
        cmocka_unit_test(one_set_of_columns_has_one_text),
        cmocka_unit_test(no_update_is_lost),
        cmocka_unit_test(memory_may_be_short),
    };
    return RUN_CONTRACT("tables", tests);
}
