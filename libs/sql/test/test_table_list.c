/* Pages of a described table: every sort and condition, and whatever a client may send. */
#include <stdio.h>

#include <base/encode.h>
#include <base/str.h>

#include "books.h"
#include "internal.h"

#define ROWS 60

struct fixture {
    struct sql_db *db;
    struct sql_conn *conn;
    struct arena arena;
};

static int begin(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture->db = open_books();
    fixture->conn = acquire(fixture->db);
    fixture->arena = ARENA_INIT(64 << 20);
    for (int64_t n = 0; n < ROWS; n++)
        make_book(fixture->conn, n);
    *state = fixture;
    return 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;
    sql_release(fixture->conn);
    sql_close(fixture->db);
    arena_deinit(&fixture->arena);
    free(fixture);
    return 0;
}

static struct sql_page read_page(struct fixture *fixture, const struct sql_list *list)
{
    struct sql_page page;
    OK(sql_table_list(fixture->conn, NULL, &books, list, &fixture->arena, &page));
    return page;
}

/* Their serials, all pages one after the other. */
static size_t read_all(struct fixture *fixture, struct sql_list list, int64_t out[static 2 * ROWS])
{
    size_t count = 0;
    do {
        struct sql_page page = read_page(fixture, &list);
        const struct book *items = page.items;
        assert_true(page.count <= (list.limit > 0 ? (size_t)list.limit : SQL_LIMIT_DEFAULT));
        assert_true(count + page.count <= (size_t)2 * ROWS);
        for (size_t i = 0; i < page.count; i++)
            out[count++] = items[i].serial;
        list.cursor = page.next_cursor;
    } while (list.cursor);
    return count;
}

/* The same by a statement of our own. */
static void check_list(struct fixture *fixture, const char *row, const struct sql_list *list,
                       const char *where, const char *order)
{
    char statement[512];
    int64_t is[2 * ROWS], should_be = 0, counted = 0;
    size_t count = read_all(fixture, *list, is), i = 0;
    bool has_row = true;
    _cleanup_(sql_rows_close) struct sql_rows *rows = NULL;
    OK(sql_table_count(fixture->conn, NULL, &books, list, &counted));
    CHECK_INT(row, count, counted);
    snprintf(statement, sizeof(statement), "SELECT serial FROM books WHERE %s ORDER BY %s", where,
             order);
    OK(sql_query(fixture->conn, NULL, &rows, statement));
    for (;; i++) {
        OK(sql_rows_next(rows, &has_row));
        if (!has_row)
            break;
        should_be = sql_rows_value(rows, 0).as.i64;
        CHECK(row, i < count);
        CHECK_INT(row, is[i], should_be);
    }
    CHECK_INT(row, i, count);
}

static void every_sort_in_pages_of_every_size(void **state)
{
    static const struct {
        const char *sort, *order[2]; /* in SQLite, in PostgreSQL */
    } rows[] = {
        {NULL, {"serial", "serial"}},
        {"serial", {"serial", "serial"}},
        {"-serial", {"serial DESC", "serial DESC"}},
        {"title", {"title, id", "title COLLATE \"C\", id"}},
        {"-title", {"title DESC, id DESC", "title COLLATE \"C\" DESC, id DESC"}},
        {"kind", {"kind, id", "kind, id"}},
        {"-kind", {"kind DESC, id DESC", "kind DESC, id DESC"}},
        {"lent", {"lent, id", "lent, id"}},
        {"-lent", {"lent DESC, id DESC", "lent DESC, id DESC"}},
        {"weight", {"weight, id", "weight, id"}},
        {"-weight", {"weight DESC, id DESC", "weight DESC, id DESC"}},
        {"id", {"id", "id"}},
        {"-id", {"id DESC", "id DESC"}},
    };
    static const int64_t limits[] = {1, 7, ROWS - 1, ROWS, ROWS + 1, 0, SQL_LIMIT_MAX};
    for (size_t i = 0; i < ARRAY_LEN(rows) * ARRAY_LEN(limits); i++) {
        size_t n = i / ARRAY_LEN(limits);
        const struct sql_list list = {.sort = rows[n].sort, .limit = limits[i % ARRAY_LEN(limits)]};
        check_list(*state, rows[n].sort ? rows[n].sort : "default", &list, "1 = 1",
                   rows[n].order[backend->dialect == SQL_POSTGRES]);
    }
}

