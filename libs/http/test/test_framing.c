#include "check.h"

#include "framing.h"
#include "strict.h"

static struct http_req request_of(const struct http_header_pair *headers, int minor_version)
{
    struct http_req req = {.minor_version = minor_version};
    for (; headers->name; headers++)
        req.headers[req.header_count++] = *headers;
    return req;
}

#define HOST                                                                                       \
    {                                                                                              \
        "Host", "x"                                                                                \
    }

static void test_accepted(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int minor_version;
        struct http_header_pair headers[6];
        int64_t body_length;
        bool keep_alive;
    } rows[] = {
        {"plain", 1, {HOST}, 0, true},
        {"1.0", 0, {{0}}, 0, false},
        {"1.0 kept", 0, {{"Connection", "Keep-Alive"}}, 0, true},
        {"close", 1, {HOST, {"Connection", "close"}}, 0, false},
        {"keep and close", 1, {HOST, {"Connection", "keep-alive, Close"}}, 0, false},
        {"keep", 1, {HOST, {"Connection", "TE,keep-alive"}}, 0, true},
        {"other option", 1, {HOST, {"Connection", "TE"}}, 0, false},
        {"upgrade", 1, {HOST, {"Connection", "keep-alive, Upgrade"}}, 0, false},
        {"length", 1, {HOST, {"content-length", "12"}}, 12, true},
        {"no length", 1, {HOST, {"Content-Length", "0"}}, 0, true},
        {"largest", 1, {HOST, {"Content-Length", "9223372036854775807"}}, INT64_MAX, true},
        {"chunked", 1, {HOST, {"Transfer-Encoding", "Chunked"}}, -1, true},
        {"unknown twice", 1, {HOST, {"X-A", "1"}, {"X-A", "2"}}, 0, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_req req = request_of(rows[i].headers, rows[i].minor_version);
        struct err *e = http_framing_check(&req);
        CHECK(rows[i].name, !e);
        CHECK_INT(rows[i].name, req.body_length, rows[i].body_length);
        CHECK_INT(rows[i].name, req.keep_alive, rows[i].keep_alive);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *detail;
        int minor_version;
        struct http_header_pair headers[6];
    } rows[] = {
        {"the Host header is missing", 1, {{"X-Host", "x"}}},
        {"there is more than one Host header", 1, {HOST, {"host", "x"}}},
        {"there is more than one Content-Length header",
         1,
         {HOST, {"Content-Length", "1"}, {"Content-Length", "1"}}},
        {"there is more than one Transfer-Encoding header",
         1,
         {HOST, {"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}}},
        {"there is more than one Authorization header",
         1,
         {HOST, {"Authorization", "Bearer a"}, {"Authorization", "Bearer b"}}},
        {"there is more than one Content-Type header",
         1,
         {HOST, {"Content-Type", "a/b"}, {"Content-Type", "a/b"}}},
        {"there is more than one Connection header",
         1,
         {HOST, {"Connection", "close"}, {"Connection", "keep-alive"}}},
        {"both Content-Length and Transfer-Encoding are there",
         1,
         {HOST, {"Content-Length", "1"}, {"Transfer-Encoding", "chunked"}}},
        {"the Transfer-Encoding is not understood", 1, {HOST, {"Transfer-Encoding", "gzip"}}},
        {"the Transfer-Encoding is not understood",
         1,
         {HOST, {"Transfer-Encoding", "gzip, chunked"}}},
        {"the Transfer-Encoding is not understood", 1, {HOST, {"Transfer-Encoding", "identity"}}},
        {"the Transfer-Encoding is not understood", 0, {{"Transfer-Encoding", "chunked"}}},
        {"the Content-Length is not a number", 1, {HOST, {"Content-Length", ""}}},
        {"the Content-Length is not a number", 1, {HOST, {"Content-Length", "-1"}}},
        {"the Content-Length is not a number", 1, {HOST, {"Content-Length", "+1"}}},
        {"the Content-Length is not a number", 1, {HOST, {"Content-Length", "1, 1"}}},
        {"the Content-Length is not a number", 1, {HOST, {"Content-Length", "1a"}}},
        {"the Content-Length is not a number", 1, {HOST, {"Content-Length", "0x1"}}},
        {"the Content-Length is not a number",
         1,
         {HOST, {"Content-Length", "9223372036854775808"}}},
        {"a header's name is malformed", 1, {HOST, {"X(Y)", "1"}}},
        {"a header's name is malformed", 1, {HOST, {"", "1"}}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_req req = request_of(rows[i].headers, rows[i].minor_version);
        _cleanup_(err_free) struct err *e = http_framing_check(&req);
        CHECK(rows[i].detail, err_kind(e) == &ERR_BAD_REQUEST);
        CHECK_STR(rows[i].detail, err_detail(e), rows[i].detail);
        CHECK(rows[i].detail, !req.keep_alive);
    }
}

static void test_list(void **state)
{
    (void)state;
    static const struct {
        const char *list, *token;
        bool is_there;
    } rows[] = {
        {"", "close", false},          {"close", "close", true},      {"CLOSE", "close", true},
        {" a ,close ", "close", true}, {"a,\tclose", "close", true},  {"closed", "close", false},
        {"a close", "close", true},    {"not-close", "close", false}, {",,", "close", false},
        {"clos", "close", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_INT(rows[i].list, http_list_has(rows[i].list, rows[i].token), rows[i].is_there);
}

/* A header section as civetweb leaves it: text with _ for each NUL that it writes. The strings are
 * found by their numbers: the n-th run of other bytes. */
struct section {
    char bytes[256];
    struct strict_header headers[4];
    struct strict_request request;
};

static const char *nth(struct section *section, size_t len, size_t n)
{
    size_t runs = 0;
    for (size_t i = 0; i < len; i++)
        if (section->bytes[i] != '\0' && (i == 0 || section->bytes[i - 1] == '\0') && runs++ == n)
            return section->bytes + i;
    fail_msg("there is no string number %zu", n);
    return NULL;
}

static void fill(struct section *section, const char *text, bool has_query, size_t headers)
{
    *section = (struct section){0};
    size_t len = strlen(text), n = 0;
    for (size_t i = 0; i < len; i++)
        section->bytes[i] = text[i];
    for (size_t i = 0; i < len; i++)
        if (text[i] == '_')
            section->bytes[i] = '\0';
    section->request.method = nth(section, len, n++);
    section->request.target = nth(section, len, n++);
    if (has_query)
        section->request.query = nth(section, len, n++);
    section->request.version = nth(section, len, n++);
    for (size_t i = 0; i < headers; i++) {
        section->headers[i].name = nth(section, len, n++);
        section->headers[i].value = nth(section, len, n++);
        /* civetweb steps over the spaces before a value, which it leaves as they are */
        section->headers[i].value += strspn(section->headers[i].value, " ");
    }
    section->request.headers = section->headers;
    section->request.header_count = headers;
}

static void test_strict(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        bool has_query;
        size_t headers;
        const char *detail; /* NULL: fine */
    } rows[] = {
        {"no headers", "GET_/_HTTP/1.1____", false, 0, NULL},
        {"one header", "GET_/_HTTP/1.1__Host_ x__\r_", false, 1, NULL},
        {"query", "GET_/a_b=c_HTTP/1.1__Host_x__\r_", true, 1, NULL},
        {"two headers", "GET_/_HTTP/1.1__Host_ x__A_ y__\r_", false, 2, NULL},
        {"trailing space", "GET_/_HTTP/1.1__Host_ x __\r_", false, 1, NULL},
        {"bare LF after the line", "GET_/_HTTP/1.1_Host_ x__\r_", false, 1,
         "the line before a header is malformed"},
        {"bare LF after a header", "GET_/_HTTP/1.1__Host_ x_A_ y__\r_", false, 2,
         "the line before a header is malformed"},
        {"folded first line", "GET_/_HTTP/1.1___Host_ x__\r_", false, 1,
         "the line before a header is malformed"},
        {"bare LFs at the end", "GET_/_HTTP/1.1__Host_ x__body", false, 1,
         "the header section is malformed"},
        {"folded line", "GET_/_HTTP/1.1__Host_ x__ folded\r\n\r_", false, 1,
         "the header section is malformed"},
        {"more than civetweb takes", "GET_/_HTTP/1.1__Host_ x__B: c\r\n\r_", false, 1,
         "the header section is malformed"},
        {"space before the colon", "GET_/_HTTP/1.1__Host__ x__\r_", false, 1,
         "the header's name is malformed"},
        {"two spaces in the line", "GET__/_HTTP/1.1____", false, 0,
         "the request line is malformed"},
        {"two spaces before the version", "GET_/__HTTP/1.1____", false, 0,
         "the request line is malformed"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct section section;
        size_t size = 0;
        fill(&section, rows[i].text, rows[i].has_query, rows[i].headers);
        _cleanup_(err_free) struct err *e = http_strict_check(&section.request, &size);
        if (rows[i].detail) {
            CHECK(rows[i].name, err_kind(e) == &ERR_BAD_REQUEST);
            CHECK_STR(rows[i].name, err_detail(e), rows[i].detail);
            CHECK_INT(rows[i].name, size, 0);
        } else {
            CHECK(rows[i].name, !e);
            CHECK_INT(rows[i].name, size, strlen(rows[i].text));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