static void text_is_ordered_by_its_bytes(void **state)
{
    static const char *const titles[] = {"B", "Zoë", "_", "a", "b", "zz", "Émile"};
    struct fixture *fixture = *state;
    const struct sql_list list = {.sort = "title", .limit = SQL_LIMIT_MAX};
    struct sql_page page = read_page(fixture, &list);
    const struct book *items = page.items;
    assert_int_equal(page.count, ROWS);
    for (size_t i = 0, title = 0; i < page.count; i++) {
        title += strcmp(items[i].title, titles[title]) != 0;
        assert_true(title < ARRAY_LEN(titles));
        assert_string_equal(items[i].title, titles[title]);
    }
}

static void every_condition(void **state)
{
    struct {
        const char *name;
        struct sql_value value;
        const char *where;
    } rows[] = {
        {"title", SQL_TEXT("b"), "title = 'b'"},
        {"title", SQL_TEXT("' OR 1=1 --"), "1 = 0"},
        {"title", SQL_TEXT(""), "1 = 0"},
        {"title_from", SQL_TEXT("a"), "title NOT IN ('_', 'B', 'Zoë')"},
        {"key", SQL_TEXT("ZZ"), "title = 'zz'"},
        {"key", SQL_TEXTN("ZZtop", 2), "title = 'zz'"},
        {"key", SQL_TEXT("B"), "title = 'b'"},
        {"kind", SQL_TEXT("atlas"), "kind = 'atlas'"},
        {"lent", SQL_BOOL(true), "MOD(serial, 2) = 0"},
        {"lent", SQL_TEXT("true"), "MOD(serial, 2) = 0"},
        {"lent", SQL_TEXT("false"), "MOD(serial, 2) = 1"},
        {"pages", SQL_I64(100), "pages = 100"},
        {"pages", SQL_TEXT("100"), "pages = 100"},
        {"pages", SQL_I64(INT64_MAX), "1 = 0"}, /* of a narrow column */
        {"pages_from", SQL_I64(100), "pages >= 100"},
        {"pages_from", SQL_I64(INT64_MIN), "1 = 1"},
        {"weight_below", SQL_F64(0.2), "weight < 0.2"},
        {"weight_below", SQL_TEXT("2e-1"), "weight < 0.2"},
        {"created_after", SQL_I64(7000), "created_at > 7000"},
        {"created_after", SQL_TEXT("1970-01-01T00:00:07.000Z"), "created_at > 7000"},
        {"created_until", SQL_TEXT("1970-01-01T01:00:07+01:00"), "created_at <= 7000"},
        {"id", SQL_TEXT("0190b5a0-0000-7000-8000-000000000000"), "1 = 0"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sql_list list = {.limit = 7};
        sql_list_filter(&list, rows[i].name, rows[i].value);
        check_list(*state, rows[i].where, &list, rows[i].where, "serial");
    }
    struct sql_list list = {.limit = 3, .sort = "-title"};
    sql_list_filter(&list, "pages_from", SQL_I64(100));
    sql_list_filter(&list, "kind", SQL_TEXT("novel"));
    sql_list_filter(&list, "pages_from", SQL_I64(200)); /* all of them */
    check_list(*state, "several", &list, "pages >= 200 AND kind = 'novel'",
               backend->dialect == SQL_POSTGRES ? "title COLLATE \"C\" DESC, id DESC"
                                                : "title DESC, id DESC");
}

/* --- what is wrong --- */

static void check_field(const char *row, struct err *e, const char *field, const char *code)
{
    const struct err_field *fields = NULL;
    CHECK_INT(row, err_fields(e, &fields), 1);
    CHECK_STR(row, fields[0].field, field);
    CHECK_STR(row, fields[0].code, code);
    expect(e, &ERR_INVALID_REQUEST, row);
}

static void wrong_conditions_have_names(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *name, *value, *code;
    } rows[] = {
        {"serial", "1", "unknown"}, /* a column, but no filter */
        {"secret", "s", "unknown"},
        {"", "s", "unknown"},
        {"title = title OR 1", "1", "unknown"},
        {"title", "\xff", "invalid_utf8"},
        {"kind", "Novel", "not_in_list"},
        {"kind", "", "not_in_list"},
        {"lent", "1", "wrong_type"},
        {"lent", "TRUE", "wrong_type"},
        {"pages", "", "wrong_type"},
        {"pages", "1 OR 1=1", "wrong_type"},
        {"pages", "1.5", "not_exact"},
        {"pages", "-1", "too_small"},
        {"pages", "99999999999999999999", "too_large"},
        {"weight_below", "nan", "wrong_type"},
        {"created_after", "yesterday", "invalid_time"},
        {"created_after", "7000", "invalid_time"},
        {"id", "1", "invalid_uuid"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sql_list list = {0};
        struct sql_page page;
        int64_t count = 0;
        sql_list_filter(&list, rows[i].name, SQL_TEXT(rows[i].value));
        check_field(rows[i].value,
                    sql_table_list(fixture->conn, NULL, &books, &list, &fixture->arena, &page),
                    rows[i].name, rows[i].code);
        check_field(rows[i].value, sql_table_count(fixture->conn, NULL, &books, &list, &count),
                    rows[i].name, rows[i].code);
    }
}

static void wrong_limits_and_sorts(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        int64_t limit;
        const char *sort, *field, *code;
    } rows[] = {
        {-1, NULL, "limit", "too_small"},        {INT64_MIN, NULL, "limit", "too_small"},
        {201, NULL, "limit", "too_large"},       {INT64_MAX, NULL, "limit", "too_large"},
        {1, "pages", "sort", "not_in_list"},     {1, "", "sort", "not_in_list"},
        {1, "-", "sort", "not_in_list"},         {1, "--title", "sort", "not_in_list"},
        {1, "TITLE", "sort", "not_in_list"},     {1, "title DESC", "sort", "not_in_list"},
        {1, "title; --", "sort", "not_in_list"}, {1, "created_at", "sort", "not_in_list"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct sql_list list = {.limit = rows[i].limit, .sort = rows[i].sort};
        struct sql_page page;
        check_field(rows[i].sort ? rows[i].sort : "limit",
                    sql_table_list(fixture->conn, NULL, &books, &list, &fixture->arena, &page),
                    rows[i].field, rows[i].code);
    }
}

static void all_that_is_wrong_is_told_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct sql_list list = {.limit = 1000, .sort = "colour", .cursor = "x"};
    struct sql_page page = {.count = 7};
    const struct err_field *fields = NULL;
    sql_list_filter(&list, "colour", SQL_TEXT("red"));
    sql_list_filter(&list, "kind", SQL_TEXT("?"));
    struct err *e = sql_table_list(fixture->conn, NULL, &books, &list, &fixture->arena, &page);
    assert_int_equal(err_fields(e, &fields), 4);
    FAILS(e, ERR_INVALID_REQUEST);
    assert_int_equal(page.count, 7);
}

static void mistakes_of_the_program(void **state)
{
    struct fixture *fixture = *state;
    const struct {
        const char *name;
        struct sql_value value;
    } rows[] = {
        {"title", SQL_NULL}, /* never all rows */
        {"title", SQL_TEXT(NULL)}, {"title", SQL_I64(1)},         {"pages", SQL_BOOL(true)},
        {"lent", SQL_I64(1)},      {"created_after", SQL_F64(1)}, {"kind", SQL_BLOB("novel", 5)},
    };
    struct sql_page page;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sql_list list = {0};
        sql_list_filter(&list, rows[i].name, rows[i].value);
        FAILS(sql_table_list(fixture->conn, NULL, &books, &list, &fixture->arena, &page),
              SQL_FAILED);
    }
    struct sql_list list = {0};
    for (int i = 0; i < SQL_FILTERS_MAX; i++)
        sql_list_filter(&list, "pages_from", SQL_I64(0));
    OK(sql_table_list(fixture->conn, NULL, &books, &list, &fixture->arena, &page));
    sql_list_filter(&list, "pages_from", SQL_I64(0));
    FAILS(sql_table_list(fixture->conn, NULL, &books, &list, &fixture->arena, &page), SQL_FAILED);
}

/* --- cursors --- */

/* NULL, or a field error of the cursor; anything else fails the test. */
static bool is_taken(struct fixture *fixture, const char *sort, const char *cursor)
{
    const struct sql_list list = {.sort = sort, .cursor = cursor, .limit = 2};
    struct sql_page page;
    struct err *e = sql_table_list(fixture->conn, NULL, &books, &list, &fixture->arena, &page);
    bool is_success = !e;
    if (e)
        check_field(cursor, e, "cursor", "invalid_cursor");
    return is_success;
}

static const char *forge(const char *bytes, size_t len)
{
    static char text[2 * SQL_CURSOR_MAX];
    base64url_encode(text, bytes, len);
    return text;
}
#define FORGE(literal) forge((literal), sizeof(literal) - 1)

#define ID "0190b5a0-0000-7000-8000-000000000000"

static void foreign_cursors_are_refused(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *row, *sort, *bytes;
        size_t len;
    } rows[] = {
#define ROW(row, sort, bytes) {row, sort, bytes, sizeof(bytes) - 1}
        ROW("nothing", "title", ""),
        ROW("too few parts", "title", "books\0title\0a"),
        ROW("too many parts", "title", "books\0title\0a\0" ID "\0"),
        ROW("another table", "title", "pages\0title\0a\0" ID),
        ROW("another sort", "title", "books\0serial\0001\0" ID),
        ROW("another direction", "title", "books\0-title\0a\0" ID),
        ROW("the other way round", "-title", "books\0title\0a\0" ID),
        ROW("no UUID", "title", "books\0title\0a\0x"),
        ROW("no UTF-8", "title", "books\0title\0\xff\0" ID),
        ROW("no number", "serial", "books\0serial\0x\0" ID),
        ROW("an empty number", "serial", "books\0serial\0\0" ID),
        ROW("too large", "serial", "books\0serial\0009223372036854775808\0" ID),
        ROW("a plus", "serial", "books\0serial\0+1\0" ID),
        ROW("no boolean", "lent", "books\0lent\0002\0" ID),
        ROW("not a number", "weight", "books\0weight\0009221120237041090560\0" ID),
        ROW("infinite", "weight", "books\0weight\0009218868437227405312\0" ID),
#undef ROW
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK(rows[i].row, !is_taken(fixture, rows[i].sort, forge(rows[i].bytes, rows[i].len)));
    assert_true(is_taken(fixture, "title", FORGE("books\0title\0' OR 1=1 --\0" ID)));
    assert_true(is_taken(fixture, "serial", FORGE("books\0serial\0-9223372036854775808\0" ID)));
    assert_true(is_taken(fixture, "kind", FORGE("books\0kind\0zebra\0" ID)));
    char longest[SQL_CURSOR_MAX + 8];
    memset(longest, 'A', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_false(is_taken(fixture, "title", longest));
    longest[SQL_CURSOR_MAX] = '\0';
    assert_false(is_taken(fixture, "title", longest));
}

static uint64_t random_bits(void)
{
    static uint64_t seed = 88172645463325252U; /* xorshift64: the same in each run */
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void random_cursors_do_no_harm(void **state)
{
    enum { ROUNDS = 6000, LONGEST = 300 };
    static const char *const sorts[] = {"serial", "title", "-kind", "lent", "-weight", "id"};
    struct fixture *fixture = *state;
    const char *real[ARRAY_LEN(sorts)];
    size_t taken = 0;
    for (size_t i = 0; i < ARRAY_LEN(sorts); i++)
        real[i] = read_page(fixture, &(struct sql_list){.sort = sorts[i], .limit = 1}).next_cursor;
    struct arena pages = ARENA_INIT(1 << 20);
    struct fixture own = {.conn = fixture->conn, .arena = pages};
    for (size_t round = 0; round < ROUNDS; round++) {
        size_t sort = random_bits() % ARRAY_LEN(sorts), len = random_bits() % LONGEST;
        char bytes[SQL_CURSOR_MAX];
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)random_bits();
        if (round % 4 != 0) { /* one byte of a real one is another, or is missing */
            size_t size = strlen(real[sort]);
            assert_true(base64url_decode(bytes, sizeof(bytes), real[sort], size, &len));
            size_t at = random_bits() % len;
            bytes[at] = (char)random_bits();
            if (round % 4 == 1)
                memmove(bytes + at, bytes + at + 1, --len - at);
        }
        taken += is_taken(&own, sorts[sort], forge(bytes, len));
        bytes[len] = '\0'; /* and as it is, which is seldom base64url */
        if (round % 4 == 0)
            taken += is_taken(&own, sorts[sort], bytes);
        arena_reset(&own.arena);
    }
    arena_deinit(&own.arena);
    assert_true(taken > 0 && taken < ROUNDS / 2);
}

/* --- rows come and go --- */

static void who_stays_is_seen_once(void **state)
{
    static const char *const sorts[] = {"serial", "-serial", "title", "-title", "kind",
                                        "-lent",  "weight",  "id",    "-id"};
    struct fixture *fixture = *state;
    int64_t serial = ROWS;
    for (size_t i = 0; i < ARRAY_LEN(sorts); i++) {
        bool seen[ROWS] = {false};
        struct sql_list list = {.sort = sorts[i], .limit = 5};
        int64_t victim = 6 * (int64_t)i + 3;
        for (int page_number = 0; page_number == 0 || list.cursor; page_number++) {
            struct sql_page page = read_page(fixture, &list);
            const struct book *items = page.items;
            for (size_t j = 0; j < page.count; j++) {
                if (items[j].serial >= ROWS)
                    continue;
                CHECK(sorts[i], !seen[items[j].serial]);
                seen[items[j].serial] = true;
            }
            list.cursor = page.next_cursor;
            if (page_number == 1)
                OK(sql_exec(fixture->conn, NULL, "DELETE FROM books WHERE serial = $1", NULL,
                            SQL_I64(victim)));
            for (int n = 0; n < 3 && page_number < 6; n++)
                make_book(fixture->conn, serial++);
        }
        for (int64_t j = 0; j < ROWS; j++)
            CHECK(sorts[i], seen[j] || j % 6 == 3);
    }
}

/* --- from the struct of a query --- */

struct query {
    SQL_LIST_MEMBERS;
    const char *title;
    int kind;
    bool lent;
    int pages;
    double weight_below;
    int64_t created_after_ms;
    struct model_presence given;
};

static const char *const query_sorts[] = {"-serial", "title", NULL};
static const char *const query_kinds[] = {"novel", "atlas", "comic", NULL};
static const struct field query_fields[] = {
    SQL_LIST_FIELDS(struct query, query_sorts, "-serial"),
    FIELD(struct query, title, STRING),
    FIELD(struct query, kind, ENUM, .values = query_kinds),
    FIELD(struct query, lent, BOOL),
    FIELD(struct query, pages, INT),
    FIELD(struct query, weight_below, FLOAT),
    FIELD(struct query, created_after_ms, TIME, .json = "created_after"),
};
static const struct model query_model =
    MODEL_WITH_PRESENCE(struct query, query_fields, given, "Which books");
static const struct model blind_model = MODEL(struct query, query_fields, "Without a presence");
static const struct field text_fields[] = {FIELD(struct query, title, STRING)};
static const struct model text_model = MODEL(struct query, text_fields, "Nothing but text");

static void a_list_from_a_query(void **state)
{
    struct query query = {.limit = 9};
    struct sql_list list;
    OK(sql_table_check(&books, &query_model));
    OK(sql_list_from(&query_model, &query, &list));
    assert_int_equal(list.limit, 9);
    assert_null(list.cursor);
    assert_string_equal(list.sort, "-serial");
    assert_int_equal(list.condition_count, 0);
    check_list(*state, "nothing is present", &list, "1 = 1", "serial DESC");
    query = (struct query){.sort = 1, .kind = ATLAS, .created_after_ms = 5000, .weight_below = 0.3};
    for (size_t i = 3; i < ARRAY_LEN(query_fields); i++)
        model_set_present(&query_model, &query, &query_fields[i]);
    query.title = "a";
    query.cursor = "c";
    OK(sql_list_from(&query_model, &query, &list));
    assert_string_equal(list.sort, "title");
    assert_string_equal(list.cursor, "c");
    assert_int_equal(list.condition_count, 6);
    list.cursor = NULL;
    check_list(*state, "all is present", &list,
               "title = 'a' AND kind = 'atlas' AND MOD(serial, 2) = 1 AND pages = 0 AND"
               " weight < 0.3 AND created_at > 5000",
               "id");
    FAILS(sql_list_from(&blind_model, &query, &list), SQL_FAILED);
    OK(sql_list_from(&text_model, &query, &list));
    assert_int_equal(list.condition_count, 1);
    query.title = NULL;
    OK(sql_list_from(&text_model, &query, &list));
    assert_int_equal(list.condition_count, 0);
}

/* --- the plan --- */

static void check_plan(struct fixture *fixture, const char *wanted, const char *unwanted)
{
    const struct prepared *last =
        CONTAINER_OF(fixture->conn->cache.recent.next, struct prepared, in_cache);
    char statement[2048], plan[4096] = "";
    bool is_postgres = backend->dialect == SQL_POSTGRES;
    snprintf(statement, sizeof(statement), "EXPLAIN %s%s", is_postgres ? "" : "QUERY PLAN ",
             last->text);
    _cleanup_(sql_rows_close) struct sql_rows *rows = NULL;
    OK(sql_query(fixture->conn, NULL, &rows, statement, SQL_TEXT("b"), SQL_TEXT(ID), SQL_I64(3)));
    for (bool has_row = true; has_row;) {
        OK(sql_rows_next(rows, &has_row));
        struct sql_value line = sql_rows_value(rows, is_postgres ? 0 : 3);
        if (has_row)
            strncat(plan, line.as.bytes.data, sizeof(plan) - strlen(plan) - 1);
    }
    CHECK(plan, strstr(plan, wanted));
    CHECK(plan, !strstr(plan, unwanted));
}

static void a_sort_follows_its_index(void **state)
{
    struct fixture *fixture = *state;
    bool is_postgres = backend->dialect == SQL_POSTGRES;
    struct sql_list list = {.sort = "-title", .limit = 2};
    if (is_postgres) {
        run(fixture->conn, "ALTER TABLE books ALTER title TYPE TEXT COLLATE \"C\"");
        run(fixture->conn, "SET enable_seqscan = off");
    }
    run(fixture->conn, "CREATE INDEX books_by_title ON books (title, id)");
    list.cursor = read_page(fixture, &list).next_cursor;
    read_page(fixture, &list);
    if (is_postgres)
        check_plan(fixture, "Index Cond: (ROW(", "Sort");
    else
        check_plan(fixture, "books_by_title ((title,id)<(?,?))", "TEMP B-TREE");
}

#define LIST_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        LIST_TEST(every_sort_in_pages_of_every_size),
        LIST_TEST(text_is_ordered_by_its_bytes),
        LIST_TEST(every_condition),
        LIST_TEST(wrong_conditions_have_names),
        LIST_TEST(wrong_limits_and_sorts),
        LIST_TEST(all_that_is_wrong_is_told_at_once),
        LIST_TEST(mistakes_of_the_program),
        LIST_TEST(foreign_cursors_are_refused),
        LIST_TEST(random_cursors_do_no_harm),
        LIST_TEST(who_stays_is_seen_once),
        LIST_TEST(a_list_from_a_query),
        LIST_TEST(a_sort_follows_its_index),
    };
    return RUN_CONTRACT("lists of tables", tests);
}
